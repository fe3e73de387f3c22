import type {Readable} from 'node:stream';
import {SYSTEM_CLOCK} from '../../base/clock.js';
import {checkCache} from './check.js';
import {UNKNOWN} from './constants.js';
import {pathOf} from './directory.js';
import {Disk, type StoredKey, type StoredValue} from './disk.js';
import {Engine, type EngineOptions} from './engine.js';
import {KeyError, type CheckWarning} from './errors.js';
import {Items} from './items.js';
import {memoized, type MemoizeOptions, type Memoizer} from './memoize.js';
import type {
	CacheOptions,
	GetOptions,
	Getter,
	ItemGetter,
	PeekItemOptions,
	QueueOptions,
	RetryOptions,
} from './options.js';
import {assertItemOptions, type FieldOptions, type SetOptions, type StreamOptions, type Tag} from './options.js';
import {assertSetting, type SettingName, type Settings} from './settings.js';
import {streamOf} from './stream-of.js';
import type {Source} from './value-files.js';

/** No options. */
const NONE = {};

/**
 * A cache in a directory, which any number of processes and threads may have
 * open. A call is one transaction: it has happened, or not, whatever becomes of
 * the process. Calls wait for the lock of another connection up to the timeout.
 */
export class Cache {
	readonly directory: string;
	/** Seconds. */
	readonly timeout: number;
	readonly #options: EngineOptions;
	#engine: Engine | undefined;
	#items: Items | undefined;

	/** @param directory - made if it is missing; a temporary one, which stays, if it is left out. */
	constructor(directory?: string | URL, options: CacheOptions = NONE) {
		const {timeout = 60, disk = Disk, clock = SYSTEM_CLOCK, ...settings} = options;
		for (const [name, value] of Object.entries(settings)) assertSetting(name, value);
		if (!(disk === Disk || disk.prototype instanceof Disk)) throw new TypeError('disk must be Disk or extend it');
		this.directory = pathOf(directory);
		this.timeout = timeout;
		this.#options = {directory: this.directory, timeout, disk, settings, clock};
		this.#open();
	}

	get disk(): Disk {
		return this.#parts.disk;
	}

	/** As this handle knows them; what other processes set is known a second later. */
	get settings(): Settings {
		return this.#parts.settings;
	}

	/** Items, expired ones too. @throws Timeout */
	get length(): number {
		return this.#all.count();
	}

	/**
	 * Has the number of items kept from now on, for all who have the directory open: `length` takes the same time then,
	 * however many there are, and what adds or removes one takes a little longer.
	 */
	keepLength(): void {
		this.#all.keepCount();
	}

	/** Stores an item. It resolves when all of the stream has come, for a stream. @throws Timeout; TypeError for options that are none. */
	set(key: unknown, value: Source, options: StreamOptions): Promise<boolean>;
	set(key: unknown, value: unknown, options?: SetOptions): boolean;
	set(key: unknown, value: unknown, options: SetOptions | StreamOptions = NONE): boolean | Promise<boolean> {
		const stored = this.#key(key);
		return this.#stored(value, key, options, content => this.#all.set(stored, content, options));
	}

	/** Stores an item if there is none of that key. @returns whether it was stored. @throws Timeout */
	add(key: unknown, value: Source, options: StreamOptions): Promise<boolean>;
	add(key: unknown, value: unknown, options?: SetOptions): boolean;
	add(key: unknown, value: unknown, options: SetOptions | StreamOptions = NONE): boolean | Promise<boolean> {
		const stored = this.#key(key);
		return this.#stored(value, key, options, content => this.#all.add(stored, content, options));
	}

	/**
	 * Adds to a number, in one step.
	 *
	 * @param options.default - what a missing item counts as: 0; null for none.
	 * @returns the new number.
	 * @throws KeyError where there is no item and no default; TypeError for what is no number; Timeout.
	 */
	incr(key: unknown, delta = 1, options: RetryOptions & {readonly default?: number | null} = NONE): number {
		return this.#all.incr(key, delta, options.default === undefined ? 0 : options.default, options.retry);
	}

	decr(key: unknown, delta = 1, options: RetryOptions & {readonly default?: number | null} = NONE): number {
		return this.incr(key, -delta, options);
	}

	/** Sets when an item expires; never, if that is left out. @returns whether there is one. @throws Timeout */
	touch(key: unknown, options: RetryOptions & {readonly expire?: number | null} = NONE): boolean {
		assertItemOptions(options);
		return this.#all.touch(this.#key(key), options.expire ?? null, options.retry);
	}

	/** The value, or the default, with the fields that are asked for. @throws Timeout */
	readonly get = ((key: unknown, options: GetOptions = NONE) => this.#all.get(this.#key(key), options)) as Getter<
		[key: unknown],
		GetOptions
	>;

	/** Bytes or a text as a stream. @throws KeyError; TypeError for a value that is neither. */
	read(key: unknown): Readable {
		const value = this.get(key, {read: true, default: MISSING});
		if (value === MISSING) throw new KeyError(`there is no ${String(key)}`);
		return streamOf(value, key);
	}

	/** @throws Timeout */
	has(key: unknown): boolean {
		return this.#all.has(this.#key(key));
	}

	/** @returns whether there was an item. @throws Timeout */
	delete(key: unknown, {retry}: RetryOptions = NONE): boolean {
		return this.#all.delete(this.#key(key), retry);
	}

	/** Keeps an item from being evicted for its size, however often it is set, until it is deleted. @returns whether there is one. */
	pin(key: unknown): boolean {
		return this.#all.pin(this.#key(key));
	}

	/** A number above all that it has given before, to whatever process. */
	fence(): number {
		return this.#all.fence();
	}

	/** Removes an item and gives what `get` would. @throws Timeout */
	readonly pop = ((key: unknown, options: FieldOptions = NONE) => this.#all.pop(this.#key(key), options)) as Getter<
		[key: unknown],
		FieldOptions
	>;

	/** Stores a value at the end of a queue, the back unless told. @returns its key. @throws Timeout */
	push(value: Source, options: StreamOptions & QueueOptions): Promise<string | number>;
	push(value: unknown, options?: SetOptions & Pick<QueueOptions, 'prefix' | 'side'>): string | number;
	push(value: unknown, options: (SetOptions | StreamOptions) & Pick<QueueOptions, 'prefix' | 'side'> = NONE) {
		return this.#stored(value, UNKNOWN, options, content => this.#all.push(content, options));
	}

	/** Removes the item at an end of a queue, the front unless told. @throws Timeout */
	readonly pull = ((options: QueueOptions = NONE) => this.#all.pull(options)) as ItemGetter<QueueOptions>;

	/** The item at an end of a queue, the front unless told. One that has expired is removed. @throws Timeout */
	readonly peek = ((options: QueueOptions = NONE) => this.#all.peek(options)) as ItemGetter<QueueOptions>;

	/** The item that came last, or first. @throws KeyError where there is none; Timeout. */
	readonly peekitem = ((options: PeekItemOptions = NONE) => this.#all.peekItem(options)) as ItemGetter<PeekItemOptions>;

	/** Removes what has expired. @returns how many. @throws Timeout */
	expire({now = this.#parts.now(), retry = false}: RetryOptions & {readonly now?: number} = NONE): number {
		return this.#parts.culling.expire(now, retry);
	}

	/** Removes the items of a tag. @returns how many. @throws Timeout */
	evict(tag: Tag, {retry = false}: RetryOptions = NONE): number {
		return this.#parts.culling.evictTag(tag, retry);
	}

	/** Removes what has expired, and by the policy what is too much. @returns how many. @throws Timeout */
	cull({retry = false}: RetryOptions = NONE): number {
		return this.#parts.culling.cull(this.#parts.now(), retry);
	}

	/** @returns how many items there were. @throws Timeout */
	clear({retry = false}: RetryOptions = NONE): number {
		return this.#parts.culling.clear(retry);
	}

	/** Looks for what does not fit together, and with `fix` makes it fit. @throws Timeout */
	check({fix = false, retry = false}: RetryOptions & {readonly fix?: boolean} = NONE): CheckWarning[] {
		return checkCache(this.#parts, fix, retry);
	}

	/** Bytes on the disk, about. */
	volume(): number {
		return this.#parts.culling.volume();
	}

	/** Keys in the order in which they came, of expired items too. */
	[Symbol.iterator](): Generator<unknown> {
		return this.#all.keys(false);
	}

	reversed(): Generator<unknown> {
		return this.#all.keys(true);
	}

	/** Keys in the order of the database: numbers, texts, then bytes with all others. */
	iterkeys({reverse = false}: {readonly reverse?: boolean} = NONE): Generator<unknown> {
		return this.#all.sortedKeys(reverse);
	}

	/**
	 * Runs `work` as one transaction: nobody else writes meanwhile, and nothing
	 * of it is left should it throw. Within each other they are one.
	 *
	 * @throws Timeout; TypeError where `work` returns a promise: a transaction is over when it returns.
	 */
	transact<T>(work: () => T, {retry = false}: RetryOptions = NONE): T {
		// Takes up what others have set, which has to be before.
		this.#parts.now();
		return this.#parts.transaction.run(work, retry);
	}

	/** Hits and misses as far as they were counted; counts from now on, or not. @throws Timeout */
	stats({enable = true, reset = false}: {readonly enable?: boolean; readonly reset?: boolean} = NONE) {
		return this.#all.stats(enable, reset);
	}

	/** Reads a setting anew, or sets it for all who have the directory open. @throws RangeError; Timeout */
	reset<N extends SettingName>(name: N, value?: Settings[N]): Settings[N] {
		if (value === undefined) {
			assertSetting(name, this.#parts.settings[name]);
			return this.#parts.reload(name) as Settings[N];
		}

		assertSetting(name, value);
		this.#parts.store(name, value, false);
		return value;
	}

	createTagIndex(): void {
		this.reset('tagIndex', true);
	}

	dropTagIndex(): void {
		this.reset('tagIndex', false);
	}

	/** Makes functions of functions, which look here for the result first. */
	memoize(options: MemoizeOptions = NONE): Memoizer {
		return memoized(this, options);
	}

	/** What another process opens the same cache with: `new Cache(directory, options)`; and its disk, if it has one. */
	toJSON(): {directory: string; timeout: number} {
		return {directory: this.directory, timeout: this.timeout};
	}

	/** Seconds since the epoch, by the clock that items expire by. */
	now(): number {
		return this.#parts.now();
	}

	/** Gives the database back. It is opened again when it is needed. */
	close(): void {
		this.#engine?.close();
		this.#engine = this.#items = undefined;
	}

	[Symbol.dispose](): void {
		this.close();
	}

	get #parts(): Engine {
		return this.#engine ?? this.#open();
	}

	get #all(): Items {
		return (this.#items ??= new Items(this.#parts));
	}

	#open(): Engine {
		this.#engine = new Engine(this.#options);
		this.#items = new Items(this.#engine);
		return this.#engine;
	}

	/** Puts a value where it belongs, of a stream all that comes, and then uses it. */
	#stored<T>(
		value: unknown,
		key: unknown,
		options: SetOptions | StreamOptions,
		use: (content: StoredValue) => T,
	): T | Promise<T> {
		assertItemOptions(options);
		const {disk} = this.#parts;
		return options.read === true ? disk.storeFrom(value as Source, key).then(use) : use(disk.store(value, key));
	}

	#key(key: unknown): StoredKey {
		return this.#parts.disk.put(key);
	}
}

const MISSING = Symbol('missing');
