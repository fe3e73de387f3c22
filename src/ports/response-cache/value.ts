/** Values that are no responses: data as JSON, with tags for what JSON has no form for. */

/** Bytes come back as `Uint8Array`, whatever kind they were. */
export type CachedValue =
	| null
	| boolean
	| number
	| bigint
	| string
	| Date
	| Uint8Array
	| readonly CachedValue[]
	| {readonly [name: string]: CachedValue | undefined};

/** A member of this name is a tag: `{"$": "date", "of": "2026-01-01T…"}`. */
const TAG = '$';

/** @throws TypeError for what is no `CachedValue`. */
export function encodeValue(value: CachedValue): string {
	return JSON.stringify(tagged(value, 0));
}

/** @throws TypeError for what `encodeValue` has not made. */
export function decodeValue(text: string): CachedValue {
	return untagged(JSON.parse(text));
}

const MAX_DEPTH = 900;

function tagged(value: unknown, depth: number): unknown {
	if (depth > MAX_DEPTH) throw new TypeError(`a value is nested deeper than ${MAX_DEPTH} levels`);
	if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
	if (typeof value === 'number') return Number.isFinite(value) && !Object.is(value, -0) ? value : tag('number', value);
	if (typeof value === 'bigint') return tag('bigint', value);
	if (value instanceof Date) return tag('date', value.getTime());
	if (value instanceof Uint8Array) return tag('bytes', Buffer.from(value).toString('base64'));
	if (Array.isArray(value)) return Array.from(value, item => tagged(item, depth + 1));
	if (isPlain(value)) return taggedObject(value, depth);
	throw new TypeError(`a value of type ${typeof value} cannot be cached, or not as what it is`);
}

function tag(kind: string, of: unknown): unknown {
	return {[TAG]: kind, of: Object.is(of, -0) ? '-0' : String(of)};
}

function taggedObject(value: object, depth: number): unknown {
	const members = Object.entries(value).filter(([, member]) => member !== undefined);
	const object = members.map(([name, member]) => [name, tagged(member, depth + 1)] as const);
	// One with a member of that name is told as a list.
	return members.some(([name]) => name === TAG) ? {[TAG]: 'object', of: object} : Object.fromEntries(object);
}

function isPlain(value: unknown): value is object {
	if (typeof value !== 'object' || value === null) return false;
	const prototype: unknown = Object.getPrototypeOf(value);
	return prototype === null || prototype === Object.prototype;
}

function untagged(value: unknown): CachedValue {
	if (Array.isArray(value)) return value.map(untagged);
	if (typeof value !== 'object' || value === null) return value as CachedValue;
	const {[TAG]: kind, of} = value as {[TAG]?: unknown; of?: unknown};
	if (kind === undefined) {
		return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, untagged(member)]));
	}

	if (kind === 'object' && Array.isArray(of)) {
		return Object.fromEntries((of as [string, unknown][]).map(([name, member]) => [name, untagged(member)]));
	}

	if (typeof of !== 'string') throw new TypeError('a tag without what it is of');
	if (kind === 'number') return Number(of);
	if (kind === 'bigint') return BigInt(of);
	if (kind === 'date') return new Date(Number(of));
	if (kind === 'bytes') return new Uint8Array(Buffer.from(of, 'base64'));
	throw new TypeError('a tag that is not known');
}
