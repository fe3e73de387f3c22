import {cachingFacts} from '../../http/caching-facts.js';
import type {ResponseHead} from './head.js';

/** What the head of an answer does not have of itself. */
export interface Asked {
	readonly method: string;
	/** What was asked for. */
	readonly requestUrl: string;
	/** By lower-case name: `Vary` may name them. */
	readonly requestHeaders: Readonly<Record<string, string>>;
}

/** The head of a response as it came. Where nothing is known of the request, it was a plain GET of its URL. */
export function headOf(key: string, response: Response, nowMs: number, asked?: Asked): ResponseHead {
	const {url, status, statusText, redirected, headers} = response;
	const {method = 'GET', requestUrl = url, requestHeaders = {}} = asked ?? {};
	return {
		kind: 'response',
		...{key, method, requestUrl, url, redirected, status, statusText},
		headers: [...headers],
		storedAtMs: nowMs,
		caching: cachingFacts({header: name => headers.get(name)}, requestHeaders, nowMs),
	};
}
