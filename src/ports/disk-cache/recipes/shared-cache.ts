import type {Tag} from '../options.js';

/** What the recipes need of a cache: a `Cache` or a `FanoutCache`. */
export interface SharedCache {
	get(key: unknown, options: {default: unknown; retry: boolean}): unknown;
	set(key: unknown, value: unknown, options: ItemOptions & {retry: boolean}): unknown;
	add(key: unknown, value: unknown, options: ItemOptions & {retry: boolean}): boolean;
	pop(key: unknown, options: {default: unknown; retry: boolean}): unknown;
	delete(key: unknown, options: {retry: boolean}): boolean;
	pin(key: unknown): boolean;
	fence(key: unknown): number;
	transact<T>(work: () => T, options: {retry: boolean}): T;
	now(): number;
}

export interface ItemOptions {
	/** Seconds. */
	readonly expire?: number | null;
	readonly tag?: Tag | null;
}

export const RETRY = {retry: true};
