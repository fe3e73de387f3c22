/** What the cases are played on: an origin, a clock, and caches over one directory. */
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {isDeepStrictEqual} from 'node:util';
import {openCache, type UrlCache} from '../../../../src/library/open.js';
import {TestClock} from '../../../helpers/cache.js';
import type {RequestHeaders} from './case.js';
import {ScriptedOrigin} from './scripted-origin.js';

/**
 * The option by which a cache sends headers with each request to a host.
 * Undefined as long as there is none: what needs it cannot be played.
 */
export const sending: ((headers: RequestHeaders) => object) | undefined = undefined;

/** Spread, so that it may be an option that is not there yet. */
const AS_HTTP_SAYS = {freshness: 'http'} as const;

export class Stage {
	readonly #directory = mkdtempSync(path.join(tmpdir(), 'larder-test-'));
	#open: {cache: UrlCache; headers: RequestHeaders} | undefined;

	private constructor(
		readonly origin: ScriptedOrigin,
		readonly clock: TestClock,
	) {}

	static async set(): Promise<Stage> {
		const clock = new TestClock();
		return new Stage(await ScriptedOrigin.start(clock), clock);
	}

	/** The cache that sends these headers; the one before is closed, where it sends others. */
	async cacheFor(headers: RequestHeaders): Promise<UrlCache> {
		if (this.#open !== undefined && isDeepStrictEqual(this.#open.headers, headers)) return this.#open.cache;
		await this.#open?.cache.close();
		const cache = openCache({
			directory: this.#directory,
			clock: this.clock,
			http: {retries: 0},
			...AS_HTTP_SAYS,
			...sending?.(headers),
		});
		this.#open = {cache, headers};
		return cache;
	}

	async strike(): Promise<void> {
		await this.#open?.cache.close();
		await this.origin.close();
		rmSync(this.#directory, {recursive: true, force: true, maxRetries: 5});
	}
}
