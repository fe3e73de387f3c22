import path from 'node:path';
import {checkLimits, sweepCache, type Swept} from './sweep.js';

export interface CacheLimits {
	/** Of all namespaces together, as allocated on the disk. */
	readonly maxBytes?: number;
	readonly maxEntries?: number;
	/** Entries of this age are removed, in seconds. */
	readonly maxAgeS?: number;
}

/** What a process knows of a base directory that it keeps within limits. */
interface Kept {
	readonly limits: CacheLimits;
	entries: number;
	bytes: number;
	/** Since the last sweep. */
	written: number;
	sweptAtMs: number;
}

const kept = new Map<string, Kept>();

/** Other processes write too: after so much of a limit all of it is counted again. */
const COUNT_AGAIN_AFTER = 0.1;
/** A sweep makes so much room that the next write needs none. */
const DOWN_TO = 0.9;
const SWEEP_EVERY_MS = 60_000;
/** What a file takes on most file systems, at least. */
const BLOCK_BYTES = 4096;

/**
 * Keeps what this process writes under `baseDir` within limits, beginning now:
 * a write that exceeds one makes room, a tenth more than it needs. Each process
 * that writes says so for itself; each counts what all have written.
 *
 * @param limits - in the place of those that were said before; `{}` lifts them.
 * @throws RangeError for a limit that is none.
 */
export function limitCache(baseDir: string, limits: CacheLimits): Swept {
	checkLimits(limits);
	const swept = sweepCache(baseDir, limits);
	const {entries, bytes} = swept;
	if (Object.values(limits).some(limit => limit !== undefined)) {
		kept.set(path.resolve(baseDir), {limits, entries, bytes, written: 0, sweptAtMs: Date.now()});
	} else kept.delete(path.resolve(baseDir));
	return swept;
}

/** Whether an entry of so many bytes would be more than all that this process keeps. */
export function isTooLarge(baseDir: string, bytes: number): boolean {
	if (kept.size === 0) return false;
	const {maxBytes = Infinity, maxEntries = Infinity} = kept.get(path.resolve(baseDir))?.limits ?? {};
	return blocksOf(bytes) > maxBytes || maxEntries < 1;
}

/** An entry of so many bytes was written. */
export function noteWritten(baseDir: string, bytes: number): void {
	if (kept.size === 0) return;
	const known = kept.get(path.resolve(baseDir));
	if (known === undefined) return;
	known.written++;
	known.entries++;
	known.bytes += blocksOf(bytes);
	if (isDue(known)) sweepAgain(baseDir, known, blocksOf(bytes));
}

function isDue({limits, entries, bytes, written, sweptAtMs}: Kept): boolean {
	const {maxBytes = Infinity, maxEntries = Infinity, maxAgeS = Infinity} = limits;
	if (entries > maxEntries || bytes > maxBytes) return true;
	const isMuch = written > maxEntries * COUNT_AGAIN_AFTER || written * BLOCK_BYTES > maxBytes * COUNT_AGAIN_AFTER;
	return isMuch || (maxAgeS !== Infinity && Date.now() - sweptAtMs > SWEEP_EVERY_MS);
}

/** @param newestBytes - of the entry that room is made for: it stays. */
function sweepAgain(baseDir: string, known: Kept, newestBytes: number): void {
	const {maxBytes = Infinity, maxEntries = Infinity, maxAgeS = Infinity} = known.limits;
	const isOver = known.entries > maxEntries || known.bytes > maxBytes;
	const share = isOver ? DOWN_TO : 1;
	const {entries, bytes} = sweepCache(baseDir, {
		maxBytes: Math.max(maxBytes * share, newestBytes),
		maxEntries: Math.max(Math.floor(maxEntries * share), 1),
		maxAgeS,
	});
	Object.assign(known, {entries, bytes, written: 0, sweptAtMs: Date.now()});
}

function blocksOf(bytes: number): number {
	return Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES;
}
