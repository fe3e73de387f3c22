/** What the tests of the response cache share. */
import type {ExecutionContext} from 'ava';
import {
	createCachedFetch,
	type CachedFetch,
	type CachedFetchOptions,
	type CachedRequestInit,
} from '../../src/ports/response-cache/index.js';
import {temporaryDirectory, TestClock} from './cache.js';
import {startOrigin} from './drive.js';
import type {Origin} from './origin.js';

export interface FetchSetup {
	readonly fetch: CachedFetch;
	readonly origin: Origin;
	readonly clock: TestClock;
	readonly directory: string;
	/** The body of what a URL is answered with. */
	readonly read: (url: string, init?: CachedRequestInit) => Promise<string>;
	/** How often a path was asked for. */
	readonly asked: (path: string) => number;
}

/** A cached fetch and an origin, both gone after the test. */
export async function setUpFetch(t: ExecutionContext, options: CachedFetchOptions = {}): Promise<FetchSetup> {
	const [origin, directory, clock] = [await startOrigin(t), temporaryDirectory(t), new TestClock()];
	const fetch = createCachedFetch({cacheName: directory, clock, ...options});
	t.teardown(() => fetch.close());
	const read = async (url: string, init?: CachedRequestInit) => (await fetch(url, init)).text();
	return {fetch, origin, clock, directory, read, asked: path => origin.requestsOf(path).length};
}

/** All of an async iteration. */
export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
	const found: T[] = [];
	for await (const item of items) found.push(item);
	return found;
}
