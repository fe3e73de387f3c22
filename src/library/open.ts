/** The one place where the parts of the cache are made and handed to each other. */
import path from 'node:path';
import {SYSTEM_CLOCK, type Clock} from '../base/clock.js';
import {NO_LOG, type Log} from '../base/log.js';
import {isKey, keyOf, UrlCache} from '../cache/url-cache.js';
import {DEFAULT_HTTP_OPTIONS, HttpClient, type HttpOptions} from '../http/client.js';
import {createTransforms} from '../media/transforms.js';
import {MemoryCatalogue} from '../store/memory-catalogue.js';
import {Store} from '../store/store.js';

export {isKey, keyOf, type UrlCache};
export type {Version} from '../cache/version.js';

export interface CacheOptions {
	/** Made if it is missing. */
	readonly directory: string;
	/** What the entries may take on the disk. */
	readonly maxSizeBytes: number;
	/** GIFs are stored as MP4. */
	readonly reencodeGif?: boolean;
	/** The ffmpeg to use; else ffmpeg-static's, else one in `searchPath`. */
	readonly ffmpegPath?: string | undefined;
	/** Where programs are looked for, as PATH has it. */
	readonly searchPath?: string | undefined;
	readonly maxDownloads?: number;
	readonly http?: Partial<HttpOptions>;
	readonly clock?: Clock;
	readonly log?: Log;
}

const TRANSFORM_TIMEOUT_MS = 60_000;

export function openCache(options: CacheOptions): UrlCache {
	const {clock = SYSTEM_CLOCK, log = NO_LOG, maxDownloads = 16} = options;
	const directory = path.resolve(options.directory);
	const store = new Store({directory, limitBytes: options.maxSizeBytes, clock, log}, new MemoryCatalogue());
	const http = new HttpClient({...DEFAULT_HTTP_OPTIONS, ...options.http}, log);
	const transforms = createTransforms({
		reencodeGif: options.reencodeGif ?? true,
		ffmpegPath: options.ffmpegPath,
		...(options.searchPath !== undefined && {searchPath: options.searchPath}),
		timeoutMs: TRANSFORM_TIMEOUT_MS,
		log,
	});
	const source = {fetch: (url: string, signal: AbortSignal) => http.get(url, {signal}), close: () => http.close()};
	return new UrlCache({store, source, transforms, maxDownloads, clock, log});
}
