import {assertOptions, nameOf} from '../memoize.js';
import type {Holders, LockOptions} from './holders.js';
import type {SharedCache} from './shared-cache.js';

export interface BarrierOptions extends LockOptions {
	/** The function's own name, unless told. */
	readonly name?: string;
}

type LockFactory = new (cache: SharedCache, key: unknown, options: LockOptions) => Holders;

/** Makes a function one whose calls, in all processes, go on one after the other: `barrier(cache, Lock)(work)`. */
export function barrier(cache: SharedCache, lockFactory: LockFactory, options: BarrierOptions = {}) {
	assertOptions(options);
	const {name, ...lockOptions} = options;
	return <Args extends unknown[], R>(work: (...args: Args) => R | Promise<R>) => {
		const key = nameOf(work, name);
		// One for each call: an RLock lets itself in.
		const call = (...args: Args): Promise<R> => new lockFactory(cache, key, lockOptions).run(() => work(...args));
		return Object.assign(call, {cacheKey: () => key, wrapped: work});
	};
}
