/** What the drive is made of: directories of names, files of bytes, and handles on open files. */
import type {Awaitable} from '../base/awaitable.js';
import type {VersionId} from '../cache/url-cache.js';
import type {FileHandle} from './handle.js';

export interface Attributes {
	readonly kind: 'file' | 'directory';
	/** The same for the same thing, across mounts; 53 bits at most. */
	readonly ino: number;
	/** Permission bits alone. */
	readonly permissions: number;
	readonly sizeBytes: number;
	readonly modifiedAtMs: number;
	/** Of a file: which bytes a reader gets, as far as is known. Of one that is open for reading: which it gets. */
	readonly version?: VersionId | undefined;
	/** How long it stays so, if no change is announced, in ms; 0 where that is not known. */
	readonly validForMs?: number;
	/** Of a file that is open for reading: all of it is there, and reading it never waits. */
	readonly isWhole?: boolean;
	/**
	 * Of a file of which nothing is here: what its origin has said, or 0 bytes
	 * where that has said nothing. The next who looks at its name is to be told anew.
	 */
	readonly isProvisional?: boolean;
}

/** How a file is opened: open(2). */
export interface Access {
	readonly read: boolean;
	readonly write: boolean;
	/** O_TRUNC. */
	readonly truncate: boolean;
	/** What a reader was told that it is, where an inode is one version: it gets no other. */
	readonly version?: VersionId | undefined;
	/** Who finds it open gets what the others have, whatever has become of it. */
	readonly asOpen?: boolean;
}

/** A name in a directory. */
export interface Dentry {
	readonly name: string;
	/** Asked for only where the transport can use them at once. */
	attributes(): Attributes;
}

export interface FileInode {
	readonly kind: 'file';
	/** Never waits, asks nobody. */
	attributes(): Attributes;
	/**
	 * Finds out what the attributes are where nothing of the file is here, which
	 * may take a second. Missing where there is never anything to find out.
	 *
	 * @throws CacheError `not-found` where there is no such file, or the signal's reason.
	 */
	announce?(signal: AbortSignal): Awaitable<void>;
	/** @throws CacheError, with the reason why there is nothing to read or write; `replaced` where another inode is to be opened. */
	open(access: Access, signal: AbortSignal): Awaitable<FileHandle>;
	/** Makes sure that it is what its origin has, where it has one. @throws CacheError, with the reason why nobody knows. */
	touch(signal: AbortSignal): Promise<void>;
}

export interface DirectoryInode {
	readonly kind: 'directory';
	attributes(): Attributes;
	/** Undefined for a name that is not there. */
	lookup(name: string): Inode | undefined;
	/** For how long a name that is not there will not be, in ms; 0 where it may come at any time. */
	absentForMs(name: string): number;
	list(): Iterable<Dentry>;
	/** @throws CacheError `not-stored`, `not-permitted`, `read-only` */
	unlink(name: string): Promise<void>;
}

export type Inode = FileInode | DirectoryInode;

/** Permission bits of a mount that can be written to, and of one that cannot. */
export function permissions(kind: 'file' | 'directory', isReadOnly: boolean): number {
	const all = kind === 'file' ? 0o644 : 0o755;
	return isReadOnly ? all & ~0o222 : all;
}
