/** The one place where the parts of the cache are made and handed to each other. */
import path from 'node:path';
import {SYSTEM_CLOCK, type Clock} from '../base/clock.js';
import {NO_LOG, type Log} from '../base/log.js';
import {Bandwidth} from '../cache/bandwidth.js';
import type {FillMode} from '../cache/fill-mode.js';
import {Slots} from '../cache/slots.js';
import type {Source} from '../cache/source.js';
import {isKey, keyOf, UrlCache} from '../cache/url-cache.js';
import {DEFAULT_HTTP_OPTIONS, HttpClient, type HttpOptions} from '../http/client.js';
import {FreshnessRules, type FreshnessRule} from '../http/freshness.js';
import {SYSTEM_TIMING} from '../http/retry.js';
import {createTransforms} from '../media/transforms.js';
import type {Limits} from '../store/limits.js';
import {Store} from '../store/store.js';

export {isKey, keyOf, type UrlCache};
export type {Limits} from '../store/limits.js';
export type {Version} from '../cache/version.js';

export interface CacheOptions {
	/** Made if it is missing. */
	readonly directory: string;
	/**
	 * What the directory may hold, said for all that have it open: an error while
	 * another process has said otherwise. What is left out is kept to as others say.
	 */
	readonly limits?: Partial<Limits>;
	/** Said as well, unless another process has said otherwise. */
	readonly preferred?: Partial<Limits>;
	/** What is kept to where nobody has ever said anything. */
	readonly defaults?: Partial<Limits>;
	/** GIFs are stored as MP4. */
	readonly reencodeGif?: boolean;
	/** The ffmpeg to use; else ffmpeg-static's, else one in `searchPath`. */
	readonly ffmpegPath?: string | undefined;
	/** Where programs are looked for, as PATH has it. */
	readonly searchPath?: string | undefined;
	/** Downloads at once, 16 if left out; the others wait their turn. */
	readonly maxDownloads?: number;
	/** Of these, from one host, that is a name with its port; 8 if left out. */
	readonly maxDownloadsPerHost?: number;
	/** What all downloads together may bring, in bytes a second; Infinity, or left out, for no limit. */
	readonly bytesPerSecond?: number;
	/** What reading a part of a file fetches; `auto` if left out. */
	readonly fill?: FillMode;
	/**
	 * A body whose length only its end tells is read while it comes, by who can (`UrlCache.openStream`), where
	 * `http.hosts` says nothing else; false if left out.
	 */
	readonly streamUnknown?: boolean;
	/** No request is made: what is stored is read, all else is `origin-unreachable`. See `UrlCache.setOffline`. */
	readonly offline?: boolean;
	/** How long what is stored is used without asking, where `http.hosts` says nothing else; `forever` if left out. */
	readonly freshness?: FreshnessRule;
	readonly http?: Partial<HttpOptions>;
	readonly clock?: Clock;
	readonly log?: Log;
}

const TRANSFORM_TIMEOUT_MS = 60_000;

export function openCache(options: CacheOptions): UrlCache {
	const {clock = SYSTEM_CLOCK, log = NO_LOG, fill: fillMode = 'auto'} = options;
	const {maxDownloads: total = 16, maxDownloadsPerHost: perHost = 8} = options;
	const directory = path.resolve(options.directory);
	const slots = new Slots({total, perHost});
	const bandwidth = new Bandwidth(options.bytesPerSecond ?? Infinity);
	const {limits = {}, preferred = {}, defaults = {}} = options;
	const store = new Store({directory, limits, preferred, defaults, clock, log});
	const http = new HttpClient({...DEFAULT_HTTP_OPTIONS, ...options.http}, log, {
		...SYSTEM_TIMING,
		now: () => clock.now(),
	});
	const transforms = createTransforms({
		reencodeGif: options.reencodeGif ?? true,
		ffmpegPath: options.ffmpegPath,
		...(options.searchPath !== undefined && {searchPath: options.searchPath}),
		timeoutMs: TRANSFORM_TIMEOUT_MS,
		log,
	});
	const source: Source = {
		fetch: (url, signal, onRetry) => http.get(url, {signal, onRetry}),
		fetchIfChanged: (url, version, signal) => http.getIfChanged(url, version, {signal, retries: 0}),
		fetchRange: (url, range, version, options) => http.getRange(url, range, version, options),
		setOffline: isOffline => http.setOffline(isOffline),
		close: () => http.close(),
	};
	const {freshness: rule = 'forever'} = options;
	const freshness = new FreshnessRules(
		url => http.freshnessOf(url) ?? rule,
		url => http.requestHeaders(url),
	);
	const isStreamed = (url: string) => http.streamUnknownOf(url) ?? options.streamUnknown ?? false;
	const parts = {freshness, store, source, transforms, fillMode, slots, bandwidth, clock, log};
	const cache = new UrlCache({...parts, isStreamed});
	cache.setOffline(options.offline ?? false);
	return cache;
}
