/**
 * What the directory holds for one key, read from the files themselves. Calls
 * are synchronous: each takes microseconds of metadata, less than a trip
 * through the thread pool.
 */
import {isUtf8} from 'node:buffer';
import {closeSync, constants, fstatSync, lstatSync, openSync, readSync, type BigIntStats} from 'node:fs';
import {messageOf, systemCode} from '../base/errors.js';
import {makeEntry, type Entry} from './entry.js';
import type {Key} from './key.js';
import type {Layout} from './layout.js';
import {MAX_SIDECAR_BYTES, parseSidecar} from './sidecar.js';

export type Finding =
	| {readonly state: 'entry'; readonly entry: Entry}
	/** No sidecar, or one that this user may not read: not an entry. */
	| {readonly state: 'absent'}
	/** A sidecar, but no entry. It may be a writer's work half done: `changedAtMs` tells. */
	| {readonly state: 'damaged'; readonly reason: string; readonly changedAtMs: number};

/** Follows no link and opens nothing but regular files, so that neither a symbolic link nor a FIFO can lead it astray. */
export function inspect(layout: Layout, key: Key): Finding {
	let file: number;
	try {
		file = openSync(layout.sidecar(key), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
	} catch (error) {
		if (systemCode(error) !== 'ELOOP') return {state: 'absent'};
		return damaged('the sidecar is a symbolic link', lstat(layout.sidecar(key)));
	}

	try {
		const sidecarStats = fstatSync(file, {bigint: true});
		const problem = unlike(sidecarStats, 'the sidecar');
		if (problem !== undefined) return damaged(problem, sidecarStats);
		if (sidecarStats.size > MAX_SIDECAR_BYTES) return damaged('the sidecar is too long', sidecarStats);
		const content = readContent(file, Number(sidecarStats.size));
		if (!isUtf8(content)) return damaged('the sidecar is not UTF-8', sidecarStats);
		return inspectData(layout, key, content.toString(), sidecarStats);
	} catch {
		// The disk itself fails. It is not an entry for now, and nothing is said of its files.
		return {state: 'absent'};
	} finally {
		closeSync(file);
	}
}

function inspectData(layout: Layout, key: Key, text: string, sidecarStats: BigIntStats): Finding {
	const data = lstat(layout.data(key));
	if (data === undefined) return damaged('there is no data file', sidecarStats);
	const problem = unlike(data, 'the data file');
	if (problem !== undefined) return damaged(problem, sidecarStats, data);
	try {
		const sidecar = parseSidecar(text, key);
		if (sidecar.size !== undefined && BigInt(sidecar.size) !== data.size) {
			return damaged(`the sidecar says ${sidecar.size} bytes, the data file has ${data.size}`, sidecarStats, data);
		}

		return {state: 'entry', entry: makeEntry(key, sidecar, data, sidecarStats)};
	} catch (error) {
		return damaged(messageOf(error), sidecarStats, data);
	}
}

function unlike(stats: BigIntStats, what: string): string | undefined {
	return stats.isFile() ? undefined : `${what} is not a regular file`;
}

function damaged(reason: string, ...stats: Array<BigIntStats | undefined>): Finding {
	const changes = stats.map(one => (one === undefined ? 0 : Number(one.ctimeNs / 1_000_000n)));
	return {state: 'damaged', reason, changedAtMs: Math.max(...changes)};
}

function lstat(file: string): BigIntStats | undefined {
	return lstatSync(file, {bigint: true, throwIfNoEntry: false});
}

function readContent(file: number, sizeBytes: number): Buffer {
	const buffer = Buffer.allocUnsafe(sizeBytes);
	let length = 0;
	while (length < sizeBytes) {
		const count = readSync(file, buffer, length, sizeBytes - length, length);
		if (count === 0) break;
		length += count;
	}

	return buffer.subarray(0, length);
}
