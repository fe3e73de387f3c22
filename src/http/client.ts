/** GET over HTTP, with deadlines, retries, redirects, and a body, or a part of one, that is either whole or an error. */
import {lookup as systemLookup} from 'node:dns';
import {setMaxListeners} from 'node:events';
import type {LookupFunction} from 'node:net';
import fetch from 'node-fetch';
import {CacheError} from '../base/errors.js';
import type {FreshnessRule, HostRule} from '../base/host-rule.js';
import type {Log} from '../base/log.js';
import {redact} from '../base/redact.js';
import {AbsentError} from './absent-error.js';
import {Agents} from './agent.js';
import {cachingFacts, type CachingFacts} from './caching-facts.js';
import {CircuitBreaker} from './circuit-breaker.js';
import {conditionsOf, isOfOtherVersion, type Unchanged} from './conditional.js';
import {Exchange} from './exchange.js';
import {Guard, type GuardPolicy} from './guard.js';
import {HostRules} from './host-rules.js';
import type {Netrc} from './netrc.js';
import {OversizedError} from './oversized-error.js';
import {Proxies, ProxyRefusal, type Proxy} from './proxy.js';
import {quoted} from './quoted.js';
import {checkRange, formatRange, type ByteRange} from './range.js';
import {RANGE_ANSWERS, toRangeBody, type RangeBody} from './range-response.js';
import {firstHop, follow, type Followed, type Hop, type Move} from './redirects.js';
import {Answer, type HttpResponse, type Moved} from './response.js';
import {SYSTEM_TIMING, withRetries, type Timing} from './retry.js';
import {failureOf, WHOLE} from './status.js';
import {ifRangeOf, type BodyVersion} from './validators.js';

export type {RangeBody} from './range-response.js';
export type {HttpResponse} from './response.js';

export interface RequestOptions {
	/** Ends the request, and later the body, with `aborted`. */
	readonly signal: AbortSignal;
	/** `Authorization` and `Cookie` stay with the origin of the URL. */
	readonly headers?: Record<string, string>;
	/** Attempts after the first; as in `HttpOptions` unless told. */
	readonly retries?: number;
	/** Called when an attempt has failed, and another one will be made. */
	readonly onRetry?: (() => void) | undefined;
}

export interface RangeOptions extends RequestOptions {
	/** The most of a whole body that is read and thrown away to get to the part; 0 unless told. */
	readonly maxSkipBytes?: number;
}

export interface HttpOptions {
	/** DNS, TCP and TLS, of each hop. */
	readonly connectTimeoutMs: number;
	/** From the request being sent to its answer's headers, of each hop. */
	readonly headersTimeoutMs: number;
	/** The longest wait for the next bytes of a body; time the consumer takes does not count. */
	readonly idleTimeoutMs: number;
	readonly maxRedirects: number;
	/** Attempts after the first. */
	readonly retries: number;
	readonly userAgent: string;
	/** Resolves host names in the place of the system. An error it passes that is a `CacheError` is thrown as it is. */
	readonly lookup?: LookupFunction;
	/** What may be asked for; what is left out as in `DEFAULT_GUARD`. */
	readonly guard?: Partial<GuardPolicy>;
	/** What requests to some hosts carry, and to no others. See `HostRules`. */
	readonly hosts?: readonly HostRule[] | undefined;
	/** Logins for hosts of https that no rule has one for; called once, when the first is looked for. */
	readonly netrc?: (() => Netrc) | undefined;
	/** The URL of the proxy for a URL, http or https, `''` for none; where it is left out there is none for any. */
	readonly proxyFor?: ((url: string) => string) | undefined;
	/** The certificates to trust, PEM; where they are left out those of Node. */
	readonly ca?: readonly string[] | undefined;
}

export const DEFAULT_HTTP_OPTIONS: HttpOptions = {
	connectTimeoutMs: 10_000,
	headersTimeoutMs: 30_000,
	idleTimeoutMs: 30_000,
	maxRedirects: 10,
	retries: 2,
	userAgent: 'larder',
};

/** Lengths and ranges then count the bytes that are stored. */
const ALWAYS = {'accept-encoding': 'identity'};

const NOT_MODIFIED = 304;
const WHOLE_OR_UNCHANGED: ReadonlySet<number> = new Set([...WHOLE, NOT_MODIFIED]);

/** An answer, and how it was come by. */
interface Asked {
	readonly answer: Answer;
	/** As `HttpResponse.url`. */
	readonly url: string;
	readonly caching: CachingFacts;
	readonly movedTo: Moved | undefined;
}

/** Timers of Node hold no more, and fire at once when given more. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

export class HttpClient {
	readonly #options: HttpOptions;
	readonly #log: Log;
	readonly #timing: Timing;
	readonly #guard: Guard;
	readonly #hosts: HostRules;
	readonly #proxies: Proxies;
	readonly #agents: Agents;
	readonly #circuits: CircuitBreaker;
	#isOffline = false;
	readonly #closing = new AbortController();

	/** @throws RangeError for a timeout, a count, a policy or a host that is none. */
	constructor(options: HttpOptions, log: Log, timing: Timing = SYSTEM_TIMING) {
		checkOptions(options);
		this.#options = options;
		this.#log = log;
		this.#timing = timing;
		this.#guard = new Guard(options.guard);
		const {lookup = systemLookup, connectTimeoutMs: timeoutMs} = options;
		this.#hosts = new HostRules(options, log);
		this.#proxies = new Proxies({...options, guard: this.#guard, lookup, timeoutMs});
		this.#agents = new Agents({...options, lookup: this.#guard.guarded(lookup), proxyLookup: lookup});
		this.#circuits = new CircuitBreaker(timing, log);
		setMaxListeners(0, this.#closing.signal);
	}

	/**
	 * Asks for the whole of `url` and resolves when its headers are here. Asked
	 * again are: no connection, and an origin that is busy or broken; never once
	 * an answer was returned from here. A host that has not answered several
	 * times in a row is left in peace for a while: see `CircuitBreaker`.
	 *
	 * @throws CacheError `bad-name`, `not-found`, `origin-refused`,
	 *   `origin-failed`, `origin-unreachable`, `origin-timeout`, `aborted`;
	 *   `too-large` for a body that the guard does not let pass.
	 */
	async get(url: string, options: RequestOptions): Promise<HttpResponse> {
		return this.#toResponse(url, await this.#ask(url, options, WHOLE));
	}

	/**
	 * As `get`, but asks for the body only if it is another one than `version`.
	 * Where nothing tells one from another it is `get`.
	 *
	 * @see RFC 9110 section 13 (Conditional Requests)
	 */
	async getIfChanged(url: string, version: BodyVersion, options: RequestOptions): Promise<HttpResponse | Unchanged> {
		const conditions = conditionsOf(version);
		if (Object.keys(conditions).length === 0) return this.get(url, options);
		const headers = {...options.headers, ...conditions};
		const asked = await this.#ask(url, {...options, headers}, WHOLE_OR_UNCHANGED);
		const {answer, caching} = asked;
		if (answer.status !== NOT_MODIFIED) return this.#toResponse(url, asked);
		answer.discard();
		if (!isOfOtherVersion(version, answer)) return {isUnchanged: true, caching};
		this.#log.debug('a 304 is about another version than the one asked about', {url: redact(url)});
		return this.get(url, options);
	}

	/** What each request for a URL has, by lower-case name, beside what its caller wants. */
	requestHeaders(url: string): Readonly<Record<string, string>> {
		const {url: target, headers} = firstHop(url, ALWAYS);
		return this.#hosts.headersFor(target, headers);
	}

	/**
	 * Asks for a part of `url`, as `get` asks for the whole, and resolves when
	 * the headers are here and fit. Where `version` has a strong validator, the
	 * origin is asked to compare it; where it has none, only what both sides
	 * happen to say was compared, and the part may be another version's.
	 *
	 * @param range - within the version.
	 * @throws RangesUnsupportedError, VersionChangedError, or what `get` throws.
	 *   RangeError for a range that is empty or goes beyond the version.
	 * @see RFC 9110 sections 14.2 (Range) and 13.1.5 (If-Range)
	 */
	async getRange(url: string, range: ByteRange, version: BodyVersion, options: RangeOptions): Promise<RangeBody> {
		checkRange(range, version.lengthBytes);
		const {maxSkipBytes = 0} = options;
		const ifRange = ifRangeOf(version);
		const headers = {
			...options.headers,
			range: formatRange(range),
			...(ifRange !== undefined && {'if-range': ifRange}),
		};
		const {answer, url: from} = await this.#ask(url, {...options, headers}, RANGE_ANSWERS);
		const body = toRangeBody(answer, {range, version, url: from, maxSkipBytes});
		this.#checkSize(answer, body.lengthBytes ?? body.range.end);
		return body;
	}

	/** What the rule of its host says of how long what is stored from `url` counts; undefined where none does. */
	freshnessOf(url: string): FreshnessRule | undefined {
		return this.#hosts.freshnessOf(url);
	}

	/** What the rule of its host says of whether a body of unknown length is read while it comes; undefined where none does. */
	streamUnknownOf(url: string): boolean | undefined {
		return this.#hosts.streamUnknownOf(url);
	}

	/** While offline every request fails with `origin-unreachable`, redirects and retries too; bodies that come go on. */
	setOffline(isOffline: boolean): void {
		this.#isOffline = isOffline;
	}

	/** Closes every connection; what was going on fails with `aborted`, and so does every later `get`. */
	close(): void {
		this.#closing.abort();
		this.#agents.destroy();
	}

	/** Before any of it is read. Where the origin does not tell a length, reading notices. */
	#checkSize(answer: Answer, lengthBytes = 0): void {
		const {maxBytes} = this.#guard;
		if (lengthBytes <= maxBytes) return;
		answer.discard();
		throw new OversizedError(answer.asked, `${lengthBytes} bytes`, maxBytes);
	}

	#toResponse(url: string, {answer, url: from, caching, movedTo}: Asked): HttpResponse {
		const response = answer.toResponse(url, from);
		this.#checkSize(answer, response.lengthBytes);
		if (answer.encoding !== undefined) {
			const fields = {url: answer.asked, encoding: quoted(answer.encoding)};
			this.#log.warn('a body was sent encoded though that was not asked for, and is kept as it came', fields);
		}

		return {...response, caching, ...(movedTo !== undefined && {movedTo})};
	}

	/** The first answer whose status is `accepted`, and where it came from. */
	async #ask(url: string, options: RequestOptions, accepted: ReadonlySet<number>): Promise<Asked> {
		const {signal, headers, retries = this.#options.retries, onRetry} = options;
		const first = firstHop(url, {
			...headers,
			...ALWAYS,
		});
		const {hop, answer, moves} = await withRetries(() => this.#attempt(first, signal, accepted), {
			retries,
			timing: this.#timing,
			signal,
			onRetry: (error, delayMs) => {
				this.#log.debug('asking again', {url: redact(url), reason: error.message, delayMs});
				onRetry?.();
			},
		});
		return {
			answer,
			url: hop === first ? url : hop.url.href,
			caching: this.#cachingFacts(answer, first),
			movedTo: this.#movedTo(first, moves, answer),
		};
	}

	async #attempt(first: Hop, signal: AbortSignal, accepted: ReadonlySet<number>): Promise<Followed<Answer>> {
		const followed = await follow(first, this.#options.maxRedirects, each => {
			this.#guard.checkUrl(each.url);
			if (this.#isOffline) throw offline(each.url);
			return this.#circuits.run(each.url, () => this.#send(each, signal));
		});
		const {hop, answer} = followed;
		const failure = failureOf(answer, redact(hop.url.href), this.#timing.now(), accepted);
		if (!failure) return followed;
		answer.discard();
		if (failure.code !== 'not-found') throw failure;
		throw new AbsentError(failure.message, answer.status, this.#cachingFacts(answer, first));
	}

	/** @param asked - what is to be stored: by what a request for it has an answer is chosen among others of its URL. */
	#cachingFacts(answer: Answer, asked: Hop): CachingFacts {
		return cachingFacts(answer, this.#hosts.headersFor(asked.url, asked.headers), this.#timing.now());
	}

	#movedTo(first: Hop, moves: readonly Move<Answer>[], found: Answer): Moved | undefined {
		const last = moves.at(-1);
		// A URL with credentials stands for what they let one see.
		if (last === undefined || moves.some(({hop}) => hop.headers['authorization'] !== undefined)) return undefined;
		const url = last.hop.url.href;
		const redirects = moves.map(({answer}) => this.#cachingFacts(answer, first));
		return {url, filename: found.filenameFor(url), caching: this.#cachingFacts(found, last.hop), redirects};
	}

	async #send(hop: Hop, signal: AbortSignal): Promise<Answer> {
		const proxy = this.#proxies.of(hop.url);
		const answer = await this.#sendThrough(proxy, hop, signal);
		// Within a tunnel it is the origin that answers.
		if (!proxy || hop.url.protocol === 'https:' || answer.status !== 407) return answer;
		answer.discard();
		throw new ProxyRefusal(proxy, answer.status).toError(answer.asked);
	}

	async #sendThrough(proxy: Proxy | undefined, {url, headers}: Hop, signal: AbortSignal): Promise<Answer> {
		const signals = [signal, this.#closing.signal];
		const {maxBytes} = this.#guard;
		const exchange = new Exchange({...this.#options, asked: redact(url.href), maxBytes, signals});
		try {
			if (proxy) await this.#proxies.check(url, exchange.signal);
			const {request, result} = this.#agents.observe(url, proxy, agent =>
				fetch(url, {
					agent,
					headers: this.#hosts.headersFor(url, headers),
					signal: exchange.signal,
					compress: false,
					redirect: 'manual',
				}),
			);
			if (request) exchange.watch(request);
			return new Answer(await result, exchange);
		} catch (error) {
			throw exchange.unanswered(error);
		}
	}
}

function offline(url: URL): CacheError {
	return new CacheError('origin-unreachable', `larder is offline (--offline): ${redact(url.href)} is not stored`);
}

/** A wrong number fails here, not at the first request. */
function checkOptions(options: HttpOptions): void {
	for (const name of ['connectTimeoutMs', 'headersTimeoutMs', 'idleTimeoutMs'] as const) {
		const valid = options[name] > 0 && options[name] <= MAX_TIMEOUT_MS;
		if (!valid) throw new RangeError(`${name} is ${options[name]}, not a duration of 1 ms to 24 days`);
	}

	for (const name of ['maxRedirects', 'retries'] as const) {
		const valid = Number.isSafeInteger(options[name]) && options[name] >= 0;
		if (!valid) throw new RangeError(`${name} is ${options[name]}, not a count`);
	}
}
