import {Holders, type LockOptions} from './holders.js';
import type {SharedCache} from './shared-cache.js';

/**
 * A lock that its holder may take again; it is free once it was released as
 * often. The holder is the `RLock`: tasks that are to exclude each other each need one of their own.
 */
export class RLock extends Holders {
	constructor(cache: SharedCache, key: unknown, options: LockOptions = {}) {
		super(cache, key, options, (holders, own) => holders.every(({id}) => id === own), 'a lock');
	}
}
