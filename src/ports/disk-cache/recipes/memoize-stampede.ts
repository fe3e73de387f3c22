import {SingleFlight} from '../../../base/single-flight.js';
import {ENOVAL} from '../constants.js';
import {keyToText} from '../key-bytes.js';
import {assertOptions, keyMaker, nameOf, type NamingOptions} from '../memoize.js';
import type {Tag} from '../options.js';
import {Lock} from './lock.js';
import {RETRY, type SharedCache} from './shared-cache.js';

export interface StampedeOptions extends NamingOptions {
	readonly tag?: Tag | null;
	/** Above 1 results are made anew earlier, below 1 later. */
	readonly beta?: number;
	/** From 0 to below 1. */
	readonly random?: () => number;
}

interface Kept {
	readonly value: unknown;
	/** Seconds that it took. */
	readonly delta: number;
	readonly until: number;
}

/**
 * Makes a function of one whose results are kept for `expire` seconds. Not all who
 * ask when a result expires make it anew: one of them does so before, by a chance
 * that grows towards the end and with the time it takes, while the others and it
 * itself get what is there. While there is none, one of all processes makes it, and
 * who asks meanwhile waits for that.
 *
 * @see Vattani, Chierichetti, Lowenstein: Optimal Probabilistic Cache Stampede Prevention, VLDB 2015
 */
export function memoizeStampede(cache: SharedCache, expire: number, options: StampedeOptions = {}) {
	assertOptions(options);
	const {tag = null, beta = 1, random = Math.random} = options;
	return <Args extends unknown[], R>(work: (...args: Args) => R | Promise<R>) => {
		const cacheKey = keyMaker<Args>(nameOf(work, options.name), options.ignore);
		const running = new SingleFlight<string, unknown>();
		const make = async (key: unknown, args: Args) => {
			const started = performance.now();
			const value = await work(...args);
			const delta = (performance.now() - started) / 1000;
			const kept: Kept = {value, delta, until: cache.now() + expire};
			cache.set(key, kept, {expire, tag, ...RETRY});
			return value;
		};
		const find = (key: unknown) => cache.get(key, {...RETRY, default: ENOVAL}) as Kept | typeof ENOVAL;
		const makeFirst = (key: unknown[], args: Args) =>
			new Lock(cache, [...key, 'first']).run(() => {
				const kept = find(key);
				return kept === ENOVAL ? make(key, args) : kept.value;
			});
		const isEarly = ({delta, until}: Kept) => -delta * beta * Math.log(1 - random()) >= until - cache.now();
		const call = async (...args: Args): Promise<R> => {
			const key = cacheKey(...args);
			const kept = find(key);
			if (kept === ENOVAL) return (await running.run(keyToText(key), () => makeFirst(key, args))) as R;
			// One of all processes, as long as it takes.
			if (isEarly(kept) && cache.add([...key, 'early'], null, {expire: kept.delta, ...RETRY})) {
				// Should it fail, the next who finds nothing hears of it.
				running.run(keyToText(key), () => make(key, args)).catch(() => undefined);
			}

			return kept.value as R;
		};
		return Object.assign(call, {cacheKey, wrapped: work});
	};
}
