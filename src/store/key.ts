import {hash} from 'node:crypto';
import {CacheError} from '../base/errors.js';

/** The name of an entry: sha256 of its URL's UTF-8, 64 lower-case hex digits. */
export type Key = string;

/**
 * `https://a.example/x.gif` -> `5f9c…`, over the URL exactly as given.
 *
 * @throws CacheError `bad-name` for a lone surrogate: UTF-8 has no form for it,
 *   and hashing its replacement would give two URLs one key.
 */
export function keyOf(url: string): Key {
	if (!url.isWellFormed()) throw new CacheError('bad-name', 'a URL with a lone surrogate has no UTF-8 form');
	return hash('sha256', url);
}

export function isKey(name: string): boolean {
	return KEY.test(name);
}

const KEY = /^[0-9a-f]{64}$/;
