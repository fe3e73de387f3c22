import path from 'node:path';
import {isHttpUrl} from '../base/http-url.js';
import {UsageError} from '../config/usage-error.js';
import {MAX_LISTED_NAME_BYTES} from '../fs/names.js';

/**
 * Where a URL is on the drive at `mountpoint`.
 *
 * @throws UsageError for what is no http or https URL, or has no name there.
 */
export function pathOnDrive(mountpoint: string, url: string): string {
	if (!isHttpUrl(url)) throw new UsageError(`"${url}" is not an http or https URL`);
	const name = encodeURIComponent(url);
	if (name.length > MAX_LISTED_NAME_BYTES) {
		const sizes = `encoded it has ${name.length} bytes, and a file name has ${MAX_LISTED_NAME_BYTES} at most`;
		throw new UsageError(`the URL is too long for the drive: ${sizes}; larder get works for it`);
	}

	return path.join(mountpoint, 'by-url', name);
}
