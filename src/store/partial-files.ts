/**
 * The two files of what was begun and not finished: data with holes, and the log
 * of what of it is there. In `partials/` the log goes first and comes last: a
 * partial is kept exactly when its log is, so a crash in between costs that
 * partial and never puts one's log beside another's data. Should that happen all
 * the same, the inode in the log tells. Moves are made under the key's lock, for
 * two who keep at once would get in each other's way; a removal needs none.
 * Calls are synchronous: nothing of this process sees a move half done.
 */
import {chmodSync, lstatSync, readdirSync, renameSync, rmSync, unlinkSync, type BigIntStats} from 'node:fs';
import path from 'node:path';
import {systemCode} from '../base/errors.js';
import {RangeSet} from '../base/range-set.js';
import {isKey, keyOf, type Key} from './key.js';
import type {Layout} from './layout.js';
import type {PartialFacts} from './partial-facts.js';
import {logOf, RangeLogReader} from './range-log.js';
import {wantedOf} from './wanted-log.js';

/** Followers take it as "no more will come here": see `isSealed`. */
const KEPT_MODE = 0o400;
const DRAFT_MODE = 0o600;

/** A file that is older and without its other half was left by a crash. */
const LEFTOVER_AFTER_MS = 60_000;

/** A partial, wherever it lies. */
export interface InspectedPartial {
	readonly facts: PartialFacts;
	/** What is there of it. */
	readonly ranges: RangeSet;
	readonly data: BigIntStats;
	readonly log: BigIntStats;
	/** Up to the last whole record. */
	readonly logBytes: number;
}

/** The partial of `key` whose data is at `file`; undefined where that is none, or tells of nothing. */
export function inspectPartial(key: Key, file: string): InspectedPartial | undefined {
	const reader = RangeLogReader.open(file);
	if (reader === undefined) return undefined;
	try {
		const [data, log] = [lstat(file), reader.statsNow()];
		if (data?.isFile() !== true || !log.isFile()) return undefined;
		const {header} = reader;
		if (header?.inode !== data.ino || keyOf(header.facts.url) !== key) return undefined;
		const {facts} = header;
		const ranges = rangesWithin(reader, Math.min(Number(data.size), facts.lengthBytes));
		if (ranges === undefined || ranges.size === 0 || Number(data.size) > facts.lengthBytes) return undefined;
		return {facts, ranges, data, log, logBytes: reader.readBytes};
	} catch {
		// The disk fails, or another user's file is in the way.
		return undefined;
	} finally {
		reader.close();
	}
}

/** Undefined where one of them is none of bytes before `endBytes`. */
function rangesWithin(reader: RangeLogReader, endBytes: number): RangeSet | undefined {
	const ranges = new RangeSet();
	for (const {start, end} of reader.news()) {
		if (start > end || end > endBytes) return undefined;
		ranges.add(start, end);
	}

	return ranges;
}

/**
 * Moves the partial at `file` to where it is kept; the one that is kept there
 * already stays if it has more bytes, and then the other is removed.
 *
 * @returns false, with nothing done, where there is none at `file`.
 * @throws the system's error; it is then where it was.
 */
export function keepPartial(layout: Layout, key: Key, file: string): boolean {
	const mine = inspectPartial(key, file);
	if (mine === undefined) return false;
	const to = layout.partial(key);
	chmodSync(file, KEPT_MODE);
	if ((inspectPartial(key, to)?.ranges.size ?? 0) > mine.ranges.size) {
		removePartial(file);
		return true;
	}

	layout.createPartials();
	try {
		rmSync(logOf(to), {force: true, recursive: true});
		renameSync(file, to);
		renameSync(logOf(file), logOf(to));
		unlinkIfThere(wantedOf(file));
	} catch (error) {
		if (lstat(to)?.ino === mine.data.ino) renameSync(to, file);
		chmodSync(file, Number(mine.data.mode & 0o777n));
		throw error;
	}

	return true;
}

/** Moves what is kept of a key to `file`, to be written again. False where somebody else was first. */
export function takePartial(layout: Layout, key: Key, file: string): boolean {
	const from = layout.partial(key);
	if (!renameIfThere(logOf(from), logOf(file))) return false;
	if (!renameIfThere(from, file)) {
		removePartial(file);
		return false;
	}

	chmodSync(file, DRAFT_MODE);
	return true;
}

/** Removes both files, the log first. @returns whether there was any. @throws the system's error. */
export function removePartial(file: string): boolean {
	const hadLog = unlinkIfThere(logOf(file));
	unlinkIfThere(wantedOf(file));
	return unlinkIfThere(file) || hadLog;
}

/** Names in `partials/` that are nobody's: what a crash left, and what can be no partial. What is young is passed over. */
export function* damagedPartials(layout: Layout, nowMs: number): Generator<string> {
	for (const name of namesIn(layout.partials)) {
		const stats = lstat(path.join(layout.partials, name));
		if (stats === undefined || nowMs - Number(stats.ctimeNs / 1_000_000n) <= LEFTOVER_AFTER_MS) continue;
		const key = keyOfName(name);
		if (key === undefined || !belongTogether(layout.partial(key))) yield name;
	}
}

/** Removes what `damagedPartials` finds. What cannot be removed stays. */
export function sweepPartials(layout: Layout, nowMs: number): void {
	for (const name of damagedPartials(layout, nowMs)) {
		try {
			rmSync(path.join(layout.partials, name), {recursive: true, force: true});
		} catch {
			// Nobody goes on with it all the same.
		}
	}
}

/** `<key>` and `<key>.ranges` -> the key. */
export function keyOfName(name: string): Key | undefined {
	const key = name.endsWith('.ranges') ? name.slice(0, -'.ranges'.length) : name;
	return isKey(key) ? key : undefined;
}

/** None where there is no such directory. */
export function namesIn(directory: string): string[] {
	try {
		return readdirSync(directory);
	} catch (error) {
		if (systemCode(error) === 'ENOENT') return [];
		throw error;
	}
}

/** Looks at the first line of the log alone: a long one is read only when it is used. */
function belongTogether(file: string): boolean {
	const reader = RangeLogReader.open(file);
	try {
		const header = reader?.header;
		return header !== undefined && lstat(file)?.ino === header.inode;
	} catch {
		return false;
	} finally {
		reader?.close();
	}
}

function renameIfThere(from: string, to: string): boolean {
	try {
		renameSync(from, to);
		return true;
	} catch (error) {
		if (systemCode(error) === 'ENOENT') return false;
		throw error;
	}
}

function unlinkIfThere(file: string): boolean {
	try {
		unlinkSync(file);
		return true;
	} catch (error) {
		if (systemCode(error) === 'ENOENT') return false;
		throw error;
	}
}

function lstat(file: string): BigIntStats | undefined {
	return lstatSync(file, {bigint: true, throwIfNoEntry: false});
}
