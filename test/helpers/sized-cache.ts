import {openCache, type UrlCache} from '../../src/library/open.js';
import type {TestClock} from './cache.js';

/** The cache of a directory with a budget, as the library opens it. */
export function openSizedCache(directory: string, maxBytes: number, clock?: TestClock): UrlCache {
	return openCache({directory, limits: {maxBytes}, reencodeGif: false, ...(clock !== undefined && {clock})});
}
