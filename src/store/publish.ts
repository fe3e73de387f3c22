/** The two files of an entry, appearing and disappearing as one. */
import {rename, unlink, type FileHandle} from 'node:fs/promises';
import path from 'node:path';
import {createExclusive, syncDirectory, uniqueSuffix} from '../base/atomic-file.js';
import {systemCode} from '../base/errors.js';
import type {Draft} from './draft.js';
import {makeEntry, type Entry} from './entry.js';
import type {Key} from './key.js';
import type {Layout} from './layout.js';
import {renderSidecar, type Sidecar} from './sidecar.js';

/**
 * Makes a draft an entry, in the place of the one that may be there. The
 * sidecar goes first and comes last: an entry exists exactly when its sidecar
 * does, so a crash in between leaves the old entry, the new one, or none.
 *
 * @param durable - the entry survives a power cut once this resolves.
 * @throws the system's error; the draft is then as it was.
 */
export async function publish(layout: Layout, draft: Draft, sidecar: Sidecar, durable: boolean): Promise<Entry> {
	const {key} = draft;
	if (durable) await draft.file.sync();
	const dataStats = await draft.file.stats();
	const staged = await stageSidecar(layout, key, sidecar, durable);
	try {
		await unlinkIfThere(layout.sidecar(key));
		await rename(draft.path, layout.data(key));
		await rename(staged.path, layout.sidecar(key)).catch(async (error: unknown) => {
			await rename(layout.data(key), draft.path);
			throw error;
		});
	} catch (error) {
		await unlinkIfThere(staged.path);
		throw error;
	}

	if (durable) await syncDirectory(layout.root);
	return makeEntry(key, sidecar, dataStats, staged.stats);
}

/**
 * Removes an entry's files, the large one first: where that fails nothing has
 * changed, and what a crash leaves in between is a sidecar that counts for nothing.
 */
export async function unpublish(layout: Layout, key: Key): Promise<void> {
	await unlinkIfThere(layout.data(key));
	await unlinkIfThere(layout.sidecar(key));
}

/** Writes a sidecar under a name of its own, to be renamed into its place. */
export async function stageSidecar(layout: Layout, key: Key, sidecar: Sidecar, durable: boolean) {
	const file = path.join(layout.downloads, `${key}.json.${process.pid}.${uniqueSuffix()}`);
	const handle = await createExclusive(file);
	try {
		await handle.writeFile(renderSidecar(sidecar));
		if (durable) await handle.sync();
		return {path: file, stats: await handle.stat({bigint: true})};
	} catch (error) {
		await unlinkIfThere(file);
		throw error;
	} finally {
		await closeQuietly(handle);
	}
}

export async function unlinkIfThere(file: string): Promise<void> {
	try {
		await unlink(file);
	} catch (error) {
		if (systemCode(error) !== 'ENOENT') throw error;
	}
}

/** All that matters was checked before: the write, and where it is asked for, the sync. */
async function closeQuietly(handle: FileHandle): Promise<void> {
	await handle.close().catch(() => undefined);
}
