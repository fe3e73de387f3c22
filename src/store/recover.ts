/** Clearing what a crash left in a store's directory. */
import {readdir, rm} from 'node:fs/promises';
import path from 'node:path';
import {systemCode} from '../base/errors.js';
import {draftOwner, type DraftOwner} from './draft.js';
import type {KeyLocks} from './key-locks.js';
import type {Layout} from './layout.js';
import {finish} from './publish.js';

/**
 * Finishes what processes that are no more were publishing, and removes their
 * drafts.
 */
export async function sweepDownloads(layout: Layout, locks: KeyLocks): Promise<void> {
	for (const name of await readdir(layout.downloads)) {
		const owner = draftOwner(name);
		if (owner === undefined || isAtWork(owner)) continue;
		await locks.run(owner.key, async () => {
			await finish(layout, name);
			await rm(path.join(layout.downloads, name), {force: true});
		});
	}
}

/**
 * Whether the process that a draft belongs to is there. Of a dead one whose number
 * another process has now it cannot be told, unless it is this one.
 */
export function isAtWork({pid, isThisProcess}: DraftOwner): boolean {
	if (pid === process.pid) return isThisProcess;
	try {
		process.kill(pid, 0);
		return true;
	} catch (error) {
		return systemCode(error) === 'EPERM';
	}
}
