import path from 'node:path';
import {Cache} from './cache.js';
import {ENOVAL} from './constants.js';
import {DATABASE_NAME} from './engine.js';
import {FanoutCache} from './fanout-cache.js';
import type {CacheOptions} from './options.js';

export interface KeyvStoreOptions extends CacheOptions {
	/** Made if it is missing; a temporary one, which stays, if it is left out. */
	readonly directory?: string;
}

export interface KeyvItem {
	readonly key: string;
	readonly value: unknown;
	/** Milliseconds. */
	readonly ttl?: number;
}

const RETRY = {retry: true};
const SEPARATOR = ':';

/**
 * A store for Keyv, over a cache of its own or one that is open:
 * `new Keyv({store: new KeyvStore({directory})})`. Keyv's namespaces are prefixes
 * of its keys. What fails is a rejected promise, which Keyv emits as an error.
 */
export class KeyvStore<C extends Cache | FanoutCache = Cache> {
	/** Set by Keyv. */
	namespace: string | undefined;
	readonly opts: Record<string, unknown>;
	/** For what Keyv has no words for: tags, numbers, queues, and the collections in a `FanoutCache`. */
	readonly cache: C;

	constructor(cache?: C | KeyvStoreOptions);
	constructor(cache: Cache | FanoutCache | KeyvStoreOptions = {}) {
		this.cache = (cache instanceof Cache || cache instanceof FanoutCache ? cache : openCache(cache)) as C;
		// Keyv iterates over stores of some dialects alone.
		this.opts = {dialect: 'sqlite', url: `sqlite://${path.join(this.cache.directory, DATABASE_NAME)}`};
	}

	/** A store has to have it; this one has no events. */
	on(_event: string, _listener: (...args: never[]) => void): this {
		return this;
	}

	get<Value>(key: string): Promise<Value | undefined> {
		return settled(() => this.cache.get<Value>(key, RETRY));
	}

	getMany<Value>(keys: string[]): Promise<Array<Value | undefined>> {
		return settled(() => keys.map(key => this.cache.get<Value>(key, RETRY)));
	}

	/** @param ttl - milliseconds. */
	set(key: string, value: unknown, ttl?: number): Promise<boolean> {
		return settled(() => this.#set(key, value, ttl));
	}

	setMany(items: readonly KeyvItem[]): Promise<void> {
		const setAll = () => items.forEach(({key, value, ttl}) => void this.#set(key, value, ttl));
		return settled(() => this.#transact(setAll));
	}

	delete(key: string): Promise<boolean> {
		return settled(() => this.cache.delete(key, RETRY));
	}

	/** Whether there was one of them. */
	deleteMany(keys: string[]): Promise<boolean> {
		const removeAll = () => keys.map(key => this.cache.delete(key)).includes(true);
		return settled(() => this.#transact(removeAll));
	}

	has(key: string): Promise<boolean> {
		return settled(() => this.cache.has(key));
	}

	hasMany(keys: string[]): Promise<boolean[]> {
		return settled(() => keys.map(key => this.cache.has(key)));
	}

	/** What is in the namespace; all there is, without one. */
	clear(): Promise<void> {
		return settled(() => {
			if (this.namespace === undefined) return void this.cache.clear(RETRY);
			const prefix = this.namespace + SEPARATOR;
			for (const key of this.cache) if (isOf(key, prefix)) this.cache.delete(key, RETRY);
		});
	}

	async *iterator<Value>(namespace?: string): AsyncGenerator<[key: string, value: Value]> {
		const prefix = namespace === undefined ? '' : namespace + SEPARATOR;
		for (const key of this.cache) {
			// Others have their turn between two items.
			const value = isOf(key, prefix)
				? await Promise.resolve(this.cache.get(key, {...RETRY, default: ENOVAL}))
				: ENOVAL;
			if (value !== ENOVAL) yield [key as string, value as Value];
		}
	}

	disconnect(): Promise<void> {
		return settled(() => this.cache.close());
	}

	#transact<T>(work: () => T): T {
		return this.cache instanceof Cache ? this.cache.transact(work, RETRY) : this.cache.transact(work);
	}

	#set(key: string, value: unknown, ttl: number | undefined): boolean {
		return this.cache.set(key, value, {...RETRY, expire: ttl === undefined ? null : ttl / 1000});
	}
}

function openCache({directory, ...options}: KeyvStoreOptions): Cache {
	return new Cache(directory, options);
}

function isOf(key: unknown, prefix: string): boolean {
	return typeof key === 'string' && key.startsWith(prefix);
}

/** What throws at once is a promise that is rejected. */
function settled<T>(work: () => T): Promise<T> {
	return new Promise(resolve => resolve(work()));
}
