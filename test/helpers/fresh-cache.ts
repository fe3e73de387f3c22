/** A cache that keeps to what its origin says of freshness, and the origin that says it. */
import type {ExecutionContext} from 'ava';
import {openCache, type CacheOptions, type UrlCache} from '../../src/library/open.js';
import {readWhole, recordingLog, temporaryDirectory, TestClock} from './cache.js';
import {startOrigin} from './drive.js';
import type {Origin} from './origin.js';

export interface FreshCache {
	readonly cache: UrlCache;
	readonly origin: Origin;
	readonly clock: TestClock;
	readonly directory: string;
	readonly lines: string[];
	/** All bytes of a URL, as a reader gets them. */
	readonly read: (url: string) => Promise<string | undefined>;
	/** What was asked for under a path, each with its condition. */
	readonly asked: (path: string) => string[];
}

export async function openFreshCache(t: ExecutionContext, options: Partial<CacheOptions> = {}): Promise<FreshCache> {
	const [origin, directory, clock] = [await startOrigin(t), temporaryDirectory(t), new TestClock()];
	const {log, lines} = recordingLog();
	const cache = openCache({directory, clock, log, freshness: 'http', http: {retries: 0}, ...options});
	t.teardown(() => cache.close());
	return {
		...{cache, origin, clock, directory, lines},
		read: async url => readWhole(await cache.open(url)),
		asked: path =>
			origin.requestsOf(path).map(({headers}) => {
				const {'if-none-match': etag, 'if-modified-since': since} = headers;
				return ['GET', ...(etag === undefined ? [] : [etag]), ...(since === undefined ? [] : ['since'])].join(' ');
			}),
	};
}
