import {abortable} from '../base/abort.js';
import type {Clock} from '../base/clock.js';
import {CacheError, messageOf} from '../base/errors.js';
import type {Log} from '../base/log.js';
import {redact} from '../base/redact.js';
import {decideType, SNIFF_BYTES} from '../media/sniff.js';
import type {Transform} from '../media/transforms.js';
import {modifiedAtMs, type Entry} from '../store/entry.js';
import {isKey, keyOf, type Key} from '../store/key.js';
import type {Limits} from '../store/limits.js';
import type {Annotation, FreeSpace, Store} from '../store/store.js';
import type {Verification, VerifyOptions} from '../store/verify.js';
import type {Bandwidth} from './bandwidth.js';
import {Buffers} from './buffers.js';
import {statusOfLeft, type DownloadStatus} from './download-status.js';
import {DownloadWatch} from './download-watch.js';
import {Fill} from './fill.js';
import type {FillMode} from './fill-mode.js';
import {Put} from './put.js';
import type {Media, Source} from './source.js';
import type {Slots} from './slots.js';
import {snapshot, type CacheStats, type Counters} from './stats.js';
import {FillingVersion, StoredVersion, type Version} from './version.js';
import {WindowMemory} from './window-memory.js';

export {isKey, keyOf, type Entry, type Key};

export interface UrlCacheOptions {
	readonly store: Store;
	readonly source: Source;
	readonly transforms: readonly Transform[];
	readonly fillMode: FillMode;
	/** For downloads at once; the others wait their turn. */
	readonly slots: Slots;
	/** What all downloads keep to together. */
	readonly bandwidth: Bandwidth;
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
	/** The last fill of each key that is not over. */
	readonly #fills = new Map<Key, Fill>();
	/** These, and those that were disowned or given up and are not over yet. */
	readonly #unfinished = new Set<Fill>();
	/** These, and those that are read after their end. */
	readonly #unclosed = new Set<Fill>();
	readonly #watch: DownloadWatch;
	readonly #buffers: Buffers;
	readonly #windows: WindowMemory;
	#isClosed = false;
	readonly #counters: Counters = {hits: 0, misses: 0, downloads: 0, failures: 0, downloadedBytes: 0};

	constructor(private readonly options: UrlCacheOptions) {
		this.#store = options.store;
		this.#watch = new DownloadWatch(options.clock);
		this.#buffers = new Buffers(BUFFER_BYTES);
		this.#windows = new WindowMemory(BUFFER_BYTES);
	}

	/** Finds out what the directory holds; everything works before it is done, but totals and listings are short. */
	load(): Promise<void> {
		return this.#store.load();
	}

	/**
	 * Opens a URL: the stored entry, or a download of it. Resolves when the size
	 * is known: for a download with its first bytes, or with its last where
	 * nothing else tells the length. What another process downloads is followed,
	 * as if it were downloaded here.
	 *
	 * @param signal - ends this wait; a download goes on without it.
	 * @throws CacheError with the reason why there is nothing to read.
	 */
	async open(url: string, signal?: AbortSignal, source: Source = this.options.source): Promise<Version> {
		const key = keyOf(url);
		for (;;) {
			const stored = await this.openStored(key);
			if (stored !== undefined) return stored;
			const ending = this.#fills.get(key);
			if (ending?.isEnding === true) {
				await abortable(ending.finished, signal).catch(() => signal?.throwIfAborted());
				continue;
			}

			const running = this.#running(key);
			if (running !== undefined) this.#counters.hits++;
			const fill = running ?? this.#fill(url, key, source);
			const version = await this.#join(fill, signal);
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
		this.#count(lookup);
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
	async store(url: string, {data, mimetype, filename}: Media, {durable}: {durable: boolean}): Promise<Entry> {
		const key = keyOf(url);
		const draft = await this.#store.draft(key);
		try {
			draft.expect(data.byteLength);
			await draft.write([data], 0);
			this.#disown(key);
			const pin = await this.#store.commit(draft, {url, mimetype, filename}, {durable});
			pin.close();
			return pin.entry;
		} finally {
			await draft.discard();
		}
	}

	/** What a `stat` may say at once; undefined for what is neither stored nor being fetched. */
	glimpse(key: Key): Glimpse | undefined {
		const fill = this.#running(key);
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
		const wasLeft = this.#store.forgetPartial(key);
		return (await this.#store.remove(key)) || wasFilling || wasLeft;
	}

	/** What is stored under a key, without counting it as a lookup. */
	entry(key: Key): Entry | undefined {
		return this.#store.lookup(key);
	}

	/** What a listing shows of each entry, in no order that matters. */
	*list(): Generator<Glimpse & {readonly key: Key}> {
		for (const entry of this.#store.entries()) {
			const {key, sidecar, sizeBytes} = entry;
			yield {key, url: sidecar.url, sizeBytes, modifiedAtMs: modifiedAtMs(entry)};
		}
	}

	entries(): Iterable<Entry> {
		return this.#store.entries();
	}

	/** When an entry was last opened, epoch milliseconds. */
	accessedAtMs(key: Key): number {
		return this.#store.accessedAtMs(key);
	}

	stats(): CacheStats {
		const downloads = [...this.#unfinished].filter(fill => !fill.isFollowing && fill.state !== 'paused');
		return snapshot(this.#store, this.#counters, downloads.length);
	}

	/** What is being downloaded, and what waits for its turn, in the order in which it was asked for; then what was left. */
	downloads(): DownloadStatus[] {
		const running = this.#watch.statuses();
		const left = [...this.#store.partials].filter(({key}) => !running.some(status => status.key === key));
		return [...running, ...left.map(statusOfLeft)];
	}

	freeSpace(): Promise<FreeSpace> {
		return this.#store.freeSpace();
	}

	/** What the directory may hold. */
	get limits(): Limits {
		return this.#store.limits;
	}

	/** Changes what the directory may hold, for all that have it open. */
	setLimits(limits: Partial<Limits>): Promise<void> {
		return this.#store.setLimits(limits);
	}

	/** Changes what all downloads may bring together, also those that run. Infinity for no limit. */
	setBandwidth(bytesPerSecond: number): void {
		this.options.bandwidth.setLimit(bytesPerSecond);
	}

	/** Whether the source may not be asked from now on. What is stored is read all the same, and what is coming comes. */
	setOffline(isOffline: boolean): void {
		this.options.source.setOffline?.(isOffline);
	}

	/** Writes into the sidecar what a user says of an entry. Resolves with whether there is one. */
	annotate(key: Key, annotation: Annotation): Promise<boolean> {
		return this.#store.annotate(key, annotation);
	}

	/** Looks for damage, and makes it good if that is asked for. To be iterated once. */
	verify(options: VerifyOptions = {}): Verification {
		return this.#store.verify(options);
	}

	/** Called with each key whose files may have been changed, by whomever, and with what tells the entry there is now. */
	set onChanged(listener: (key: Key, now: () => Entry | undefined) => void) {
		this.#store.onChanged = listener;
	}

	/** Ends the downloads and starts no more, waits for what they leave to be cleared, and lets go of the directory. */
	async close(): Promise<void> {
		this.#isClosed = true;
		await Promise.all([...this.#unclosed].map(fill => fill.close(closed())));
		this.options.source.close?.();
		await this.#store.close();
	}

	/** The fill of a key that a new reader may join. */
	#running(key: Key): Fill | undefined {
		const fill = this.#fills.get(key);
		return fill?.isOpen === true ? fill : undefined;
	}

	#count(lookup: 'hit' | 'miss'): void {
		this.#counters[lookup === 'hit' ? 'hits' : 'misses']++;
	}

	async #join(fill: Fill, signal: AbortSignal | undefined): Promise<Version> {
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
		const {transforms, fillMode, slots, bandwidth, log, clock} = this.options;
		const fill = new Fill(url, key, {
			...{store: this.#store, source, transforms, fillMode, log, nowMs: clock.now()},
			...{slots, bandwidth, buffers: this.#buffers, windows: this.#windows},
			onDecided: lookup => this.#count(lookup),
			onClosed: () => this.#unclosed.delete(fill),
		});
		this.#unclosed.add(fill);
		this.#fills.set(key, fill);
		this.#unfinished.add(fill);
		this.#watch.add(fill);
		void this.#settle(fill);
		return fill;
	}

	async #settle(fill: Fill): Promise<void> {
		try {
			const outcome = await fill.finished;
			if (outcome === 'whole' && fill.isDownload) this.#counters.downloads++;
		} catch (error) {
			if (!fill.isFollowing) this.#counters.failures++;
			this.options.log.debug('a download ended without an entry', {url: redact(fill.url), reason: messageOf(error)});
		} finally {
			this.#counters.downloadedBytes += fill.downloadedBytes;
			this.#unfinished.delete(fill);
			this.#watch.remove(fill);
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

/** What may be in memory on its way to the disk, and as much on its way past it, however many read. */
const BUFFER_BYTES = 32 * 1024 * 1024;

function closed(): CacheError {
	return new CacheError('aborted', 'the cache was closed');
}
