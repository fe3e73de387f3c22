/** Functions that look for their result in a cache first. */
import {ENOVAL} from './constants.js';

/** What keeps results. */
export interface Results {
	get(key: unknown, options: {default: unknown; retry: boolean}): unknown;
	set(key: unknown, value: unknown, options: {expire?: number | null; tag?: string | null; retry: boolean}): unknown;
}

export interface NamingOptions {
	/** What results are kept under, beside the arguments; the function's own name, unless told. */
	readonly name?: string;
	/** Positions of arguments that make no difference, and names of properties of the last one, if that is a plain object. */
	readonly ignore?: Iterable<number | string>;
}

export interface MemoizeOptions extends NamingOptions {
	/** Seconds that a result is kept. With 0 or less none is. */
	readonly expire?: number | null;
	readonly tag?: string | null;
}

/** A function with what it was made of. */
export interface Memoized<Args extends unknown[], R> {
	(...args: Args): R;
	/** The key under which the result for these arguments is kept. */
	cacheKey(...args: Args): unknown[];
	/** The function itself, which looks nowhere. */
	readonly wrapped: (...args: Args) => R;
}

export type Memoizer = <Args extends unknown[], R>(work: (...args: Args) => R) => Memoized<Args, R>;

/** Functions that return promises stay such; what they reject with is not kept. */
export function memoized(results: Results, options: MemoizeOptions): Memoizer {
	assertOptions(options);
	return <Args extends unknown[], R>(work: (...args: Args) => R) => {
		const cacheKey = keyMaker<Args>(nameOf(work, options.name), options.ignore);
		const {expire = null, tag = null} = options;
		const keep = (key: unknown, value: unknown) => {
			if (expire === null || expire > 0) results.set(key, value, {expire, tag, retry: true});
		};
		const call = (...args: Args): R => {
			const key = cacheKey(...args);
			const found = results.get(key, {default: ENOVAL, retry: true});
			if (found !== ENOVAL) return revived(found) as R;
			const result = work(...args);
			if (!(result instanceof Promise)) {
				keep(key, {value: result});
				return result;
			}

			return result.then((value: unknown) => {
				keep(key, {promised: value});
				return value;
			}) as R;
		};
		return Object.assign(call, {cacheKey, wrapped: work});
	};
}

/** A result is kept with whether it was a promise, so that a hit is one as well. */
function revived(kept: unknown): unknown {
	const result = kept as {value: unknown} | {promised: unknown};
	return 'promised' in result ? Promise.resolve(result.promised) : result.value;
}

/** @throws TypeError for a function, which belongs to the result of the call. */
export function assertOptions(options: unknown): void {
	if (typeof options === 'function') throw new TypeError('the function goes to the result: cache.memoize()(function)');
}

/** @throws TypeError for a function without a name, whose results nobody would find again. */
export function nameOf(work: unknown, name: string | undefined): string {
	if (typeof work !== 'function') throw new TypeError('call memoize first: cache.memoize()(function)');
	const found = name ?? work.name;
	if (found === '') throw new TypeError('a function without a name needs the option name');
	return found;
}

export function keyMaker<Args extends unknown[]>(name: string, ignore: Iterable<number | string> = []) {
	const ignored = new Set(ignore);
	const isLeft = (part: number | string) => !ignored.has(part);
	const named = [...ignored].some(part => typeof part === 'string');
	return (...args: Args): unknown[] => {
		const last = args.at(-1);
		const all = named && isOptions(last) ? [...args.slice(0, -1), withoutNames(last, isLeft)] : args;
		return [name, ...all.filter((_, index) => isLeft(index))];
	};
}

/** What stands for arguments by name. */
function isOptions(value: unknown): value is object {
	return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

function withoutNames(options: object, isLeft: (name: string) => boolean): object {
	return Object.fromEntries(Object.entries(options).filter(([name]) => isLeft(name)));
}
