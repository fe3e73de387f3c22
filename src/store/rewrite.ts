import {lstat, rename} from 'node:fs/promises';
import type {Catalogue} from './catalogue.js';
import {identityOf, sameFile, type Entry} from './entry.js';
import {inspect} from './inspect.js';
import type {Layout} from './layout.js';
import {stageSidecar, unlinkIfThere} from './publish.js';
import type {Sidecar} from './sidecar.js';

/**
 * Writes an entry's sidecar anew, never making one that is not there and never
 * over one that somebody else has written meanwhile: then the catalogue learns
 * what is there. Under the key's lock.
 *
 * @returns whether it was written.
 */
export async function rewriteSidecar(
	{layout, catalogue}: {readonly layout: Layout; readonly catalogue: Catalogue},
	entry: Entry,
	sidecar: Sidecar,
): Promise<boolean> {
	const {key} = entry;
	const staged = await stageSidecar(layout, key, sidecar, {durable: sidecar.durable});
	const there = await lstat(layout.sidecar(key), {bigint: true}).catch(() => undefined);
	if (there === undefined || !sameFile(identityOf(there), entry.sidecarFile)) {
		await unlinkIfThere(staged.path);
		const found = inspect(layout, key);
		if (found.state === 'entry') catalogue.set(found.entry);
		else catalogue.delete(key);
		return false;
	}

	await rename(staged.path, layout.sidecar(key));
	catalogue.set({...entry, sidecar, sidecarFile: identityOf(staged.stats)});
	return true;
}
