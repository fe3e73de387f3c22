/** The answer to a GET: its headers as larder understands them, and its body in waiting. */
import type {Readable} from 'node:stream';
import {CacheError} from '../base/errors.js';
import type {CachingFacts} from './caching-facts.js';
import type {Exchange} from './exchange.js';
import {filenameFor, mimetypeOf} from './headers.js';
import {quoted} from './quoted.js';
import {acceptsRanges} from './range.js';
import type {Redirectable} from './redirects.js';
import type {Answered} from './status.js';
import {etagOf, hasStrongValidator} from './validators.js';

/** Where a URL has moved for good. */
export interface Moved {
	/** Without credentials and fragment. */
	readonly url: string;
	/** See `filenameFor`; by this URL: who redirects does not name what is kept here. */
	readonly filename: string;
	/** What the answer is to a request for this URL. */
	readonly caching: CachingFacts;
	/** What the redirects that led there have said of how long they hold. */
	readonly redirects: readonly CachingFacts[];
}

/** A whole answer whose body is still to be read; either read or discard it, it holds a connection. */
export interface HttpResponse {
	/** Where the bytes come from: the URL as asked for or, after redirects, the last, without credentials and fragment. */
	readonly url: string;
	/** 200 or 203. */
	readonly status: number;
	/** `undefined` when the origin does not say, as with a chunked body. */
	readonly lengthBytes: number | undefined;
	/** Type and subtype in lower case, when valid; `undefined` for what is encoded. */
	readonly mimetype: string | undefined;
	/** See `filenameFor`; by the URL asked for. */
	readonly filename: string;
	readonly etag: string | undefined;
	readonly lastModifiedMs: number | undefined;
	/** Whether a part may be asked for; `undefined` when the origin does not say. See `acceptsRanges`. */
	readonly acceptsRanges: boolean | undefined;
	/** Whether parts that are fetched later are certain to fit. See `hasStrongValidator`. */
	readonly hasStrongValidator: boolean;
	readonly caching: CachingFacts;
	/** Missing where it has not. */
	readonly movedTo?: Moved;
	/**
	 * The bytes, once; ends without an error only when all of them came.
	 * Leaving the loop early gives up the rest.
	 *
	 * @throws CacheError `origin-failed` when it stops early or does not fit its
	 *   length, `origin-timeout`, `aborted`. TypeError when read a second time.
	 */
	readonly body: AsyncIterable<Uint8Array>;
	/** Gives up what was not read and closes the connection. Later calls do nothing. */
	discard(this: void): void;
}

/** What the answer of one hop came as. */
export interface RawAnswer {
	readonly status: number;
	readonly headers: {get(name: string): string | null};
	readonly body: NodeJS.ReadableStream | null;
}

/** The answer of one hop. */
export class Answer implements Redirectable, Answered {
	readonly status: number;
	readonly location: string | null;
	readonly retryAfter: string | null;
	readonly etag: string | undefined;
	readonly lastModifiedMs: number | undefined;
	readonly #headers: RawAnswer['headers'];
	readonly #exchange: Exchange;

	constructor({status, headers, body}: RawAnswer, exchange: Exchange) {
		exchange.answered(body as Readable);
		this.status = status;
		this.location = headers.get('location');
		this.retryAfter = headers.get('retry-after');
		this.etag = etagOf(headers.get('etag'));
		this.lastModifiedMs = parseDate(headers.get('last-modified'));
		this.#headers = headers;
		this.#exchange = exchange;
	}

	/** The URL, redacted. */
	get asked(): string {
		return this.#exchange.asked;
	}

	/** What the bytes to come are encoded as, though `identity` was all that was asked for. */
	get encoding(): string | undefined {
		const encoding = (this.header('content-encoding') ?? '').trim().toLowerCase();
		return ['', 'identity'].includes(encoding) ? undefined : encoding;
	}

	/** What is encoded is said to be what it would be decoded to, which is not what is kept. */
	get mimetype(): string | undefined {
		return this.encoding === undefined ? mimetypeOf(this.header('content-type')) : undefined;
	}

	header(name: string): string | null {
		return this.#headers.get(name);
	}

	/** See `filenameFor`. */
	filenameFor(url: string): string {
		return filenameFor(url, this.header('content-disposition'), this.mimetype);
	}

	/**
	 * Bytes to come, where the origin says. Node's parser lets one number pass;
	 * one that no file can have is left to refuse.
	 *
	 * @throws CacheError `origin-failed` for what is no length.
	 */
	contentLength(): number | undefined {
		const announced = this.header('content-length');
		if (announced === null) return undefined;
		const lengthBytes = /^\d+$/.test(announced) ? Number(announced) : Number.NaN;
		if (Number.isSafeInteger(lengthBytes)) return lengthBytes;
		this.discard();
		throw new CacheError('origin-failed', `${this.asked} announced a length of ${quoted(announced)} bytes`);
	}

	/** See `Exchange.read`. */
	read(lengthBytes: number | undefined): AsyncGenerator<Uint8Array, void, undefined> {
		return this.#exchange.read(lengthBytes);
	}

	discard(): void {
		this.#exchange.discard();
	}

	/**
	 * @param requestedUrl - what the file is named after.
	 * @param url - where this answer came from.
	 * @throws CacheError `origin-failed` for a `Content-Length` that is none.
	 */
	toResponse(requestedUrl: string, url: string): Omit<HttpResponse, 'caching' | 'movedTo'> {
		const {status, etag, lastModifiedMs, mimetype} = this;
		const lengthBytes = this.contentLength();
		const ranges = this.encoding === undefined ? acceptsRanges(this.header('accept-ranges')) : false;
		return {
			url,
			status,
			lengthBytes,
			mimetype,
			filename: this.filenameFor(requestedUrl),
			etag,
			lastModifiedMs,
			acceptsRanges: ranges,
			hasStrongValidator: hasStrongValidator({etag, lastModifiedMs}, this.header('date')),
			body: {[Symbol.asyncIterator]: () => this.read(lengthBytes)},
			discard: () => this.discard(),
		};
	}
}

function parseDate(value: string | null): number | undefined {
	const ms = Date.parse(value ?? '');
	return Number.isNaN(ms) ? undefined : ms;
}
