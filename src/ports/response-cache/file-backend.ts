import path from 'node:path';
import {keyOf, keyPrefixOf, type KeyedRequest, type KeyOptions} from './cache-key.js';
import {CachedResponse} from './cached-response.js';
import {FileCache, promised, type FileCacheOptions} from './file-cache.js';
import type {ResponseHead} from './head.js';
import {Redirects} from './redirects.js';
import {headOf} from './response-head.js';
import type {StoredEntry} from './stored-entry.js';

export interface FileBackendOptions extends FileCacheOptions, KeyOptions {
	/** Methods whose answers are kept; GET and HEAD unless told. */
	readonly allowedMethods?: readonly string[];
	/** Statuses of answers that are kept; 200, 203 and 204, and for a while 404 and 410, unless told. */
	readonly allowedCodes?: readonly number[];
	/** Whether an answer may be kept, in addition to the above. */
	readonly filter?: (response: Response) => boolean | Promise<boolean>;
}

/** Those that say that there is nothing: they are kept for a short while. */
export const ABSENT: ReadonlySet<number> = new Set([404, 410]);

const CODES = [200, 203, 204, ...ABSENT];

/** Follows no more redirects than fetch does. */
const MAX_REDIRECTS = 20;

/** Responses in `<cacheName>/responses/`, and where what has moved for good has moved to in `<cacheName>/redirects.sqlite`. */
export class FileBackend {
	readonly responses: FileCache;
	readonly redirects: Redirects;
	#disabled = 0;

	constructor(
		cacheName = 'http_cache',
		private readonly options: FileBackendOptions = {},
	) {
		this.responses = new FileCache(cacheName, options);
		this.redirects = new Redirects(path.join(this.responses.directory, 'redirects.sqlite'));
	}

	createKey(request: KeyedRequest): string {
		return keyOf(request, this.options);
	}

	/** The same for all spellings of a URL that are one. */
	createUrlKey(url: string): string {
		return keyPrefixOf('', url, this.options.ignoredParameters);
	}

	/** Whether answers to this method are kept. */
	isCacheableMethod(method: string): boolean {
		const {allowedMethods = ['GET', 'HEAD']} = this.options;
		return this.#disabled === 0 && allowedMethods.includes(method.toUpperCase());
	}

	/** Whether an answer may be kept: by method, status, the filter, and unless all is disabled. */
	async isCacheable(method: string, response: Response): Promise<boolean> {
		const {allowedCodes = CODES, filter = () => true} = this.options;
		return this.isCacheableMethod(method) && allowedCodes.includes(response.status) && (await filter(response));
	}

	/** What is stored under a key, or under the one that it leads to; what has expired is removed. */
	getResponse(key: string): Promise<CachedResponse | undefined> {
		return promised(() => {
			const entry = this.find(key);
			return entry && new CachedResponse(entry);
		});
	}

	/** The entry of a key, or of the one that it leads to. */
	find(key: string): StoredEntry<ResponseHead> | undefined {
		let at = key;
		for (let count = 0; count <= MAX_REDIRECTS; count++) {
			const entry = this.#open(at);
			if (entry !== undefined) return entry;
			const redirect = this.redirectOf(at);
			if (redirect === undefined) return undefined;
			at = redirect.target;
		}

		return undefined;
	}

	/** Where a key leads by now. */
	redirectOf(key: string) {
		const redirect = this.redirects.get(key);
		return redirect !== undefined && this.responses.clock.now() < redirect.untilMs ? redirect : undefined;
	}

	/** Stores a response to a request, whose body it reads; `untilMs` is when it expires. @returns the key. */
	async saveResponse(request: KeyedRequest, response: Response, untilMs?: number): Promise<string> {
		const key = this.createKey(request);
		const {method, url: requestUrl, headers} = request;
		const asked = {method, requestUrl, requestHeaders: Object.fromEntries(headers ?? [])};
		const head = headOf(key, response, this.responses.clock.now(), asked);
		const draft = {...head, url: response.url || requestUrl, ...(untilMs !== undefined && {untilMs})};
		await this.responses.writeStream(draft, response.body);
		return key;
	}

	/** Removes a response and what leads to it. */
	async delete(key: string): Promise<void> {
		await this.responses.delete(key);
		this.redirects.delete(key);
		this.redirects.deleteTo(key);
	}

	/** Removes all that is stored of a URL, whoever asked for it. */
	async deleteUrl(url: string): Promise<void> {
		const {allowedMethods = ['GET', 'HEAD'], ignoredParameters} = this.options;
		for (const method of allowedMethods) this.responses.deleteByPrefix(keyPrefixOf(method, url, ignoredParameters));
		const {target} = this.redirects.get(this.createKey({method: 'GET', url})) ?? {};
		if (target !== undefined) await this.delete(target);
	}

	/** Whether a GET of a URL is stored. */
	hasUrl(url: string): Promise<boolean> {
		return promised(() => this.find(this.createKey({method: 'GET', url})) !== undefined);
	}

	/** The URLs of all responses, each once. */
	async getUrls(): Promise<string[]> {
		const urls = new Set<string>();
		for await (const {head} of this.responses.entries()) if (head.kind === 'response') urls.add(head.requestUrl);
		return [...urls];
	}

	/** Removes what has expired, and what leads to it. */
	async deleteExpiredResponses(): Promise<void> {
		const nowMs = this.responses.clock.now();
		for await (const {head} of this.responses.entries()) {
			if (head.kind === 'response' && nowMs >= (head.untilMs ?? Infinity)) await this.delete(head.key);
		}

		this.redirects.deleteExpired(nowMs);
	}

	async clear(): Promise<void> {
		await this.responses.clear();
		this.redirects.clear();
	}

	/** Meanwhile nothing is read or written; what is stored stays. */
	async disabled<T>(work: () => Promise<T>): Promise<T> {
		this.#disabled++;
		try {
			return await work();
		} finally {
			this.#disabled--;
		}
	}

	/** Everything is on the disk without it. */
	close(): void {
		this.redirects.close();
	}

	[Symbol.dispose](): void {
		this.close();
	}

	#open(key: string): StoredEntry<ResponseHead> | undefined {
		const entry = this.responses.open(key);
		if (entry?.head.kind !== 'response') return undefined;
		if (this.responses.clock.now() < (entry.head.untilMs ?? Infinity)) return entry as StoredEntry<ResponseHead>;
		this.responses.remove(entry);
		return undefined;
	}
}
