/** Finding out what is in a store's directory, and clearing what a crash left there. */
import {opendir, readdir, rm} from 'node:fs/promises';
import path from 'node:path';
import {setImmediate} from 'node:timers/promises';
import {systemCode} from '../base/errors.js';
import {draftOwner, type DraftOwner} from './draft.js';
import type {Key} from './key.js';
import {parseName, type Layout} from './layout.js';

/** The event loop is given back this often, so that a reader never waits for a scan. */
const SLICE_MS = 5;

export interface FoundName {
	readonly key: Key;
	readonly kind: 'data' | 'sidecar';
}

/** The names at the top level that are the store's, in no order. Other names are nobody's business. */
export async function* scan(layout: Layout): AsyncGenerator<FoundName> {
	let sliceEndsAt = performance.now() + SLICE_MS;
	for await (const {name} of await opendir(layout.root, {bufferSize: 512})) {
		const found = parseName(name);
		if (found !== undefined) yield found;
		if (performance.now() < sliceEndsAt) continue;
		await setImmediate();
		sliceEndsAt = performance.now() + SLICE_MS;
	}
}

/**
 * Removes the drafts of processes that are no more. Those of a dead process
 * whose number another one has now stay until that ends too, unless it is this
 * one. What this process is writing, be it through another store, stays.
 */
export async function sweepDownloads(layout: Layout): Promise<void> {
	for (const name of await readdir(layout.downloads)) {
		const owner = draftOwner(name);
		if (owner === undefined || isAtWork(owner)) continue;
		await rm(path.join(layout.downloads, name), {force: true});
	}
}

function isAtWork({pid, isThisProcess}: DraftOwner): boolean {
	if (pid === process.pid) return isThisProcess;
	try {
		process.kill(pid, 0);
		return true;
	} catch (error) {
		return systemCode(error) === 'EPERM';
	}
}
