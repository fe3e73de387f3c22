/** By what one version of a body is told from another. */
import {quoted} from './quoted.js';

/** A version of a body, as far as it is known; the validators as the origin gave them with its bytes. */
export interface BodyVersion {
	/** Where the bytes came from, after redirects. */
	readonly url?: string | undefined;
	/** Of the whole body. */
	readonly lengthBytes?: number | undefined;
	/** With its quotes, and the `W/` of a weak one. */
	readonly etag?: string | undefined;
	readonly lastModifiedMs?: number | undefined;
	/** See `hasStrongValidator`. An ETag tells it by itself, so this matters for `lastModifiedMs` only. */
	readonly hasStrongValidator?: boolean | undefined;
}

/** RFC 9110 section 8.8.3, without the `W/`. An ETag without quotes is none, and `If-Range` would take it for a date. */
const STRONG_ETAG = /^"[\x21\x23-\x7e\x80-\xff]*"$/;

export function isStrongEtag(etag: string | undefined): boolean {
	return etag !== undefined && STRONG_ETAG.test(etag);
}

/** A longer one is none: it is kept with each entry, and is sent back where servers take a few KB of headers. */
const MAX_ETAG_LENGTH = 1024;

/** How much older than its answer a `Last-Modified` must be, so that no change of the same second can hide behind it. */
const STRONG_AFTER_MS = 1000;

/** An `ETag` as it came; `undefined` where none came, or one that is too long to be kept. */
export function etagOf(header: string | null): string | undefined {
	return header !== null && header.length <= MAX_ETAG_LENGTH ? header : undefined;
}

/**
 * Whether an answer has a validator that changes with every change of the
 * bytes: an ETag that is not weak or, where there is no ETag at all, a
 * `Last-Modified` at least one second (RFC 7232: 60 s) before the `Date`.
 *
 * @param date - the header of the same answer.
 * @see RFC 9110 sections 8.8.1, 8.8.2.2 and, for an ETag going first, 13.1.5
 */
export function hasStrongValidator({etag, lastModifiedMs}: BodyVersion, date: string | null): boolean {
	if (etag !== undefined) return isStrongEtag(etag);
	return lastModifiedMs !== undefined && Date.parse(date ?? '') - lastModifiedMs >= STRONG_AFTER_MS;
}

/**
 * The value of `If-Range` for this version; `undefined` where it has no strong
 * validator, for others must not be sent.
 *
 * @see RFC 9110 section 13.1.5
 */
export function ifRangeOf({etag, lastModifiedMs, hasStrongValidator: isStrong}: BodyVersion): string | undefined {
	if (etag !== undefined) return isStrongEtag(etag) ? etag : undefined;
	return isStrong && lastModifiedMs !== undefined ? new Date(lastModifiedMs).toUTCString() : undefined;
}

/**
 * In what the two are certainly not the same version, for a message;
 * `undefined` where nothing that both say differs. An ETag that became weak
 * differs. URLs are not compared.
 */
export function differenceOf(known: BodyVersion, answered: BodyVersion): string | undefined {
	const facts: [name: string, was: string | number | undefined, is: string | number | undefined][] = [
		['ETag', known.etag, answered.etag],
		['Last-Modified', known.lastModifiedMs, answered.lastModifiedMs],
		['length', known.lengthBytes, answered.lengthBytes],
	];
	const differing = facts.find(([, was, is]) => was !== undefined && is !== undefined && was !== is);
	return differing && `its ${differing[0]} is ${shown(differing[2])}, not ${shown(differing[1])}`;
}

/** Whether `answered` carries the strong validator of `known`; false where that has none. */
export function repeatsValidator(known: BodyVersion, answered: BodyVersion): boolean {
	if (ifRangeOf(known) === undefined) return false;
	return known.etag === undefined ? known.lastModifiedMs === answered.lastModifiedMs : known.etag === answered.etag;
}

/** An ETag has quotes of its own. */
function shown(fact: string | number | undefined): string {
	return quoted(String(fact)).slice(1, -1);
}
