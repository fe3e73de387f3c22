import {abortable} from '../../base/abort.js';
import {LRUCache} from '../../base/lru-cache.js';
import type {Freshness, FreshnessRule} from '../../http/freshness.js';
import {CacheError} from '../../base/errors.js';
import {CachedResponse, responseOf} from './cached-response.js';
import type {CachedFetchOptions, CachedRequestInit} from './fetch-options.js';
import {FileBackend} from './file-backend.js';
import {Asker, type Asked} from './asker.js';
import type {ResponseHead} from './head.js';
import {judge} from './judge.js';
import type {Target} from './keeper.js';
import {discardBody} from './origin-request.js';
import {requestControl, type CacheMode, type RequestControl} from './request-control.js';
import type {StoredEntry} from './stored-entry.js';
import {Wanted} from './wanted.js';

/** A `fetch` with a cache behind it. */
export interface CachedFetch {
	(input: string | URL | Request, init?: CachedRequestInit): Promise<Response>;
	readonly backend: FileBackend;
	/** Closes the backend, unless it was given. Everything is on the disk without it. */
	close(): void;
}

/** RFC 9110 section 9.2.1, and those of WebDAV that change nothing. */
const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PROPFIND', 'REPORT', 'SEARCH', 'QUERY']);

/** A request under way through the cache. */
interface Errand {
	readonly wanted: Wanted;
	readonly target: Target;
	readonly control: RequestControl;
	readonly entry: StoredEntry<ResponseHead> | undefined;
}

/** A fetch whose responses are kept in a directory. @throws RangeError for a limit that is none. */
export function createCachedFetch(options: CachedFetchOptions = {}): CachedFetch {
	const backend = options.backend ?? new FileBackend(options.cacheName, options);
	const fetcher = new Fetcher(backend, options);
	return Object.assign((input: string | URL | Request, init?: CachedRequestInit) => fetcher.fetch(input, init), {
		backend,
		close: () => {
			if (options.backend === undefined) backend.close();
		},
	});
}

let shared: CachedFetch | undefined;

/** `fetch` with a cache in `http_cache/` under the working directory, made with the first call. */
export function cachedFetch(input: string | URL | Request, init?: CachedRequestInit): Promise<Response> {
	shared ??= createCachedFetch();
	return shared(input, init);
}

const PATIENCE_MS = 5000;
/** An origin that did not answer is not asked again for so long, while there is something stale to go on with. */
const ASK_AGAIN_AFTER_MS = 30_000;
const MAX_FAILURES = 10_000;

class Fetcher {
	readonly #asker: Asker;
	readonly #transport: typeof globalThis.fetch;
	readonly #failedAt = new LRUCache<string, number>({max: MAX_FAILURES});

	constructor(
		private readonly backend: FileBackend,
		private readonly options: CachedFetchOptions,
	) {
		this.#transport = options.fetch ?? globalThis.fetch;
		this.#asker = new Asker(backend, this.#transport);
	}

	async fetch(input: string | URL | Request, init: CachedRequestInit = {}): Promise<Response> {
		const {freshness, cache, ...others} = init;
		// A Request refuses `only-if-cached` for other modes than those of a page.
		const wanted = new Wanted(input, others);
		wanted.signal?.throwIfAborted();
		const mode =
			cache ?? (input instanceof Request ? (input as {readonly cache?: CacheMode}).cache : undefined) ?? 'default';
		const mayKeep = /^https?:/.test(wanted.url) && this.backend.isCacheableMethod(wanted.method);
		if (!mayKeep || wanted.redirect !== 'follow') {
			return this.#passThrough(wanted.request, others);
		}

		const rule = freshness ?? this.#ruleOf(wanted.url);
		const errand = await this.#errand(wanted, others, rule, mode);
		return abortable(this.#run(errand), wanted.signal);
	}

	#ruleOf(url: string): FreshnessRule {
		const {freshness = 'http'} = this.options;
		return typeof freshness === 'function' ? freshness(url) : freshness;
	}

	async #passThrough(request: Request, init: RequestInit): Promise<Response> {
		const {url, method} = request;
		const response = await this.#transport(request, init.dispatcher === undefined ? {} : {dispatcher: init.dispatcher});
		if (!SAFE.has(method) && response.status >= 200 && response.status < 400) await this.#invalidate(url, response);
		return response;
	}

	/** RFC 9111 section 4.4. */
	async #invalidate(url: string, response: Response): Promise<void> {
		const named = ['location', 'content-location'].map(name => response.headers.get(name));
		const others = named.flatMap(value => (value !== null && URL.canParse(value, url) ? [new URL(value, url)] : []));
		const origin = new URL(url).origin;
		for (const each of [url, ...others.filter(other => other.origin === origin).map(({href}) => href)]) {
			this.#asker.forget(each);
			await this.backend.deleteUrl(each);
		}
	}

	async #errand(wanted: Wanted, init: RequestInit, rule: FreshnessRule, mode: CacheMode): Promise<Errand> {
		const {method, headers} = wanted;
		const named = Object.fromEntries(headers);
		const control = requestControl(named, mode, rule);
		const body = await wanted.body();
		const keyed = (url: string, as = method) => this.backend.createKey({method: as, url, headers, body});
		const key = keyed(wanted.url);
		// What has moved for good is asked where it is.
		const movedTo = control.mayRead ? this.backend.redirectOf(key) : undefined;
		const url = movedTo?.url ?? wanted.url;
		const isFollowed = movedTo !== undefined;
		const target = {
			...{wanted, init, rule, url, mayWrite: control.mayWrite},
			key: isFollowed ? movedTo.target : key,
			keyOf: keyed,
			headers: named,
		};
		const find = (sought: string) => (control.mayRead ? this.backend.find(sought) : undefined);
		const entry = (method === 'HEAD' ? find(keyed(url, 'GET')) : undefined) ?? find(target.key);
		return {wanted, target, control, entry};
	}

	async #run(errand: Errand): Promise<Response> {
		const {target, control, entry} = errand;
		const nowMs = this.backend.responses.clock.now();
		const verdict = entry && judge(entry.head, {rule: target.rule, control, requestHeaders: target.headers, nowMs});
		if (verdict !== undefined && USABLE.has(verdict) && entry !== undefined) {
			if (verdict !== 'fresh' && control.onlyIfCached === false) void this.#ask(target, entry).then(leaveAlone);
			return serve(errand, entry);
		}

		if (control.onlyIfCached !== false) return notCached(control.onlyIfCached);
		if (entry === undefined || verdict === 'must-revalidate') {
			return this.#take(
				errand,
				await this.#asker.ask(target, entry, control.mayRead && !control.mustAsk, errand.wanted.signal),
			);
		}

		if (this.#hasFailed(target.key)) return serve(errand, entry);
		const asking = this.#ask(target, entry);
		const asked = await soon(asking, this.options.patienceMs ?? PATIENCE_MS);
		if (asked !== undefined) return this.#take(errand, asked);
		void asking.then(leaveAlone);
		return serve(errand, entry);
	}

	/** Undefined where there was no answer to rely on (RFC 5861 section 4). */
	async #ask(target: Target, entry: StoredEntry<ResponseHead>): Promise<Asked | undefined> {
		const asked = await this.#asker.ask(target, entry, true).catch(() => undefined);
		if (asked?.outcome === 'filling' || asked?.outcome === 'stored') return asked;
		if (asked !== undefined && !NO_ANSWER.has(asked.response.status)) return asked;
		if (asked !== undefined) discardBody(asked.response);
		this.#failedAt.set(target.key, this.backend.responses.clock.now());
		return undefined;
	}

	#hasFailed(key: string): boolean {
		const failedAtMs = this.#failedAt.get(key);
		return failedAtMs !== undefined && this.backend.responses.clock.now() - failedAtMs < ASK_AGAIN_AFTER_MS;
	}

	#take(errand: Errand, asked: Asked): Response | Promise<Response> {
		if (asked.outcome === 'stored') return serve(errand, asked.entry);
		if (asked.outcome === 'private') return asked.response;
		const {head, fill} = asked;
		// All others have read it, and it was closed: it is stored by now.
		if (fill.isClosed) return this.#run({...errand, entry: this.backend.find(head.key)});
		return responseOf(asServed(errand, head), fill.stream(errand.wanted.signal));
	}
}

/** Without waiting for anybody. */
const USABLE: ReadonlySet<Freshness> = new Set(['fresh', 'stale-while-revalidate']);

const NO_ANSWER: ReadonlySet<number> = new Set([500, 502, 503, 504]);

/** Nobody waits for it: what can be kept is fetched to its end. */
function leaveAlone(asked: Asked | undefined): void {
	if (asked?.outcome === 'filling') asked.fill.hold();
	if (asked?.outcome === 'private') discardBody(asked.response);
}

function serve(errand: Errand, entry: StoredEntry<ResponseHead>): Response {
	const response = new CachedResponse({...entry, head: asServed(errand, entry.head)});
	return response.toResponse(errand.wanted.method);
}

/** Who asked for what has moved was redirected; who spelled a URL in another way was not. */
function asServed({wanted, target}: Errand, head: ResponseHead): ResponseHead {
	const isMoved = target.url !== wanted.url || (head.method === wanted.method && head.key !== target.key);
	if (head.redirected || isMoved) return {...head, redirected: true};
	return {...head, url: wanted.url.replace(/#.*$/, '')};
}

function notCached(how: 'answer' | 'failure'): Response {
	if (how === 'answer') return new Response(null, {status: 504, statusText: 'Gateway Timeout'});
	throw new TypeError('fetch failed', {cause: new CacheError('not-stored', 'only what is cached was asked for')});
}

/** What `promise` brings, or undefined where it takes long. */
async function soon<T>(promise: Promise<T>, patienceMs: number): Promise<T | undefined> {
	let timer: NodeJS.Timeout | undefined;
	const late = new Promise<undefined>(resolve => (timer = setTimeout(() => resolve(undefined), patienceMs)));
	try {
		return await Promise.race([promise, late]);
	} finally {
		clearTimeout(timer);
	}
}
