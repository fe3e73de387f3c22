import {setTimeout} from 'node:timers/promises';
import {RangeSet, type Range} from '../base/range-set.js';
import {SILENT_AFTER_MS} from '../store/catalogue-writer.js';
import {inodeOf, type Entry} from '../store/entry.js';
import {isSealed, type Announcement, type Sighting} from '../store/fill-owners.js';
import type {OpenFile} from '../store/open-file.js';
import {identityOf} from '../store/partial-facts.js';
import type {RangeLogReader} from '../store/range-log.js';
import type {Store} from '../store/store.js';
import type {WantedLogWriter} from '../store/wanted-log.js';

/** How the fill of another process ended. */
export type Ending =
	/** There is an entry. */
	| 'stored'
	/** All has arrived, and this fill stores no entry. */
	| 'whole'
	/** Not all has arrived, and nobody is at it any more. */
	| 'orphaned'
	/** Its owner lives, and does not go on, or not as it said. */
	| 'silent';

/** Who is told of what another process brings. What it throws ends the following. */
export interface FollowingListener {
	/** The size is known. */
	onBegun(announcement: Announcement): void;
	/** It has these bytes too. */
	onArrived(partial: OpenFile, range: Range): Promise<void>;
	/** What readers wait for. */
	awaited(): Iterable<Range>;
	/** Whether there are any, be they waiting or not. */
	hasReaders(): boolean;
}

/** What is looked at so often while something happens, and more and more seldom while nothing does. */
const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 100;
/** An owner takes who has said nothing for three times as long for gone. */
const STAY_EVERY_MS = 1000;
/** What was told may be lost, and is told again. */
const TELL_AGAIN_AFTER_MS = 1000;

export interface Followed {
	readonly announcement: Announcement;
	readonly partial: OpenFile;
	/** What of it is there; undefined for one that is written from its first byte to its last. */
	readonly log: RangeLogReader | undefined;
	/** Where its owner hears what is waited for; undefined where no parts are fetched. */
	readonly wanted: WantedLogWriter | undefined;
	readonly inode: bigint;
	/** As it was seen when it was opened. */
	readonly sighting: Sighting;
}

/**
 * Watches the fill that another process owns. Its owner tells nobody anything: the
 * row of the fill, what is there of its partial and the life of its owner are
 * looked at again and again. The partial stays readable whatever becomes of its
 * name. The owner is told that somebody reads, and what is waited for.
 */
export class Following {
	#followed: Followed | undefined;
	readonly #there = new RangeSet();
	#heartbeat: number | undefined;
	#heardAt = performance.now();
	#hasGrown = false;
	/** What was told lately, as `start-end`, and when, the oldest first. */
	readonly #told = new Map<string, number>();
	#hasTold = false;

	constructor(
		private readonly key: string,
		private readonly store: Store,
		private readonly listener: FollowingListener,
		/** The entry whose place what is followed is to take. */
		private readonly replaced?: Entry,
	) {}

	/** What is followed, once its owner has told it. Stays readable until `close`. */
	get followed(): Followed | undefined {
		return this.#followed;
	}

	/** Equal for the same version of the body; undefined where only the bytes tell. */
	get identity(): string | undefined {
		const header = this.#followed?.log?.header;
		return header && identityOf(header.facts);
	}

	close(): void {
		this.#followed?.partial.close();
		this.#followed?.log?.close();
		this.#followed?.wanted?.close();
	}

	/**
	 * Tells the owner that a reader waits for a range. What is still waited for is
	 * told again by itself, also where there is nobody to be told yet.
	 */
	want(range: Range): void {
		if (this.#followed?.wanted === undefined) return;
		const {wanted, announcement} = this.#followed;
		const [start, end] = [range.start, Math.min(range.end, announcement.sizeBytes)];
		if (this.#there.has(start, end)) return;
		const now = performance.now();
		for (const [name, toldAt] of this.#told) {
			if (now - toldAt < TELL_AGAIN_AFTER_MS) break;
			this.#told.delete(name);
		}

		const name = `${start}-${end}`;
		if (this.#told.has(name)) return;
		this.#told.set(name, now);
		this.#hasTold = true;
		wanted.want({start, end});
	}

	/** Resolves with how it ended. It keeps the process alive as a download would. */
	async run(signal: AbortSignal): Promise<Ending> {
		const staying = setInterval(() => this.#stay(), STAY_EVERY_MS).unref();
		try {
			return await this.#watch(signal);
		} finally {
			clearInterval(staying);
		}
	}

	async #watch(signal: AbortSignal): Promise<Ending> {
		for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(1.5 * pauseMs, LONGEST_PAUSE_MS)) {
			signal.throwIfAborted();
			const ending = await this.#look();
			if (ending !== undefined) return ending;
			for (const range of this.listener.awaited()) this.want(range);
			if (this.#hasGrown || this.#hasTold) pauseMs = FIRST_PAUSE_MS;
			this.#hasTold = false;
			await setTimeout(pauseMs, undefined, {signal}).catch(() => undefined);
		}
	}

	#stay(): void {
		if (this.listener.hasReaders()) this.#followed?.wanted?.stay();
	}

	async #look(): Promise<Ending | undefined> {
		const sighting = this.store.fills.look(this.key);
		this.#listen(sighting);
		if (this.#followed === undefined) this.#begin(sighting);
		if (this.#followed === undefined) return this.#judgeUnbegun(sighting);
		return this.#judge(this.#followed, sighting);
	}

	/** What counts is that the heartbeat changes, and not when its owner's clock says that it was. */
	#listen(sighting: Sighting | undefined): void {
		if (sighting?.heartbeat === this.#heartbeat || this.#isOver(sighting)) return;
		this.#heartbeat = sighting?.heartbeat;
		this.#heardAt = performance.now();
	}

	#begin(sighting: Sighting | undefined): void {
		const announcement = sighting?.announced;
		const partial = announcement && this.store.fills.openPartial(announcement);
		if (sighting === undefined || announcement === undefined || partial === undefined) return;
		const stats = partial.statsNow();
		if (isSealed(stats)) {
			partial.close();
			return;
		}

		const {fills} = this.store;
		const [log, wanted] = [fills.openRanges(announcement), fills.openWanted(announcement)];
		this.#followed = {announcement, partial, log, wanted, sighting, inode: stats.ino};
		this.#stay();
		this.listener.onBegun(announcement);
	}

	#judgeUnbegun(sighting: Sighting | undefined): Ending | undefined {
		const stored = this.store.lookup(this.key);
		const isReplaced = stored !== undefined && stored.data === this.replaced?.data;
		if (stored !== undefined && !isReplaced) return 'stored';
		if (sighting === undefined || !sighting.isOwnerAlive()) return 'orphaned';
		return this.#isSilent ? 'silent' : undefined;
	}

	async #judge(
		{announcement, partial, log, wanted, inode, sighting: first}: Followed,
		sighting: Sighting | undefined,
	): Promise<Ending | undefined> {
		// It is asked before the size is: what the dead have written is there by then.
		const isDead = !this.#hasGrown && !first.isOwnerAlive();
		const stats = partial.statsNow();
		if (stats.size > announcement.sizeBytes) return 'silent';
		await this.#arrive(partial, log?.news() ?? [{start: this.#there.endOf(0), end: Number(stats.size)}]);
		if (this.#there.size < announcement.sizeBytes) {
			if (isDead || isSealed(stats) || wanted?.isHeard === false) return 'orphaned';
			return this.#isSilent ? 'silent' : undefined;
		}

		const stored = this.store.lookup(this.key);
		if (stored !== undefined && inodeOf(stored.data) === inode) return 'stored';
		return isDead || this.#isOver(sighting) || this.#isSilent ? 'whole' : undefined;
	}

	async #arrive(partial: OpenFile, news: Iterable<Range>): Promise<void> {
		const before = this.#there.size;
		for (const range of news) {
			this.#there.add(range.start, range.end);
			await this.listener.onArrived(partial, range);
		}

		this.#hasGrown = this.#there.size > before;
		if (this.#hasGrown) this.#heardAt = performance.now();
	}

	/** Its owner has released it; what an owner that has disowned it still writes comes all the same. */
	#isOver(sighting: Sighting | undefined): boolean {
		if (this.#followed === undefined) return false;
		const {announcement, sighting: first} = this.#followed;
		return sighting?.process !== first.process || sighting.announced?.partial !== announcement.partial;
	}

	get #isSilent(): boolean {
		return performance.now() - this.#heardAt > SILENT_AFTER_MS;
	}
}
