import {INIT_FLAGS} from './protocol/flags.js';

/** What the kernel says of itself in INIT. */
export interface Offer {
	readonly major: number;
	readonly minor: number;
	/** `flags`, and `flags2` as the bits from 32 on would be. */
	readonly flags: number;
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

/**
 * Answers INIT: of what the kernel offers, what the drive uses.
 *
 * @returns undefined where the kernel is to ask again, with our major version.
 * @throws Error, one sentence, for a kernel that the drive cannot live with.
 */
export function negotiate({major, minor, flags, max_readahead}: Offer): Agreement | undefined {
	if (major > MAJOR) return undefined;
	if (major < MAJOR || minor < OLDEST_MINOR) {
		throw new Error(`this kernel speaks FUSE ${major}.${minor}, and ${MAJOR}.${OLDEST_MINOR} (Linux 4.18) is needed`);
	}

	if ((flags & NEEDED) !== NEEDED) throw new Error('this kernel does not open and truncate a file in one request');
	const maxPages = (flags & INIT_FLAGS.MAX_PAGES) === 0 ? OLD_MAX_PAGES : MAX_PAGES;
	return {
		...{major: MAJOR, minor: Math.min(minor, MINOR)},
		flags: flags & (WANTED | NEEDED),
		...{max_readahead, max_write: maxPages * PAGE_BYTES, max_pages: maxPages},
		...{max_background: MAX_BACKGROUND, congestion_threshold: (MAX_BACKGROUND * 3) / 4},
		time_gran: 1,
	};
}

/** `larder` may be asked to begin anew with this major version. */
export const OUR_VERSION = {major: MAJOR, minor: MINOR};
