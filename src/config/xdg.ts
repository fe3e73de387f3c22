import {accessSync, constants} from 'node:fs';
import path from 'node:path';

/** What the program finds around it; its `main` hands it down, nobody else looks. */
export interface Surroundings {
	readonly env: Readonly<Record<string, string | undefined>>;
	/** The user's home directory. */
	readonly home: string;
	/** The directory that relative paths in flags and variables start from. */
	readonly directory: string;
	/** larder's own version. */
	readonly version: string;
	/** The proxy that the environment has for a URL, `''` for none; left out where there is none for any. */
	readonly proxyFor?: (url: string) => string;
}

const FALLBACKS = {XDG_CACHE_HOME: '.cache', XDG_CONFIG_HOME: '.config'} as const;

/**
 * larder's directory under a base directory: `~/.cache/larder`, or
 * `$XDG_CACHE_HOME/larder` when that is an absolute path.
 *
 * @see XDG Base Directory Specification 0.8: relative paths are to be ignored
 */
export function xdgDirectory(variable: keyof typeof FALLBACKS, {env, home}: Surroundings): string {
	const base = env[variable];
	return path.join(base && path.isAbsolute(base) ? base : path.join(home, FALLBACKS[variable]), 'larder');
}

/** Where curl and others look for logins: `NETRC`, else `~/.netrc`; `none` where nothing is there to be read. */
export function netrcFile({env, home, directory}: Surroundings): string {
	const file = path.resolve(directory, env['NETRC'] || path.join(home, '.netrc'));
	try {
		accessSync(file, constants.R_OK);
		return file;
	} catch {
		return 'none';
	}
}
