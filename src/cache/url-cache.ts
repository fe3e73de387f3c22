import type {Clock} from '../base/clock.js';
import {CacheError, messageOf} from '../base/errors.js';
import {createLimit} from '../base/limit.js';
import type {Log} from '../base/log.js';
import {redact} from '../base/redact.js';
import {decideType, SNIFF_BYTES} from '../media/sniff.js';
import type {Transform} from '../media/transforms.js';
import {modifiedAtMs, type Entry} from '../store/entry.js';
import {isKey, keyOf, type Key} from '../store/key.js';
import type {FreeSpace, Store} from '../store/store.js';
import {Fill} from './fill.js';
import {Put} from './put.js';
import type {Media, Source} from './source.js';
import {snapshot, type CacheStats, type Counters} from './stats.js';
import {FillingVersion, StoredVersion, type Version} from './version.js';

export {isKey, keyOf, type Entry, type Key};

export interface UrlCacheOptions {
	readonly store: Store;
	readonly source: Source;
	readonly transforms: readonly Transform[];
	/** Downloads at once; the others wait their turn. */
	readonly maxDownloads: number;
	readonly clock: Clock;
	readonly log: Log;
}

/** What is known of a URL without asking anybody. */
export interface Glimpse {
	readonly url: string;
	readonly sizeBytes: number;
	readonly modifiedAtMs: number;
}

/**
 * URLs as bytes: what is stored is served, what is not is downloaded, once for
 * however many ask. The drive and the library are two faces of this.
 */
export class UrlCache {
	readonly #store: Store;
	/** The fills that a new reader may join. */
	readonly #fills = new Map<Key, Fill>();
	/** These, and those that were disowned and still have readers. */
	readonly #running = new Set<Fill>();
	readonly #limit: ReturnType<typeof createLimit>;
	#isClosed = false;
	readonly #counters: Counters = {hits: 0, misses: 0, downloads: 0, failures: 0, downloadedBytes: 0};

	constructor(private readonly options: UrlCacheOptions) {
		this.#store = options.store;
		this.#limit = createLimit(options.maxDownloads);
	}

	/** Finds out what the directory holds; everything works before it is done, but totals and listings are short. */
	load(): Promise<void> {
		return this.#store.load();
	}

	/**
	 * Opens a URL: the stored entry, or a download of it. Resolves when the size
	 * is known: for a download with its first bytes, or with its last where
	 * nothing else tells the length.
	 *
	 * @param signal - ends this wait; a download goes on without it.
	 * @throws CacheError with the reason why there is nothing to read.
	 */
	async open(url: string, signal?: AbortSignal, source: Source = this.options.source): Promise<Version> {
		const key = keyOf(url);
		for (;;) {
			const stored = this.#fills.has(key) ? undefined : await this.openStored(key);
			if (stored !== undefined) return stored;
			const running = this.#fills.get(key);
			this.#counters[running === undefined ? 'misses' : 'hits']++;
			const fill = running ?? this.#fill(url, key, source);
			const version = await this.#follow(fill, signal);
			if (fill.isWanted) return version;
			// It was replaced or removed while we waited: what counts is what is there now.
			version.close();
		}
	}

	/** Opens what is stored under a key; a hit if there is something. */
	async openStored(key: Key): Promise<Version | undefined> {
		const pin = await this.#store.pin(key);
		if (pin === undefined) return undefined;
		this.#counters.hits++;
		return new StoredVersion(pin);
	}

	/** Counts a lookup that was answered from memory, or that found nothing and will not download. */
	note(lookup: 'hit' | 'miss', key: Key): void {
		this.#counters[lookup === 'hit' ? 'hits' : 'misses']++;
		if (lookup === 'hit') this.#store.touch(key);
	}

	/** Downloads into memory, past the store: for what the store cannot hold. */
	async download(url: string, source: Source = this.options.source): Promise<Media> {
		const {body, mimetype, filename} = await source.fetch(url, new AbortController().signal);
		const chunks: Uint8Array[] = [];
		for await (const chunk of body) chunks.push(chunk);
		const data = Buffer.concat(chunks);
		return {data, filename, mimetype: await decideType(mimetype, data.subarray(0, SNIFF_BYTES))};
	}

	/**
	 * Stores bytes that the caller has.
	 *
	 * @param durable - they survive a power cut, at the price of an fsync.
	 * @throws CacheError `too-large`, `no-space`
	 */
	async store(url: string, {data, mimetype, filename}: Media, {durable}: {durable: boolean}): Promise<void> {
		const key = keyOf(url);
		const draft = await this.#store.draft(key);
		try {
			draft.expect(data.byteLength);
			await draft.write([data], 0);
			this.#disown(key);
			(await this.#store.commit(draft, {url, mimetype, filename}, {durable})).close();
		} finally {
			await draft.discard();
		}
	}

	/** What a `stat` may say at once; undefined for what is neither stored nor being fetched. */
	glimpse(key: Key): Glimpse | undefined {
		const fill = this.#fills.get(key);
		if (fill !== undefined) return {url: fill.url, sizeBytes: fill.sizeBytes ?? 0, modifiedAtMs: fill.modifiedAtMs};
		const entry = this.#store.lookup(key);
		return entry && {url: entry.sidecar.url, sizeBytes: entry.sizeBytes, modifiedAtMs: modifiedAtMs(entry)};
	}

	/** Starts an entry written by hand. It beats a download of the same URL when it is committed. */
	put(url: string): Put {
		const key = keyOf(url);
		return new Put(url, key, this.#store, () => this.#disown(key));
	}

	/** Removes what is stored under a key, or is being fetched. Who reads it keeps it. Resolves with whether there was something. */
	async evict(key: Key): Promise<boolean> {
		const wasFilling = this.#disown(key);
		return (await this.#store.remove(key)) || wasFilling;
	}

	entries(): Iterable<Entry> {
		return this.#store.entries();
	}

	/** When an entry was last opened, epoch milliseconds. */
	accessedAtMs(key: Key): number {
		return this.#store.accessedAtMs(key);
	}

	stats(): CacheStats {
		return snapshot(this.#store, this.#counters, this.#running.size);
	}

	freeSpace(): Promise<FreeSpace> {
		return this.#store.freeSpace();
	}

	setLimit(limitBytes: number): Promise<void> {
		return this.#store.setLimit(limitBytes);
	}

	/** Called with each entry that has gone or has been replaced, by whomever. */
	set onGone(listener: (entry: Entry) => void) {
		this.#store.onGone = listener;
	}

	/** Ends the downloads and starts no more, waits for what they leave to be cleared, and lets go of the directory. */
	async close(): Promise<void> {
		this.#isClosed = true;
		await Promise.all([...this.#running].map(fill => fill.close(closed())));
		this.options.source.close?.();
		await this.#store.close();
	}

	async #follow(fill: Fill, signal: AbortSignal | undefined): Promise<Version> {
		fill.join();
		try {
			await fill.opened(signal);
			return new FillingVersion(fill);
		} catch (error) {
			fill.leave();
			throw error;
		}
	}

	#fill(url: string, key: Key, source: Source): Fill {
		// An open may have been on its way here when the cache was closed.
		if (this.#isClosed) throw closed();
		const {transforms, log, clock} = this.options;
		const context = {store: this.#store, source, transforms, log, limit: this.#limit, nowMs: clock.now()};
		const fill = new Fill(url, key, context);
		this.#fills.set(key, fill);
		this.#running.add(fill);
		void this.#settle(fill);
		return fill;
	}

	async #settle(fill: Fill): Promise<void> {
		try {
			await fill.finished;
			this.#counters.downloads++;
		} catch (error) {
			this.#counters.failures++;
			this.options.log.debug('a download ended without an entry', {url: redact(fill.url), reason: messageOf(error)});
		} finally {
			this.#counters.downloadedBytes += fill.arrivedBytes;
			this.#running.delete(fill);
			if (this.#fills.get(fill.key) === fill) this.#fills.delete(fill.key);
		}
	}

	#disown(key: Key): boolean {
		const fill = this.#fills.get(key);
		if (fill === undefined) return false;
		this.#fills.delete(key);
		fill.disown();
		return true;
	}
}

function closed(): CacheError {
	return new CacheError('aborted', 'the cache was closed');
}
