import {Holders, type LockOptions} from './holders.js';
import type {SharedCache} from './shared-cache.js';

/** A lock between processes, and between the tasks of one. Each `Lock` of a key excludes all others, and itself. */
export class Lock extends Holders {
	constructor(cache: SharedCache, key: unknown, options: LockOptions = {}) {
		super(cache, key, options, holders => holders.length === 0, 'a lock');
	}

	/** Whether anybody holds it. */
	locked(): boolean {
		return this.count > 0;
	}
}
