/** What a `FanoutCache` does when another process has the lock of a shard. */
import {Timeout} from './errors.js';
import type {RetryOptions} from './options.js';

/** It waits, unless something else is said. */
export function waiting<O extends RetryOptions>(options: O): O {
	return options.retry === undefined ? {...options, retry: true} : options;
}

/** The fallback where the lock was not to be had in time. */
export function quietly<T, F>(fallback: F, work: () => T): T | F {
	try {
		return work();
	} catch (error) {
		if (error instanceof Timeout) return fallback;
		throw error;
	}
}

/** The same of a promise, with false for a fallback. */
export function toFalse(error: unknown): false {
	if (error instanceof Timeout) return false;
	throw error;
}

/** Over and over until the lock was to be had. */
export function retried<T>(work: () => T): T {
	for (;;) {
		try {
			return work();
		} catch (error) {
			if (!(error instanceof Timeout)) throw error;
		}
	}
}
