/**
 * Collapses concurrent calls for the same key into one run of `work`; every
 * caller gets that run's outcome, value or error alike. The key is free again
 * once the run settles, so nothing is cached here, failures included.
 */
export class SingleFlight<K, V> {
	readonly #inFlight = new Map<K, Promise<V>>();

	run(key: K, work: () => Promise<V>): Promise<V> {
		const running = this.#inFlight.get(key);
		if (running) return running;

		const started = work().finally(() => this.#inFlight.delete(key));
		this.#inFlight.set(key, started);
		return started;
	}
}
