import type {Awaitable} from '../base/awaitable.js';
import type {VersionId} from '../cache/url-cache.js';
import type {Backing} from '../cache/version.js';
import type {Access, Attributes, Dentry, DirectoryInode, Inode} from './inode.js';

export type {Backing};

/** A handle as a transport knows it. */
export type HandleId = number;

/** statfs(2), in bytes. */
export interface FileSystemSpace {
	readonly totalBytes: number;
	readonly freeBytes: number;
	readonly maxNameBytes: number;
}

/**
 * Hears that something may have happened to the files with an inode number.
 *
 * @param now - tells which bytes a reader gets; undefined where nothing is known of any.
 */
export type ChangeListener = (ino: number, now: () => VersionId | undefined) => void;

/**
 * The operations of a file system, on inodes, as the kernel's protocol has them
 * (`linux/fuse.h`): a transport that speaks of inodes calls them as they are,
 * one that speaks of paths walks down from `root` first. Each may wait for as
 * long as its signal allows, and throws CacheError; what returns or throws at
 * once keeps nothing of its signal.
 */
export interface Operations {
	readonly root: DirectoryInode;
	/** @throws AbsentNameError; `not-permitted` in what is no directory. */
	lookup(parent: Inode, name: string, signal: AbortSignal): Awaitable<Inode>;
	/**
	 * For who asks after a name whose attributes are provisional: asks the origin
	 * for better ones, if the transport can afford to wait for it.
	 *
	 * @throws CacheError `not-found` where the origin has no such file.
	 */
	announce(inode: Inode, signal: AbortSignal): Awaitable<void>;
	/** Of a name or, the same thing, of a handle: an inode has one version while it is open. */
	getattr(inode: Inode, signal: AbortSignal): Awaitable<Attributes>;
	readdir(directory: Inode, signal: AbortSignal): Awaitable<Iterable<Dentry>>;
	open(inode: Inode, access: Access, signal: AbortSignal): Awaitable<HandleId>;
	/**
	 * A file that has what the handle reads, all of it and nothing else, for as long as the handle is open; undefined
	 * where there is none.
	 */
	backing(handle: HandleId): Backing | undefined;
	/**
	 * Whether the size of what the handle reads was not known when it was opened, and told as 0: no page of it may be
	 * kept. Only where the transport has `directIo`.
	 */
	isStream(handle: HandleId): boolean;
	/** Fills `buffer`; a shorter read is the end of the file, but of a stream, which ends where nothing is read. */
	read(handle: HandleId, buffer: Uint8Array, position: number, signal: AbortSignal): Awaitable<number>;
	/** Writes all of `data`. */
	write(handle: HandleId, data: Uint8Array, position: number, signal: AbortSignal): Awaitable<number>;
	/** ftruncate(2); without a handle, truncate(2). */
	truncate(inode: Inode, handle: HandleId | undefined, sizeBytes: number, signal: AbortSignal): Awaitable<void>;
	/** UTIME_NOW of utimensat(2): asks whether what a file holds is still what its origin has. */
	touch(inode: Inode, signal: AbortSignal): Awaitable<void>;
	flush(handle: HandleId, signal: AbortSignal): Awaitable<void>;
	release(handle: HandleId, signal: AbortSignal): Awaitable<void>;
	unlink(parent: Inode, name: string, signal: AbortSignal): Awaitable<void>;
	statfs(signal: AbortSignal): Awaitable<FileSystemSpace>;
	/** Called for what this drive changes, before the operation is over, and for what others do to the store. */
	set onChanged(listener: ChangeListener);
}
