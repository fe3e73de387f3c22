/** GET over HTTP, with deadlines, retries, redirects, and a body that is either whole or an error. */
import {setMaxListeners} from 'node:events';
import type {LookupFunction} from 'node:net';
import fetch from 'node-fetch';
import type {Log} from '../base/log.js';
import {redact} from '../base/redact.js';
import {Agents} from './agent.js';
import {Exchange} from './exchange.js';
import {firstHop, follow, type Hop} from './redirects.js';
import {Answer, type HttpResponse} from './response.js';
import {SYSTEM_TIMING, withRetries, type Timing} from './retry.js';
import {failureOf} from './status.js';

export type {HttpResponse} from './response.js';

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
}

export const DEFAULT_HTTP_OPTIONS: HttpOptions = {
	connectTimeoutMs: 10_000,
	headersTimeoutMs: 30_000,
	idleTimeoutMs: 30_000,
	maxRedirects: 10,
	retries: 2,
	userAgent: 'larder',
};

/** Timers of Node hold no more, and fire at once when given more. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

export class HttpClient {
	readonly #options: HttpOptions;
	readonly #log: Log;
	readonly #timing: Timing;
	readonly #agents: Agents;
	readonly #closing = new AbortController();

	/** @throws RangeError for a timeout or a count that is none. */
	constructor(options: HttpOptions, log: Log, timing: Timing = SYSTEM_TIMING) {
		checkOptions(options);
		this.#options = options;
		this.#log = log;
		this.#timing = timing;
		this.#agents = new Agents(options);
		setMaxListeners(0, this.#closing.signal);
	}

	/**
	 * Asks for the whole of `url` and resolves when its headers are here. Asked
	 * again are: no connection, and an origin that is busy or broken; never once
	 * an answer was returned from here.
	 *
	 * @param options.signal - ends the request, and later the body, with `aborted`.
	 * @param options.headers - `Authorization` and `Cookie` stay with the origin of `url`.
	 * @throws CacheError `bad-name`, `not-found`, `origin-refused`,
	 *   `origin-failed`, `origin-unreachable`, `origin-timeout`, `aborted`.
	 */
	async get(url: string, options: {signal: AbortSignal; headers?: Record<string, string>}): Promise<HttpResponse> {
		const {signal, headers = {}} = options;
		const first = firstHop(url, {
			'user-agent': this.#options.userAgent,
			...headers,
			// Lengths and ranges then count the bytes that are stored.
			'accept-encoding': 'identity',
		});
		const {hop, answer} = await withRetries(() => this.#attempt(first, signal), {
			retries: this.#options.retries,
			timing: this.#timing,
			signal,
			onRetry: (error, delayMs) => this.#log.debug('asking again', {url: redact(url), reason: error.message, delayMs}),
		});
		return answer.toResponse(url, hop === first ? url : hop.url.href);
	}

	/** Closes every connection; what was going on fails with `aborted`, and so does every later `get`. */
	close(): void {
		this.#closing.abort();
		this.#agents.destroy();
	}

	async #attempt(first: Hop, signal: AbortSignal): Promise<{hop: Hop; answer: Answer}> {
		const {hop, answer} = await follow(first, this.#options.maxRedirects, each => this.#send(each, signal));
		const failure = failureOf(answer, redact(hop.url.href), this.#timing.now());
		if (!failure) return {hop, answer};
		answer.discard();
		throw failure;
	}

	async #send({url, headers}: Hop, signal: AbortSignal): Promise<Answer> {
		const signals = [signal, this.#closing.signal];
		const exchange = new Exchange({...this.#options, asked: redact(url.href), signals});
		try {
			const {request, result} = this.#agents.observe(url, agent =>
				fetch(url, {
					agent,
					headers,
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
