import {isDeepStrictEqual} from 'node:util';
import {Cache} from './cache.js';
import {compareSequences} from './compare-sequences.js';
import {ENOVAL} from './constants.js';
import type {DiskClass} from './disk.js';
import type {CacheOptions} from './options.js';

export interface DequeOptions extends Omit<CacheOptions, 'evictionPolicy'> {
	/** Made if it is missing; a temporary one, which stays, if it is left out. */
	readonly directory?: string;
	/** Most items; one more at one end pushes out the one at the other. */
	readonly maxlen?: number;
}

/** Each append to a deque with a `maxlen` asks for its length. Fewer items are counted sooner than their number is kept. */
const KEPT_FROM = 20_000;
const NO_ITEM = [undefined, ENOVAL];
const RETRY = {retry: true};
const NONE = {};

/**
 * A sequence on the disk with two ends, which processes may share. Nothing of it
 * is evicted. What changes several items is one transaction.
 */
export class Deque<T = unknown> {
	readonly cache: Cache;
	#maxlen = Infinity;

	constructor(
		items: Iterable<T> = [],
		options: DequeOptions | {readonly cache: Cache; readonly maxlen?: number} = NONE,
	) {
		this.cache = 'cache' in options ? options.cache : openCache(options);
		this.maxlen = options.maxlen ?? Infinity;
		this.extend(items);
	}

	/** A deque over a cache that is open. Its items are those of the cache's queue without a prefix. */
	static fromCache<T>(cache: Cache, items: Iterable<T> = [], options: {readonly maxlen?: number} = NONE): Deque<T> {
		return new Deque(items, {...options, cache});
	}

	get directory(): string {
		return this.cache.directory;
	}

	get length(): number {
		return this.cache.length;
	}

	get maxlen(): number {
		return this.#maxlen;
	}

	/** What is too much leaves from the front. */
	set maxlen(maxlen: number) {
		if (!(maxlen >= 0)) throw new RangeError(`${maxlen} is no length`);
		this.#maxlen = maxlen;
		if (maxlen >= KEPT_FROM && maxlen < Infinity) this.cache.keepLength();
		if (this.length > maxlen) this.transact(() => this.#trim('front'));
	}

	/** @param index - from the front, or, below 0, from behind the back. */
	at(index: number): T | undefined {
		for (const key of this.#keysFrom(index)) {
			const value = this.cache.get(key, {...RETRY, default: ENOVAL});
			// Somebody else has taken it meanwhile, or its file is lost: the next one is at its place.
			if (value !== ENOVAL) return value as T;
		}

		return undefined;
	}

	/** @throws RangeError where there is no such item. */
	setAt(index: number, value: T): void {
		this.transact(() => this.cache.set(this.#existingKeyAt(index), value));
	}

	/** @throws RangeError where there is no such item. */
	deleteAt(index: number): void {
		this.transact(() => this.cache.delete(this.#existingKeyAt(index)));
	}

	append(value: T): void {
		this.#push(value, 'back');
	}

	appendLeft(value: T): void {
		this.#push(value, 'front');
	}

	extend(items: Iterable<T>): void {
		for (const item of settled(items)) this.append(item);
	}

	/** The last of them is at the front then. */
	extendLeft(items: Iterable<T>): void {
		for (const item of settled(items)) this.appendLeft(item);
	}

	/** Removes the item at the back. @returns undefined where there is none, as an array does. */
	pop(): T | undefined {
		return this.#valueOf(this.cache.pull({...RETRY, side: 'back', default: NO_ITEM}));
	}

	popLeft(): T | undefined {
		return this.#valueOf(this.cache.pull({...RETRY, side: 'front', default: NO_ITEM}));
	}

	peek(): T | undefined {
		return this.#valueOf(this.cache.peek({...RETRY, side: 'back', default: NO_ITEM}));
	}

	peekLeft(): T | undefined {
		return this.#valueOf(this.cache.peek({...RETRY, side: 'front', default: NO_ITEM}));
	}

	/** How many items are equal to it. */
	count(value: T): number {
		let count = 0;
		for (const item of this) if (isDeepStrictEqual(item, value)) count++;
		return count;
	}

	indexOf(value: T): number {
		let index = 0;
		for (const item of this) {
			if (isDeepStrictEqual(item, value)) return index;
			index++;
		}

		return -1;
	}

	includes(value: T): boolean {
		return this.indexOf(value) >= 0;
	}

	/** Removes the first item that is equal to it. @returns whether there was one. */
	remove(value: T): boolean {
		return this.transact(() => {
			for (const [key, item] of this.#entries(false)) {
				if (isDeepStrictEqual(item, value)) return this.cache.delete(key);
			}

			return false;
		});
	}

	reverse(): void {
		this.transact(() => {
			const keys = Array.from(this.#entries(false), ([key]) => key);
			for (let [low, high] = [0, keys.length - 1]; low < high; low++, high--) {
				const [front, back] = [this.cache.get(keys[low]), this.cache.get(keys[high])];
				this.cache.set(keys[low], back);
				this.cache.set(keys[high], front);
			}
		});
	}

	/** Moves items from the back to the front; below 0, the other way round. @throws TypeError for no integer. */
	rotate(steps = 1): void {
		if (!Number.isInteger(steps)) throw new TypeError(`${steps} is no integer`);
		this.transact(() => {
			const {length} = this;
			if (length === 0) return;
			const [from, to] = steps >= 0 ? (['back', 'front'] as const) : (['front', 'back'] as const);
			for (let left = Math.abs(steps) % length; left > 0; left--) {
				const [, value] = this.cache.pull({side: from, default: NO_ITEM});
				// Items whose files are lost were passed over, and there is none left.
				if (value === ENOVAL) return;
				this.cache.push(value, {side: to});
			}
		});
	}

	clear(): void {
		this.cache.clear(RETRY);
	}

	/** Another handle on the same items, with a connection of its own. */
	copy(): Deque<T> {
		const {timeout, disk} = this.cache;
		const cache = new Cache(this.directory, {timeout, disk: disk.constructor as DiskClass});
		return new Deque<T>([], {cache, maxlen: this.maxlen});
	}

	/** What another process opens it with: `new Deque([], options)`. */
	toJSON(): {directory: string; maxlen?: number} {
		// JSON has no Infinity.
		return {directory: this.directory, ...(this.maxlen < Infinity && {maxlen: this.maxlen})};
	}

	toString(): string {
		return `Deque(${JSON.stringify(this.directory)})`;
	}

	/** Below 0, 0 or above 0, as this sequence is before, equal to or behind `other`, item by item. */
	compare(other: Iterable<T>, compareItems?: (a: T, b: T) => number): number {
		return compareSequences(this, other, compareItems);
	}

	/** Only a sequence equals one: a map does not. */
	equals(other: Deque<T> | readonly T[]): boolean {
		if (!(other instanceof Deque || Array.isArray(other))) return false;
		return isDeepStrictEqual([...this], [...other]);
	}

	*[Symbol.iterator](): Generator<T> {
		for (const [, value] of this.#entries(false)) yield value;
	}

	*reversed(): Generator<T> {
		for (const [, value] of this.#entries(true)) yield value;
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

	#push(value: T, side: 'front' | 'back'): void {
		if (this.#maxlen === Infinity) {
			this.cache.push(value, {...RETRY, side});
			return;
		}

		this.transact(() => {
			this.cache.push(value, {side});
			this.#trim(side === 'back' ? 'front' : 'back');
		});
	}

	#trim(side: 'front' | 'back'): void {
		for (let over = this.length - this.#maxlen; over > 0; over--) this.cache.pull({side});
	}

	#valueOf([, value]: [unknown, unknown]): T | undefined {
		return value === ENOVAL ? undefined : (value as T);
	}

	*#entries(reverse: boolean): Generator<[key: unknown, value: T]> {
		for (const key of this.cache.iterkeys({reverse})) {
			const value = this.cache.get(key, {...RETRY, default: ENOVAL});
			if (value !== ENOVAL) yield [key, value as T];
		}
	}

	/** Keys from that place on, away from the end it is counted from. */
	*#keysFrom(index: number): Generator<unknown> {
		let left = index >= 0 ? index : -index - 1;
		if (!Number.isInteger(index)) return;
		for (const key of this.cache.iterkeys({reverse: index < 0})) if (left-- <= 0) yield key;
	}

	#existingKeyAt(index: number): unknown {
		for (const key of this.#keysFrom(index)) return key;
		throw new RangeError(`there is no item ${index}`);
	}
}

function openCache({directory, maxlen: _, ...options}: DequeOptions): Cache {
	return new Cache(directory, {...options, evictionPolicy: 'none'});
}

/** A deque as it is now: one that grew while it is gone through would have no end. */
function settled<T>(items: Iterable<T>): Iterable<T> {
	return items instanceof Deque ? ([...items] as T[]) : items;
}
