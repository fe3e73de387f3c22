/** What an answer said of how long it may be used: what is kept of it beside the bytes. */
import {createHash} from 'node:crypto';

export interface CachingFacts {
	/** When it came, or was last said to be still right; epoch seconds. */
	readonly received: number;
	/** The headers that RFC 9111 decides by, as they came, by lower-case name; Last-Modified also tells versions apart. */
	readonly headers: Readonly<Record<string, string>>;
	/** Digests of what the request had in the headers that `Vary` names; an empty one where it had none. */
	readonly varied: Readonly<Record<string, string>>;
}

/** What an answer has to tell. */
interface Headers {
	header(name: string): string | null;
}

const KEPT = ['age', 'cache-control', 'date', 'expires', 'last-modified', 'pragma', 'vary'];

/** A header that is longer says nothing that can be relied on. */
const MAX_HEADER_LENGTH = 4096;

/** @param requested - the headers of the request, by lower-case name. */
export function cachingFacts(
	answer: Headers,
	requested: Readonly<Record<string, string>>,
	nowMs: number,
): CachingFacts {
	const headers: Record<string, string> = {};
	for (const name of KEPT) {
		const value = answer.header(name);
		if (value !== null && value.length <= MAX_HEADER_LENGTH) headers[name] = value;
	}

	return {received: nowMs / 1000, headers, varied: variedOf(headers['vary'], requested)};
}

/**
 * What is known of a stored answer once its origin has said that it is still
 * right: what it says now takes the place of what it said before.
 *
 * @see RFC 9111 section 3.2 (Updating Stored Header Fields)
 */
export function renewedFacts(known: CachingFacts | undefined, renewal: CachingFacts): CachingFacts {
	const headers = {...known?.headers, ...renewal.headers};
	// One that is not repeated was that of the earlier answer.
	if (renewal.headers['age'] === undefined) delete headers['age'];
	const varied = renewal.headers['vary'] === undefined ? known?.varied : renewal.varied;
	return {received: renewal.received, headers, varied: varied ?? {}};
}

/** Whether a request with these headers would have been given the same answer. */
export function isSelectedBy(facts: CachingFacts, requested: Readonly<Record<string, string>>): boolean {
	return Object.entries(facts.varied).every(([name, digest]) => name !== '*' && digest === digestOf(requested, name));
}

function variedOf(vary: string | undefined, requested: Readonly<Record<string, string>>): Record<string, string> {
	const names = (vary ?? '').split(',').map(name => name.trim().toLowerCase());
	return Object.fromEntries(names.filter(name => name !== '').map(name => [name, digestOf(requested, name)]));
}

/** So short that it does not give away a cookie or a token that it is of. */
function digestOf(requested: Readonly<Record<string, string>>, name: string): string {
	// An origin may name what every object has: `constructor`.
	const value = Object.hasOwn(requested, name) ? requested[name] : undefined;
	return value === undefined ? '' : createHash('sha256').update(value).digest('hex').slice(0, 8);
}
