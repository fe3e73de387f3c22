import {abortable} from '../base/abort.js';
import type {Clock} from '../base/clock.js';
import type {Log} from '../base/log.js';
import type {Freshness, FreshnessRules} from '../http/freshness.js';
import {decideType, SNIFF_BYTES} from '../media/sniff.js';
import type {Transform} from '../media/transforms.js';
import {modifiedAtMs, type Entry} from '../store/entry.js';
import {isKey, keyOf, type Key} from '../store/key.js';
import type {Limits} from '../store/limits.js';
import type {Annotation, FreeSpace, Store} from '../store/store.js';
import type {Verification, VerifyOptions} from '../store/verify.js';
import {Absences} from './absences.js';
import type {Bandwidth} from './bandwidth.js';
import {statusOfLeft, type DownloadStatus} from './download-status.js';
import type {Fill} from './fill.js';
import type {FillMode} from './fill-mode.js';
import {Fills} from './fills.js';
import {MovedError} from './moved-error.js';
import {gather} from './gather.js';
import {Put} from './put.js';
import {Revalidator} from './revalidate.js';
import type {Media, Source} from './source.js';
import type {Slots} from './slots.js';
import {snapshot, type CacheStats, type Counters} from './stats.js';
import {StoredVersion, type Version} from './version.js';

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
	/** How long what is stored is used without asking. */
	readonly freshness: FreshnessRules;
	readonly clock: Clock;
	readonly log: Log;
}

/** What asking the source about a URL has led to. */
export interface Refreshed {
	/** `fetched` where nothing was stored. */
	readonly outcome: 'unchanged' | 'changed' | 'fetched';
	/** Resolves when what the source has is stored. @throws why it is not. */
	readonly stored: Promise<void>;
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
	readonly #absences: Absences;
	readonly #fills: Fills;
	readonly #revalidator: Revalidator;
	readonly #counters: Counters = {hits: 0, misses: 0, downloads: 0, failures: 0, downloadedBytes: 0};
	#isOffline = false;

	constructor(private readonly options: UrlCacheOptions) {
		this.#store = options.store;
		this.#absences = new Absences(options.clock);
		this.#fills = new Fills({...options, absences: this.#absences, counters: this.#counters});
		this.#revalidator = new Revalidator({...options, fills: this.#fills, absences: this.#absences});
	}

	/** Finds out what the directory holds; everything works before it is done, but totals and listings are short. */
	load(): Promise<void> {
		return this.#store.load();
	}

	/**
	 * Opens a URL: the stored entry, or a download of it. Resolves when the size
	 * is known: for a download with its first bytes, or with its last where
	 * nothing else tells the length. What another process downloads is followed,
	 * as if it were downloaded here. What is stale is asked about first; see
	 * `Freshness`.
	 *
	 * @param signal - ends this wait; a download goes on without it.
	 * @throws CacheError with the reason why there is nothing to read.
	 */
	async open(url: string, signal?: AbortSignal, source: Source = this.options.source): Promise<Version> {
		try {
			return await this.#open(url, signal, source);
		} catch (error) {
			if (!(error instanceof MovedError)) throw error;
			return await this.#openMoved(keyOf(url), error, signal);
		}
	}

	/** Asks the source about a URL now, however fresh what is stored is, and fetches what it has, whole. */
	async refresh(url: string, signal?: AbortSignal): Promise<Refreshed> {
		const {outcome, version} = await this.#refresh(url, signal);
		return {
			outcome,
			stored: version
				.whole(signal)
				.then(() => undefined)
				.finally(() => version.close()),
		};
	}

	/** As `open`, once the source was asked about the URL, however fresh what is stored is. */
	async openRefreshed(url: string, signal?: AbortSignal): Promise<Version> {
		return (await this.#refresh(url, signal)).version;
	}

	/** Opens what is stored under a key; a hit if there is something. */
	async openStored(key: Key): Promise<Version | undefined> {
		const pin = await this.#store.pin(key);
		if (pin === undefined) return undefined;
		this.#counters.hits++;
		return new StoredVersion(pin);
	}

	/** Whether an entry may be used without asking. */
	isFresh(entry: Entry): boolean {
		return this.#isOffline || this.#judge(entry) === 'fresh';
	}

	/** Counts a lookup that was answered from memory, or that found nothing and will not download. */
	note(lookup: 'hit' | 'miss', key: Key): void {
		this.#count(lookup);
		if (lookup === 'hit') this.#store.touch(key);
	}

	/**
	 * Downloads into memory, past the store: for what the store cannot hold. Of an
	 * origin no more than 512 MiB, for what it sends may have no end.
	 */
	async download(url: string, source: Source = this.options.source): Promise<Media> {
		const body = await source.fetch(url, new AbortController().signal);
		const {mimetype, filename} = body;
		const data = await gather(url, body, source === this.options.source ? MAX_GATHERED_BYTES : Infinity);
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
			this.#fills.disown(key);
			const pin = await this.#store.commit(draft, {url, mimetype, filename, isPut: true}, {durable});
			pin.close();
			return pin.entry;
		} finally {
			await draft.discard();
		}
	}

	/** What a `stat` may say at once; undefined for what is neither stored nor being fetched. */
	glimpse(key: Key): Glimpse | undefined {
		const fill = this.#fills.running(key);
		if (fill !== undefined) return {url: fill.url, sizeBytes: fill.sizeBytes ?? 0, modifiedAtMs: fill.modifiedAtMs};
		const entry = this.#store.lookup(key);
		if (entry !== undefined) {
			return {url: entry.sidecar.url, sizeBytes: entry.sizeBytes, modifiedAtMs: modifiedAtMs(entry)};
		}

		const alias = this.#store.aliases.get(key, this.options.clock.now());
		return alias && this.glimpse(keyOf(alias.url));
	}

	/** Starts an entry written by hand. It beats a download of the same URL when it is committed. */
	put(url: string): Put {
		const key = keyOf(url);
		return new Put(url, key, this.#store, () => this.#fills.disown(key));
	}

	/** Removes what is stored under a key, or is being fetched. Who reads it keeps it. Resolves with whether there was something. */
	async evict(key: Key): Promise<boolean> {
		const wasFilling = this.#fills.disown(key);
		const wasLeft = this.#store.forgetPartial(key);
		const wasAlias = this.#store.aliases.remove(key, this.options.clock.now());
		this.#absences.forget(key);
		return (await this.#store.remove(key)) || wasFilling || wasLeft || wasAlias;
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
		return snapshot(this.#store, this.#counters, this.#fills.downloads);
	}

	/** What is being downloaded, and what waits for its turn, in the order in which it was asked for; then what was left. */
	downloads(): DownloadStatus[] {
		const running = this.#fills.statuses();
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
		this.#isOffline = isOffline;
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
		await this.#fills.close();
		this.options.source.close?.();
		await this.#store.close();
	}

	/** @throws CacheError also where the source does not answer. */
	async #refresh(
		url: string,
		signal: AbortSignal | undefined,
	): Promise<{outcome: Refreshed['outcome']; version: Version}> {
		const key = keyOf(url);
		this.#absences.forget(key);
		const entry = this.#store.lookup(key);
		const movedTo = entry === undefined ? this.#movedTo(url) : undefined;
		if (movedTo !== undefined) return this.#refresh(movedTo, signal);
		if (entry === undefined) return {outcome: 'fetched', version: await this.open(url, signal)};
		const asked = await abortable(this.#revalidator.run(entry, this.options.source), signal);
		if ('error' in asked) throw asked.error;
		const {outcome} = asked;
		const version = asked.outcome === 'changed' ? await this.#join(asked.fill, signal) : await this.openStored(key);
		return version === undefined ? this.#refresh(url, signal) : {outcome, version};
	}

	async #open(url: string, signal: AbortSignal | undefined, source: Source): Promise<Version> {
		const key = keyOf(url);
		for (;;) {
			const stored = await this.#openUsable(key, signal, source);
			if (stored !== undefined) return stored;
			const ending = this.#fills.ending(key);
			if (ending !== undefined) {
				await abortable(ending.finished, signal).catch(() => signal?.throwIfAborted());
				continue;
			}

			const movedTo = this.#movedTo(url);
			if (movedTo !== undefined) return this.open(movedTo, signal, source);
			const joined = await this.#joinOrStart(url, key, signal, source);
			if (joined !== undefined) return joined;
		}
	}

	/** Where a URL that has nothing of its own has moved to. In a circle nothing has moved. */
	#movedTo(url: string): string | undefined {
		const visited = new Set<string>();
		for (let last = url; ;) {
			const key = keyOf(last);
			if (visited.has(last)) return undefined;
			visited.add(last);
			const isHere = this.#fills.running(key) !== undefined || this.#store.lookup(key) !== undefined;
			const alias = isHere ? undefined : this.#store.aliases.get(key, this.options.clock.now());
			if (alias === undefined) return last === url ? undefined : last;
			last = alias.url;
		}
	}

	/** What is stored, where it may be used; asks first where it is stale. @throws where its source does not give it any more. */
	async #openUsable(key: Key, signal: AbortSignal | undefined, source: Source): Promise<Version | undefined> {
		const entry = this.#store.lookup(key);
		if (entry === undefined || this.#isOffline) return this.openStored(key);
		const freshness = this.#judge(entry);
		if (freshness === 'fresh') return this.openStored(key);
		const running = this.#fills.running(key);
		// One that has been stored is what is stale.
		if (running !== undefined && running.entry === undefined) return undefined;
		const isUsable = freshness !== 'must-revalidate';
		if (isUsable && this.#revalidator.hasFailed(key)) return this.openStored(key);
		const asking = this.#revalidator.run(entry, source);
		if (freshness === 'stale-while-revalidate') return this.openStored(key);
		const asked = await abortable(isUsable ? soon(asking) : asking, signal);
		if (asked === undefined || asked.outcome === 'unchanged') return this.openStored(key);
		if (asked.outcome === 'changed') return this.#join(asked.fill, signal);
		if (asked.outcome === 'failed' && isUsable) return this.openStored(key);
		throw asked.error;
	}

	#judge({sidecar, storedAtMs}: Entry): Freshness {
		const {url, http: caching, isPut, origin} = sidecar;
		const lastModifiedMs = origin.lastModified === undefined ? undefined : origin.lastModified * 1000;
		const {freshness, clock} = this.options;
		return freshness.judge(url, {storedAtMs, caching, lastModifiedMs, isPut}, clock.now());
	}

	async #openMoved(key: Key, {movedTo, source}: MovedError, signal: AbortSignal | undefined): Promise<Version> {
		const {freshness, clock} = this.options;
		const nowMs = clock.now();
		const forMs = freshness.movedForMs(movedTo.url, movedTo.redirects, nowMs);
		if (forMs > 0) this.#store.aliases.set(key, {url: movedTo.url, untilMs: nowMs + forMs});
		try {
			return await this.open(movedTo.url, signal, source);
		} finally {
			source.release();
		}
	}

	/** Undefined where it was replaced or removed while it was waited for: what counts is what is there now. */
	async #joinOrStart(url: string, key: Key, signal: AbortSignal | undefined, source: Source) {
		const running = this.#fills.running(key);
		if (running === undefined) this.#absences.check(key);
		else this.#counters.hits++;
		return this.#join(running ?? this.#fills.start({url, key, source}), signal);
	}

	async #join(fill: Fill, signal: AbortSignal | undefined): Promise<Version | undefined> {
		const version = await this.#fills.join(fill, signal);
		if (fill.isWanted) return version;
		version.close();
		return undefined;
	}

	#count(lookup: 'hit' | 'miss'): void {
		this.#counters[lookup === 'hit' ? 'hits' : 'misses']++;
	}
}

/** How long somebody waits to hear whether what is stale may be used, in ms. */
const PATIENCE_MS = 5000;
/** The most that is read into memory of what the store cannot hold. */
const MAX_GATHERED_BYTES = 512 * 1024 * 1024;

/** What `promise` brings, or undefined where it takes long. */
async function soon<T>(promise: Promise<T>): Promise<T | undefined> {
	let timer: NodeJS.Timeout | undefined;
	const late = new Promise<undefined>(resolve => (timer = setTimeout(() => resolve(undefined), PATIENCE_MS)));
	try {
		return await Promise.race([promise, late]);
	} finally {
		clearTimeout(timer);
	}
}
