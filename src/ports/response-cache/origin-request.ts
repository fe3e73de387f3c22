import {CacheError} from '../../base/errors.js';
import {follow, type Hop, type Redirectable} from '../../http/redirects.js';

/** A request that is answered by an origin, for whoever waits. */
export interface OriginRequest {
	/** The one it is for. */
	readonly request: Request;
	/** As it was given to fetch: some of it, such as `dispatcher`, a Request does not tell. */
	readonly init: RequestInit | undefined;
	/** In the place of the request's, where it is known to have moved. */
	readonly url: string;
	/** By lower-case name. */
	readonly headers: Readonly<Record<string, string>>;
	readonly signal: AbortSignal;
}

/** What an origin has answered. */
export interface OriginAnswer {
	readonly response: Response;
	/** After redirects. */
	readonly url: string;
	readonly redirected: boolean;
	/** The redirects for good before any other: where each led, and what its answer said. */
	readonly moves: readonly {readonly url: string; readonly response: Response}[];
}

/** As many as fetch follows. */
const MAX_REDIRECTS = 20;

class Answer implements Redirectable {
	constructor(readonly response: Response) {}

	get status(): number {
		return this.response.status;
	}

	get location(): string | null {
		return this.response.headers.get('location');
	}

	discard(): void {
		discardBody(this.response);
	}
}

/**
 * Asks an origin, and follows its redirects one by one, to see which are for good.
 *
 * @throws TypeError as fetch does, with the reason as its cause.
 */
export async function askOrigin(fetch: typeof globalThis.fetch, asked: OriginRequest): Promise<OriginAnswer> {
	const {request, init, url, headers, signal} = asked;
	if (request.body !== null) {
		const response = await fetch(new Request(request.clone(), {signal}), dispatcherOf(init));
		return {response, url: response.url, redirected: response.redirected, moves: []};
	}

	const first: Hop = {url: withoutHash(url), headers};
	const send = async (hop: Hop) => {
		const options = {headers: {...hop.headers}, redirect: 'manual', signal} as const;
		const isFirst = hop === first && url === request.url;
		const {method, credentials, keepalive, referrerPolicy} = request;
		const next = isFirst
			? new Request(request, options)
			: new Request(hop.url, {...options, method, credentials, keepalive, referrerPolicy});
		return new Answer(await fetch(next, dispatcherOf(init)));
	};
	try {
		const {hop, answer, moves} = await follow(first, MAX_REDIRECTS, send);
		const {response} = answer;
		return {
			...{response, url: hop.url.href, redirected: hop !== first},
			moves: moves.map(move => ({url: move.hop.url.href, response: move.answer.response})),
		};
	} catch (error) {
		throw error instanceof CacheError ? new TypeError('fetch failed', {cause: error}) : error;
	}
}

/** Nobody reads it. */
export function discardBody(response: Response): void {
	void response.body?.cancel().catch(() => undefined);
}

function withoutHash(url: string): URL {
	const parsed = new URL(url);
	parsed.hash = '';
	return parsed;
}

function dispatcherOf(init: RequestInit | undefined): RequestInit {
	return init?.dispatcher === undefined ? {} : {dispatcher: init.dispatcher};
}
