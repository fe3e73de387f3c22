/** What can be said of the files of one key, and done about them, when a store is verified. */
import {closeSync, constants, lstatSync, openSync, readSync} from 'node:fs';
import {open, type FileHandle} from 'node:fs/promises';
import {messageOf, systemCode} from '../base/errors.js';
import {NO_LOG, type Fields} from '../base/log.js';
import type {Entry} from './entry.js';
import {inspect} from './inspect.js';
import type {Key} from './key.js';
import type {Layout} from './layout.js';
import {quarantine} from './quarantine.js';
import {rewriteSidecar} from './rewrite.js';
import type {Shared} from './shared.js';
import {withAnnotations} from './sidecar.js';

export interface Problem {
	readonly state: 'damaged';
	readonly problem: string;
	/** It may well be sound: this user may not look. */
	readonly isForbidden: boolean;
}

export type Examined = {readonly state: 'entry'; readonly entry: Entry} | {readonly state: 'absent'} | Problem;

/** Read in one go; what the kernel reads ahead is less. */
const READ_BYTES = 1024 * 1024;
/** Neither follows a link nor waits at a FIFO. */
const READING = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** As `inspect`, and more: data without a sidecar, and a sidecar that cannot be read, are damage here. */
export function examine(layout: Layout, key: Key): Examined {
	const finding = inspect(layout, key);
	if (finding.state === 'entry') return finding;
	if (finding.state === 'damaged') return damaged(finding.reason);
	const sidecar = lstatSync(layout.sidecar(key), {throwIfNoEntry: false});
	if (sidecar?.isFile() === false) return damaged('the sidecar is not a regular file');
	if (sidecar !== undefined) return unreadableSidecar(layout.sidecar(key));
	return changedAtMs(layout, key) === undefined ? {state: 'absent'} : damaged('there is no sidecar');
}

export function entryOf(layout: Layout, key: Key): Entry | undefined {
	const finding = inspect(layout, key);
	return finding.state === 'entry' ? finding.entry : undefined;
}

/**
 * Reads all of an entry's bytes; undefined when they are to be had, or the entry
 * is gone. What the kernel has in memory is read from there.
 *
 * @param onRead - told how many have been read.
 * @throws the reason of `signal`.
 */
export async function readFailure(
	layout: Layout,
	{key, sizeBytes}: Entry,
	onRead: (bytes: number) => void,
	signal: AbortSignal | undefined,
): Promise<Problem | undefined> {
	let file: FileHandle | undefined;
	try {
		file = await open(layout.data(key), READING);
		const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, sizeBytes + 1));
		for (;;) {
			signal?.throwIfAborted();
			const {bytesRead} = await file.read(buffer, 0, buffer.length);
			if (bytesRead === 0) return undefined;
			onRead(bytesRead);
		}
	} catch (error) {
		signal?.throwIfAborted();
		return systemCode(error) === 'ENOENT' ? undefined : unreadable('the data file', error);
	} finally {
		await file?.close();
	}
}

/** When the files of a key were changed last, epoch milliseconds; undefined when there are none. */
export function changedAtMs(layout: Layout, key: Key): number | undefined {
	const times = [layout.sidecar(key), layout.data(key)].flatMap(
		file => lstatSync(file, {throwIfNoEntry: false})?.ctimeMs ?? [],
	);
	return times.length === 0 ? undefined : Math.max(...times);
}

/**
 * Moves both files of a key to quarantine. Under the key's lock.
 *
 * @throws Error with the reason why one of them has stayed.
 */
export async function moveAway(layout: Layout, key: Key, nowMs: number): Promise<void> {
	const names = [`${key}.json`, `${key}.dat`];
	const reasons: string[] = [];
	const log = {
		...NO_LOG,
		error: (_message: string, fields: Fields = {}) => void reasons.push(String(fields['reason'])),
	};
	await quarantine(layout, names, nowMs, log);
	if (reasons.length > 0) throw new Error(reasons.join('; '));
}

/** Makes the catalogue say of a key what its files say. */
export function correctRow({layout, catalogue, locks}: Shared, key: Key): Promise<void> {
	return locks.run(key, async () => {
		const entry = entryOf(layout, key);
		if (entry === undefined) {
			catalogue.delete(key);
			return;
		}

		// Pins and tags that the original has left out are in the catalogue alone.
		const sidecar = withAnnotations(entry.sidecar, catalogue.get(key)?.sidecar);
		catalogue.set({...entry, sidecar});
		if (sidecar !== entry.sidecar) await rewriteSidecar({layout, catalogue}, entry, sidecar);
	});
}

/** Why `inspect` could not read it; absent if it can be read now. */
function unreadableSidecar(file: string): Examined {
	let descriptor: number | undefined;
	try {
		descriptor = openSync(file, READING);
		readSync(descriptor, Buffer.allocUnsafe(READ_BYTES));
		return {state: 'absent'};
	} catch (error) {
		return unreadable('the sidecar', error);
	} finally {
		if (descriptor !== undefined) closeSync(descriptor);
	}
}

function unreadable(what: string, error: unknown): Problem {
	const code = systemCode(error);
	return {
		...damaged(`${what} cannot be read: ${code ?? messageOf(error)}`),
		isForbidden: ['EACCES', 'EPERM'].includes(code ?? ''),
	};
}

function damaged(problem: string): Problem {
	return {state: 'damaged', problem, isForbidden: false};
}
