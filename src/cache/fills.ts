import type {Clock} from '../base/clock.js';
import {CacheError, hasCode, messageOf} from '../base/errors.js';
import type {Log} from '../base/log.js';
import {redact} from '../base/redact.js';
import {AbsentError} from '../http/absent-error.js';
import type {FreshnessRules} from '../http/freshness.js';
import type {Transform} from '../media/transforms.js';
import type {Entry} from '../store/entry.js';
import type {Key} from '../store/key.js';
import type {Store} from '../store/store.js';
import type {Absences} from './absences.js';
import type {Bandwidth} from './bandwidth.js';
import {Buffers} from './buffers.js';
import type {DownloadStatus} from './download-status.js';
import {DownloadWatch} from './download-watch.js';
import type {FillMode} from './fill-mode.js';
import {Fill} from './fill.js';
import {MovedError} from './moved-error.js';
import {hostOf, type Slots} from './slots.js';
import type {Source} from './source.js';
import type {Counters} from './stats.js';
import {FillingVersion, type Version} from './version.js';
import {WindowMemory} from './window-memory.js';

export interface FillsContext {
	readonly store: Store;
	readonly transforms: readonly Transform[];
	readonly fillMode: FillMode;
	readonly slots: Slots;
	readonly bandwidth: Bandwidth;
	readonly freshness: FreshnessRules;
	readonly absences: Absences;
	readonly counters: Counters;
	readonly clock: Clock;
	readonly log: Log;
	/** Whether what comes from a URL is to be read as it comes, where only its end tells how long it is. */
	isStreamed(url: string): boolean;
}

/** What a fill is begun with. */
export interface Start {
	readonly url: string;
	readonly key: Key;
	readonly source: Source;
	/** The entry whose place it is to take. */
	readonly replaced?: Entry | undefined;
	/** Nobody is about to read it. */
	readonly isAsked?: boolean;
}

/** What may be in memory on its way to the disk, and as much on its way past it, however many read. */
const BUFFER_BYTES = 32 * 1024 * 1024;

/** The fills under way: one for each key that new readers may join. */
export class Fills {
	/** The last fill of each key that is not over. */
	readonly #current = new Map<Key, Fill>();
	/** These, and those that were disowned or given up and are not over yet. */
	readonly #unfinished = new Set<Fill>();
	/** These, and those that are read after their end. */
	readonly #unclosed = new Set<Fill>();
	readonly #watch: DownloadWatch;
	readonly #buffers = new Buffers(BUFFER_BYTES);
	readonly #windows = new WindowMemory(BUFFER_BYTES);
	#isClosed = false;

	constructor(private readonly context: FillsContext) {
		this.#watch = new DownloadWatch(context.clock);
	}

	/** The fill of a key that a new reader may join. */
	running(key: Key): Fill | undefined {
		const fill = this.#current.get(key);
		return fill?.isOpen === true ? fill : undefined;
	}

	/** The fill of a key that puts away what has come: who comes now waits for that. */
	ending(key: Key): Fill | undefined {
		const fill = this.#current.get(key);
		return fill?.isEnding === true ? fill : undefined;
	}

	/** Whether nobody has read what a fill of a key brings, be it that it ends. */
	isOnlyAsked(key: Key): boolean {
		return this.#current.get(key)?.isRead === false;
	}

	/** Begins one in the place of what was there. Who starts it joins it, or asks it, at once. */
	start({url, key, source, replaced, isAsked = false}: Start): Fill {
		// An open may have been on its way here when the cache was closed.
		if (this.#isClosed) throw closed();
		const {store, transforms, fillMode, log, clock, slots, bandwidth, freshness, counters} = this.context;
		const fill = new Fill(url, key, {
			...{store, source, transforms, fillMode, log, clock, nowMs: clock.now(), replaced, isAsked},
			...{slots, bandwidth, buffers: this.#buffers, windows: this.#windows},
			mayKeep: caching => freshness.mayKeep(url, caching),
			onDecided: lookup => counters[lookup === 'hit' ? 'hits' : 'misses']++,
			onClosed: () => this.#unclosed.delete(fill),
		});
		this.#unclosed.add(fill);
		this.#current.set(key, fill);
		this.#unfinished.add(fill);
		this.#watch.add(fill);
		void this.#settle(fill, source);
		return fill;
	}

	/**
	 * Opens what a fill brings. Resolves when its size is known.
	 *
	 * @param mayStream - a stream will do as well, where it is to be one.
	 * @throws the reason why there is nothing.
	 */
	async join(fill: Fill, signal: AbortSignal | undefined, mayStream = false): Promise<Version> {
		fill.join();
		try {
			await fill.opened(signal, mayStream && this.context.isStreamed(fill.url));
			return new FillingVersion(fill);
		} catch (error) {
			fill.leave();
			throw error;
		}
	}

	/**
	 * Waits until it is known what a fill brings, where nobody reads it without
	 * bringing more than its beginning. That waits a moment for who reads it.
	 *
	 * @param signal - ends this wait.
	 * @param caller - has fired where nobody will read it.
	 * @throws the reason why there is nothing.
	 */
	async ask(fill: Fill, signal: AbortSignal, caller: AbortSignal): Promise<void> {
		fill.ask();
		try {
			await fill.announced(signal);
		} finally {
			fill.leaveAsked(!caller.aborted);
			this.#boundParked(hostOf(fill.url));
		}
	}

	/** What it brings is not to be stored. @returns whether there was one. */
	disown(key: Key): boolean {
		const fill = this.#current.get(key);
		if (fill === undefined) return false;
		this.#current.delete(key);
		fill.disown();
		return true;
	}

	/** Downloads of this process that go on. */
	get downloads(): number {
		return [...this.#unfinished].filter(fill => !fill.isFollowing && fill.state !== 'paused').length;
	}

	/** In the order in which they were asked for. */
	statuses(): DownloadStatus[] {
		return this.#watch.statuses();
	}

	/** Ends them, and starts no more. */
	async close(): Promise<void> {
		this.#isClosed = true;
		await Promise.all([...this.#unclosed].map(fill => fill.close(closed())));
	}

	/** As many as can be asked about at once may wait for readers; who has waited longest gives way. */
	#boundParked(host: string): void {
		const {total, perHost} = this.context.slots.beginnings.limits;
		const parked = [...this.#unfinished].filter(fill => fill.isParked);
		const atHost = parked.filter(({url}) => hostOf(url) === host);
		for (const fill of [...atHost.slice(0, -perHost), ...parked.slice(0, -total)]) fill.giveWay();
	}

	async #settle(fill: Fill, source: Source): Promise<void> {
		const {counters} = this.context;
		try {
			const outcome = await fill.finished;
			if (outcome === 'whole' && fill.isDownload) counters.downloads++;
		} catch (error) {
			this.#onFailed(fill, error);
		} finally {
			counters.downloadedBytes += fill.downloadedBytes;
			this.#unfinished.delete(fill);
			this.#watch.remove(fill);
			if (this.#current.get(fill.key) === fill) this.#current.delete(fill.key);
			source.release?.();
		}
	}

	#onFailed(fill: Fill, error: unknown): void {
		const {counters, freshness, absences, clock, log} = this.context;
		if (error instanceof MovedError) {
			// The lookup is that of the URL it has moved to.
			counters.misses--;
			return;
		}

		const isLeft = !fill.isRead && hasCode(error, 'aborted');
		if (!fill.isFollowing && !isLeft) counters.failures++;
		if (error instanceof AbsentError && fill.isWanted) {
			const forMs = freshness.absentForMs(error.status, error.caching, clock.now());
			absences.note(fill.key, error.message, forMs);
		}

		log.debug('a download ended without an entry', {url: redact(fill.url), reason: messageOf(error)});
	}
}

function closed(): CacheError {
	return new CacheError('aborted', 'the cache was closed');
}
