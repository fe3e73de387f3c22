/** One request on the wire and its answer, until the body was read, given up or lost. */
import type {ClientRequest, IncomingMessage} from 'node:http';
import type {Duplex, Readable} from 'node:stream';
import {CacheError, systemCode} from '../base/errors.js';
import {formatDuration} from '../base/units.js';
import {connectionError} from './connection-error.js';
import {OversizedError} from './oversized-error.js';
import {quoted} from './quoted.js';

export interface ExchangeOptions {
	/** The URL, redacted. */
	readonly asked: string;
	readonly headersTimeoutMs: number;
	readonly idleTimeoutMs: number;
	/** More than this is not read of a body. */
	readonly maxBytes: number;
	/** Each of these ends the exchange with `aborted`. */
	readonly signals: readonly AbortSignal[];
}

/** Answers before the answer: with status 103 there may be some. */
const MAX_INTERIM = 100;
/** RFC 9112 section 7; the other one RFC 2616 had, for none. */
const CODINGS: ReadonlySet<string> = new Set(['chunked', 'identity']);

/**
 * Holds the deadlines of one request and decides whether its body came whole.
 * The first failure ends the connection and is what every later step reports.
 */
export class Exchange {
	readonly #options: ExchangeOptions;
	readonly #connection = new AbortController();
	#request: ClientRequest | undefined;
	#incoming: IncomingMessage | undefined;
	#body: Readable | undefined;
	#headersTimer: NodeJS.Timeout | undefined;
	/** What the request reported, before its answer or after. */
	#requestError: Error | undefined;
	#failure: CacheError | undefined;
	#isRead = false;

	/** @throws CacheError `aborted` when a signal has fired already. */
	constructor(options: ExchangeOptions) {
		this.#options = options;
		const fired = options.signals.find(signal => signal.aborted);
		if (fired) throw this.#aborted(fired);
		for (const signal of options.signals) signal.addEventListener('abort', this.#onAbort);
	}

	get asked(): string {
		return this.#options.asked;
	}

	/** Fires when the connection is to be given up. */
	get signal(): AbortSignal {
		return this.#connection.signal;
	}

	/** Takes the request just made, before anything happened to it. */
	watch(request: ClientRequest): void {
		const {asked, headersTimeoutMs} = this.#options;
		this.#request = request;
		request.on('error', error => (this.#requestError ??= error));
		// Aborted while it was made, as from within a resolver: node-fetch listens only from now on.
		if (this.#failure) request.destroy();
		// The request is sent when there is a connection, which has a deadline of its own.
		request.once('finish', () => {
			if (this.#incoming || this.#failure) return;
			this.#headersTimer = setTimeout(() => {
				const message = `${asked} was not answered within ${formatDuration(headersTimeoutMs)}`;
				this.#fail(new CacheError('origin-timeout', message));
			}, headersTimeoutMs);
		});
		// Nobody has asked for another protocol, and who listens gets the connection.
		request.once('upgrade', (_incoming: IncomingMessage, socket: Duplex) => {
			socket.destroy();
			this.#fail(new CacheError('origin-failed', `${asked} was answered with status 101`));
		});
		let interim = 0;
		request.on('information', () => {
			if (++interim > MAX_INTERIM) this.#fail(new CacheError('origin-failed', `${asked} sent interim answers only`));
		});
		request.prependOnceListener('response', (incoming: IncomingMessage) => {
			clearTimeout(this.#headersTimer);
			this.#incoming = incoming;
			this.#checkCoding(incoming.headers['transfer-encoding']);
			// By this header node-fetch knows a chunked body, and takes it for cut when its end does not come alone
			// in one segment: with trailers, or split. Node's parser knows better; the check at the end asks it.
			delete incoming.headers['transfer-encoding'];
		});
	}

	/** What is coded in another way for its transfer is no file before it is decoded, and nobody has offered to. */
	#checkCoding(coding = 'chunked'): void {
		if (CODINGS.has(coding.trim().toLowerCase())) return;
		const message = `${this.asked} was answered with the Transfer-Encoding ${quoted(coding)}`;
		this.#fail(new CacheError('origin-failed', message));
	}

	/** The failure to report when no answer came; `error` itself when no request was made. */
	unanswered(error: unknown): unknown {
		this.#release();
		if (this.#failure || !this.#request) return this.#failure ?? error;
		return connectionError(this.#options.asked, this.#requestError ?? error, this.#request);
	}

	/** @throws CacheError `aborted` when a signal fired since the answer came. */
	answered(body: Readable): void {
		this.#body = body;
		if (!this.#failure) return;
		body.destroy();
		throw this.#failure;
	}

	/** Gives up what was not read of the body and closes its connection. Later calls do nothing. */
	discard(): void {
		this.#fail(new CacheError('aborted', `the body of ${this.#options.asked} was given up`));
	}

	/**
	 * The body, once. It ends without an error only when it came whole: complete
	 * by its framing, as long as announced, and nothing behind it. It never
	 * brings more than was announced.
	 *
	 * @param lengthBytes - what `Content-Length` or `Content-Range` said.
	 * @throws CacheError `origin-failed`, `origin-timeout`, `aborted`, `too-large`.
	 * @see RFC 9112 section 8 (incomplete messages)
	 */
	async *read(lengthBytes: number | undefined): AsyncGenerator<Uint8Array, void, undefined> {
		const {asked, idleTimeoutMs, maxBytes} = this.#options;
		const chunks = this.#startReading();
		let received = 0;
		let waiting = false;
		const idle = setTimeout(() => {
			if (!waiting) return;
			const message = `${asked} sent nothing for ${formatDuration(idleTimeoutMs)} after ${received} bytes`;
			this.#fail(new CacheError('origin-timeout', message));
		}, idleTimeoutMs);
		try {
			for (;;) {
				waiting = true;
				idle.refresh();
				const {done, value} = await chunks.next();
				waiting = false;
				if (done) break;
				// Only where the framing does not know the length: a chunked part.
				if (received + value.byteLength > (lengthBytes ?? Infinity)) throw this.#surplus(received, lengthBytes);
				if (received + value.byteLength > maxBytes) throw new OversizedError(asked, 'more bytes than that', maxBytes);
				received += value.byteLength;
				yield value;
			}

			if (!this.#isWhole(received, lengthBytes)) throw this.#spoilt(received, lengthBytes);
			this.#release();
		} catch (error) {
			if (this.#failure || error instanceof CacheError) throw this.#failure ?? error;
			throw this.#spoilt(received, lengthBytes, error);
		} finally {
			clearTimeout(idle);
			this.discard();
		}
	}

	#startReading(): AsyncIterator<Uint8Array, unknown> {
		if (!this.#body || this.#isRead) throw new TypeError('a body can be read once, after its headers came');
		this.#isRead = true;
		return this.#body[Symbol.asyncIterator]() as AsyncIterator<Uint8Array, unknown>;
	}

	/**
	 * Surplus bytes make Node report a parse error on the request, whereupon node-fetch drops what the body still
	 * buffered and ends it as if nothing had happened, chunked bodies too; so a request error spoils any body.
	 */
	#isWhole(received: number, lengthBytes: number | undefined): boolean {
		if (this.#failure || this.#requestError || !this.#incoming?.complete) return false;
		return lengthBytes === undefined || received === lengthBytes;
	}

	#spoilt(received: number, lengthBytes: number | undefined, error?: unknown): CacheError {
		const cause = this.#requestError ?? error;
		const options = cause === undefined ? {} : {cause};
		const hasSurplus = this.#incoming?.complete && systemCode(this.#requestError)?.startsWith('HPE_');
		if (hasSurplus) return this.#surplus(received, lengthBytes, options);
		const message = `${this.asked} ended after ${received} bytes, before ${announced(lengthBytes)}`;
		return new CacheError('origin-failed', message, options);
	}

	#surplus(received: number, lengthBytes: number | undefined, options?: ErrorOptions): CacheError {
		const message = `${this.asked} sent more than ${announced(lengthBytes)}, of which ${received} bytes were read`;
		return new CacheError('origin-failed', message, options);
	}

	readonly #onAbort = (event: Event) => this.#fail(this.#aborted(event.target as AbortSignal));

	#aborted(signal: AbortSignal): CacheError {
		return new CacheError('aborted', `the request for ${this.#options.asked} was aborted`, {cause: signal.reason});
	}

	#fail(failure: CacheError): void {
		if (this.#failure) return;
		this.#failure = failure;
		this.#release();
		this.#body?.destroy(failure);
		this.#connection.abort(failure);
	}

	#release(): void {
		clearTimeout(this.#headersTimer);
		for (const signal of this.#options.signals) signal.removeEventListener('abort', this.#onAbort);
	}
}

function announced(lengthBytes: number | undefined): string {
	return lengthBytes === undefined ? 'its announced end' : `the ${lengthBytes} bytes it announced`;
}
