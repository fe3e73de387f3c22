/** An entry as its file has it: `{"ts": 1763731070.123456, "body": …, "etag": "…", "key": "…"}`. */
import {isAscii, isUtf8} from 'node:buffer';
import {closeSync, constants, fstatSync, openSync, readSync} from 'node:fs';
import {hasExactIntegers, toJson, type JsonValue} from './json.js';

export interface CacheEntry {
	/** When it was written or last said to be still right; epoch seconds. */
	readonly ts: number;
	readonly body: JsonValue;
	readonly etag?: string;
	/** What the file's name is the digest of. Entries that the original wrote have none. */
	readonly key?: string;
}

/** A clock that is ahead of this one by more is not believed. */
const MAX_SKEW_S = 60;

/**
 * `ts` comes first, so that it can be told anew in its place; see `refreshCacheTs`.
 *
 * @throws TypeError for a body that JSON has no form for.
 */
export function formatEntry({ts, body, etag, key}: CacheEntry): string {
	const others = Object.entries({etag, key}).map(([name, text]) =>
		text === undefined ? '' : `, "${name}": ${toJson(text)}`,
	);
	return `{"ts": ${formatTs(ts)}, "body": ${toJson(body)}${others.join('')}}`;
}

/** `1763731070.123456`: microseconds, as many digits each time. */
export function formatTs(ts: number): string {
	return ts.toFixed(6);
}

/**
 * What lies at `file`; undefined for whatever is no entry of `key`: nothing, a
 * link, a FIFO, half a file, another key's, JSON that JavaScript cannot read
 * exactly.
 */
export function readEntry(file: string, key: string): CacheEntry | undefined {
	const entry = parseEntry(readText(file));
	return entry?.key === undefined || entry.key === key ? entry : undefined;
}

/** Undefined for what is no entry. */
export function parseEntry(text: string | undefined): CacheEntry | undefined {
	if (text === undefined || !hasExactIntegers(text)) return undefined;
	let entry: Partial<Record<keyof CacheEntry, unknown>>;
	try {
		entry = Object(JSON.parse(text)) as typeof entry;
	} catch {
		return undefined;
	}

	const {ts = 0, body, etag, key} = entry;
	const isEntry = Number.isFinite(ts) && body !== undefined && isText(etag ?? undefined) && isText(key);
	return isEntry ? ({...entry, ts} as CacheEntry) : undefined;
}

/** Whether an entry is younger than `ttlS` seconds. One from the future, beyond what clocks differ by, is not. */
export function isFresh({ts}: CacheEntry, ttlS: number, nowMs = Date.now()): boolean {
	const ageS = nowMs / 1000 - ts;
	return ageS < ttlS && ageS >= -MAX_SKEW_S;
}

function isText(value: unknown): boolean {
	return value === undefined || typeof value === 'string';
}

/** Most entries fit; it is read and forgotten within one call. */
const SHARED = Buffer.allocUnsafeSlow(64 * 1024);

const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** The text of a regular file; undefined where there is none, or where it is not UTF-8. */
export function readText(file: string): string | undefined {
	let fd: number | undefined;
	try {
		fd = openSync(file, FLAGS);
		const stats = fstatSync(fd);
		if (!stats.isFile()) return undefined;
		const buffer = stats.size <= SHARED.byteLength ? SHARED : Buffer.allocUnsafe(stats.size);
		const bytes = buffer.subarray(0, readSync(fd, buffer, 0, stats.size, 0));
		if (isAscii(bytes)) return bytes.toString('latin1');
		return isUtf8(bytes) ? bytes.toString('utf8') : undefined;
	} catch {
		return undefined;
	} finally {
		if (fd !== undefined) closeSync(fd);
	}
}
