/** Following redirects: where to ask next, and which headers may go there. */
import {CacheError} from '../base/errors.js';
import {redact} from '../base/redact.js';

/** One request of a chain: its URL without credentials and fragment, and its headers by lower-case name. */
export interface Hop {
	readonly url: URL;
	readonly headers: Readonly<Record<string, string>>;
}

/** What an answer must tell to be followed. */
export interface Redirectable {
	readonly status: number;
	/** The header as it came, each byte one character. */
	readonly location: string | null;
	discard(): void;
}

/** A redirect for good: the answer, and where it led. */
export interface Move<A> {
	readonly hop: Hop;
	readonly answer: A;
}

/** The answer that is no redirect, and how it was come by. */
export interface Followed<A> {
	/** What it is the answer to. */
	readonly hop: Hop;
	readonly answer: A;
	/** The redirects for good before the first that was not: RFC 9110 sections 15.4.2 and 15.4.9. */
	readonly moves: readonly Move<A>[];
}

const PERMANENT: ReadonlySet<number> = new Set([301, 308]);

/** RFC 9110 section 15.4; 300 names no single target and 304 is no redirect. */
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** Headers meant for one origin, which another must not see. */
const CREDENTIALS: ReadonlySet<string> = new Set(['authorization', 'cookie', 'proxy-authorization']);

/**
 * The first request for `url`. Credentials in the URL become an
 * `Authorization` header (RFC 7617), because node-fetch refuses them there.
 *
 * @throws CacheError `bad-name` for what is no absolute http or https URL.
 */
export function firstHop(url: string, headers: Readonly<Record<string, string>>): Hop {
	const parsed = URL.canParse(url) ? new URL(url) : undefined;
	if (!parsed || !isHttp(parsed)) throw new CacheError('bad-name', `${redact(url)} is no http or https URL`);
	const named = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value] as const);
	return hopTo(parsed, Object.fromEntries(named));
}

/**
 * Sends `first`, then whatever each answer redirects to, and returns the first
 * answer that is no redirect, with the hop it answers. The answers between are
 * discarded.
 *
 * @param maxRedirects - how many may be followed.
 * @throws CacheError `origin-refused` when led away from http and https;
 *   `origin-failed` when led in a circle, too far, or nowhere.
 */
export async function follow<A extends Redirectable>(
	first: Hop,
	maxRedirects: number,
	send: (hop: Hop) => Promise<A>,
): Promise<Followed<A>> {
	const visited = new Set<string>();
	const moves: Move<A>[] = [];
	for (let hop = first; ;) {
		visited.add(hop.url.href);
		const answer = await send(hop);
		if (!REDIRECTS.has(answer.status)) return {hop, answer, moves};

		answer.discard();
		hop = nextHop(hop, answer);
		const isMove = PERMANENT.has(answer.status) && moves.length === visited.size - 1;
		if (isMove) moves.push({hop, answer});
		if (visited.has(hop.url.href)) {
			throw failed(first, `redirected in a circle, back to ${redact(hop.url.href)} after ${visited.size} redirects`);
		}

		if (visited.size > maxRedirects) throw failed(first, `redirected more than ${maxRedirects} times`);
	}
}

function nextHop(from: Hop, {status, location}: Redirectable): Hop {
	if (!location) throw failed(from, `answered ${status} without saying where to go`);
	const url = resolve(location, from.url);
	if (!url) throw failed(from, 'redirected to something that is no URL');
	if (!isHttp(url)) {
		const rule = '(guard: http and https only)';
		throw new CacheError(
			'origin-refused',
			`${redact(from.url.href)}: denied: it redirects to a ${url.protocol} URL ${rule}`,
		);
	}

	return hopTo(url, url.origin === from.url.origin ? from.headers : withoutCredentials(from.headers));
}

/** Bytes outside ASCII are meant as they are, mostly UTF-8; Node shows them as Latin-1. */
function resolve(location: string, base: URL): URL | undefined {
	const ascii = location.replace(/[\x80-\xff]/g, byte => `%${byte.charCodeAt(0).toString(16)}`);
	return URL.canParse(ascii, base.href) ? new URL(ascii, base) : undefined;
}

function hopTo(target: URL, headers: Readonly<Record<string, string>>): Hop {
	const url = new URL(target);
	url.username = '';
	url.password = '';
	url.hash = '';
	if (target.username === '' && target.password === '') return {url, headers};
	const credentials = `${percentDecode(target.username)}:${percentDecode(target.password)}`;
	return {url, headers: {...headers, authorization: `Basic ${Buffer.from(credentials).toString('base64')}`}};
}

function withoutCredentials(headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
	return Object.fromEntries(Object.entries(headers).filter(([name]) => !CREDENTIALS.has(name)));
}

function isHttp(url: URL): boolean {
	return url.protocol === 'http:' || url.protocol === 'https:';
}

function percentDecode(text: string): string {
	try {
		return decodeURIComponent(text);
	} catch {
		return text;
	}
}

function failed(hop: Hop, what: string): CacheError {
	return new CacheError('origin-failed', `${redact(hop.url.href)} ${what}`);
}
