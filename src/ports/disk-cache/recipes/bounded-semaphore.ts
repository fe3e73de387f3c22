import {Holders, type LockOptions} from './holders.js';
import type {SharedCache} from './shared-cache.js';

/** Lets so many at a time in, of all processes together. */
export class BoundedSemaphore extends Holders {
	/** @throws RangeError for a value that is no count above 0. */
	constructor(cache: SharedCache, key: unknown, value = 1, options: LockOptions = {}) {
		if (!(Number.isSafeInteger(value) && value > 0)) throw new RangeError(`a semaphore cannot let ${value} in`);
		super(cache, key, options, holders => holders.length < value, 'a semaphore');
	}
}
