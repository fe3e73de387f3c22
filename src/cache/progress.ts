import {RangeSet, type Range} from '../base/range-set.js';

interface Waiter extends Range {
	readonly resolve: () => void;
	readonly reject: (reason: Error) => void;
}

/** What of a run of bytes is there, and who waits for what of it. */
export class Progress {
	readonly #there = new RangeSet();
	#over = false;
	#failure: Error | undefined;
	readonly #waiters = new Set<Waiter>();

	/** What is there. Not to be changed by who asks. */
	get ranges(): RangeSet {
		return this.#there;
	}

	/** Bytes there, wherever. */
	get bytes(): number {
		return this.#there.size;
	}

	/** Whether all of it is there. */
	get isWhole(): boolean {
		return this.#over;
	}

	/** What is waited for, in the order in which it was asked for. */
	get awaited(): Iterable<Range> {
		return this.#waiters;
	}

	add({start, end}: Range): void {
		this.#there.add(start, end);
		this.#settle(
			waiter => this.#there.has(waiter.start, waiter.end),
			waiter => waiter.resolve(),
		);
	}

	/** All is there: `bytes` of it. */
	finish(bytes: number): void {
		this.#there.add(0, bytes);
		this.#over = true;
		this.#settle(
			() => true,
			waiter => waiter.resolve(),
		);
	}

	/** Nobody waits any longer: what was waited for may not be there. */
	wake(): void {
		this.#settle(
			() => true,
			waiter => waiter.resolve(),
		);
	}

	/** No more will come; what is there stays readable. */
	fail(reason: Error): void {
		this.#failure = reason;
		this.#settle(
			() => true,
			waiter => waiter.reject(reason),
		);
	}

	/**
	 * Waits until `[start, end)` is there, or all of it.
	 *
	 * @throws the reason of the failure, or the signal's.
	 */
	reached({start, end}: Range, signal?: AbortSignal): Promise<void> {
		if (this.#over || this.#there.has(start, end)) return DONE;
		if (this.#failure !== undefined) return Promise.reject(this.#failure);
		return new Promise((resolve, reject) => {
			const abort = () => settle(() => reject(signal?.reason as Error));
			const settle = (how: () => void) => {
				signal?.removeEventListener('abort', abort);
				this.#waiters.delete(waiter);
				how();
			};

			const waiter = {
				...{start, end},
				resolve: () => settle(resolve),
				reject: (reason: Error) => settle(() => reject(reason)),
			};
			this.#waiters.add(waiter);
			if (signal?.aborted) abort();
			else signal?.addEventListener('abort', abort, {once: true});
		});
	}

	#settle(which: (waiter: Waiter) => boolean, how: (waiter: Waiter) => void): void {
		for (const waiter of [...this.#waiters]) if (which(waiter)) how(waiter);
	}
}

const DONE = Promise.resolve();
