import type {Catalogue} from './catalogue.js';
import type {Key} from './key.js';
import type {KeyLocks} from './key-locks.js';
import type {Layout} from './layout.js';
import {rewriteSidecar} from './rewrite.js';

const FLUSH_EVERY_MS = 60 * 1000;
/** Sidecars written in one flush. The rest waits for the next. */
const BATCH = 500;

/**
 * Writes access times from the catalogue back to the sidecars, seldom and in
 * batches: the original reads them, and they order a catalogue made anew.
 */
export class Recency {
	readonly #late = new Set<Key>();
	readonly #timer: NodeJS.Timeout;

	constructor(
		private readonly layout: Layout,
		private readonly catalogue: Catalogue,
		private readonly locks: KeyLocks,
	) {
		this.#timer = setInterval(() => void this.flush(), FLUSH_EVERY_MS).unref();
	}

	/** Notes entries that were accessed much later than their sidecars say. */
	add(keys: readonly Key[]): void {
		for (const key of keys) this.#late.add(key);
	}

	async flush(): Promise<void> {
		for (const key of [...this.#late].slice(0, BATCH)) {
			this.#late.delete(key);
			await this.locks.run(key, () => this.#write(key)).catch(() => undefined);
		}
	}

	async close(): Promise<void> {
		clearInterval(this.#timer);
		await this.flush();
	}

	async #write(key: Key): Promise<void> {
		const entry = this.catalogue.get(key);
		const use = this.catalogue.use(key);
		if (entry === undefined || use === undefined) return;
		await rewriteSidecar({layout: this.layout, catalogue: this.catalogue}, entry, {
			...entry.sidecar,
			ts: use.accessed_at / 1000,
		});
	}
}
