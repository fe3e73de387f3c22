/** Removing what killed writers have left. */
import {lstatSync, readdirSync, rmdirSync, rmSync} from 'node:fs';
import path from 'node:path';
import {isAbandoned} from '../../base/owned-name.js';

/** As Python's `tempfile.mkstemp(suffix='.tmp')` calls what the original has on its way. */
const ORIGINAL_TEMPORARY = /^tmp\w{8}\.tmp$/;

/** The original writes one within a moment; it does not tell which process does. */
const LEFT_AFTER_MS = 60_000;

/** Removes from `directory` the files of ours whose writer has ended. */
export function sweepIncoming(directory: string): void {
	for (const name of readdirSync(directory)) {
		if (isAbandoned(name)) rmSync(path.join(directory, name), {force: true});
	}
}

/** Removes from `directory` the locks whose holder has ended, and those that were only asked for. */
export function sweepLocks(directory: string): void {
	for (const name of readdirSync(directory)) {
		const lock = path.join(directory, name);
		const holders = deadHolders(lock);
		const isClaim = isAbandoned(name.slice(name.indexOf('.') + 1));
		for (const holder of holders) rmSync(path.join(lock, holder), {force: true});
		// One that somebody holds is not empty, and stays.
		if (holders.length > 0 || isClaim) removeIfEmpty(lock);
	}
}

function deadHolders(lock: string): string[] {
	try {
		return readdirSync(lock).filter(isAbandoned);
	} catch {
		return []; // given back meanwhile
	}
}

function removeIfEmpty(directory: string): void {
	try {
		rmdirSync(directory);
	} catch {
		// It was taken, or is gone.
	}
}

/** Whether a name in a namespace is that of a file which the original had on its way, long ago. */
export function isOriginalLeftover(file: string, nowMs: number): boolean {
	if (!ORIGINAL_TEMPORARY.test(path.basename(file))) return false;
	const stats = lstatSync(file, {throwIfNoEntry: false});
	return stats?.isFile() === true && nowMs - stats.mtimeMs > LEFT_AFTER_MS;
}
