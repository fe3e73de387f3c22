import type {Clock} from '../base/clock.js';
import type {Log} from '../base/log.js';
import type {FreshnessRules} from '../http/freshness.js';
import {decideType, SNIFF_BYTES} from '../media/sniff.js';
import type {Transform} from '../media/transforms.js';
import {modifiedAtMs, type Entry} from '../store/entry.js';
import {isKey, keyOf, type Key} from '../store/key.js';
import type {Limits} from '../store/limits.js';
import type {Annotation, FreeSpace, Store} from '../store/store.js';
import type {Verification, VerifyOptions} from '../store/verify.js';
import {Absences} from './absences.js';
import {Announcer, type Announcement} from './announcer.js';
import type {Bandwidth} from './bandwidth.js';
import {statusOfLeft, type DownloadStatus} from './download-status.js';
import type {FillMode} from './fill-mode.js';
import {Fills} from './fills.js';
import {Opener, type Refreshed} from './opener.js';
import {gather} from './gather.js';
import {Put} from './put.js';
import {Revalidator} from './revalidate.js';
import type {Media, Source} from './source.js';
import type {Slots} from './slots.js';
import {snapshot, type CacheStats, type Counters} from './stats.js';
import type {Version} from './version.js';
import {VersionId} from './version-id.js';

export {isKey, keyOf, type Announcement, type Entry, type Key, type Refreshed, type VersionId};

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
	/**
	 * Whether a URL may be read as it comes where only its end tells how long it
	 * is (`openStream`); else, and where this is left out, its end is waited for.
	 */
	readonly isStreamed?: (url: string) => boolean;
}

/** What is known of a URL without asking anybody. */
export interface Glimpse {
	readonly url: string;
	readonly sizeBytes: number;
	readonly modifiedAtMs: number;
	/** Which bytes a reader would get, as far as is known. */
	readonly id: VersionId;
	/** For how long that stays as it is if no change is announced, in ms; 0 for what is not all there. */
	readonly validForMs: number;
	/** All of it is stored; else it is on its way. */
	readonly isStored: boolean;
}

/**
 * URLs as bytes: what is stored is served, what is not is downloaded, once for
 * however many ask. The drive and the library are two faces of this.
 */
export class UrlCache {
	readonly #store: Store;
	readonly #absences: Absences;
	readonly #fills: Fills;
	readonly #opener: Opener;
	readonly #announcer: Announcer;
	readonly #counters: Counters = {hits: 0, misses: 0, downloads: 0, failures: 0, downloadedBytes: 0};

	constructor(private readonly options: UrlCacheOptions) {
		this.#store = options.store;
		this.#absences = new Absences(options.clock);
		const isStreamed = options.isStreamed ?? (() => false);
		this.#fills = new Fills({...options, isStreamed, absences: this.#absences, counters: this.#counters});
		const parts = {...options, fills: this.#fills, absences: this.#absences, counters: this.#counters};
		this.#opener = new Opener({...parts, revalidator: new Revalidator(parts)});
		this.#announcer = new Announcer({...parts, opener: this.#opener});
	}

	/** Finds out what the directory holds; everything works before it is done, but totals and listings are short. */
	load(): Promise<void> {
		return this.#store.load();
	}

	/** See `Opener.open`. @throws CacheError with the reason why there is nothing to read. */
	open(url: string, signal?: AbortSignal, source?: Source): Promise<Version> {
		// What it finds out is newer.
		this.#announcer.forget(keyOf(url));
		return this.#opener.open(url, signal, source);
	}

	/** As `open`, for who can read a stream: the version may be one (`Version.isStream`), where `isStreamed` says so. */
	openStream(url: string, signal?: AbortSignal): Promise<Version> {
		this.#announcer.forget(keyOf(url));
		return this.#opener.openStream(url, signal);
	}

	/** See `Opener.openAtOnce`. */
	openAtOnce(key: Key): Version | undefined {
		return this.#opener.openAtOnce(key);
	}

	/** See `Opener.refresh`. */
	refresh(url: string, signal?: AbortSignal): Promise<Refreshed> {
		return this.#opener.refresh(url, signal);
	}

	/** See `Opener.openRefreshed`. */
	openRefreshed(url: string, signal?: AbortSignal): Promise<Version> {
		return this.#opener.openRefreshed(url, signal);
	}

	/** Opens what is stored under a key, or where its URL has moved to; a hit if there is something. */
	openStored(key: Key): Promise<Version | undefined> {
		const movedTo = this.#store.lookup(key) === undefined ? this.#movedTo(key) : undefined;
		return this.#opener.openStored(movedTo ?? key);
	}

	/** Whether something is stored for a key, or for what it has moved to. */
	isStored(key: Key): boolean {
		const movedTo = this.#store.lookup(key) === undefined ? this.#movedTo(key) : key;
		return movedTo !== undefined && this.#store.lookup(movedTo) !== undefined;
	}

	/** Whether an entry may be used without asking. */
	isFresh(entry: Entry): boolean {
		return this.#opener.isFresh(entry);
	}

	/** For how long an entry is what a reader gets, if no change of it is announced; in ms. Changes of others are, while the directory is watched. */
	validForMs(entry: Entry): number {
		return this.#store.isWatched ? this.#opener.freshForMs(entry) : 0;
	}

	/** Counts a lookup that was answered from memory, or that found nothing and will not download. */
	note(lookup: 'hit' | 'miss', key: Key, entry?: Entry): void {
		this.#count(lookup);
		if (lookup === 'hit') this.#store.touch(key, entry);
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

	/** See `Announcer.announce`: the request whose answer the next `open` has, made for who only looks. */
	announce(url: string, patienceMs: number, signal: AbortSignal): Promise<void> {
		return this.#announcer.announce(url, patienceMs, signal);
	}

	/** What the source of a URL has said to have a moment ago, where nothing of it is here. */
	announced(key: Key): Announcement | undefined {
		return this.#announcer.announced(key);
	}

	/** What a `stat` may say at once; undefined for what is neither stored nor being fetched for a reader. */
	glimpse(key: Key): Glimpse | undefined {
		const glimpse = this.#glimpse(key);
		const movedTo = glimpse === undefined ? this.#movedTo(key) : undefined;
		const moved = movedTo === undefined ? undefined : this.#glimpse(movedTo);
		// A change of it is announced under its own key.
		return moved === undefined ? glimpse : {...moved, validForMs: 0};
	}

	/** As `glimpse`, of a key under which `entry` is stored: looks at no file. */
	glimpseOf(key: Key, entry: Entry | undefined): Glimpse | undefined {
		const running = this.#fills.running(key);
		const fill = running?.isRead === true ? running : undefined;
		// What is replaced is what there is until its replacement has begun to come.
		const isEntry = entry !== undefined && (fill?.isOffered !== true || this.isFresh(entry));
		if (isEntry) return this.#glimpseOfEntry(entry);
		if (fill === undefined) return undefined;
		const {url, sizeBytes = 0, modifiedAtMs: at, id} = fill;
		return {url, sizeBytes, modifiedAtMs: at, id, validForMs: 0, isStored: false};
	}

	/** Starts an entry written by hand. It beats a download of the same URL when it is committed. */
	put(url: string): Put {
		const key = keyOf(url);
		return new Put(url, key, this.#store, () => this.#fills.disown(key));
	}

	/** Removes what is stored under a key, or is being fetched. Who reads it keeps it. Resolves with whether there was something. */
	async evict(key: Key): Promise<boolean> {
		// Of what was only looked at there is nothing to be removed.
		const isOnlyAsked = this.#fills.isOnlyAsked(key);
		const wasFilling = !isOnlyAsked && this.#fills.disown(key);
		const wasLeft = this.#store.forgetPartial(key);
		const wasAlias = this.#store.aliases.remove(key, this.options.clock.now());
		this.#absences.forget(key);
		if (!isOnlyAsked) this.#announcer.forget(key);
		return (await this.#store.remove(key)) || wasFilling || wasLeft || wasAlias;
	}

	/** What is stored under a key, without counting it as a lookup. */
	entry(key: Key): Entry | undefined {
		return this.#store.lookup(key);
	}

	/** What a listing shows of each entry, in no order that matters. */
	*list(): Generator<Glimpse & {readonly key: Key}> {
		for (const entry of this.#store.entries()) yield this.#glimpseOfEntry(entry);
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
		this.#opener.isOffline = isOffline;
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

	#glimpse(key: Key): Glimpse | undefined {
		return this.glimpseOf(key, this.#store.lookup(key));
	}

	#glimpseOfEntry(entry: Entry): Glimpse & {readonly key: Key} {
		const {key, data, sidecar, sizeBytes} = entry;
		const [id, validForMs] = [new VersionId(data), this.validForMs(entry)];
		return {key, url: sidecar.url, sizeBytes, modifiedAtMs: modifiedAtMs(entry), id, validForMs, isStored: true};
	}

	/** The key of what the URL of a key that has nothing of its own has moved to. */
	#movedTo(key: Key): Key | undefined {
		const alias = this.#store.aliases.get(key, this.options.clock.now());
		return alias && keyOf(this.#opener.movedTo(alias.url) ?? alias.url);
	}

	#count(lookup: 'hit' | 'miss'): void {
		this.#counters[lookup === 'hit' ? 'hits' : 'misses']++;
	}
}

/** The most that is read into memory of what the store cannot hold. */
const MAX_GATHERED_BYTES = 512 * 1024 * 1024;
