import type {Clock} from '../base/clock.js';
import {CacheError} from '../base/errors.js';
import type {UrlCache} from '../cache/url-cache.js';
import type {DriveContext} from './drive-context.js';
import {notForWriting, type FileHandle} from './handle.js';
import {HandleTable} from './handle-table.js';
import type {Access, Attributes, Dentry, DirectoryInode, Inode} from './inode.js';
import {MAX_LISTED_NAME_BYTES} from './names.js';
import {OpenFiles} from './open-files.js';
import type {FileSystemSpace, HandleId, Operations} from './operations.js';
import {Root} from './root.js';

export interface DriveOptions {
	readonly isReadOnly: boolean;
	/** Users other than the one who mounts it may look. */
	readonly isShared: boolean;
	readonly clock: Clock;
}

/** A cache as a file system: each operation finds its inode or handle, which knows the rest. */
export class Drive implements Operations {
	readonly root: DirectoryInode;
	readonly #handles = new HandleTable<FileHandle>();
	readonly #cache: UrlCache;

	constructor(cache: UrlCache, {isReadOnly, isShared, clock}: DriveOptions) {
		this.#cache = cache;
		const context: DriveContext = {
			...{cache, isReadOnly, isShared},
			openFiles: new OpenFiles(),
			mountedAtMs: clock.now(),
			clock,
		};
		this.root = new Root(context, clock);
	}

	/* eslint-disable @typescript-eslint/require-await -- what does not wait yet may do so one day, and failures are rejections */

	async lookup(parent: Inode, name: string): Promise<Inode> {
		const inode = asDirectory(parent).lookup(name);
		if (inode === undefined) throw new CacheError('not-stored', `there is no ${name}`);
		return inode;
	}

	async getattr(inode: Inode): Promise<Attributes> {
		return inode.attributes();
	}

	async readdir(directory: Inode): Promise<Iterable<Dentry>> {
		return asDirectory(directory).list();
	}

	async open(inode: Inode, access: Access, signal: AbortSignal): Promise<HandleId> {
		if (inode.kind === 'directory') throw new CacheError('not-permitted', 'a directory is not opened as a file');
		return this.#handles.add(await inode.open(access, signal));
	}

	async read(handle: HandleId, buffer: Uint8Array, position: number, signal: AbortSignal): Promise<number> {
		return this.#handles.get(handle).read(buffer, position, signal);
	}

	async write(handle: HandleId, data: Uint8Array, position: number): Promise<number> {
		await this.#handles.get(handle).write(data, position);
		return data.byteLength;
	}

	async truncate(_inode: Inode, handle: HandleId | undefined, sizeBytes: number): Promise<void> {
		if (handle === undefined) throw notForWriting();
		await this.#handles.get(handle).truncate(sizeBytes);
	}

	async touch(inode: Inode, signal: AbortSignal): Promise<void> {
		if (inode.kind === 'file') await inode.touch(signal);
	}

	async flush(handle: HandleId): Promise<void> {
		await this.#handles.get(handle).flush();
	}

	async release(handle: HandleId): Promise<void> {
		await this.#handles.remove(handle).release();
	}

	async unlink(parent: Inode, name: string): Promise<void> {
		await asDirectory(parent).unlink(name);
	}

	async statfs(): Promise<FileSystemSpace> {
		const {limitBytes, freeBytes} = await this.#cache.freeSpace();
		return {totalBytes: limitBytes, freeBytes, maxNameBytes: MAX_LISTED_NAME_BYTES};
	}

	/* eslint-enable @typescript-eslint/require-await */
}

function asDirectory(inode: Inode): DirectoryInode {
	if (inode.kind !== 'directory') throw new CacheError('not-permitted', 'not a directory');
	return inode;
}
