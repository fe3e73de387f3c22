/** The answer to a GET: its headers as larder understands them, and its body in waiting. */
import type {Readable} from 'node:stream';
import {CacheError} from '../base/errors.js';
import type {Exchange} from './exchange.js';
import {filenameFor, mimetypeOf} from './headers.js';
import type {Redirectable} from './redirects.js';
import type {Answered} from './status.js';

/** A whole answer whose body is still to be read; either read or discard it, it holds a connection. */
export interface HttpResponse {
	/** Where the bytes come from: the URL as asked for or, after redirects, the last, without credentials and fragment. */
	readonly url: string;
	/** 200 or 203. */
	readonly status: number;
	/** `undefined` when the origin does not say, as with a chunked body. */
	readonly lengthBytes: number | undefined;
	/** Type and subtype in lower case, when valid. */
	readonly mimetype: string | undefined;
	/** See `filenameFor`; by the URL asked for. */
	readonly filename: string;
	readonly etag: string | undefined;
	readonly lastModifiedMs: number | undefined;
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
	readonly #headers: RawAnswer['headers'];
	readonly #exchange: Exchange;

	constructor({status, headers, body}: RawAnswer, exchange: Exchange) {
		exchange.answered(body as Readable);
		this.status = status;
		this.location = headers.get('location');
		this.retryAfter = headers.get('retry-after');
		this.#headers = headers;
		this.#exchange = exchange;
	}

	discard(): void {
		this.#exchange.discard();
	}

	/**
	 * @param requestedUrl - what the file is named after.
	 * @param url - where this answer came from.
	 * @throws CacheError `origin-failed` for a `Content-Length` that is none.
	 */
	toResponse(requestedUrl: string, url: string): HttpResponse {
		const header = (name: string) => this.#headers.get(name);
		const lengthBytes = this.#length();
		const mimetype = mimetypeOf(header('content-type'));
		const lastModifiedMs = Date.parse(header('last-modified') ?? '');
		return {
			url,
			status: this.status,
			lengthBytes,
			mimetype,
			filename: filenameFor(requestedUrl, header('content-disposition'), mimetype),
			etag: header('etag') ?? undefined,
			lastModifiedMs: Number.isNaN(lastModifiedMs) ? undefined : lastModifiedMs,
			body: {[Symbol.asyncIterator]: () => this.#exchange.read(lengthBytes)},
			discard: () => this.discard(),
		};
	}

	/** Node's parser lets one number pass; one that no file can have is left to refuse. */
	#length(): number | undefined {
		const announced = this.#headers.get('content-length');
		if (announced === null) return undefined;
		const lengthBytes = /^\d+$/.test(announced) ? Number(announced) : Number.NaN;
		if (Number.isSafeInteger(lengthBytes)) return lengthBytes;
		this.discard();
		throw new CacheError('origin-failed', `${this.#exchange.asked} announced a length of "${announced}" bytes`);
	}
}
