/** What requests to some hosts carry: as the configuration says it, and as requests keep to it. */
import {hostNameOf, parseHostPattern} from './host-pattern.js';
import {parseAddress} from './ip-address.js';

/**
 * How long what is stored is used without asking: always; as its origin said
 * (RFC 9111, for a private cache); or so many milliseconds since it was stored
 * or last found to be the same.
 */
export type FreshnessRule = 'forever' | 'http' | number;

export interface HostRule {
	/** Whom it is for. See `parseHostSelector`. */
	readonly host: string;
	readonly freshness?: FreshnessRule | undefined;
	/** Whether a body of unknown length is read while it comes. */
	readonly streamUnknown?: boolean | undefined;
	readonly userAgent?: string | undefined;
	/** Secrets, as cookies are; by names in lower case. */
	readonly headers?: Readonly<Record<string, string>> | undefined;
	readonly cookies?: Readonly<Record<string, string>> | undefined;
	/** Whether the netrc file is asked; true lets an origin of http have it too. */
	readonly netrc?: boolean | undefined;
}

/** Whom a rule is for. */
export interface HostSelector {
	/** Of two that match, the larger one says more exactly who is meant. */
	readonly exactness: number;
	/** Whether it is this one origin: scheme, host and port. */
	readonly isOrigin: boolean;
	matches(url: URL): boolean;
}

const HOST = 1_000;
const ORIGIN = 2_000;

/**
 * A host as `parseHostPattern` takes it, whatever its scheme and port, or an origin: `http://127.0.0.1:8080`.
 * A network matches URLs with an address in it; a name is never resolved for this.
 *
 * @throws RangeError for anything else.
 */
export function parseHostSelector(written: string): HostSelector {
	const text = written.trim().toLowerCase();
	if (/^https?:\/\//.test(text)) return originSelector(text);
	const pattern = parseHostPattern(text);
	const matches = (url: URL) => {
		const host = hostNameOf(url);
		const address = parseAddress(host);
		return address === undefined ? pattern.matchesName(host) : pattern.matchesAddress(address);
	};
	// Of networks the longer prefix, of names the longer one: one URL never matches both kinds.
	const exactness = pattern.isExact ? HOST : (pattern.network?.prefix ?? text.length);
	return {exactness, isOrigin: false, matches};
}

function originSelector(text: string): HostSelector {
	const url = URL.canParse(text) ? new URL(text) : undefined;
	const authority = text.replace(/^https?:\/\//, '').replace(/\/$/, '');
	if (url === undefined || /[/?#@\\]/.test(authority) || !parseHostPattern(hostNameOf(url)).isExact) {
		throw new RangeError('an origin is a scheme, a host and a port, as in http://127.0.0.1:8080');
	}

	const host = hostNameOf(url);
	const matches = (other: URL) =>
		other.protocol === url.protocol && other.port === url.port && hostNameOf(other) === host;
	return {exactness: ORIGIN, isOrigin: true, matches};
}
