/** The name of the file of a key: keys of any form have one, and none leads out of the directory. */
import {createHash} from 'node:crypto';

/** Digests and the like stay as they are. */
const PLAIN = /^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$/;
/** What percent-encoding makes of others, where it is short enough. */
const ENCODED = /^=[A-Za-z0-9_.!~*'()%-]{0,199}$/;
const HASHED = /^~[0-9a-f]{64}$/;

/**
 * `3f1c…` -> `3f1c…`; `../x` -> `=..%2Fx`; what is longer -> `~` and its sha256.
 *
 * @throws RangeError for a lone surrogate: it has no form in UTF-8.
 */
export function fileNameOf(key: string): string {
	if (PLAIN.test(key)) return key;
	if (!key.isWellFormed()) throw new RangeError('a key with a lone surrogate has no UTF-8 form');
	const encoded = `=${encodeURIComponent(key)}`;
	return ENCODED.test(encoded) ? encoded : `~${createHash('sha256').update(key).digest('hex')}`;
}

/** Whether `fileNameOf` may have made it. */
export function isOwnFileName(name: string): boolean {
	return PLAIN.test(name) || ENCODED.test(name) || HASHED.test(name);
}
