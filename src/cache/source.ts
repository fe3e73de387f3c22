import {abortable} from '../base/abort.js';
import type {CachingFacts} from '../http/caching-facts.js';
import type {Unchanged} from '../http/conditional.js';
import type {ByteRange} from '../http/range.js';
import type {RangeBody} from '../http/range-response.js';
import type {Moved} from '../http/response.js';
import type {BodyVersion} from '../http/validators.js';

export type {CachingFacts} from '../http/caching-facts.js';
export type {Unchanged} from '../http/conditional.js';
export type {ByteRange} from '../http/range.js';
export {CircuitOpenError} from '../http/circuit-breaker.js';
export {RangesUnsupportedError, VersionChangedError} from '../http/range-errors.js';
export type {RangeBody} from '../http/range-response.js';
export type {Moved} from '../http/response.js';
export type {BodyVersion} from '../http/validators.js';

/**
 * What a fill reads from: the origin over HTTP, a caller's own downloader,
 * later a second tier. Sources know nothing of the store.
 */
export interface Source {
	/**
	 * Starts one transfer of the whole body.
	 *
	 * @param signal - ends the transfer, at any time.
	 * @param onRetry - called when an attempt has failed, and another one will be made.
	 * @throws CacheError with one of the `origin-…` codes, or `not-found`.
	 */
	fetch(url: string, signal: AbortSignal, onRetry?: () => void): Promise<SourceBody>;
	/**
	 * Starts one transfer of a part of the body, of that version and no other.
	 * Missing where the source has whole bodies only.
	 *
	 * @param range - within the version; the part may cover less, see `RangeBody.range`.
	 * @param version - what was fetched before: a `SourceBody` is one. Where it
	 *   has no strong validator, the source can only compare what it is told.
	 * @throws RangesUnsupportedError where only `fetch` is left,
	 *   VersionChangedError where the bytes would not belong together, else
	 *   what `fetch` throws. RangeError for a range outside of the version.
	 */
	fetchRange?(url: string, range: ByteRange, version: BodyVersion, options: RangeOptions): Promise<RangeBody>;
	/**
	 * As `fetch`, unless the source still has `version`: then it says so. It asks
	 * once, for somebody who has something to go on with. Missing where the source
	 * cannot tell.
	 */
	fetchIfChanged?(url: string, version: BodyVersion, signal: AbortSignal): Promise<SourceBody | Unchanged>;
	/** It is not needed any more. */
	release?(): void;
	/** Whether nobody may be asked from now on, which is `origin-unreachable`. Missing where nobody ever is. */
	setOffline?(isOffline: boolean): void;
	/** Lets go of idle connections. */
	close?(): void;
}

export interface RangeOptions {
	/** Ends the transfer, at any time. */
	readonly signal: AbortSignal;
	/**
	 * Where the whole body comes instead of the part, its beginning up to this
	 * many bytes is read and thrown away; 0 unless told.
	 */
	readonly maxSkipBytes?: number;
}

export interface SourceBody {
	/** Where the bytes come from, after redirects; undefined where they have no URL. */
	readonly url?: string | undefined;
	/** Bytes to come; undefined when the source does not say. */
	readonly lengthBytes: number | undefined;
	/** As declared; undefined where nothing usable was. */
	readonly mimetype: string | undefined;
	readonly filename: string;
	readonly etag: string | undefined;
	readonly lastModifiedMs: number | undefined;
	/** Whether `fetchRange` will do; undefined when the source does not say, and trying will tell. */
	readonly acceptsRanges?: boolean | undefined;
	/** Whether a part that is fetched later is certain to be of the same version. See `BodyVersion`. */
	readonly hasStrongValidator?: boolean | undefined;
	/** What it says of how long the body may be used; undefined where it says nothing. */
	readonly caching?: CachingFacts | undefined;
	/** Where the URL has moved for good; undefined where it has not. */
	readonly movedTo?: Moved | undefined;
	/** Ends without an error only when the body is whole. */
	readonly body: AsyncIterable<Uint8Array>;
	/** Gives up what has not been read. */
	discard(): void;
}

/** What `asking` brings. Ends with the signal, also where the source does not heed it: a late answer is given up. */
export async function answered<T extends {discard(): void}>(asking: Promise<T>, signal: AbortSignal): Promise<T> {
	try {
		return await abortable(asking, signal);
	} catch (error) {
		void asking.then(
			late => late.discard(),
			() => undefined,
		);
		throw error;
	}
}

/** What a caller's downloader returns, and what the library returns: bytes in memory and what they are. */
export interface Media {
	readonly data: Uint8Array;
	readonly mimetype: string;
	readonly filename: string;
}

/** A source that has answered already: the first whole body that is asked for is the one that is here. */
export class AnsweredSource implements Source {
	readonly fetchRange?: NonNullable<Source['fetchRange']>;
	#body: SourceBody | undefined;

	/** @param transfer - ends the transfer of the body. */
	constructor(
		body: SourceBody,
		private readonly source: Source,
		private readonly transfer: AbortController,
	) {
		this.#body = body;
		const fetchRange = source.fetchRange?.bind(source);
		if (fetchRange === undefined) return;
		this.fetchRange = (...asked) => {
			// Who goes on with what there is of it needs no second beginning.
			this.release();
			return fetchRange(...asked);
		};
	}

	fetch(url: string, signal: AbortSignal, onRetry?: () => void): Promise<SourceBody> {
		const body = this.#body;
		this.#body = undefined;
		if (body === undefined) return this.source.fetch(url, signal, onRetry);
		const abort = () => this.transfer.abort(signal.reason);
		signal.addEventListener('abort', abort, {once: true});
		if (signal.aborted) abort();
		return Promise.resolve(body);
	}

	/** Gives up the body if nobody has taken it. */
	release(): void {
		this.#body?.discard();
		this.#body = undefined;
	}
}

/** A source of one body, which the caller downloads itself: once, however often it is asked for. */
export function downloaderSource(download: () => Promise<Media>): Source {
	let downloaded: Promise<Media> | undefined;
	return {
		async fetch(_url, signal) {
			downloaded ??= download();
			const {data, mimetype, filename} = await abortable(downloaded, signal);
			return {
				...{mimetype, filename, lengthBytes: data.byteLength, etag: undefined, lastModifiedMs: undefined},
				body: once(data),
				discard() {},
			};
		},
	};
}

// eslint-disable-next-line @typescript-eslint/require-await -- one chunk, there already
async function* once(data: Uint8Array): AsyncGenerator<Uint8Array> {
	if (data.byteLength > 0) yield data;
}
