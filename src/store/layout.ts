import {mkdirSync} from 'node:fs';
import path from 'node:path';
import {DIRECTORY_MODE} from '../base/atomic-file.js';
import {CacheError, messageOf, systemCode} from '../base/errors.js';
import {isKey, type Key} from './key.js';

/**
 * Where things lie in a store. At the top only the original's two files an
 * entry; everything of ours is under `.larder/`.
 *
 * ```
 * 5f9c….dat            the bytes
 * 5f9c….json           the sidecar
 * .larder/downloads/   what is not an entry yet
 * .larder/quarantine/  what was damaged
 * ```
 */
export class Layout {
	readonly downloads: string;
	readonly quarantine: string;

	/** @param root - an absolute path. */
	constructor(readonly root: string) {
		this.downloads = path.join(root, '.larder', 'downloads');
		this.quarantine = path.join(root, '.larder', 'quarantine');
	}

	data(key: Key): string {
		return `${this.root}/${key}.dat`;
	}

	sidecar(key: Key): string {
		return `${this.root}/${key}.json`;
	}

	/**
	 * Makes the directories that are missing; those that are there keep their mode.
	 *
	 * @throws CacheError `not-permitted` where that cannot be.
	 */
	create(): void {
		try {
			for (const directory of [this.root, this.downloads, this.quarantine]) {
				mkdirSync(directory, {recursive: true, mode: DIRECTORY_MODE});
			}
		} catch (cause) {
			const reason = systemCode(cause) === 'EEXIST' ? 'it is not a directory' : messageOf(cause);
			throw new CacheError('not-permitted', `${this.root} cannot be a cache directory: ${reason}`, {cause});
		}
	}
}

/** Which entry a name at the top level belongs to, as data or as sidecar; undefined for what is not ours. */
export function parseName(name: string): {key: Key; kind: 'data' | 'sidecar'} | undefined {
	const {name: key, ext} = path.parse(name);
	if (!isKey(key)) return undefined;
	if (ext === '.dat') return {key, kind: 'data'};
	return ext === '.json' ? {key, kind: 'sidecar'} : undefined;
}
