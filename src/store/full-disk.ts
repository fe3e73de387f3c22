/** What a write to a full disk comes to. */
import {CacheError, systemCode} from '../base/errors.js';
import type {Budget} from './budget.js';

/** Room that was made may go to others who write to that disk, as the catalogue does: so often it is made. */
const MOST_ROUNDS = 4;

/**
 * Runs `write`; on a full disk evicts as much as it wanted to write, and tries
 * again: once where nothing more can leave, else a few times.
 *
 * @throws CacheError `no-space` when the disk is full even so; `too-large` when
 *   a limit on the size of files is in the way, which evicting does not help.
 */
export async function retryOnFullDisk<T>(budget: Budget, bytes: number, write: () => Promise<T>): Promise<T> {
	let hasFreed = true;
	for (let round = 0; hasFreed && round < MOST_ROUNDS; round++) {
		try {
			return await write();
		} catch (error) {
			if (!isDiskFull(error)) throw explained(error);
		}

		hasFreed = await budget.freeUp(bytes);
	}

	return refuseOnFullDisk(write);
}

/** The same without evicting anything. */
export async function refuseOnFullDisk<T>(write: () => Promise<T>): Promise<T> {
	try {
		return await write();
	} catch (error) {
		throw explained(error);
	}
}

function explained(cause: unknown): unknown {
	if (isDiskFull(cause)) return new CacheError('no-space', 'the disk is full', {cause});
	if (systemCode(cause) !== 'EFBIG') return cause;
	return new CacheError('too-large', 'the system allows no file of this size', {cause});
}

/** A quota counts as a full disk. */
function isDiskFull(error: unknown): boolean {
	return ['ENOSPC', 'EDQUOT'].includes(systemCode(error) ?? '');
}
