import {isDeepStrictEqual} from 'node:util';
import {Cache} from './cache.js';
import {ENOVAL} from './constants.js';
import {KeyError} from './errors.js';
import {memoized, type MemoizeOptions, type Memoizer} from './memoize.js';
import type {CacheOptions, QueueOptions} from './options.js';

export type IndexOptions = Omit<CacheOptions, 'evictionPolicy'>;

const RETRY = {retry: true};
const NONE = {};

/**
 * A `Map` on the disk, which processes may share. Nothing of it is evicted. Keys
 * are equal when they are stored as the same, so two arrays of the same items
 * are one key.
 */
export class Index<K = unknown, V = unknown> {
	readonly cache: Cache;

	/** @param where - a directory, which is made if it is missing; a temporary one, which stays, if it is left out; a cache. */
	constructor(where?: string | URL | Cache, entries: Iterable<readonly [K, V]> = [], options: IndexOptions = NONE) {
		this.cache = where instanceof Cache ? where : new Cache(where, {...options, evictionPolicy: 'none'});
		this.update(entries);
	}

	/** An index over a cache that is open. */
	static fromCache<K, V>(cache: Cache, entries: Iterable<readonly [K, V]> = []): Index<K, V> {
		return new Index(cache, entries);
	}

	get directory(): string {
		return this.cache.directory;
	}

	get size(): number {
		return this.cache.length;
	}

	get(key: K): V | undefined {
		return this.cache.get<V>(key, RETRY);
	}

	set(key: K, value: V): this {
		this.cache.set(key, value, RETRY);
		return this;
	}

	has(key: K): boolean {
		return this.cache.has(key);
	}

	/** @returns whether there was an item. */
	delete(key: K): boolean {
		return this.cache.delete(key, RETRY);
	}

	clear(): void {
		this.cache.clear(RETRY);
	}

	/** The value; it is set to the default first, if there is none. */
	setdefault(key: K, fallback: V): V {
		const find = () => this.cache.get(key, {...RETRY, default: ENOVAL});
		const value = find();
		if (value !== ENOVAL) return value as V;
		return this.transact(() => {
			const added = find();
			if (added !== ENOVAL) return added as V;
			// Not `add`: there may be a row whose file is lost.
			this.cache.set(key, fallback);
			return find() as V;
		});
	}

	/** Sets all of them, as one transaction. */
	update(entries: Iterable<readonly [K, V]>): void {
		const all = [...entries];
		if (all.length > 0) this.transact(() => all.forEach(([key, value]) => this.cache.set(key, value)));
	}

	/** @throws KeyError where there is no item and no default. */
	pop(key: K, ...fallback: [] | [V]): V {
		const value = this.cache.pop(key, {...RETRY, default: ENOVAL});
		if (value !== ENOVAL) return value as V;
		if (fallback.length === 1) return fallback[0];
		throw new KeyError(`there is no ${String(key)}`);
	}

	/** The item that came last, or first. @throws KeyError where there is none. */
	peekitem({last = true}: {readonly last?: boolean} = NONE): [K, V] {
		return this.cache.peekitem({...RETRY, last}) as [K, V];
	}

	/** Removes the item that came last, or first. @throws KeyError where there is none. */
	popitem(options: {readonly last?: boolean} = NONE): [K, V] {
		return this.transact(() => {
			const item = this.peekitem(options);
			this.cache.delete(item[0]);
			return item;
		});
	}

	/** As `Cache.push`. @returns the key. */
	push(value: V, options: Pick<QueueOptions, 'prefix' | 'side'> = NONE): string | number {
		return this.cache.push(value, {...options, ...RETRY});
	}

	/** As `Cache.pull`. */
	pull(options: Pick<QueueOptions, 'prefix' | 'side' | 'default'> = NONE): [key: unknown, value: V | undefined] {
		return this.cache.pull<V>({...options, ...RETRY});
	}

	*keys(): Generator<K> {
		for (const key of this.cache) yield key as K;
	}

	*values(): Generator<V> {
		for (const [, value] of this) yield value;
	}

	*entries(): Generator<[K, V]> {
		yield* this;
	}

	/** Items in the order in which they came; an item that is set again keeps its place. */
	*[Symbol.iterator](): Generator<[K, V]> {
		yield* this.#items(this.cache);
	}

	*reversed(): Generator<[K, V]> {
		yield* this.#items(this.cache.reversed());
	}

	forEach(work: (value: V, key: K, index: this) => void): void {
		for (const [key, value] of this) work(value, key, this);
	}

	/** An index has the same items in the same order, a map the same items. */
	equals(other: Index<K, V> | ReadonlyMap<K, V>): boolean {
		if (this.size !== other.size) return false;
		if (other instanceof Index) return isDeepStrictEqual([...this], [...other]);
		for (const [key, value] of this) {
			if (!other.has(key) || !isDeepStrictEqual(value, other.get(key))) return false;
		}

		return true;
	}

	memoize(options: MemoizeOptions = NONE): Memoizer {
		return memoized(this.cache, options);
	}

	/** What another process opens it with: `new Index(directory)`. */
	toJSON(): {directory: string} {
		return {directory: this.directory};
	}

	toString(): string {
		return `Index(${JSON.stringify(this.directory)})`;
	}

	/** As `Cache.transact`; it waits for the lock. */
	transact<R>(work: () => R): R {
		return this.cache.transact(work, RETRY);
	}

	close(): void {
		this.cache.close();
	}

	[Symbol.dispose](): void {
		this.close();
	}

	/** What is removed meanwhile is left out. */
	*#items(keys: Iterable<unknown>): Generator<[K, V]> {
		for (const key of keys) {
			const value = this.cache.get(key, {...RETRY, default: ENOVAL});
			if (value !== ENOVAL) yield [key as K, value as V];
		}
	}
}
