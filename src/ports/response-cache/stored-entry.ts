import {closeSync, constants, fstatSync, futimesSync, openSync, readSync, type Stats} from 'node:fs';
import {BodyFile} from './body-file.js';
import {LINE_BYTES, parseHead, parseLine, type Head} from './head.js';

/** A file of the cache as it was found. */
export interface StoredEntry<H extends Head = Head> {
	readonly head: H;
	/** Small ones are in memory. */
	readonly body: Uint8Array | BodyFile;
	readonly bodyBytes: number;
	/** What tells this file from another one of the same name. */
	readonly inode: number;
	/** When that was last written or renamed, by the system's clock: its ctime in ms. */
	readonly changedMs: number;
	readonly fileBytes: number;
}

/** Bodies up to this are read at once: the disk is asked sooner than a thread is. */
export const SMALL_BYTES = 256 * 1024;

/** Reading tells of use only so often, in ms. */
const TOUCH_AFTER_MS = 60_000;

const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const SHARED = Buffer.allocUnsafeSlow(64 * 1024);

/**
 * Opens what lies at `file`. Undefined for whatever is no entry of `key`:
 * nothing, a directory, a link, a file that was cut short or is another one's.
 *
 * @param nowMs - its use is noted in the file's mtime, by which the oldest leave first.
 */
export function openEntry(file: string, key: string | undefined, nowMs?: number): StoredEntry | undefined {
	let fd: number | undefined;
	try {
		fd = openSync(file, FLAGS);
		const entry = readEntry(fd, key, nowMs);
		// It is the body's by now.
		if (entry?.body instanceof BodyFile) fd = undefined;
		return entry;
	} catch {
		return undefined;
	} finally {
		if (fd !== undefined) closeSync(fd);
	}
}

function readEntry(fd: number, key: string | undefined, nowMs: number | undefined): StoredEntry | undefined {
	const stats = fstatSync(fd);
	if (!stats.isFile()) return undefined;
	const count = readSync(fd, SHARED, 0, SHARED.byteLength, 0);
	const sizes = parseLine(SHARED.toString('latin1', 0, LINE_BYTES));
	if (sizes === undefined) return undefined;
	const {headBytes, bodyBytes} = sizes;
	const bodyStart = LINE_BYTES + headBytes;
	if (stats.size !== bodyStart + bodyBytes) return undefined;
	const beginning = SHARED.subarray(0, count);
	const head = parseHead(part(fd, beginning, LINE_BYTES, headBytes).toString('utf8'), key);
	if (head === undefined) return undefined;
	if (nowMs !== undefined && isTouchDue(stats, nowMs)) touch(fd, nowMs);
	const isSmall = bodyBytes <= SMALL_BYTES;
	const body = isSmall ? copyOf(fd, beginning, bodyStart, bodyBytes) : new BodyFile(fd, bodyStart, bodyBytes);
	return {head, body, bodyBytes, inode: stats.ino, changedMs: stats.ctimeMs, fileBytes: stats.size};
}

/** Whether it is time to note that a file is used. */
export function isTouchDue({mtimeMs}: Stats, nowMs: number): boolean {
	return nowMs - mtimeMs > TOUCH_AFTER_MS;
}

/** @throws RangeError where there are fewer bytes. */
function part(fd: number, beginning: Buffer, start: number, length: number): Buffer {
	if (start + length <= beginning.byteLength) return beginning.subarray(start, start + length);
	return Buffer.from(copyOf(fd, beginning, start, length).buffer);
}

/** Bytes of their own: what is at hand is copied, and the rest is read. @throws as `part`. */
function copyOf(fd: number, beginning: Buffer, start: number, length: number): Uint8Array<ArrayBuffer> {
	// All of it is written over.
	const bytes = new Uint8Array(Buffer.allocUnsafeSlow(length).buffer);
	bytes.set(beginning.subarray(start, start + length));
	const known = Math.max(0, Math.min(beginning.byteLength - start, length));
	if (known === length) return bytes;
	const count = readSync(fd, bytes, known, length - known, start + known);
	if (known + count !== length) throw new RangeError('the file is shorter than it was');
	return bytes;
}

function touch(fd: number, nowMs: number): void {
	try {
		futimesSync(fd, nowMs / 1000, nowMs / 1000);
	} catch {
		// A file of another owner, or a disk that is read-only: it only leaves sooner.
	}
}
