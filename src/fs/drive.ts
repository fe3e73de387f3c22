import {after, type Awaitable} from '../base/awaitable.js';
import type {Clock} from '../base/clock.js';
import {CacheError} from '../base/errors.js';
import type {UrlCache} from '../cache/url-cache.js';
import {AbsentNameError} from './absent-name-error.js';
import type {Capabilities} from './capabilities.js';
import type {DriveContext} from './drive-context.js';
import {notForWriting, type FileHandle} from './handle.js';
import {HandleTable} from './handle-table.js';
import type {Access, Attributes, Dentry, DirectoryInode, Inode} from './inode.js';
import {Leases} from './leases.js';
import {inodeNumber, MAX_LISTED_NAME_BYTES} from './names.js';
import {OpenFiles} from './open-files.js';
import type {Backing, ChangeListener, FileSystemSpace, HandleId, Operations} from './operations.js';
import {Root} from './root.js';

export interface DriveOptions {
	readonly isReadOnly: boolean;
	/** Users other than the one who mounts it may look. */
	readonly isShared: boolean;
	/** Of the transport that it is for. */
	readonly capabilities: Capabilities;
	readonly clock: Clock;
}

/** A cache as a file system: each operation finds its inode or handle, which knows the rest. */
export class Drive implements Operations {
	readonly root: DirectoryInode;
	readonly #handles = new HandleTable<FileHandle>();
	readonly #cache: UrlCache;
	/** Whoever else uses the directory goes on, and who no longer wants to wait need not. */
	readonly #mayWaitInLookup: boolean;

	constructor(cache: UrlCache, {isReadOnly, isShared, capabilities, clock}: DriveOptions) {
		this.#cache = cache;
		this.#mayWaitInLookup = capabilities.parallelLookup && capabilities.interrupt;
		const context: DriveContext = {
			...{cache, isReadOnly, isShared},
			openFiles: new OpenFiles(capabilities.nodePerVersion),
			leases: new Leases(),
			mayStream: capabilities.directIo,
			mountedAtMs: clock.now(),
			clock,
		};
		this.root = new Root(context, clock);
	}

	lookup(parent: Inode, name: string): Awaitable<Inode> {
		const directory = asDirectory(parent);
		const inode = directory.lookup(name);
		if (inode === undefined) throw new AbsentNameError(name, directory.absentForMs(name));
		return inode;
	}

	announce(inode: Inode, signal: AbortSignal): Awaitable<void> {
		if (this.#mayWaitInLookup && inode.kind === 'file') return inode.announce?.(signal);
	}

	getattr(inode: Inode): Awaitable<Attributes> {
		return inode.attributes();
	}

	readdir(directory: Inode): Awaitable<Iterable<Dentry>> {
		return asDirectory(directory).list();
	}

	open(inode: Inode, access: Access, signal: AbortSignal): Awaitable<HandleId> {
		if (inode.kind === 'directory') throw new CacheError('not-permitted', 'a directory is not opened as a file');
		return after(inode.open(access, signal), handle => this.#handles.add(handle));
	}

	backing(handle: HandleId): Backing | undefined {
		return this.#handles.get(handle).backing();
	}

	isStream(handle: HandleId): boolean {
		return this.#handles.get(handle).isStream;
	}

	read(handle: HandleId, buffer: Uint8Array, position: number, signal: AbortSignal): Awaitable<number> {
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

	flush(handle: HandleId): Awaitable<void> {
		return this.#handles.get(handle).flush();
	}

	release(handle: HandleId): Awaitable<void> {
		return this.#handles.remove(handle).release();
	}

	async unlink(parent: Inode, name: string): Promise<void> {
		await asDirectory(parent).unlink(name);
	}

	async statfs(): Promise<FileSystemSpace> {
		const {limitBytes, freeBytes} = await this.#cache.freeSpace();
		return {totalBytes: limitBytes, freeBytes, maxNameBytes: MAX_LISTED_NAME_BYTES};
	}

	set onChanged(listener: ChangeListener) {
		this.#cache.onChanged = (key, now) => listener(inodeNumber(key), () => this.#cache.glimpseOf(key, now())?.id);
	}
}

function asDirectory(inode: Inode): DirectoryInode {
	if (inode.kind !== 'directory') throw new CacheError('not-permitted', 'not a directory');
	return inode;
}
