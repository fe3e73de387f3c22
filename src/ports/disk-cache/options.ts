/** What the calls of a cache take and give. Times are in seconds, moments since the epoch, as in the original. */
import type {Clock} from '../../base/clock.js';
import type {DiskClass} from './disk.js';
import type {Settings} from './settings.js';

export type Tag = string | number | Uint8Array;
export type Side = 'front' | 'back';

export interface CacheOptions extends Partial<Settings> {
	/** Seconds that a call waits for the lock of another connection: 60. */
	readonly timeout?: number;
	/** How keys and values are kept: `Disk`. */
	readonly disk?: DiskClass;
	readonly clock?: Clock;
}

export interface RetryOptions {
	/** Wait for the lock of another connection however long it takes, instead of throwing `Timeout`: false; of a `FanoutCache` true. */
	readonly retry?: boolean;
}

export interface SetOptions extends RetryOptions {
	/** Seconds until the item expires; never, if it is left out. */
	readonly expire?: number | null;
	/** `evict` removes items by it. */
	readonly tag?: Tag | null;
	/** The value is a stream of bytes, whose content is to be stored. */
	readonly read?: false;
}

/**
 * A time that is no number would never come, and a list would be taken for several columns.
 *
 * @throws TypeError
 */
export function assertItemOptions({expire = null, tag = null}: Pick<SetOptions, 'expire' | 'tag'>): void {
	if (expire !== null && !isNumber(expire)) throw new TypeError(`expire is ${String(expire)}, no number of seconds`);
	if (tag === null || typeof tag === 'string' || isNumber(tag) || tag instanceof Uint8Array) return;
	throw new TypeError('a tag is a text, a number or bytes');
}

function isNumber(value: unknown): boolean {
	return typeof value === 'number' && !Number.isNaN(value);
}

export interface StreamOptions extends Omit<SetOptions, 'read'> {
	readonly read: true;
}

export interface FieldOptions extends RetryOptions {
	/** What stands for a value that is not there. */
	readonly default?: unknown;
	/** Tell when the item expires. */
	readonly expireTime?: boolean;
	/** Tell the item's tag. */
	readonly tag?: boolean;
}

export interface GetOptions extends FieldOptions {
	/** Bytes and texts that have a file as a stream of it. */
	readonly read?: boolean;
}

export interface QueueOptions extends FieldOptions {
	/** The queue; integers are the keys of the one without. */
	readonly prefix?: string | null;
	readonly side?: Side;
}

export interface PeekItemOptions extends FieldOptions {
	/** The last: true. */
	readonly last?: boolean;
}

export type ExpireTime = number | null;

interface WithBoth {
	readonly expireTime: true;
	readonly tag: true;
}

interface WithExpireTime {
	readonly expireTime: true;
	readonly tag?: false;
}

interface WithTag {
	readonly expireTime?: false;
	readonly tag: true;
}

/** The value, and what else the options ask for. */
export interface Getter<Args extends unknown[], O extends FieldOptions> {
	<T = unknown>(...args: [...Args, options: O & WithBoth]): [T | undefined, ExpireTime, Tag | null];
	<T = unknown>(...args: [...Args, options: O & WithExpireTime]): [T | undefined, ExpireTime];
	<T = unknown>(...args: [...Args, options: O & WithTag]): [T | undefined, Tag | null];
	<T = unknown>(...args: [...Args, options?: O]): T | undefined;
}

/** The same of an item: its key with its value. */
export interface ItemGetter<O extends FieldOptions> {
	<T = unknown>(options: O & WithBoth): [[key: unknown, value: T | undefined], ExpireTime, Tag | null];
	<T = unknown>(options: O & WithExpireTime): [[key: unknown, value: T | undefined], ExpireTime];
	<T = unknown>(options: O & WithTag): [[key: unknown, value: T | undefined], Tag | null];
	<T = unknown>(options?: O): [key: unknown, value: T | undefined];
}

/** `value` alone, or with what was asked for. */
export function withFields(value: unknown, options: FieldOptions, expireTime: ExpireTime, tag: Tag | null): unknown {
	if (options.expireTime === true) return options.tag === true ? [value, expireTime, tag] : [value, expireTime];
	return options.tag === true ? [value, tag] : value;
}
