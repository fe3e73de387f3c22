import type {Catalogue} from './catalogue.js';
import type {Entry} from './entry.js';
import type {Key} from './key.js';
import type {KeyLocks} from './key-locks.js';
import type {Layout} from './layout.js';
import {rewriteSidecar} from './rewrite.js';
import type {Sidecar} from './sidecar.js';

/** A sidecar's `ts` may be this much behind. */
const MAX_LAG_MS = 60 * 60 * 1000;
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

	/** Hears of an access. @param atMs - epoch milliseconds. */
	note({key, sidecar}: Entry, atMs: number): void {
		if (isBehind(sidecar, atMs)) this.#late.add(key);
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
		// It may have been written since.
		if (entry === undefined || use === undefined || !isBehind(entry.sidecar, use.accessed_at)) return;
		await rewriteSidecar({layout: this.layout, catalogue: this.catalogue}, entry, {
			...entry.sidecar,
			ts: use.accessed_at / 1000,
		});
	}
}

function isBehind({ts}: Sidecar, atMs: number): boolean {
	return atMs - ts * 1000 > MAX_LAG_MS;
}
