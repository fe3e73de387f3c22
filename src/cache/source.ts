import {abortable} from '../base/abort.js';

/**
 * What a fill reads from: the origin over HTTP, a caller's own downloader,
 * later a second tier. Sources know nothing of the store.
 */
export interface Source {
	/**
	 * Starts one transfer of the whole body.
	 *
	 * @param signal - ends the transfer, at any time.
	 * @throws CacheError with one of the `origin-…` codes, or `not-found`.
	 */
	fetch(url: string, signal: AbortSignal): Promise<SourceBody>;
	/** Lets go of idle connections. */
	close?(): void;
}

export interface SourceBody {
	/** Bytes to come; undefined when the source does not say. */
	readonly lengthBytes: number | undefined;
	/** As declared; undefined where nothing usable was. */
	readonly mimetype: string | undefined;
	readonly filename: string;
	readonly etag: string | undefined;
	readonly lastModifiedMs: number | undefined;
	/** Ends without an error only when the body is whole. */
	readonly body: AsyncIterable<Uint8Array>;
	/** Gives up what has not been read. */
	discard(): void;
}

/** What a caller's downloader returns, and what the library returns: bytes in memory and what they are. */
export interface Media {
	readonly data: Uint8Array;
	readonly mimetype: string;
	readonly filename: string;
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
