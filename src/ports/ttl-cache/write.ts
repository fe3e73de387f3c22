import {closeSync, openSync, renameSync, rmSync, writeSync} from 'node:fs';
import path from 'node:path';
import {ownedName} from '../../base/owned-name.js';
import {systemCode} from '../../base/errors.js';
import {formatEntry} from './entry.js';
import type {JsonValue} from './json.js';
import {sweepIncoming} from './leftovers.js';
import {isTooLarge, noteWritten} from './limits.js';
import {cachePath, makeNamespace, ownDirectory} from './path.js';

/**
 * Stores `body` under `key`: a reader, here or in any other process, sees the
 * entry before or this one, whole. The file's mode is what the umask leaves. One
 * that is larger than all there may be (`limitCache`) is not stored, nor is what
 * was there before kept.
 *
 * @param etag - kept for conditional requests; an empty one is none.
 * @throws TypeError for a body that JSON has no form for, RangeError for a
 *   namespace or a key that is none, the system's error where it cannot be
 *   stored; then nothing of it is left.
 */
export function writeCache(
	baseDir: string,
	key: string,
	body: JsonValue,
	namespace = 'default',
	etag?: string | null,
): void {
	const file = cachePath(baseDir, key, namespace);
	const text = formatEntry({ts: Date.now() / 1000, body, key, ...(etag && {etag})});
	if (isTooLarge(baseDir, text.length)) return rmSync(file, {force: true});
	writeWhole(baseDir, namespace, file, text);
	noteWritten(baseDir, text.length);
}

/** By a temporary file in a directory of its own, where what a killed writer left is found without a search. */
export function writeWhole(baseDir: string, namespace: string, file: string, text: string): void {
	try {
		writeOnce(baseDir, namespace, file, text);
	} catch (error) {
		// Somebody has removed a directory since it was made.
		if (systemCode(error) !== 'ENOENT') throw error;
		prepared.delete(baseDir);
		writeOnce(baseDir, namespace, file, text);
	}
}

function writeOnce(baseDir: string, namespace: string, file: string, text: string): void {
	const temporary = path.join(incomingOf(baseDir), ownedName());
	try {
		writeNew(temporary, text);
		makeNamespace(baseDir, namespace);
		renameSync(temporary, file);
	} catch (error) {
		rmSync(temporary, {force: true});
		throw error;
	}
}

/** Where files are on their way, by base directory: made, and rid of what the dead have left. */
const prepared = new Map<string, string>();

function incomingOf(baseDir: string): string {
	let incoming = prepared.get(baseDir);
	if (incoming === undefined) {
		incoming = ownDirectory(baseDir, 'incoming');
		sweepIncoming(incoming);
		prepared.set(baseDir, incoming);
	}

	return incoming;
}

function writeNew(file: string, text: string): void {
	const fd = openSync(file, 'wx', 0o666);
	try {
		const bytes = Buffer.from(text, 'latin1');
		for (let at = 0; at < bytes.byteLength;) at += writeSync(fd, bytes, at);
	} finally {
		closeSync(fd);
	}
}
