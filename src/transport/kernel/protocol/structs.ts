/**
 * The structs of `linux/fuse.h`, field by field under the names they have
 * there. A number in the place of a type is that many bytes of nothing.
 */
import {struct} from './struct.js';

/** What every request begins with. */
export const IN_HEADER = struct('fuse_in_header', {
	len: 'u32', // of the whole request
	opcode: 'u32',
	unique: 'u64',
	nodeid: 'u64',
	uid: 'u32',
	gid: 'u32',
	pid: 'u32', // of the thread that asks; 0 where nobody in particular does
	total_extlen: 'u16', // of what follows the body, in units of 8 bytes
	padding: 'u16',
});

/** What every reply begins with. */
export const OUT_HEADER = struct('fuse_out_header', {
	len: 'u32', // of the whole reply
	error: 'i32', // 0, or a negative errno
	unique: 'u64',
});

const ATTR = {
	ino: 'u64',
	size: 'u64',
	blocks: 'u64', // of 512 bytes
	atime: 'u64',
	mtime: 'u64',
	ctime: 'u64',
	atimensec: 'u32',
	mtimensec: 'u32',
	ctimensec: 'u32',
	mode: 'u32',
	nlink: 'u32',
	uid: 'u32',
	gid: 'u32',
	rdev: 'u32',
	blksize: 'u32',
	flags: 'u32',
} as const;

export const ENTRY_OUT = struct('fuse_entry_out', {
	nodeid: 'u64',
	generation: 'u64',
	entry_valid: 'u64', // for how many seconds the kernel believes the name,
	attr_valid: 'u64', // and the attributes
	entry_valid_nsec: 'u32',
	attr_valid_nsec: 'u32',
	...ATTR,
});

export const ATTR_OUT = struct('fuse_attr_out', {attr_valid: 'u64', attr_valid_nsec: 'u32', dummy: 'u32', ...ATTR});

export const INIT_IN = struct('fuse_init_in', {
	major: 'u32',
	minor: 'u32',
	max_readahead: 'u32',
	flags: 'u32',
});

/** What INIT goes on with since 7.36. */
export const INIT_IN_EXT = struct('fuse_init_in, from flags2 on', {flags2: 'u32', unused: 44});

export const INIT_OUT = struct('fuse_init_out', {
	major: 'u32',
	minor: 'u32',
	max_readahead: 'u32',
	flags: 'u32',
	max_background: 'u16',
	congestion_threshold: 'u16',
	max_write: 'u32',
	time_gran: 'u32', // in nanoseconds
	max_pages: 'u16',
	map_alignment: 'u16',
	flags2: 'u32',
	max_stack_depth: 'u32', // of file systems over one another that are read by the kernel itself
	unused: 24,
});

export const FORGET_IN = struct('fuse_forget_in', {nlookup: 'u64'});
export const BATCH_FORGET_IN = struct('fuse_batch_forget_in', {count: 'u32', dummy: 'u32'});
export const FORGET_ONE = struct('fuse_forget_one', {nodeid: 'u64', nlookup: 'u64'});
export const INTERRUPT_IN = struct('fuse_interrupt_in', {unique: 'u64'});

export const GETATTR_IN = struct('fuse_getattr_in', {getattr_flags: 'u32', dummy: 'u32', fh: 'u64'});

export const SETATTR_IN = struct('fuse_setattr_in', {
	valid: 'u32',
	padding: 'u32',
	fh: 'u64',
	size: 'u64',
	lock_owner: 'u64',
	atime: 'u64',
	mtime: 'u64',
	ctime: 'u64',
	atimensec: 'u32',
	mtimensec: 'u32',
	ctimensec: 'u32',
	mode: 'u32',
	unused4: 'u32',
	uid: 'u32',
	gid: 'u32',
	unused5: 'u32',
});

export const OPEN_IN = struct('fuse_open_in', {flags: 'u32', open_flags: 'u32'});
export const OPEN_OUT = struct('fuse_open_out', {fh: 'u64', open_flags: 'u32', backing_id: 'i32'});
/** What a file is made known with that the kernel is to read by itself. */
export const BACKING_MAP = struct('fuse_backing_map', {fd: 'i32', flags: 'u32', padding: 'u64'});
export const CREATE_IN = struct('fuse_create_in', {flags: 'u32', mode: 'u32', umask: 'u32', open_flags: 'u32'});

export const READ_IN = struct('fuse_read_in', {
	fh: 'u64',
	offset: 'u64',
	size: 'u32',
	read_flags: 'u32',
	lock_owner: 'u64',
	flags: 'u32',
	padding: 'u32',
});

export const WRITE_IN = struct('fuse_write_in', {
	fh: 'u64',
	offset: 'u64',
	size: 'u32',
	write_flags: 'u32',
	lock_owner: 'u64',
	flags: 'u32',
	padding: 'u32',
});

export const WRITE_OUT = struct('fuse_write_out', {size: 'u32', padding: 'u32'});

export const RELEASE_IN = struct('fuse_release_in', {
	fh: 'u64',
	flags: 'u32',
	release_flags: 'u32',
	lock_owner: 'u64',
});

export const FLUSH_IN = struct('fuse_flush_in', {fh: 'u64', unused: 'u32', padding: 'u32', lock_owner: 'u64'});
export const FSYNC_IN = struct('fuse_fsync_in', {fh: 'u64', fsync_flags: 'u32', padding: 'u32'});
export const ACCESS_IN = struct('fuse_access_in', {mask: 'u32', padding: 'u32'});

export const STATFS_OUT = struct('fuse_statfs_out', {
	blocks: 'u64',
	bfree: 'u64',
	bavail: 'u64',
	files: 'u64',
	ffree: 'u64',
	bsize: 'u32',
	namelen: 'u32',
	frsize: 'u32',
	padding: 'u32',
	spare: 24,
});

/** An entry of a directory; its name follows, and zeros up to a multiple of 8. */
export const DIRENT = struct('fuse_dirent', {ino: 'u64', off: 'u64', namelen: 'u32', type: 'u32'});

export const GETXATTR_IN = struct('fuse_getxattr_in', {size: 'u32', padding: 'u32'});
export const GETXATTR_OUT = struct('fuse_getxattr_out', {size: 'u32', padding: 'u32'});
/** Without FUSE_SETXATTR_EXT, which is not asked for. */
export const SETXATTR_IN = struct('fuse_setxattr_in', {size: 'u32', flags: 'u32'});
export const MKNOD_IN = struct('fuse_mknod_in', {mode: 'u32', rdev: 'u32', umask: 'u32', padding: 'u32'});
export const MKDIR_IN = struct('fuse_mkdir_in', {mode: 'u32', umask: 'u32'});
export const RENAME_IN = struct('fuse_rename_in', {newdir: 'u64'});
export const RENAME2_IN = struct('fuse_rename2_in', {newdir: 'u64', flags: 'u32', padding: 'u32'});
export const LINK_IN = struct('fuse_link_in', {oldnodeid: 'u64'});

/** What notifications begin with, behind an `OUT_HEADER` with `unique` 0, and its code in the place of an error. */
export const NOTIFY_STORE_OUT = struct('fuse_notify_store_out', {
	nodeid: 'u64',
	offset: 'u64',
	size: 'u32',
	padding: 'u32',
});
export const INVAL_INODE_OUT = struct('fuse_notify_inval_inode_out', {
	ino: 'u64', // a node
	off: 'u64',
	len: 'u64', // 0 is to the end
});
