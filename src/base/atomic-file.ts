/** Publishing a file by rename, so that a reader sees the old one or the new one, whole. */
import {randomBytes} from 'node:crypto';
import {constants} from 'node:fs';
import {open, rename, rm, type FileHandle} from 'node:fs/promises';
import path from 'node:path';

/** Private to the user: a cache holds what was read with the user's credentials. */
export const FILE_MODE = 0o600;
export const DIRECTORY_MODE = 0o700;

/** Creates `file`, which must not exist; a link in its place is refused. */
export function createExclusive(file: string): Promise<FileHandle> {
	const {O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW} = constants;
	return open(file, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, FILE_MODE);
}

/**
 * Writes `data` to a new file in `scratch` and renames it to `target`, which
 * must be on the same file system. What was not renamed is removed.
 *
 * @param durable - fsync the file before the rename.
 */
export async function writeAtomically(
	target: string,
	data: string | Uint8Array,
	options: {scratch: string; durable: boolean},
): Promise<void> {
	const temporary = path.join(options.scratch, `${path.basename(target)}.${process.pid}.${uniqueSuffix()}`);
	try {
		const handle = await createExclusive(temporary);
		try {
			await handle.writeFile(data);
			if (options.durable) await handle.sync();
		} finally {
			await handle.close();
		}

		await rename(temporary, target);
	} catch (error) {
		await rm(temporary, {force: true});
		throw error;
	}
}

/** Makes the names in `directory` survive a power cut. */
export async function syncDirectory(directory: string): Promise<void> {
	const handle = await open(directory, constants.O_RDONLY | constants.O_DIRECTORY);
	try {
		await handle.sync();
	} finally {
		await handle.close();
	}
}

/** Tells this process from an earlier one of the same number, such as the first process of a container has each time. */
const PROCESS_TOKEN = randomBytes(6).toString('hex');

/** Makes a temporary name unique within this process and among others: twelve hex digits of the process, twelve at random. */
export function uniqueSuffix(): string {
	return PROCESS_TOKEN + randomBytes(6).toString('hex');
}

/** Whether this very process made the suffix. */
export function isOwnSuffix(suffix: string): boolean {
	return suffix.startsWith(PROCESS_TOKEN);
}
