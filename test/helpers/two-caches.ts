/** Two caches on one directory: each is another process to the other one. */
import type {ExecutionContext} from 'ava';
import {keyOf, openCache, type CacheOptions, type UrlCache, type Version} from '../../src/library/open.js';
import {temporaryDirectory} from './cache.js';

export interface TwoCaches {
	readonly directory: string;
	readonly owner: UrlCache;
	readonly follower: UrlCache;
}

/** Closed with the test. */
export async function openTwoCaches(t: ExecutionContext, options: Partial<CacheOptions> = {}): Promise<TwoCaches> {
	const directory = temporaryDirectory(t);
	const open = () => openCache({directory, http: {retries: 0, idleTimeoutMs: 60_000}, ...options});
	const [owner, follower] = [open(), open()];
	t.teardown(() => Promise.all([owner.close(), follower.close()]));
	// The thread that asks who downloads is started first.
	await Promise.all([owner.load(), follower.load()]);
	return {directory, owner, follower};
}

/** Opens what another cache downloads. One that could not be told in time that it does would download for itself. */
export async function follow(cache: UrlCache, url: string): Promise<Version> {
	for (;;) {
		const {misses} = cache.stats();
		const version = await cache.open(url);
		if (cache.stats().misses === misses) return version;
		version.close();
		await cache.evict(keyOf(url));
	}
}
