import {CacheError} from '../base/errors.js';
import {keyOf, type Key} from '../cache/url-cache.js';
import {CachedFile} from './cached-file.js';
import type {DriveContext} from './drive-context.js';
import {permissions, type Attributes, type Dentry, type DirectoryInode, type Inode} from './inode.js';
import {listedName, urlOf} from './names.js';

/** `by-url/`: every http and https URL is a name here, those that are stored are listed. */
export class ByUrl implements DirectoryInode {
	readonly kind = 'directory';

	constructor(
		private readonly ino: number,
		private readonly drive: DriveContext,
	) {}

	attributes(): Attributes {
		return directoryAttributes(this.ino, this.drive);
	}

	lookup(name: string): Inode | undefined {
		const url = urlOf(name);
		return url === undefined ? undefined : CachedFile.of(keyOf(url), url, this.drive);
	}

	/** What is no URL never becomes one. */
	absentForMs(): number {
		return Infinity;
	}

	*list(): Iterable<Dentry> {
		for (const file of this.drive.cache.list()) {
			const name = listedName(file.url, this.drive.isShared);
			if (name !== undefined) yield {name, attributes: () => CachedFile.listed(file, this.drive)};
		}
	}

	unlink(name: string): Promise<void> {
		const url = urlOf(name);
		if (url === undefined) return Promise.reject(new CacheError('bad-name', 'the name is no URL'));
		return evict(keyOf(url), this.drive);
	}
}

export function directoryAttributes(ino: number, {isReadOnly, mountedAtMs}: DriveContext): Attributes {
	const bits = permissions('directory', isReadOnly);
	return {kind: 'directory', ino, permissions: bits, sizeBytes: 0, modifiedAtMs: mountedAtMs, validForMs: Infinity};
}

/** Removing a name removes the entry. Who has it open keeps it. */
export async function evict(key: Key, {cache, openFiles, isReadOnly}: DriveContext): Promise<void> {
	if (isReadOnly) throw new CacheError('read-only', 'the drive is mounted read-only');
	const open = openFiles.all(key);
	// Where an inode is one version, who has another one open is no reason for the name to be there.
	const isOpen = open.some(file => file.isBeingWritten || !openFiles.inodePerVersion);
	await Promise.all(open.map(file => file.unlink()));
	if (!(await cache.evict(key)) && !isOpen) throw new CacheError('not-stored', 'it is not stored');
}
