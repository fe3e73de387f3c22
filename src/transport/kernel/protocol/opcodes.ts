import {
	ACCESS_IN,
	ATTR_OUT,
	BATCH_FORGET_IN,
	CREATE_IN,
	DIRENT,
	ENTRY_OUT,
	FLUSH_IN,
	FORGET_IN,
	FSYNC_IN,
	GETATTR_IN,
	GETXATTR_IN,
	GETXATTR_OUT,
	INIT_IN,
	INIT_OUT,
	INTERRUPT_IN,
	LINK_IN,
	MKDIR_IN,
	MKNOD_IN,
	OPEN_IN,
	OPEN_OUT,
	READ_IN,
	RELEASE_IN,
	RENAME2_IN,
	RENAME_IN,
	SETATTR_IN,
	SETXATTR_IN,
	STATFS_OUT,
	WRITE_IN,
	WRITE_OUT,
} from './structs.js';
import type {Fields, Struct} from './struct.js';

/**
 * What follows the struct of a request: names, each with a NUL at its end; as
 * many bytes as the struct says; or `more`, whatever else a newer kernel says.
 */
export type Tail = 'nothing' | 'name' | 'two names' | 'bytes' | 'more';

/**
 * What the session does: answers it from the file system, takes it for itself,
 * or says no. ENOSYS is for good: the kernel never asks again for as long as
 * the drive is mounted, and does what it can without. So it is only for what is
 * never to be there.
 */
export type Treatment = 'serve' | 'session' | 'ENOSYS' | 'EPERM' | 'EINVAL' | 'ENOTTY' | 'ENODATA' | 'EOPNOTSUPP';

export interface Opcode<F extends Fields = Fields> {
	readonly number: number;
	/** What follows the header of a request. */
	readonly in: Struct<F> | undefined;
	readonly tail: Tail;
	/** What follows the header of a reply: structs one after another; `bytes`; nothing; or there is no reply. */
	readonly out: readonly Struct[] | 'bytes' | 'no reply';
	readonly does: Treatment;
}

/** The whole protocol: a line for each opcode, by the name it has in `linux/fuse.h`. */
export const OPCODES = {
	LOOKUP: row(1, undefined, 'name', [ENTRY_OUT], 'serve'),
	FORGET: row(2, FORGET_IN, 'nothing', 'no reply', 'session'),
	GETATTR: row(3, GETATTR_IN, 'nothing', [ATTR_OUT], 'serve'),
	SETATTR: row(4, SETATTR_IN, 'nothing', [ATTR_OUT], 'serve'),
	READLINK: row(5, undefined, 'nothing', 'bytes', 'EINVAL'),
	SYMLINK: row(6, undefined, 'two names', [ENTRY_OUT], 'EPERM'),
	MKNOD: row(8, MKNOD_IN, 'name', [ENTRY_OUT], 'EPERM'),
	MKDIR: row(9, MKDIR_IN, 'name', [ENTRY_OUT], 'EPERM'),
	UNLINK: row(10, undefined, 'name', [], 'serve'),
	RMDIR: row(11, undefined, 'name', [], 'EPERM'),
	RENAME: row(12, RENAME_IN, 'two names', [], 'EPERM'),
	LINK: row(13, LINK_IN, 'name', [ENTRY_OUT], 'EPERM'),
	// Never ENOSYS: the kernel would open files by itself from then on.
	OPEN: row(14, OPEN_IN, 'nothing', [OPEN_OUT], 'serve'),
	READ: row(15, READ_IN, 'nothing', 'bytes', 'serve'),
	WRITE: row(16, WRITE_IN, 'bytes', [WRITE_OUT], 'serve'),
	STATFS: row(17, undefined, 'nothing', [STATFS_OUT], 'serve'),
	RELEASE: row(18, RELEASE_IN, 'nothing', [], 'serve'),
	FSYNC: row(20, FSYNC_IN, 'nothing', [], 'serve'),
	SETXATTR: row(21, SETXATTR_IN, 'more', [], 'EOPNOTSUPP'),
	GETXATTR: row(22, GETXATTR_IN, 'name', [GETXATTR_OUT], 'serve'),
	LISTXATTR: row(23, GETXATTR_IN, 'nothing', [GETXATTR_OUT], 'serve'),
	REMOVEXATTR: row(24, undefined, 'name', [], 'ENODATA'),
	FLUSH: row(25, FLUSH_IN, 'nothing', [], 'serve'),
	INIT: row(26, INIT_IN, 'more', [INIT_OUT], 'session'),
	OPENDIR: row(27, OPEN_IN, 'nothing', [OPEN_OUT], 'serve'),
	READDIR: row(28, READ_IN, 'nothing', [DIRENT], 'serve'),
	RELEASEDIR: row(29, RELEASE_IN, 'nothing', [], 'serve'),
	FSYNCDIR: row(30, FSYNC_IN, 'nothing', [], 'ENOSYS'), // then a success
	GETLK: row(31, undefined, 'more', 'bytes', 'ENOSYS'), // locks are the kernel's own
	SETLK: row(32, undefined, 'more', [], 'ENOSYS'),
	SETLKW: row(33, undefined, 'more', [], 'ENOSYS'),
	ACCESS: row(34, ACCESS_IN, 'nothing', [], 'serve'),
	CREATE: row(35, CREATE_IN, 'name', [ENTRY_OUT, OPEN_OUT], 'serve'),
	INTERRUPT: row(36, INTERRUPT_IN, 'nothing', 'no reply', 'session'),
	BMAP: row(37, undefined, 'more', 'bytes', 'ENOSYS'),
	DESTROY: row(38, undefined, 'nothing', [], 'session'),
	IOCTL: row(39, undefined, 'more', 'bytes', 'ENOTTY'),
	POLL: row(40, undefined, 'more', 'bytes', 'ENOSYS'), // then always ready
	NOTIFY_REPLY: row(41, undefined, 'more', 'no reply', 'session'),
	BATCH_FORGET: row(42, BATCH_FORGET_IN, 'more', 'no reply', 'session'),
	FALLOCATE: row(43, undefined, 'more', [], 'ENOSYS'), // then EOPNOTSUPP
	READDIRPLUS: row(44, READ_IN, 'nothing', [ENTRY_OUT, DIRENT], 'serve'),
	RENAME2: row(45, RENAME2_IN, 'two names', [], 'EPERM'),
	LSEEK: row(46, undefined, 'more', 'bytes', 'ENOSYS'), // then a file has no holes, also while it is being fetched
	COPY_FILE_RANGE: row(47, undefined, 'more', 'bytes', 'ENOSYS'), // then it is read and written
	SETUPMAPPING: row(48, undefined, 'more', [], 'ENOSYS'),
	REMOVEMAPPING: row(49, undefined, 'more', [], 'ENOSYS'),
	SYNCFS: row(50, undefined, 'more', [], 'ENOSYS'),
	TMPFILE: row(51, undefined, 'more', 'bytes', 'ENOSYS'), // then EOPNOTSUPP
	STATX: row(52, undefined, 'more', 'bytes', 'ENOSYS'), // then GETATTR
	COPY_FILE_RANGE_64: row(53, undefined, 'more', 'bytes', 'ENOSYS'),
} as const satisfies Record<string, Opcode>;

export type OpcodeName = keyof typeof OPCODES;

/** The opcodes that are answered from the file system. */
export type Served = {[N in OpcodeName]: (typeof OPCODES)[N]['does'] extends 'serve' ? N : never}[OpcodeName];

const NAMES: readonly (OpcodeName | undefined)[] = Object.entries(OPCODES).reduce<(OpcodeName | undefined)[]>(
	(names, [name, {number}]) => {
		names[number] = name as OpcodeName;
		return names;
	},
	[],
);

/** Undefined for one that is newer than this table. */
export function opcodeName(number: number): OpcodeName | undefined {
	return NAMES[number];
}

function row<const I extends Struct | undefined, const T extends Tail, const D extends Treatment>(
	number: number,
	in_: I,
	tail: T,
	out: Opcode['out'],
	does: D,
): {readonly number: number; readonly in: I; readonly tail: T; readonly out: Opcode['out']; readonly does: D} {
	return {number, in: in_, tail, out, does};
}
