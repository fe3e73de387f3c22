/**
 * Runs the work of one key in order, one at a time; the work of other keys goes
 * on beside it. A failure is its caller's alone and does not stop the next.
 */
export class KeyedMutex<K> {
	readonly #tails = new Map<K, Promise<unknown>>();

	run<T>(key: K, work: () => Promise<T>): Promise<T> {
		const before = this.#tails.get(key);
		const mine = before === undefined ? work() : before.then(work, work);
		const tail = mine
			.catch(() => undefined)
			.then(() => {
				if (this.#tails.get(key) === tail) this.#tails.delete(key);
			});
		this.#tails.set(key, tail);
		return mine;
	}

	/** Whether work of `key` is under way or queued. */
	isBusy(key: K): boolean {
		return this.#tails.has(key);
	}

	/** Resolves once the work queued for `key` by now is done; at once when there is none. */
	async idle(key: K): Promise<void> {
		await this.#tails.get(key);
	}
}
