import {LRUCache} from '../base/lru-cache.js';
import {CacheError} from '../base/errors.js';
import {SingleFlight} from '../base/single-flight.js';
import {OversizedError} from '../http/oversized-error.js';
import type {Entry} from '../store/entry.js';
import {keyOf, type Key} from '../store/key.js';
import {downloaderSource, type Media, type Source} from './source.js';
import type {CacheStats} from './stats.js';
import type {UrlCache} from './url-cache.js';
import type {Version} from './version.js';

/** Downloads a URL in the caller's own way. */
export type Downloader = () => Promise<Media>;

export interface MemoryLimits {
	/** Entries whose bytes are kept in memory; 0 for none. */
	readonly maxMemoryItems: number;
	/** What those bytes may come to. A larger body is not kept in memory. */
	readonly maxMemoryBytes: number;
}

interface Remembered {
	readonly key: Key;
	readonly media: Media;
	/** The entry whose bytes these are. */
	readonly entry: Entry;
}

/**
 * The original's two tiers: whole bodies in memory, over the cache on disk.
 * Bytes handed out are shared with the memory tier: copy them before writing
 * into them.
 *
 * @see `media_cache.MediaCache`, whose names and meaning these are
 */
export class TwoTierCache {
	readonly #memory: LRUCache<string, Remembered> | undefined;
	/** What the memory tier has, by key. */
	readonly #urls = new Map<Key, string>();
	readonly #downloads = new SingleFlight<string, Media>();

	constructor(
		private readonly cache: UrlCache,
		{maxMemoryItems: max, maxMemoryBytes}: MemoryLimits,
	) {
		if (max === 0 || maxMemoryBytes === 0) return;
		this.#memory = new LRUCache({
			max,
			maxSize: maxMemoryBytes,
			sizeCalculation: ({media}) => media.data.byteLength || 1,
			dispose: ({key}) => this.#urls.delete(key),
		});
		cache.onChanged = (key, now) => this.#recheck(key, now);
	}

	/** Finds out what the directory holds. Once, however often it is called; nothing else has to wait for it. */
	async ensureLoaded(): Promise<void> {
		await this.cache.load();
		// What another process replaced before its changes were heard of here.
		for (const [url, {key, entry}] of [...(this.#memory?.entries() ?? [])]) {
			if (!isSame(entry, this.cache.entry(key))) this.#memory?.delete(url);
		}
	}

	/**
	 * What is stored for `url`, or undefined. No request is made.
	 *
	 * @throws CacheError `bad-name` for a URL with a lone surrogate.
	 */
	async get(url: string): Promise<Media | undefined> {
		const remembered = this.#memory?.get(url);
		if (remembered !== undefined) {
			this.cache.note('hit', remembered.key, remembered.entry);
			return remembered.media;
		}

		const key = keyOf(url);
		const version = await this.cache.openStored(key);
		if (version !== undefined) return this.#readAll(url, version);
		this.cache.note('miss', key);
		return undefined;
	}

	/**
	 * Stores `data` under `url`; what was there before is replaced.
	 *
	 * @throws CacheError `too-large` when it exceeds the budget: nothing is
	 *   evicted for it; `no-space`, `bad-name`.
	 */
	async put(url: string, data: Uint8Array, mimetype: string, filename: string): Promise<void> {
		const media = {data: Buffer.from(data), mimetype, filename};
		this.#remember(url, media, await this.cache.store(url, media, {durable: false}));
	}

	/**
	 * What is stored for `url`, else what `download` brings (by default a GET of
	 * `url`), stored. However many ask at once, one downloads and all get its
	 * outcome; a failure is not remembered. A GIF is stored and returned as MP4.
	 * A body that cannot be stored is returned all the same.
	 *
	 * @throws what `download` throws; CacheError of the GET.
	 */
	async getOrDownload(url: string, download?: Downloader): Promise<Media> {
		const remembered = this.#memory?.get(url);
		if (remembered !== undefined && this.cache.isFresh(remembered.entry)) {
			this.cache.note('hit', remembered.key, remembered.entry);
			return remembered.media;
		}

		let isFirst = false;
		const media = this.#downloads.run(url, () => {
			isFirst = true;
			return this.#open(url, download && downloaderSource(download));
		});
		if (!isFirst) this.cache.note('hit', keyOf(url));
		return media;
	}

	/**
	 * As `getOrDownload`, once the origin was asked about `url`, however fresh what
	 * is stored is.
	 *
	 * @throws CacheError also where the origin does not answer.
	 */
	async refresh(url: string): Promise<Media> {
		return this.#readAll(url, await this.cache.openRefreshed(url));
	}

	/** A snapshot, under the original's names. */
	stats(): CacheStats {
		return {...this.cache.stats(), entries_in_memory: this.#memory?.size ?? 0};
	}

	/** Lets go of the directory. Downloads under way end with `aborted`. */
	close(): Promise<void> {
		return this.cache.close();
	}

	async #open(url: string, source: Source | undefined): Promise<Media> {
		try {
			return await this.#readAll(url, await this.cache.open(url, undefined, source));
		} catch (error) {
			if (!isAboutStoring(error)) throw error;
			return this.cache.download(url, source);
		}
	}

	async #readAll(url: string, version: Version): Promise<Media> {
		try {
			const {mimetype, filename} = await version.whole();
			const data = Buffer.allocUnsafe(version.sizeBytes);
			await version.read(data, 0);
			const media = {data, mimetype, filename};
			if (version.entry !== undefined) this.#remember(url, media, version.entry);
			return media;
		} finally {
			version.close();
		}
	}

	/** Unless another body is stored for `url` by now, or it has moved: changes are heard of by the key of the entry. */
	#remember(url: string, media: Media, entry: Entry): void {
		if (entry.key !== keyOf(url)) return;
		if (this.#memory === undefined || !isSame(entry, this.cache.entry(entry.key))) return;
		this.#memory.set(url, {key: entry.key, media, entry});
		if (this.#memory.has(url)) this.#urls.set(entry.key, url);
	}

	/** Forgets what is in memory unless it is of the entry that is there now. */
	#recheck(key: Key, now: () => Entry | undefined): void {
		const url = this.#urls.get(key);
		const remembered = url === undefined ? undefined : this.#memory?.peek(url);
		if (url !== undefined && remembered !== undefined && !isSame(remembered.entry, now())) this.#memory?.delete(url);
	}
}

function isSame(entry: Entry, other: Entry | undefined): boolean {
	return entry.data === other?.data;
}

function isAboutStoring(error: unknown): boolean {
	// Of this nothing is fetched, to be stored or not.
	if (error instanceof OversizedError) return false;
	return error instanceof CacheError && (error.code === 'too-large' || error.code === 'no-space');
}
