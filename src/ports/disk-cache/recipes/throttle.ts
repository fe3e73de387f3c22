import {setTimeout as delay} from 'node:timers/promises';
import {assertOptions, nameOf} from '../memoize.js';
import {RETRY, type ItemOptions, type SharedCache} from './shared-cache.js';

export interface ThrottleOptions extends ItemOptions {
	/** The function's own name, unless told. */
	readonly name?: string;
	/** Seconds, from any beginning that all have in common; the cache's own clock, unless told. */
	readonly time?: () => number;
	/** Seconds. */
	readonly sleep?: (seconds: number) => Promise<unknown>;
}

/**
 * Makes a function one that is called `count` times in `seconds` at most, by all
 * processes together; a call waits for its turn.
 */
export function throttle(cache: SharedCache, count: number, seconds: number, options: ThrottleOptions = {}) {
	assertOptions(options);
	const rate = count / seconds;
	if (!(rate > 0 && rate < Infinity)) throw new RangeError(`${count} calls in ${seconds} seconds is no rate`);
	const {time = () => cache.now(), sleep = (s: number) => delay(s * 1000), expire = null, tag = null} = options;
	return <Args extends unknown[], R>(work: (...args: Args) => R | Promise<R>) => {
		const key = nameOf(work, options.name);
		/** Seconds until there may be a turn; 0 for one that was taken. */
		const take = () => {
			const now = time();
			const [last, tally] = cache.get(key, {...RETRY, default: [now, count]}) as [number, number];
			// A clock that was set back adds nothing, and takes nothing away.
			const turns = Math.min(count, tally + Math.max(0, now - last) * rate);
			const isTurn = turns >= 1;
			if (isTurn || now < last) cache.set(key, [now, isTurn ? turns - 1 : turns], {expire, tag, ...RETRY});
			return isTurn ? 0 : (1 - turns) / rate;
		};
		const call = async (...args: Args): Promise<R> => {
			for (let wait; (wait = cache.transact(take, RETRY)) > 0;) await sleep(wait);
			return work(...args);
		};
		return Object.assign(call, {cacheKey: () => key, wrapped: work});
	};
}
