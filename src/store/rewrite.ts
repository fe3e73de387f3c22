import {lstatSync, renameSync} from 'node:fs';
import type {Catalogue} from './catalogue.js';
import {identityOf, type Entry} from './entry.js';
import {inspect} from './inspect.js';
import type {Layout} from './layout.js';
import {stageSidecar, unlinkIfThere} from './publish.js';
import {withAnnotations, type Sidecar} from './sidecar.js';

/**
 * Writes an entry's sidecar anew, never making one that is not there and never
 * over one that somebody else has written meanwhile: then the catalogue learns
 * what is there, with what a user has said of the entry. Under the key's lock.
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
	// The original knows no locks: between a look and the rename there is no time for it, but for a kernel's instant.
	const there = lstatSync(layout.sidecar(key), {bigint: true, throwIfNoEntry: false});
	if (there === undefined || identityOf(there) !== entry.sidecarFile) {
		await unlinkIfThere(staged.path);
		const found = inspect(layout, key);
		if (found.state === 'entry')
			catalogue.set({...found.entry, sidecar: withAnnotations(found.entry.sidecar, sidecar)});
		else catalogue.delete(key);
		return false;
	}

	renameSync(staged.path, layout.sidecar(key));
	catalogue.set({...entry, sidecar, sidecarFile: identityOf(staged.stats)});
	return true;
}
