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
