import {CacheError} from '../base/errors.js';
import {isKey} from '../cache/url-cache.js';
import {directoryAttributes, evict} from './by-url.js';
import {CachedFile} from './cached-file.js';
import type {DriveContext} from './drive-context.js';
import type {Attributes, Dentry, DirectoryInode, FileInode, Inode} from './inode.js';

/** `by-key/`: the same entries by digest, all of them; for what cannot be listed by URL. */
export class ByKey implements DirectoryInode {
	readonly kind = 'directory';

	constructor(
		private readonly ino: number,
		private readonly drive: DriveContext,
	) {}

	attributes(): Attributes {
		return directoryAttributes(this.ino, this.drive);
	}

	lookup(name: string): Inode | undefined {
		if (!isKey(name)) return undefined;
		const [open] = this.drive.openFiles.all(name);
		const url = this.drive.cache.glimpse(name)?.url;
		const file = url === undefined ? open : CachedFile.of(name, url, this.drive);
		return file && readOnly(file);
	}

	absentForMs(name: string): number {
		return isKey(name) ? 0 : Infinity;
	}

	*list(): Iterable<Dentry> {
		for (const file of this.drive.cache.list()) {
			yield {name: file.key, attributes: () => CachedFile.listed(file, this.drive)};
		}
	}

	unlink(name: string): Promise<void> {
		return evict(name, this.drive);
	}
}

/** The same file, but for writing: that is what by-url is for. */
function readOnly(file: FileInode): FileInode {
	return {
		kind: 'file',
		attributes: () => file.attributes(),
		touch: signal => file.touch(signal),
		open(access, signal) {
			if (access.write) throw new CacheError('not-permitted', 'files are written under by-url');
			return file.open(access, signal);
		},
	};
}
