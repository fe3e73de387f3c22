/** The bits of `linux/fuse.h` that are used, under the names they have there. */

/** Of INIT, both ways. */
export const INIT_FLAGS = {
	ASYNC_READ: 1 << 0,
	ATOMIC_O_TRUNC: 1 << 3,
	BIG_WRITES: 1 << 5,
	AUTO_INVAL_DATA: 1 << 12,
	DO_READDIRPLUS: 1 << 13,
	READDIRPLUS_AUTO: 1 << 14,
	PARALLEL_DIROPS: 1 << 18,
	MAX_PAGES: 1 << 22,
	INIT_EXT: 1 << 30,
} as const;

/** Of its second half, `flags2`. */
export const INIT_FLAGS_2 = {PASSTHROUGH: 1 << 5} as const;

/** Of the reply to OPEN. */
export const FOPEN = {DIRECT_IO: 1 << 0, KEEP_CACHE: 1 << 1, NOFLUSH: 1 << 5, PASSTHROUGH: 1 << 7} as const;

/** ioctl(2) of the device: `FUSE_DEV_IOC_BACKING_OPEN` with a `fuse_backing_map`, and `_CLOSE` with the number that it returned. */
export const BACKING_OPEN = 0x40_10_e5_01;
export const BACKING_CLOSE = 0x40_04_e5_02;

/** What a SETATTR is about. */
export const FATTR = {
	MODE: 1 << 0,
	UID: 1 << 1,
	GID: 1 << 2,
	SIZE: 1 << 3,
	ATIME: 1 << 4,
	MTIME: 1 << 5,
	FH: 1 << 6,
	ATIME_NOW: 1 << 7,
	MTIME_NOW: 1 << 8,
} as const;

/** What a notification is about: FUSE_NOTIFY_*. */
export const NOTIFY = {INVAL_INODE: 2, STORE: 4, INC_EPOCH: 8} as const;

/** The root directory's node: it is there before anything was looked up. */
export const ROOT_NODE = 1;
