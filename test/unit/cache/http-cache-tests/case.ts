/** A case of the http-cache-tests suite as data: what is asked, what the origin answers, and what then has to be seen. */

/** What the suite makes of a case: a rule of HTTP, what a good cache does, or a mere question. */
export type Kind = 'required' | 'optimal' | 'check';

/** A header as it is sent. A number is a date, that many seconds from the origin's now. */
export type Field = readonly [name: string, value: string | number];

/** What a client sends besides its usual headers. */
export type RequestHeaders = Readonly<Record<string, string>>;

/** What a request had to carry, by lower-case name; undefined for a header that had to be missing. */
export type Carried = Readonly<Record<string, string | undefined>>;

/**
 * What is seen of one request, by the origin and by the client:
 *
 * - `asked`: the origin was asked, and its answer is what the client got, be it an error;
 * - `cached`: it was not asked, and the client got what it had got before;
 * - `validated`: it was asked with these headers, answered 304, and the client got the bytes it had got before;
 * - `stale`: it was asked, failed, and the client got the bytes it had got before;
 * - `meanwhile`: the client got the bytes it had got before, and the origin was asked nevertheless.
 */
export type Expectation =
	'asked' | 'cached' | 'stale' | 'meanwhile' | {readonly asked: Carried} | {readonly validated: Carried};

/** One request, and the answer it gets should it reach the origin. */
export interface Step {
	readonly request?: RequestHeaders;
	/** Of the URL, without the question mark. */
	readonly query?: string;
	/** Only these bytes are read: from the first, up to before the second. */
	readonly part?: readonly [start: number, end: number];
	/** 200 unless told. */
	readonly status?: number;
	/** `Date` is the origin's now unless told. */
	readonly headers?: readonly Field[];
	/** One of its own unless told, so that bytes tell which answer they are from. */
	readonly body?: string;
	/** An answer that comes before the answer. */
	readonly interim?: 103;
	/** The connection is closed in the place of an answer. */
	readonly closes?: true;
	readonly expect: Expectation;
	/** Which step the bytes are from, counted from 1, where it is not the last that was answered in full. */
	readonly from?: number;
	/** Seconds that pass afterwards. */
	readonly pauseS?: number;
}

/** What we do in the place of what the suite expects; of a question it is the other answer. */
export interface Deviation {
	readonly why: string;
	/** By the number of the step, counted from 1. */
	readonly expect: Readonly<Record<number, Expectation>>;
}

export interface Case {
	/** As the suite has it. */
	readonly id: string;
	readonly kind: Kind;
	/** What holds where the case holds, in words of our own. */
	readonly name: string;
	readonly steps: readonly Step[];
	readonly deviates?: Deviation;
}

/** How long the suite pauses where it does. */
export const PAUSE_S = 3;

/** What most cases have in common. */
interface Common {
	/** No pause between the requests. */
	readonly atOnce?: true;
	/** Of both answers. */
	readonly status?: number;
	/** What we do instead of reusing, or of asking again. */
	readonly deviates?: string;
}

/** An answer with these headers is used for the next request. */
export function reused(id: string, kind: Kind, name: string, headers: readonly Field[], common: Common = {}): Case {
	return twice({id, kind, name}, headers, 'cached', common);
}

/** An answer with these headers is not used for the next request, unless the origin is asked first. */
export function askedAgain(id: string, kind: Kind, name: string, headers: readonly Field[], common: Common = {}): Case {
	return twice({id, kind, name}, headers, 'asked', common);
}

function twice(
	row: Pick<Case, 'id' | 'kind' | 'name'>,
	headers: readonly Field[],
	expect: 'asked' | 'cached',
	{atOnce, status = 200, deviates}: Common,
): Case {
	const first: Step = {status, headers, expect: 'asked', pauseS: atOnce ? 0 : PAUSE_S};
	const instead = expect === 'asked' ? 'cached' : 'asked';
	return {
		...row,
		steps: [first, {status, expect}],
		...(deviates !== undefined && {deviates: {why: deviates, expect: {2: instead}}}),
	};
}
