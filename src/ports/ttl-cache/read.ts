import {isFresh, readEntry, type CacheEntry} from './entry.js';
import type {JsonValue} from './json.js';
import {cachePath, isSoundNamespace} from './path.js';

/** What `readCache` gives for a miss: `null` is a body like any other. */
export const MISSING: unique symbol = Symbol('MISSING');

/**
 * The body that is cached for `key`, if it is younger than `ttl` seconds;
 * `MISSING` otherwise, also for an entry that cannot be read. Creates nothing.
 *
 * @throws RangeError for a namespace or a key that is none.
 */
export function readCache(
	baseDir: string,
	key: string,
	ttl: number,
	namespace = 'default',
): JsonValue | typeof MISSING {
	const file = cachePath(baseDir, key, namespace);
	if (isSoundNamespace(baseDir, namespace) !== true) return MISSING;
	// What is stale is read once more: the digits of its time may just have been written, half of them.
	for (let attempt = 0; attempt < 2; attempt++) {
		const entry = readEntry(file, key);
		if (entry === undefined) return MISSING;
		if (isFresh(entry, ttl)) return entry.body;
	}

	return MISSING;
}

/** All that is cached for `key`, however old, fields that are not ours included; `null` where there is nothing to read. */
export function readCacheEntry(baseDir: string, key: string, namespace = 'default'): CacheEntry | null {
	const file = cachePath(baseDir, key, namespace);
	return isSoundNamespace(baseDir, namespace) === true ? (readEntry(file, key) ?? null) : null;
}
