import {lstat, readdir, rename, rm} from 'node:fs/promises';
import path from 'node:path';
import {messageOf} from '../base/errors.js';
import type {Log} from '../base/log.js';
import type {Layout} from './layout.js';

/** What is kept of the damaged, for a person to look at; the oldest go first. */
const MAX_FILES = 64;
const MAX_BYTES = 256 * 1024 * 1024;

/**
 * Moves the files at `names` out of the store's way, whatever they are: a link
 * is moved, not followed. What cannot be moved stays and is logged.
 */
export async function quarantine(layout: Layout, names: readonly string[], nowMs: number, log: Log): Promise<void> {
	for (const name of names) {
		const target = path.join(layout.quarantine, `${nowMs}.${name}`);
		try {
			await rename(path.join(layout.root, name), target);
		} catch (error) {
			if ((await exists(path.join(layout.root, name))) === undefined) continue;
			log.error('a damaged file could not be moved away', {name, reason: messageOf(error)});
		}
	}

	await trim(layout.quarantine);
}

async function trim(directory: string): Promise<void> {
	const names = (await readdir(directory)).sort().reverse();
	let bytes = 0;
	for (const [index, name] of names.entries()) {
		const file = path.join(directory, name);
		bytes += (await exists(file))?.size ?? 0;
		if (index >= MAX_FILES || bytes > MAX_BYTES) await rm(file, {recursive: true, force: true});
	}
}

async function exists(file: string): Promise<{size: number} | undefined> {
	return lstat(file).catch(() => undefined);
}
