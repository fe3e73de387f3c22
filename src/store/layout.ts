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
 * 5f9c….dat                 the bytes
 * 5f9c….json                the sidecar
 * .larder/catalogue.sqlite  the index, and beside it its `-wal` and `-shm`
 * .larder/locks/            one file for each first digit of a key
 * .larder/synced            what a power cut cannot take any more
 * .larder/downloads/        what is not an entry yet, and somebody is at it
 * .larder/partials/         what was begun and not finished: `<key>` and `<key>.ranges`
 * .larder/quarantine/       what was damaged
 * ```
 */
export class Layout {
	readonly downloads: string;
	readonly partials: string;
	readonly quarantine: string;
	readonly catalogue: string;
	readonly locks: string;
	readonly synced: string;

	/**
	 * @param root - an absolute path.
	 * @param shared - where the catalogue and the locks are.
	 */
	constructor(
		readonly root: string,
		readonly shared = path.join(root, '.larder'),
	) {
		const ours = path.join(root, '.larder');
		this.downloads = path.join(ours, 'downloads');
		this.partials = path.join(ours, 'partials');
		this.quarantine = path.join(ours, 'quarantine');
		this.catalogue = path.join(shared, 'catalogue.sqlite');
		this.locks = path.join(shared, 'locks');
		this.synced = path.join(ours, 'synced');
	}

	data(key: Key): string {
		return `${this.root}/${key}.dat`;
	}

	sidecar(key: Key): string {
		return `${this.root}/${key}.json`;
	}

	/** The data that is kept of what was begun; its log is beside it. */
	partial(key: Key): string {
		return `${this.partials}/${key}`;
	}

	/**
	 * Makes the directories that are missing; those that are there keep their mode.
	 *
	 * @throws CacheError `not-permitted` where that cannot be.
	 */
	create(): void {
		try {
			for (const directory of [this.root, this.downloads, this.quarantine, this.locks]) {
				mkdirSync(directory, {recursive: true, mode: DIRECTORY_MODE});
			}
		} catch (cause) {
			const reason = systemCode(cause) === 'EEXIST' ? 'it is not a directory' : messageOf(cause);
			throw new CacheError('not-permitted', `${this.root} cannot be a cache directory: ${reason}`, {cause});
		}

		this.createPartials();
	}

	/** A full or read-only disk has what is stored all the same: then nothing that was begun is kept. */
	createPartials(): void {
		try {
			mkdirSync(this.partials, {recursive: true, mode: DIRECTORY_MODE});
		} catch {
			// Who wants to keep something tries again, and is told.
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
