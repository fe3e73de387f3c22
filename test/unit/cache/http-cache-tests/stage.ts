/** What the cases are played on: an origin, a clock, and caches over one directory. */
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {isDeepStrictEqual} from 'node:util';
import {openCache, type UrlCache} from '../../../../src/library/open.js';
import {TestClock} from '../../../helpers/cache.js';
import type {RequestHeaders} from './case.js';
import {ScriptedOrigin} from './scripted-origin.js';

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
			freshness: 'http',
			http: {retries: 0, hosts: [{host: `http://${this.origin.host}`, headers: lowerCase(headers)}]},
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

function lowerCase(headers: RequestHeaders): Record<string, string> {
	return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}
