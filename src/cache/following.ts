import {setTimeout} from 'node:timers/promises';
import {RangeSet, type Range} from '../base/range-set.js';
import {SILENT_AFTER_MS} from '../store/catalogue-writer.js';
import {isSealed, type Announcement, type Sighting} from '../store/fill-owners.js';
import type {OpenFile} from '../store/open-file.js';
import type {RangeLogReader} from '../store/range-log.js';
import type {Store} from '../store/store.js';

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
}

/** What is looked at so often while something happens, and more and more seldom while nothing does. */
const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 100;

export interface Followed {
	readonly announcement: Announcement;
	readonly partial: OpenFile;
	/** What of it is there; undefined for one that is written from its first byte to its last. */
	readonly log: RangeLogReader | undefined;
	readonly inode: bigint;
	/** As it was seen when it was opened. */
	readonly sighting: Sighting;
}

/**
 * Watches the fill that another process owns. Nobody tells anything: the row of
 * the fill, the size of its partial and the life of its owner are looked at
 * again and again. The partial stays readable whatever becomes of its name.
 */
export class Following {
	#followed: Followed | undefined;
	readonly #there = new RangeSet();
	#heartbeat: number | undefined;
	#heardAt = performance.now();
	#hasGrown = false;

	constructor(
		private readonly key: string,
		private readonly store: Store,
		private readonly listener: FollowingListener,
	) {}

	/** What is followed, once its owner has told it. Stays readable until `close`. */
	get followed(): Followed | undefined {
		return this.#followed;
	}

	close(): void {
		this.#followed?.partial.close();
		this.#followed?.log?.close();
	}

	/** Resolves with how it ended. It keeps the process alive as a download would. */
	async run(signal: AbortSignal): Promise<Ending> {
		for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(1.5 * pauseMs, LONGEST_PAUSE_MS)) {
			signal.throwIfAborted();
			const ending = await this.#look();
			if (ending !== undefined) return ending;
			if (this.#hasGrown) pauseMs = FIRST_PAUSE_MS;
			await setTimeout(pauseMs, undefined, {signal}).catch(() => undefined);
		}
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

		const log = this.store.fills.openRanges(announcement);
		this.#followed = {announcement, partial, log, sighting, inode: stats.ino};
		this.listener.onBegun(announcement);
	}

	#judgeUnbegun(sighting: Sighting | undefined): Ending | undefined {
		if (this.store.lookup(this.key) !== undefined) return 'stored';
		if (sighting === undefined || !sighting.isOwnerAlive()) return 'orphaned';
		return this.#isSilent ? 'silent' : undefined;
	}

	async #judge(
		{announcement, partial, log, inode, sighting: first}: Followed,
		sighting: Sighting | undefined,
	): Promise<Ending | undefined> {
		// It is asked before the size is: what the dead have written is there by then.
		const isDead = !this.#hasGrown && !first.isOwnerAlive();
		const stats = partial.statsNow();
		if (stats.size > announcement.sizeBytes) return 'silent';
		await this.#arrive(partial, log?.news() ?? [{start: this.#there.endOf(0), end: Number(stats.size)}]);
		if (this.#there.size < announcement.sizeBytes) {
			if (isDead || isSealed(stats)) return 'orphaned';
			return this.#isSilent ? 'silent' : undefined;
		}

		if (this.store.lookup(this.key)?.data.ino === inode) return 'stored';
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
