/** JSON that Python and JavaScript read alike. */

export type JsonValue =
	null | boolean | number | string | readonly JsonValue[] | {readonly [name: string]: JsonValue | undefined};

/**
 * As `JSON.stringify`, in ASCII alone as Python writes it; members that are
 * undefined are left out.
 *
 * @throws TypeError for what JSON has no form for, where `JSON.stringify` would
 *   write something else: NaN, Infinity, Date, Map, functions, undefined.
 */
export function toJson(value: JsonValue): string {
	check(value, 0);
	return JSON.stringify(value).replace(NOT_ASCII, escape);
}

const NOT_ASCII = /[\u007f-\uffff]/g;

function escape(unit: string): string {
	return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** Python's own reader gives up at a depth of 1,000 or so. */
const MAX_DEPTH = 900;

function check(value: unknown, depth: number): void {
	if (depth > MAX_DEPTH) throw new TypeError(`a body is nested deeper than ${MAX_DEPTH} levels`);
	if (value === null || typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value)) return;
	if (Array.isArray(value)) {
		// Not forEach, which passes over holes.
		for (const item of value) check(item, depth + 1);
	} else if (isPlain(value)) {
		for (const item of Object.values(value)) if (item !== undefined) check(item, depth + 1);
	} else {
		throw new TypeError(`JSON has no form for ${typeof value === 'number' ? value : `a body of type ${typeof value}`}`);
	}
}

function isPlain(value: unknown): value is object {
	if (typeof value !== 'object' || value === null || 'toJSON' in value) return false;
	const prototype: unknown = Object.getPrototypeOf(value);
	return prototype === null || prototype === Object.prototype;
}

/**
 * Whether JavaScript reads every whole number of a JSON text as the number that
 * it says: of those over 2^53 it rounds some.
 *
 * `9007199254740993` -> false; `9007199254740992` and `1e300` -> true
 */
export function hasExactIntegers(json: string): boolean {
	if (!LONG_DIGITS.test(json)) return true;
	for (const [token] of json.matchAll(TOKENS)) {
		if (WHOLE.test(token) && BigInt(token) !== BigInt(Number(token))) return false;
	}

	return true;
}

/** 2^53 has 16 digits. */
const LONG_DIGITS = /\d{16}/;
const TOKENS = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g;
const WHOLE = /^-?\d{16,}$/;
