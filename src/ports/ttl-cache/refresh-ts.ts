import {closeSync, constants, openSync, readSync, statSync, writeSync} from 'node:fs';
import {formatTs, parseEntry, readText} from './entry.js';
import {toJson} from './json.js';
import {cachePath, isSoundNamespace} from './path.js';
import {writeWhole} from './write.js';

/**
 * Makes an entry as young as if it had been written now; its body stays. Where
 * there is no entry nothing is done.
 *
 * The digits of its time are written over in their place, in the file that was
 * found. So a reader finds the entry at any moment, and an entry that takes its
 * place meanwhile, in this process or any other, stays as it is.
 *
 * @throws RangeError for a namespace or a key that is none.
 */
export function refreshCacheTs(baseDir: string, key: string, namespace = 'default'): void {
	const file = cachePath(baseDir, key, namespace);
	if (isSoundNamespace(baseDir, namespace) !== true) return;
	const found = statSync(file, {throwIfNoEntry: false})?.ino;
	const text = readText(file);
	const entry = parseEntry(text);
	if (entry === undefined || text === undefined || (entry.key ?? key) !== key) return;
	const ts = Date.now() / 1000;
	if (overwriteTs(file, ts)) return;

	// Written by somebody else, with its time at another place or of another length.
	const isStillThere = () => statSync(file, {throwIfNoEntry: false})?.ino === found;
	if (isStillThere()) writeWhole(baseDir, namespace, file, toJson({...entry, ts}));
}

/** Both ours and the original's begin so, with six or seven digits of a second. */
const TIME = /^\{"ts": (\d{10}\.\d{1,12})[,}]/;
const HEAD_BYTES = 40;

/** Whether the file begins with a time, which then is `ts` with as many digits. */
function overwriteTs(file: string, ts: number): boolean {
	let fd: number | undefined;
	try {
		fd = openSync(file, constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK);
		const head = Buffer.alloc(HEAD_BYTES);
		readSync(fd, head, 0, HEAD_BYTES, 0);
		const digits = TIME.exec(head.toString('latin1'))?.[1];
		if (digits === undefined) return false;
		writeSync(fd, formatTs(ts).padEnd(digits.length, '0').slice(0, digits.length), '{"ts": '.length, 'latin1');
		return true;
	} catch {
		// Gone meanwhile, or not ours to write to: the other way tells.
		return false;
	} finally {
		if (fd !== undefined) closeSync(fd);
	}
}
