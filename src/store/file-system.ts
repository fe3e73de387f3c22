import {accessSync, constants, statfsSync} from 'node:fs';
import {CacheError, systemCode} from '../base/errors.js';

/** `NFS_SUPER_MAGIC`, linux/magic.h. */
const NFS_SUPER_MAGIC = 0x6969;

/**
 * @throws CacheError `unsupported` for a directory on NFS: there a rename is not
 *   atomic for others, changes are not noticed, and SQLite's locks do not hold.
 */
export function assertLocal(directory: string): void {
	if (statfsSync(directory).type !== NFS_SUPER_MAGIC) return;
	throw new CacheError(
		'unsupported',
		`${directory} is on NFS, where a cache is not safe: choose a directory on a local disk`,
	);
}

/** Whether the disk is mounted so that nobody may write to it. */
export function isReadOnly(directory: string): boolean {
	try {
		accessSync(directory, constants.W_OK);
		return false;
	} catch (error) {
		return systemCode(error) === 'EROFS';
	}
}
