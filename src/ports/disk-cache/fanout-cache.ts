import {existsSync} from 'node:fs';
import path from 'node:path';
import type {Readable} from 'node:stream';
import {quietly, retried, toFalse, waiting} from './busy.js';
import {Cache} from './cache.js';
import {Deque, type DequeOptions} from './deque.js';
import {pathOf} from './directory.js';
import type {Disk} from './disk.js';
import {DATABASE_NAME} from './engine.js';
import {Timeout, type CheckWarning} from './errors.js';
import {Index} from './index-map.js';
import {memoized, type MemoizeOptions, type Memoizer} from './memoize.js';
import {withFields, type CacheOptions, type FieldOptions, type GetOptions, type Getter} from './options.js';
import type {RetryOptions, SetOptions, StreamOptions, Tag} from './options.js';
import {DEFAULT_SETTINGS, type SettingName, type Settings} from './settings.js';
import {countShards, directoryName} from './shards.js';
import type {Source} from './value-files.js';

export interface FanoutOptions extends CacheOptions {
	/** Databases that writes are spread over: 8, or what the directory was made with. */
	readonly shards?: number;
}

const NONE = {};
const RETRY = {retry: true};

/**
 * A cache whose keys are spread over several databases, so that as many can write
 * at once. What writes waits for the lock. With `retry: false` it does so for the
 * timeout alone, 10 ms unless told, and is not told by `Timeout` that it was over:
 * a set returns false, a pop its default.
 */
export class FanoutCache {
	readonly directory: string;
	readonly #shards: readonly Cache[];
	readonly #options: CacheOptions;
	readonly #named = new Map<string, Cache>();

	/**
	 * @param directory - made if it is missing; a temporary one, which stays, if it is left out.
	 * @param options.sizeLimit - of all shards together.
	 * @throws RangeError for another number of shards than the directory has.
	 */
	constructor(directory?: string | URL, {shards, timeout = 0.01, ...options}: FanoutOptions = NONE) {
		this.directory = pathOf(directory);
		this.#options = options;
		const count = countShards(this.directory, shards);
		this.#shards = Array.from({length: count}, (_, index) => {
			const shard = path.join(this.directory, String(index).padStart(3, '0'));
			const isNew = !existsSync(path.join(shard, DATABASE_NAME));
			const sizeLimit = options.sizeLimit ?? (isNew ? DEFAULT_SETTINGS.sizeLimit : undefined);
			const limit = sizeLimit === undefined ? NONE : {sizeLimit: Math.floor(sizeLimit / count)};
			return new Cache(shard, {...options, ...limit, timeout});
		});
	}

	get shards(): number {
		return this.#shards.length;
	}

	/** Seconds. */
	get timeout(): number {
		return this.#first.timeout;
	}

	get disk(): Disk {
		return this.#first.disk;
	}

	get settings(): Settings {
		return {...this.#first.settings, sizeLimit: this.#first.settings.sizeLimit * this.shards};
	}

	get length(): number {
		return this.#sum(shard => shard.length);
	}

	set(key: unknown, value: Source, options: StreamOptions): Promise<boolean>;
	set(key: unknown, value: unknown, options?: SetOptions): boolean;
	set(key: unknown, value: unknown, options: SetOptions | StreamOptions = RETRY): boolean | Promise<boolean> {
		const shard = this.#shardOf(key);
		if (options.read === true) return shard.set(key, value as Source, waiting(options)).catch(toFalse);
		return quietly(false, () => shard.set(key, value, waiting(options)));
	}

	add(key: unknown, value: Source, options: StreamOptions): Promise<boolean>;
	add(key: unknown, value: unknown, options?: SetOptions): boolean;
	add(key: unknown, value: unknown, options: SetOptions | StreamOptions = RETRY): boolean | Promise<boolean> {
		const shard = this.#shardOf(key);
		if (options.read === true) return shard.add(key, value as Source, waiting(options)).catch(toFalse);
		return quietly(false, () => shard.add(key, value, waiting(options)));
	}

	/** @returns the new number; undefined where the lock was not to be had in time. */
	incr(key: unknown, delta = 1, options: RetryOptions & {readonly default?: number | null} = RETRY) {
		return quietly(undefined, () => this.#shardOf(key).incr(key, delta, waiting(options)));
	}

	decr(key: unknown, delta = 1, options: RetryOptions & {readonly default?: number | null} = RETRY) {
		return this.incr(key, -delta, options);
	}

	touch(key: unknown, options: RetryOptions & {readonly expire?: number | null} = RETRY): boolean {
		return quietly(false, () => this.#shardOf(key).touch(key, waiting(options)));
	}

	readonly get = ((key: unknown, options: GetOptions = NONE) =>
		quietly(withFields(options.default, options, null, null), () => this.#shardOf(key).get(key, options))) as Getter<
		[key: unknown],
		GetOptions
	>;

	/** @throws KeyError */
	read(key: unknown): Readable {
		return this.#shardOf(key).read(key);
	}

	has(key: unknown): boolean {
		return this.#shardOf(key).has(key);
	}

	delete(key: unknown, options: RetryOptions = RETRY): boolean {
		return quietly(false, () => this.#shardOf(key).delete(key, waiting(options)));
	}

	/** As `Cache.pin`. */
	pin(key: unknown): boolean {
		return this.#shardOf(key).pin(key);
	}

	/** As `Cache.fence`, among the keys of the same shard. */
	fence(key: unknown): number {
		return this.#shardOf(key).fence();
	}

	readonly pop = ((key: unknown, options: FieldOptions = RETRY) =>
		quietly(withFields(options.default, options, null, null), () =>
			this.#shardOf(key).pop(key, waiting(options)),
		)) as Getter<[key: unknown], FieldOptions>;

	/** Goes on where a lock was not to be had in time, as do `evict`, `cull` and `clear`. */
	expire(options: RetryOptions & {readonly now?: number} = NONE): number {
		return this.#removeAll(shard => shard.expire(options));
	}

	evict(tag: Tag, options: RetryOptions = NONE): number {
		return this.#removeAll(shard => shard.evict(tag, options));
	}

	cull(options: RetryOptions = NONE): number {
		return this.#removeAll(shard => shard.cull(options));
	}

	clear(options: RetryOptions = NONE): number {
		return this.#removeAll(shard => shard.clear(options));
	}

	/** @throws Timeout */
	check(options: RetryOptions & {readonly fix?: boolean} = NONE): CheckWarning[] {
		return this.#shards.flatMap(shard => shard.check(options));
	}

	volume(): number {
		return this.#sum(shard => shard.volume());
	}

	/** Keys of one shard after the other. */
	*[Symbol.iterator](): Generator<unknown> {
		for (const shard of this.#shards) yield* shard;
	}

	*reversed(): Generator<unknown> {
		for (const shard of this.#shards.toReversed()) yield* shard.reversed();
	}

	/**
	 * Runs `work` as one transaction of all shards. It waits for their locks, in one order, so that no two wait for each
	 * other. Shards are committed one after the other: who is killed meanwhile may leave what is in some of them alone.
	 */
	transact<T>(work: () => T): T {
		const within = (index: number): T => {
			const shard = this.#shards[index];
			return shard === undefined ? work() : shard.transact(() => within(index + 1), {retry: true});
		};
		return within(0);
	}

	stats(options: {readonly enable?: boolean; readonly reset?: boolean} = NONE): [hits: number, misses: number] {
		const counts = this.#shards.map(shard => retried(() => shard.stats(options)));
		return counts.reduce(([hits, misses], one) => [hits + one[0], misses + one[1]], [0, 0]);
	}

	/** As in `Cache`, for all shards; `sizeLimit` is that of all together. */
	reset<N extends SettingName>(name: N, value?: Settings[N]): Settings[N] {
		const isLimit = name === 'sizeLimit' && value !== undefined;
		const each = isLimit ? (Math.floor(Number(value) / this.shards) as Settings[N]) : value;
		for (const shard of this.#shards) retried(() => shard.reset(name, each));
		return this.settings[name];
	}

	createTagIndex(): void {
		this.reset('tagIndex', true);
	}

	dropTagIndex(): void {
		this.reset('tagIndex', false);
	}

	memoize(options: MemoizeOptions = NONE): Memoizer {
		return memoized(this, options);
	}

	/** A cache of that name within the directory. */
	cache(name: string, options: CacheOptions = NONE): Cache {
		return this.#within('cache', name, options);
	}

	/** A deque of that name within the directory. Nothing of it is evicted. */
	deque<T = unknown>(name: string, options: Pick<DequeOptions, 'maxlen'> = NONE): Deque<T> {
		return Deque.fromCache<T>(this.#within('deque', name, {evictionPolicy: 'none'}), [], options);
	}

	/** An index of that name within the directory. Nothing of it is evicted. */
	index<K = unknown, V = unknown>(name: string): Index<K, V> {
		return Index.fromCache<K, V>(this.#within('index', name, {evictionPolicy: 'none'}));
	}

	/** As `Cache.toJSON`. */
	toJSON(): {directory: string; timeout: number} {
		return {directory: this.directory, timeout: this.timeout};
	}

	now(): number {
		return this.#first.now();
	}

	close(): void {
		for (const cache of [...this.#shards, ...this.#named.values()]) cache.close();
		this.#named.clear();
	}

	[Symbol.dispose](): void {
		this.close();
	}

	get #first(): Cache {
		return this.#shards[0] as Cache;
	}

	#shardOf(key: unknown): Cache {
		return this.#shards[this.disk.hash(key) % this.#shards.length] as Cache;
	}

	#sum(of: (shard: Cache) => number): number {
		return this.#shards.reduce((total, shard) => total + of(shard), 0);
	}

	#removeAll(remove: (shard: Cache) => number): number {
		return this.#sum(shard => {
			for (let removed = 0; ;) {
				try {
					return removed + remove(shard);
				} catch (error) {
					if (!(error instanceof Timeout)) throw error;
					removed += error.removed;
				}
			}
		});
	}

	#within(kind: string, name: string, options: CacheOptions): Cache {
		const directory = path.join(this.directory, kind, directoryName(name));
		const known = this.#named.get(directory);
		if (known !== undefined) return known;
		const {disk, clock} = this.#options;
		const cache = new Cache(directory, {...(disk && {disk}), ...(clock && {clock}), ...options});
		this.#named.set(directory, cache);
		return cache;
	}
}
