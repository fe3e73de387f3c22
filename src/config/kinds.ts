/** How the value of a setting is written, in a flag, a variable or YAML alike, and what it becomes. */
import path from 'node:path';
import {z} from 'zod';
import {parseHostPattern} from '../base/host-pattern.js';
import {parseDuration, parseRate, parseSize} from '../base/units.js';

/** Where a value was written: what its relative paths start from, and whose home `~` is. */
export interface Place {
	readonly directory: string;
	readonly home: string;
}

export interface Kind<T> {
	/** Ends the sentence "expected …". */
	readonly expects: string;
	/** The word for the value in a flag's usage; none for a flag without a value. */
	readonly argument: string | undefined;
	schema(place: Place): z.ZodType<T>;
}

/** A size in bytes. */
export const SIZE: Kind<number> = {
	expects: 'a size such as 500MB or 10GB',
	argument: 'size',
	schema: () => z.union([z.string(), z.number()]).transform(attempt(parseSize)),
};

/** A rate in bytes a second. Zero is refused: it would be a wait without an end. */
export const RATE: Kind<number> = {
	expects: 'a rate in bytes such as 500KB/s or 10MB/s',
	argument: 'rate',
	schema: () => z.string().transform(attempt(parseRate)),
};

/** setTimeout takes no more, and fires at once instead. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** A duration in milliseconds. A bare number is refused, because half of its writers mean seconds. */
export const DURATION: Kind<number> = {
	expects: 'a duration with its unit, from 1ms to 24d, such as 500ms, 30s or 5m',
	argument: 'duration',
	schema: () => durationWithUnit().pipe(z.number().min(1).max(LONGEST_TIMER_MS)),
};

/** A time in milliseconds that something may last; no timer has to hold it, so it may be years. */
export const AGE: Kind<number> = {
	expects: 'a duration with its unit, such as 12h, 90d or 1y',
	argument: 'duration',
	schema: () => durationWithUnit().pipe(z.number().min(1)),
};

export const BOOLEAN: Kind<boolean> = {
	expects: 'true or false',
	argument: undefined,
	schema: () => z.union([z.boolean(), z.stringbool()]),
};

/**
 * Hosts as `parseHostPattern` takes them, each without the spaces around it: separated by commas, or a list
 * in YAML; `none` is a list of none.
 */
export const HOSTS: Kind<readonly string[]> = {
	expects: 'hosts separated by commas, such as example.org, *.example.org, 192.0.2.7 or 10.0.0.0/8, or none',
	argument: 'hosts|none',
	schema: () => {
		const none = z.literal('none').transform((): string[] => []);
		const list = z.string().transform(text => text.split(','));
		const host = z.string().transform(attempt(text => parseHostPattern(text).text));
		return z.union([none, list.pipe(z.array(host)), z.array(host)]);
	},
};

/** One line that an HTTP header can carry. */
export const HEADER: Kind<string> = {
	expects: 'one line of printable ASCII',
	argument: 'text',
	schema: () => z.string().regex(/^[\x20-\x7e]+$/),
};

/** A path, made absolute. */
export const PATH: Kind<string> = {
	expects: 'a path',
	argument: 'path',
	schema: place =>
		z
			.string()
			.min(1)
			.transform(text => absolute(text, place)),
};

/** A program: a path, made absolute, or a name to be found on PATH. */
export const PROGRAM: Kind<string | undefined> = {
	expects: 'a path, or the name of a program on PATH',
	argument: 'path',
	schema: place =>
		z
			.string()
			.min(1)
			.transform(text => (text.includes('/') ? absolute(text, place) : text)),
};

export function count(atLeast: 0 | 1): Kind<number> {
	const digits = z.string().regex(/^\d+$/).transform(Number);
	return {
		expects: `a whole number of ${atLeast} or more`,
		argument: 'number',
		schema: () => z.union([z.number(), digits]).pipe(z.int().min(atLeast)),
	};
}

export function choice<const T extends string>(words: readonly T[]): Kind<T> {
	return {expects: `one of ${words.join(', ')}`, argument: words.join('|'), schema: () => z.enum(words)};
}

/** A limit that the word `none` lifts: it is then Infinity. */
export function orNone(limit: Kind<number>): Kind<number> {
	const none = z.literal('none').transform(() => Infinity);
	return {
		expects: `${limit.expects}, or none`,
		argument: `${limit.argument}|none`,
		schema: place => z.union([none, limit.schema(place)]),
	};
}

function durationWithUnit() {
	return z
		.string()
		.regex(/[a-z]\s*$/i)
		.transform(attempt(parseDuration));
}

function absolute(text: string, {directory, home}: Place): string {
	return path.resolve(directory, text.replace(/^~(?=\/|$)/, home));
}

function attempt<In, Out>(parse: (value: In) => Out) {
	return (value: In, context: z.RefinementCtx<In>): Out => {
		try {
			return parse(value);
		} catch {
			context.addIssue({code: 'custom'});
			return z.NEVER;
		}
	};
}
