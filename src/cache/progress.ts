interface Waiter {
	readonly end: number;
	readonly resolve: () => void;
	readonly reject: (reason: Error) => void;
}

/** How far a fill has come, and who waits for it to come further. */
export class Progress {
	#bytes = 0;
	#over = false;
	#failure: Error | undefined;
	readonly #waiters = new Set<Waiter>();

	/** Bytes there from the start on, without a gap. */
	get bytes(): number {
		return this.#bytes;
	}

	advance(bytes: number): void {
		this.#bytes = bytes;
		this.#settle(
			waiter => bytes >= waiter.end,
			waiter => waiter.resolve(),
		);
	}

	/** All is there: `bytes` of it. */
	finish(bytes: number): void {
		this.#bytes = bytes;
		this.#over = true;
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
	 * Waits until bytes `[0, end)` are there, or all of them.
	 *
	 * @throws the reason of the failure, or the signal's.
	 */
	reached(end: number, signal?: AbortSignal): Promise<void> {
		if (this.#bytes >= end || this.#over) return DONE;
		if (this.#failure !== undefined) return Promise.reject(this.#failure);
		return new Promise((resolve, reject) => {
			const abort = () => settle(() => reject(signal?.reason as Error));
			const settle = (how: () => void) => {
				signal?.removeEventListener('abort', abort);
				this.#waiters.delete(waiter);
				how();
			};

			const waiter = {
				end,
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
