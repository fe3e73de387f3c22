/** How the value of a setting is written, in a flag, a variable or YAML alike, and what it becomes. */
import path from 'node:path';
import {z} from 'zod';
import {messageOf} from '../base/errors.js';
import {parseHostPattern} from '../base/host-pattern.js';
import type {FreshnessRule, HostRule} from '../base/host-rule.js';
import {parseDuration, parseRate, parseSize} from '../base/units.js';
import {parseFreshness} from './freshness.js';
import {parseHosts} from './hosts.js';

/** Where a value was written: what its relative paths start from, and whose home `~` is. */
export interface Place {
	readonly directory: string;
	readonly home: string;
	/** What variables within a value stand for. */
	readonly env: Readonly<Record<string, string | undefined>>;
}

export interface Kind<T> {
	/** Ends the sentence "expected …". */
	readonly expects: string;
	/** The word for the value in a flag's usage; none for a flag without a value. */
	readonly argument: string | undefined;
	/** Whether its value is left out of messages; what is wrong with it they say in the words of its schema. */
	readonly isSecret?: true;
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

/** The section of what requests to some hosts carry. See `parseHosts`. */
export const HOST_RULES: Kind<readonly HostRule[]> = {
	expects: 'hosts, each with what requests to it carry',
	argument: undefined,
	isSecret: true,
	schema: ({env}) => z.unknown().transform(attempt(value => parseHosts(value, env))),
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

/** A path, made absolute, or none. */
export const PATH_OR_NONE: Kind<string | undefined> = {
	expects: 'a path, or none',
	argument: 'path|none',
	schema: place => z.union([z.literal('none').transform(() => undefined), PATH.schema(place)]),
};

/** How long what is stored counts as what the origin has; a duration in milliseconds. */
export const FRESHNESS: Kind<FreshnessRule> = {
	expects: 'forever, http, or a duration with its unit such as 12h or 90d',
	argument: 'forever|http|duration',
	schema: () => z.string().transform(attempt(parseFreshness)),
};

const A_PROXY = 'auto, none or a URL such as http://proxy.example.org:3128';

/** The URL of a proxy, or a word. It may hold credentials. */
export const PROXY: Kind<string> = {
	expects: A_PROXY,
	argument: 'auto|none|url',
	isSecret: true,
	schema: () => z.string(`expected ${A_PROXY}`).refine(isProxy, `expected ${A_PROXY}`),
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

/** A descriptor that was handed in; 0 to 2 are for other things. */
export const DESCRIPTOR: Kind<number | undefined> = {
	expects: 'the number of an open descriptor, 3 or more, or none',
	argument: 'number|none',
	schema: () => {
		const digits = z.string().regex(/^\d+$/).transform(Number);
		const number = z.union([z.number(), digits]).pipe(z.int().min(3));
		return z.union([z.literal('none').transform(() => undefined), number]);
	},
};

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

function isProxy(text: string): boolean {
	if (text === 'auto' || text === 'none') return true;
	return /^https?:\/\//i.test(text) && URL.canParse(text) && /^\/?$/.test(new URL(text).pathname);
}

const UNIT = /[a-z]\s*$/i;

function durationWithUnit() {
	return z.string().regex(UNIT).transform(attempt(parseDuration));
}

function absolute(text: string, {directory, home}: Place): string {
	return path.resolve(directory, text.replace(/^~(?=\/|$)/, home));
}

function attempt<In, Out>(parse: (value: In) => Out) {
	return (value: In, context: z.RefinementCtx<In>): Out => {
		try {
			return parse(value);
		} catch (error) {
			context.addIssue({code: 'custom', message: messageOf(error)});
			return z.NEVER;
		}
	};
}
