/** Who waits: a reader for the bytes, or nobody, as what is fetched may be read later. */
export type Priority = 'reader' | 'ahead';

/** A priority, or what tells it each time somebody is to be chosen: readers come and go while their download waits. */
export type PriorityNow = Priority | (() => Priority);

export interface Waiter<T> {
	readonly wanted: T;
	priority(): Priority;
	/** Ends its wait, and takes it out of the line. */
	admit(): void;
}

/**
 * Those who wait for their turn: who has a reader before who has none, and
 * among equals in the order in which they came. So who has no reader may wait
 * as long as others have one. Who is admitted, and when, others decide.
 */
export class WaitingLine<T> {
	readonly #waiters = new Set<Waiter<T>>();

	/** @param onLeft - called with what somebody wanted who has left without being admitted. */
	constructor(private readonly onLeft: (wanted: T) => void = () => undefined) {}

	/**
	 * Waits until it is admitted, which may be at once.
	 *
	 * @throws the signal's reason, as soon as it fires before that.
	 */
	wait(wanted: T, priority: PriorityNow, signal?: AbortSignal): Promise<void> {
		return new Promise((resolve, reject) => {
			const leave = () => {
				this.#waiters.delete(waiter);
				reject(signal?.reason as Error);
				this.onLeft(wanted);
			};

			const admit = () => {
				this.#waiters.delete(waiter);
				signal?.removeEventListener('abort', leave);
				resolve();
			};

			const waiter = {wanted, admit, priority: () => priorityOf(priority)};
			this.#waiters.add(waiter);
			if (signal?.aborted) leave();
			else signal?.addEventListener('abort', leave, {once: true});
		});
	}

	/** Who has the next turn. */
	get first(): Waiter<T> | undefined {
		return this.inTurn().next().value;
	}

	/** Whether a newcomer's turn is before that of all who wait. */
	isFirst(newcomer: PriorityNow): boolean {
		const {first} = this;
		return first === undefined || (priorityOf(newcomer) === 'reader' && first.priority() === 'ahead');
	}

	/** All of them, in the order of their turns. They may be admitted on the way. */
	*inTurn(): Generator<Waiter<T>, undefined> {
		for (const priority of ['reader', 'ahead']) {
			for (const waiter of this.#waiters) if (waiter.priority() === priority) yield waiter;
		}

		return undefined;
	}
}

function priorityOf(priority: PriorityNow): Priority {
	return typeof priority === 'function' ? priority() : priority;
}
