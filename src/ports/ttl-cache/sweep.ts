import {linkSync, lstatSync, renameSync, rmSync, statSync, type Stats} from 'node:fs';
import path from 'node:path';
import {ownedName} from '../../base/owned-name.js';
import {parseEntry, readText} from './entry.js';
import {entriesOf, list, namespaceDirectories} from './keys.js';
import {isOriginalLeftover, sweepIncoming, sweepLocks} from './leftovers.js';
import type {CacheLimits} from './limits.js';
import {ownDirectory} from './path.js';

/** What a sweep has done, and what there is now. */
export interface Swept {
	readonly removed: number;
	readonly entries: number;
	/** As allocated on the disk. */
	readonly bytes: number;
}

interface Found {
	readonly file: string;
	readonly stats: Stats;
}

/**
 * Removes from all namespaces what is older than `maxAgeS`, then, oldest first,
 * what is too much; and what killed writers have left. What is written
 * meanwhile stays. Files whose names are no digests are not touched.
 *
 * @throws RangeError for a limit that is none.
 */
export function sweepCache(baseDir: string, limits: CacheLimits): Swept {
	checkLimits(limits);
	const {maxAgeS = Infinity, maxEntries = Infinity, maxBytes = Infinity} = limits;
	if (lstatSync(baseDir, {throwIfNoEntry: false}) === undefined) return {removed: 0, entries: 0, bytes: 0};
	const incoming = ownDirectory(baseDir, 'incoming');
	sweepIncoming(incoming);
	sweepLocks(ownDirectory(baseDir, 'locks'));
	const nowMs = Date.now();
	const found = findAll(baseDir, nowMs);
	let [entries, bytes] = [found.length, found.reduce((sum, {stats}) => sum + allocated(stats), 0)];
	let removed = 0;
	for (const {file, stats} of found.sort((a, b) => a.stats.mtimeMs - b.stats.mtimeMs)) {
		const isTooMuch = entries > maxEntries || bytes > maxBytes;
		if (!isTooMuch && !isExpired(file, stats, maxAgeS, nowMs)) continue;
		if (!removeUnchanged(file, stats, incoming)) continue;
		removed++;
		entries--;
		bytes -= allocated(stats);
	}

	return {removed, entries, bytes};
}

/** @throws RangeError */
export function checkLimits(limits: CacheLimits): void {
	for (const [name, limit] of Object.entries(limits) as [string, number | undefined][]) {
		if (limit !== undefined && !(limit >= 0)) throw new RangeError(`${name} is ${limit}, not a number of 0 or more`);
	}
}

function findAll(baseDir: string, nowMs: number): Found[] {
	const found: Found[] = [];
	for (const directory of namespaceDirectories(baseDir)) {
		for (const {name} of entriesOf(directory)) {
			const file = path.join(directory, name);
			const stats = lstatSync(file, {throwIfNoEntry: false});
			if (stats?.isFile()) found.push({file, stats});
		}

		for (const {name} of list(directory)) {
			const file = path.join(directory, name);
			if (isOriginalLeftover(file, nowMs)) rmSync(file, {force: true});
		}
	}

	return found;
}

/** Its file tells at once that it is young; where it does not, the entry decides. */
function isExpired(file: string, {mtimeMs}: Stats, maxAgeS: number, nowMs: number): boolean {
	if (nowMs - mtimeMs < maxAgeS * 1000) return false;
	const ts = parseEntry(readText(file))?.ts ?? 0;
	return nowMs / 1000 - ts >= maxAgeS;
}

/**
 * Takes the file aside and looks at what it is: one that was written since is
 * put back, unless another one has taken its place.
 */
function removeUnchanged(file: string, {ino, mtimeMs}: Stats, incoming: string): boolean {
	const aside = path.join(incoming, ownedName());
	try {
		renameSync(file, aside);
		const is = statSync(aside);
		const isSame = is.ino === ino && is.mtimeMs === mtimeMs;
		if (!isSame) putBack(aside, file);
		return isSame;
	} catch {
		return false; // another process was first, or it is not ours to remove
	} finally {
		rmSync(aside, {force: true});
	}
}

function putBack(aside: string, file: string): void {
	try {
		linkSync(aside, file);
	} catch {
		// A newer one is there.
	}
}

function allocated({blocks}: Stats): number {
	return blocks * 512;
}
