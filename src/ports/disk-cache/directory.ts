/** The directory of a cache, as callers say it. */
import {mkdtempSync} from 'node:fs';
import {homedir, tmpdir} from 'node:os';
import path from 'node:path';
import {fileURLToPath} from 'node:url';

/** `~` is the user's home; without a directory it is a new temporary one. */
export function pathOf(directory: string | URL | undefined): string {
	if (directory === undefined) return mkdtempSync(path.join(tmpdir(), 'diskcache-'));
	if (directory instanceof URL) return fileURLToPath(directory);
	return directory === '~' || directory.startsWith('~/') ? path.join(homedir(), directory.slice(1)) : directory;
}
