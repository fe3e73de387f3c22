import {lstat, rename} from 'node:fs/promises';
import type {Clock} from '../base/clock.js';
import type {KeyedMutex} from '../base/keyed-mutex.js';
import type {Catalogue} from './catalogue.js';
import {identityOf, sameFile, type Entry} from './entry.js';
import type {Key} from './key.js';
import type {Layout} from './layout.js';
import {stageSidecar, unlinkIfThere} from './publish.js';

/** A sidecar's `ts` may be this much behind: the original reads it, and it orders a scan. */
const MAX_LAG_MS = 60 * 60 * 1000;
const FLUSH_EVERY_MS = 60 * 1000;
/** Sidecars written in one flush. The rest waits for the next. */
const BATCH = 500;

/** Writes access times back to the sidecars, seldom and in batches, never making a sidecar that is not there. */
export class Recency {
	readonly #late = new Set<Key>();
	readonly #timer: NodeJS.Timeout;

	constructor(
		private readonly layout: Layout,
		private readonly catalogue: Catalogue,
		private readonly locks: KeyedMutex<Key>,
		private readonly clock: Clock,
	) {
		this.#timer = setInterval(() => void this.flush(), FLUSH_EVERY_MS).unref();
	}

	/** Notes an access. */
	touch(entry: Entry): void {
		const nowMs = this.clock.now();
		this.catalogue.touch(entry.key, nowMs);
		if (nowMs - entry.sidecar.ts * 1000 > MAX_LAG_MS) this.#late.add(entry.key);
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
		if (entry === undefined) return;
		const sidecar = {...entry.sidecar, ts: this.catalogue.accessedAtMs(key) / 1000};
		const staged = await stageSidecar(this.layout, key, sidecar, false);
		const there = await lstat(this.layout.sidecar(key), {bigint: true}).catch(() => undefined);
		if (there === undefined || !sameFile(identityOf(there), entry.sidecarFile)) {
			await unlinkIfThere(staged.path);
			return;
		}

		await rename(staged.path, this.layout.sidecar(key));
		this.catalogue.set({...entry, sidecar, sidecarFile: identityOf(staged.stats)});
	}
}
