import type {Clock} from '../base/clock.js';
import {CacheError} from '../base/errors.js';
import {ByKey} from './by-key.js';
import {ByUrl, directoryAttributes} from './by-url.js';
import type {DriveContext} from './drive-context.js';
import type {Attributes, Dentry, DirectoryInode, Inode} from './inode.js';
import {renderDownloads} from './synthetic/downloads.js';
import {renderStats} from './synthetic/stats.js';
import {SyntheticFile} from './synthetic/synthetic-file.js';

const ROOT_INO = 1;

/** The top of the drive: what is here is a line in this table. Inode numbers are far from those that keys give. */
function children(drive: DriveContext, clock: Clock): Map<string, Inode> {
	return new Map<string, Inode>([
		['by-url', new ByUrl(0xff_ff_ff_01, drive)],
		['by-key', new ByKey(0xff_ff_ff_02, drive)],
		['stats.json', new SyntheticFile(0xff_ff_ff_03, () => renderStats(drive.cache), clock)],
		['downloads.json', new SyntheticFile(0xff_ff_ff_04, () => renderDownloads(drive), clock)],
	]);
}

export class Root implements DirectoryInode {
	readonly kind = 'directory';
	readonly #children: Map<string, Inode>;

	constructor(
		private readonly drive: DriveContext,
		clock: Clock,
	) {
		this.#children = children(drive, clock);
	}

	attributes(): Attributes {
		return directoryAttributes(ROOT_INO, this.drive);
	}

	lookup(name: string): Inode | undefined {
		return this.#children.get(name);
	}

	absentForMs(): number {
		return Infinity;
	}

	*list(): Iterable<Dentry> {
		for (const [name, inode] of this.#children) yield {name, attributes: () => inode.attributes()};
	}

	unlink(): Promise<void> {
		return Promise.reject(new CacheError('not-permitted', 'what is at the top of the drive stays there'));
	}
}
