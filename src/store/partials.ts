import {constants, lstatSync, openSync, rmSync, type BigIntStats} from 'node:fs';
import path from 'node:path';
import type {RangeSet} from '../base/range-set.js';
import type {Budget} from './budget.js';
import {Draft, type DraftKeeper} from './draft.js';
import {draftName, draftOwner, isAtWork} from './draft-owner.js';
import {allocatedBytes} from './entry.js';
import type {Key} from './key.js';
import type {KeyLocks} from './key-locks.js';
import type {Layout} from './layout.js';
import {OpenFile} from './open-file.js';
import type {PartialFacts} from './partial-facts.js';
import {
	inspectPartial,
	keepPartial,
	keyOfName,
	namesIn,
	removePartial,
	takePartial,
	type InspectedPartial,
} from './partial-files.js';
import {logOf, RangeLog} from './range-log.js';

export interface PartialsContext {
	readonly layout: Layout;
	readonly locks: KeyLocks;
	readonly budget: Budget;
	/** Whether what was written last at that time may have been lost with the power. */
	isSuspect(mtimeMs: number): boolean;
	/** Something is kept that a power cut could still take. */
	onKept(): void;
}

/** What was begun and is kept, for a listing. */
export interface KeptPartial {
	readonly key: Key;
	readonly facts: PartialFacts;
	readonly arrivedBytes: number;
	readonly keptAtMs: number;
}

/** What was begun, by whomever, and is this process's to go on with. */
export interface Taken {
	readonly draft: Draft;
	readonly facts: PartialFacts;
	/** What is there of it. */
	readonly ranges: RangeSet;
}

interface Found {
	data?: BigIntStats;
	log?: BigIntStats;
}

/**
 * The kernel stamps with a clock that moves every 10 ms at most: what changes
 * in a directory just after it was looked at may leave its time as it was.
 */
const STAMP_GRANULARITY_MS = 20;

/**
 * What was begun and nobody has gone on with for so long is dropped: by then an
 * origin mostly has another version of it.
 */
const KEPT_MS = 7 * 24 * 60 * 60 * 1000;

/**
 * What was begun and not finished, kept in `.larder/partials/` until somebody
 * goes on with it. The directory is the truth, and all processes share it: it is
 * read again when its time has changed. What another process does within the
 * same tick of the kernel's clock is heard of 20 ms later.
 */
export class Partials implements DraftKeeper, Iterable<KeptPartial> {
	#found = new Map<Key, Found>();
	/** Those of `#found` that were read to their end, while they are the same. */
	readonly #read = new Map<Key, {readonly log: BigIntStats; readonly partial: InspectedPartial | undefined}>();
	/** The time of the directory that `#found` was read at, and since when that is known. */
	#mtimeNs: bigint | undefined;
	#seenAt = 0;
	#readAt = 0;
	/** Nothing can have changed without a change of that time. */
	#isSettled = false;

	constructor(private readonly context: PartialsContext) {}

	/** What they take on the disk, of whichever process they were. */
	get allocatedBytes(): number {
		let bytes = 0;
		for (const {data, log} of this.#look().values()) {
			bytes += (data === undefined ? 0 : allocatedBytes(data)) + (log === undefined ? 0 : allocatedBytes(log));
		}

		return bytes;
	}

	*[Symbol.iterator](): Generator<KeptPartial> {
		for (const [key, found] of this.#look()) {
			const partial = this.#inspect(key, found);
			if (partial === undefined) continue;
			yield {key, facts: partial.facts, arrivedBytes: partial.ranges.size, keptAtMs: keptAtMs(found)};
		}
	}

	/** Of what it is that is kept of a key; undefined where nothing is. */
	factsOf(key: Key): PartialFacts | undefined {
		return this.#inspect(key, findFiles(this.context.layout.partial(key)))?.facts;
	}

	async keep({key, path: file}: {readonly key: Key; readonly path: string}): Promise<boolean> {
		const {layout, locks} = this.context;
		const isKept = await locks.run(key, () => attempt(() => keepPartial(layout, key, file))).catch(() => false);
		if (isKept) this.context.onKept();
		return isKept;
	}

	/**
	 * What was begun of a key, to go on with: what is kept, or what a process that
	 * is no more was at. For who owns the fill of the key. What cannot be trusted
	 * is removed.
	 *
	 * @returns undefined where there is none, or somebody else was first. Never fails.
	 */
	async take(key: Key): Promise<Taken | undefined> {
		const {layout, locks} = this.context;
		if (!isThere(logOf(layout.partial(key))) && [...this.#orphans(key)].length === 0) return undefined;
		return locks.run(key, () => attempt(() => this.#take(key))).catch(() => undefined);
	}

	/** Removes what is kept of a key. @returns whether there was any. */
	remove(key: Key): boolean {
		try {
			const file = this.context.layout.partial(key);
			// It is asked for with each commit, and seldom there.
			if (!isThere(file) && !isThere(logOf(file))) return false;
			return removePartial(file);
		} catch {
			return false;
		} finally {
			this.#forget(key);
		}
	}

	/** Removes the one that was kept longest ago. @returns whether there was one that could be removed. */
	evictOldest(): boolean {
		const byAge = [...this.#look()].sort(([, a], [, b]) => keptAtMs(a) - keptAtMs(b));
		return byAge.some(([key]) => this.remove(key));
	}

	/** Removes those that were kept too long. */
	dropAged(nowMs: number): void {
		const beforeMs = nowMs - KEPT_MS;
		for (const [key, found] of [...this.#look()]) {
			if (keptAtMs(found) < beforeMs) this.remove(key);
		}
	}

	/**
	 * Removes what a power cut may have damaged: also the logs of drafts, whose
	 * processes seem to live only because others have their numbers now.
	 *
	 * @returns how many of the kept.
	 * @throws the system's error: what cannot be removed stays suspect.
	 */
	dropSuspects(): number {
		const {downloads} = this.context.layout;
		for (const name of namesIn(downloads)) {
			const file = path.join(downloads, name.replace(/\.ranges$/, ''));
			if (name.endsWith('.ranges') && this.#isSuspect(findFiles(file))) rmSync(logOf(file), {force: true});
		}

		const suspects = [...this.#look()].filter(([, found]) => this.#isSuspect(found));
		for (const [key] of suspects) removePartial(this.context.layout.partial(key));
		return suspects.length;
	}

	/** The drafts of a key whose processes are no more, and that tell what is there of them. */
	*#orphans(key: Key): Generator<string> {
		const {downloads} = this.context.layout;
		for (const name of namesIn(downloads)) {
			if (!name.startsWith(key) || !name.endsWith('.ranges')) continue;
			const owner = draftOwner(name);
			if (owner !== undefined && !isAtWork(owner)) yield path.join(downloads, name.slice(0, -'.ranges'.length));
		}
	}

	/** Under the key's lock. */
	#take(key: Key): Taken | undefined {
		const {layout, budget} = this.context;
		for (const orphan of this.#orphans(key)) keepPartial(layout, key, orphan);
		const partial = inspectPartial(key, layout.partial(key));
		if (partial === undefined || this.#isSuspect(partial)) {
			this.remove(key);
			return undefined;
		}

		const file = path.join(layout.downloads, draftName(key));
		if (!takePartial(layout, key, file)) return undefined;
		const {facts, ranges} = partial;
		const opened = openBoth(file, partial);
		return opened && {draft: Draft.goOn({key, path: file, ranges, ...opened}, budget, this), facts, ranges};
	}

	#isSuspect({data, log}: Found): boolean {
		return [data, log].some(stats => stats !== undefined && this.context.isSuspect(Number(stats.mtimeNs) / 1e6));
	}

	#inspect(key: Key, {log}: Found): InspectedPartial | undefined {
		if (log === undefined) return undefined;
		const read = this.#read.get(key);
		if (read?.log.ino === log.ino && read.log.ctimeNs === log.ctimeNs) return read.partial;
		const partial = inspectPartial(key, this.context.layout.partial(key));
		this.#read.set(key, {log, partial});
		return partial;
	}

	#look(): ReadonlyMap<Key, Found> {
		const mtimeNs = this.#directoryTime();
		const now = performance.now();
		const isSame = mtimeNs === this.#mtimeNs;
		if (isSame && (this.#isSettled || now - this.#readAt < STAMP_GRANULARITY_MS)) return this.#found;
		this.#isSettled = isSame && now - this.#seenAt >= STAMP_GRANULARITY_MS;
		if (!isSame) this.#seenAt = now;
		this.#mtimeNs = mtimeNs;
		this.#readAt = now;
		this.#found = this.#readDirectory();
		for (const key of this.#read.keys()) if (!this.#found.has(key)) this.#read.delete(key);
		return this.#found;
	}

	#readDirectory(): Map<Key, Found> {
		const {layout} = this.context;
		const keys = new Set(namesIn(layout.partials).flatMap(name => keyOfName(name) ?? []));
		return new Map([...keys].map(key => [key, findFiles(layout.partial(key))]));
	}

	/** After a removal of our own: for each of many nothing has to be read again. */
	#forget(key: Key): void {
		if (!this.#found.delete(key)) return;
		this.#mtimeNs = this.#directoryTime();
		this.#seenAt = performance.now();
		this.#isSettled = false;
	}

	#directoryTime(): bigint {
		return lstatSync(this.context.layout.partials, {bigint: true, throwIfNoEntry: false})?.mtimeNs ?? 0n;
	}
}

/** Both files of what was just taken; undefined, with both removed, where they are not what they were. */
function openBoth(file: string, {data, logBytes}: InspectedPartial): {file: OpenFile; log: RangeLog} | undefined {
	let opened: OpenFile | undefined;
	try {
		opened = new OpenFile(openSync(file, constants.O_RDWR | constants.O_NOFOLLOW));
		if (opened.statsNow().ino !== data.ino) throw new Error('it is another file');
		return {file: opened, log: RangeLog.goOn(file, logBytes)};
	} catch {
		opened?.close();
		removePartial(file);
		return undefined;
	}
}

/** The mode that it got when it was kept is the last thing that changed: its ctime tells when. */
function keptAtMs({data, log}: Found): number {
	return Number((data ?? log)?.ctimeNs ?? 0n) / 1e6;
}

function findFiles(file: string): Found {
	const stats = (one: string) => lstatSync(one, {bigint: true, throwIfNoEntry: false});
	const [data, log] = [stats(file), stats(logOf(file))];
	return {...(data !== undefined && {data}), ...(log !== undefined && {log})};
}

function isThere(file: string): boolean {
	return lstatSync(file, {throwIfNoEntry: false}) !== undefined;
}

/** What `work` throws is a rejection. */
function attempt<T>(work: () => T): Promise<T> {
	return new Promise(resolve => resolve(work()));
}
