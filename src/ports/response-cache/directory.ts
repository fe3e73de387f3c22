import {lstatSync, mkdirSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {DIRECTORY_MODE} from '../../base/atomic-file.js';

/**
 * Where a cache lies: `<cacheName>/responses/` and `<cacheName>/redirects.sqlite`.
 * A relative name is one of the working directory, with `useTemp` one of the
 * directory for temporary files; an absolute one is taken as it is.
 */
export function cacheDirectory(cacheName: string, useTemp = false): string {
	if (cacheName === '' || cacheName.includes('\0')) throw new RangeError('a cache needs a name that is a path');
	return useTemp && !path.isAbsolute(cacheName) ? path.join(tmpdir(), cacheName) : path.resolve(cacheName);
}

/**
 * Makes it, private to the user.
 *
 * @param isShared - whether anybody may have made one there, as in /tmp.
 * @throws Error for one that is shared and belongs to another user.
 */
export function makeDirectory(directory: string, isShared: boolean): void {
	mkdirSync(directory, {recursive: true, mode: DIRECTORY_MODE});
	if (isShared && lstatSync(directory).uid !== process.getuid?.())
		throw new Error(`${directory} belongs to another user`);
}
