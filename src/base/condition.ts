interface Waiter {
	readonly holds: () => boolean;
	readonly resolve: () => void;
}

/** What many may wait for, each for its own: a condition variable. Who changes something it may depend on tells. */
export class Condition {
	readonly #waiters = new Set<Waiter>();

	/** Something has changed. */
	notify(): void {
		for (const waiter of [...this.#waiters]) if (waiter.holds()) waiter.resolve();
	}

	/** Waits until `holds`, which is asked at once, and whenever something has changed. @throws the signal's reason. */
	until(holds: () => boolean, signal: AbortSignal): Promise<void> {
		if (signal.aborted) return Promise.reject(signal.reason as Error);
		if (holds()) return DONE;
		return new Promise((resolve, reject) => {
			const settle = (how: () => void) => {
				this.#waiters.delete(waiter);
				signal.removeEventListener('abort', abort);
				how();
			};
			const abort = () => settle(() => reject(signal.reason as Error));
			const waiter = {holds, resolve: () => settle(resolve)};
			this.#waiters.add(waiter);
			signal.addEventListener('abort', abort, {once: true});
		});
	}
}

const DONE = Promise.resolve();
