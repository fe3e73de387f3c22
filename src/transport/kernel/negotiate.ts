import {INIT_FLAGS, INIT_FLAGS_2} from './protocol/flags.js';

/** What the kernel says of itself in INIT. */
export interface Offer {
	readonly major: number;
	readonly minor: number;
	readonly flags: number;
	/** 0 from a kernel that has none. */
	readonly flags2: number;
	/** The most that it reads ahead, in bytes. */
	readonly max_readahead: number;
}

/** What it is answered: a `fuse_init_out`, by its names. */
export interface Agreement {
	readonly major: number;
	readonly minor: number;
	readonly max_readahead: number;
	readonly flags: number;
	readonly max_background: number;
	readonly congestion_threshold: number;
	readonly max_write: number;
	readonly time_gran: number;
	readonly max_pages: number;
	readonly flags2: number;
	readonly max_stack_depth: number;
}

const MAJOR = 7;
/** What this speaks: 7.40 is of Linux 6.9. */
const MINOR = 40;
/** Linux 6.16: from there on all names can be made to be looked up anew (FUSE_NOTIFY_INC_EPOCH). */
export const HAS_EPOCHS_MINOR = 44;
/** Linux 4.18, the oldest that Node runs on. What came since is asked for where it is offered. */
const OLDEST_MINOR = 27;

/** 1 MiB, the most that the kernel puts into a request unless an administrator allows it more. */
const MAX_PAGES = 256;
const PAGE_BYTES = 4096;
/** Without MAX_PAGES. */
const OLD_MAX_PAGES = 32;
export const MAX_WRITE_BYTES = MAX_PAGES * PAGE_BYTES;

/**
 * Requests that nobody waits for, which is readahead. The kernel's own 12
 * would be used up by three readers of slow origins.
 */
const MAX_BACKGROUND = 64;

/**
 * What is used where it is offered:
 * - lookups and listings in one directory beside each other (PARALLEL_DIROPS),
 * - reads beside each other (ASYNC_READ), of up to 1 MiB (MAX_PAGES), and writes (BIG_WRITES),
 * - attributes together with a listing, where they are asked for (READDIRPLUS_AUTO).
 *
 * AUTO_INVAL_DATA is not: with attributes that are never believed it would ask for them at every
 * read(2). Which pages are kept is said at each open.
 */
const WANTED =
	INIT_FLAGS.PARALLEL_DIROPS |
	INIT_FLAGS.ASYNC_READ |
	INIT_FLAGS.MAX_PAGES |
	INIT_FLAGS.BIG_WRITES |
	INIT_FLAGS.DO_READDIRPLUS |
	INIT_FLAGS.READDIRPLUS_AUTO;

/** O_TRUNC together with the open: that tells a put from a download. */
const NEEDED = INIT_FLAGS.ATOMIC_O_TRUNC;

/** Over a store on the file system of a disk. */
const MAX_STACK_DEPTH = 1;

/**
 * Answers INIT: of what the kernel offers, what the drive uses.
 *
 * @param mayPassThrough - the kernel may be told to read files by itself (PASSTHROUGH, Linux 6.9).
 * @returns undefined where the kernel is to ask again, with our major version.
 * @throws Error, one sentence, for a kernel that the drive cannot live with.
 */
export function negotiate(
	{major, minor, flags, flags2, max_readahead}: Offer,
	mayPassThrough: boolean,
): Agreement | undefined {
	if (major > MAJOR) return undefined;
	if (major < MAJOR || minor < OLDEST_MINOR) {
		throw new Error(`this kernel speaks FUSE ${major}.${minor}, and ${MAJOR}.${OLDEST_MINOR} (Linux 4.18) is needed`);
	}

	if ((flags & NEEDED) !== NEEDED) throw new Error('this kernel does not open and truncate a file in one request');
	const isOffered = (flags & INIT_FLAGS.INIT_EXT) !== 0 && (flags2 & INIT_FLAGS_2.PASSTHROUGH) !== 0;
	const passesThrough = mayPassThrough && isOffered;
	const maxPages = (flags & INIT_FLAGS.MAX_PAGES) === 0 ? OLD_MAX_PAGES : MAX_PAGES;
	return {
		...{major: MAJOR, minor: Math.min(minor, MINOR)},
		flags: flags & (WANTED | NEEDED | (passesThrough ? INIT_FLAGS.INIT_EXT : 0)),
		...{flags2: passesThrough ? INIT_FLAGS_2.PASSTHROUGH : 0, max_stack_depth: passesThrough ? MAX_STACK_DEPTH : 0},
		...{max_readahead, max_write: maxPages * PAGE_BYTES, max_pages: maxPages},
		...{max_background: MAX_BACKGROUND, congestion_threshold: (MAX_BACKGROUND * 3) / 4},
		time_gran: 1,
	};
}

/** `larder` may be asked to begin anew with this major version. */
export const OUR_VERSION = {major: MAJOR, minor: MINOR};
