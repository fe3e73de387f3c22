/** Asking only for what has changed. */
import type {CachingFacts} from './caching-facts.js';
import type {BodyVersion} from './validators.js';

/** What is known is what the origin still has. */
export interface Unchanged {
	readonly isUnchanged: true;
	readonly caching: CachingFacts;
}

/**
 * The headers that ask for a body only if it is another one than `version`;
 * none where nothing tells one from another.
 *
 * @see RFC 9110 sections 13.1.2 (If-None-Match) and 13.1.3 (If-Modified-Since)
 */
export function conditionsOf({etag, lastModifiedMs}: BodyVersion): Record<string, string> {
	return {
		...(etag !== undefined && {'if-none-match': etag}),
		...(lastModifiedMs !== undefined && {'if-modified-since': new Date(lastModifiedMs).toUTCString()}),
	};
}

/**
 * Whether a 304 is about another version than the one that was asked about, and
 * must not be taken for its renewal.
 *
 * @see RFC 9111 section 4.3.4 (Freshening Stored Responses upon Validation)
 */
export function isOfOtherVersion(known: BodyVersion, {etag, lastModifiedMs}: BodyVersion): boolean {
	if (etag !== undefined && known.etag !== undefined) return opaque(etag) !== opaque(known.etag);
	const isOther = lastModifiedMs !== undefined && lastModifiedMs !== known.lastModifiedMs;
	return isOther && known.lastModifiedMs !== undefined && known.etag === undefined;
}

/** Weak comparison: RFC 9110 section 8.8.3.2. */
function opaque(etag: string): string {
	return etag.replace(/^W\//, '');
}
