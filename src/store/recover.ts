/** Clearing what a crash left in a store's directory. */
import {readdir, rm} from 'node:fs/promises';
import path from 'node:path';
import {draftOwner, isAtWork} from './draft-owner.js';
import type {Key} from './key.js';
import type {KeyLocks} from './key-locks.js';
import type {Layout} from './layout.js';
import {keepPartial} from './partial-files.js';
import {finish} from './publish.js';

/**
 * Finishes what processes that are no more were publishing, keeps what they had
 * begun and told of for who goes on with it, and removes the rest of their drafts.
 */
export async function sweepDownloads(layout: Layout, locks: KeyLocks): Promise<void> {
	for (const name of await readdir(layout.downloads)) {
		const owner = draftOwner(name);
		if (owner === undefined || isAtWork(owner)) continue;
		await locks.run(owner.key, async () => {
			await finish(layout, name);
			const file = path.join(layout.downloads, name);
			keepIfPossible(layout, owner.key, file.replace(/\.ranges$/, ''));
			await rm(file, {force: true});
		});
	}
}

/** Where it cannot be moved, for want of room as it may be, it goes as the other drafts do. */
function keepIfPossible(layout: Layout, key: Key, file: string): void {
	try {
		keepPartial(layout, key, file);
	} catch {
		// What removes it says so, should that fail as well.
	}
}
