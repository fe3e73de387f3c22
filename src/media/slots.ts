import {CacheError} from '../base/errors.js';

/**
 * Lets `count` pieces of work run at once; the others wait in the order they
 * came. One that is aborted while it waits leaves the queue at once.
 */
export class Slots {
	#free: number;
	readonly #waiting = new Set<() => void>();

	constructor(count: number) {
		this.#free = count;
	}

	/**
	 * Runs `work` when its turn comes; its outcome is the caller's.
	 *
	 * @param signal - ends the waiting; ending the work is up to `work`.
	 * @throws CacheError `aborted` when `signal` fired before the turn came.
	 */
	async run<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
		await this.#take(signal);
		try {
			return await work();
		} finally {
			this.#release();
		}
	}

	#take(signal: AbortSignal): Promise<void> {
		if (signal.aborted) return Promise.reject(aborted(signal));
		if (this.#free > 0) {
			this.#free--;
			return Promise.resolve();
		}

		return new Promise((resolve, reject) => {
			const enter = () => {
				signal.removeEventListener('abort', leave);
				resolve();
			};
			const leave = () => {
				this.#waiting.delete(enter);
				reject(aborted(signal));
			};
			this.#waiting.add(enter);
			signal.addEventListener('abort', leave, {once: true});
		});
	}

	#release(): void {
		const [next] = this.#waiting;
		if (next === undefined) {
			this.#free++;
			return;
		}

		this.#waiting.delete(next);
		next();
	}
}

function aborted(signal: AbortSignal): CacheError {
	return new CacheError('aborted', 'the conversion was aborted before it began', {cause: signal.reason});
}
