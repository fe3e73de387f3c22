/**
 * Keys that are neither number, text nor bytes, as bytes: equal keys always have the same, in each process and version
 * of Node. `v8.serialize` does not promise that: it tells apart how V8 happens to hold a string or a number.
 */

/**
 * JSON in which an object always is a type with its content, and a plain one has its properties sorted.
 *
 * `['a', {y: 1n, x: undefined}]` -> `["a",{"o":[["x",{"u":0}],["y",{"i":"1"}]]}]`
 *
 * @throws TypeError for what has no such form: functions, symbols, instances of classes, what contains itself.
 */
export function keyToText(key: unknown): string {
	return JSON.stringify(encode(key, []));
}

export function textToKey(text: string): unknown {
	return decode(JSON.parse(text));
}

function encode(value: unknown, within: readonly unknown[]): unknown {
	switch (typeof value) {
		case 'string':
		case 'boolean':
			return value;
		case 'number':
			// -0 is the same key as 0, as in a Map.
			return Number.isFinite(value) ? value + 0 : {n: String(value)};
		case 'bigint':
			return {i: String(value)};
		case 'undefined':
			return {u: 0};
		case 'object':
			return value === null ? null : encodeObject(value, within);
		case 'function':
		case 'symbol':
			throw new TypeError(`a ${typeof value} cannot be a key`);
	}
}

function encodeObject(value: object, outer: readonly unknown[]): unknown {
	if (outer.includes(value)) throw new TypeError('what contains itself cannot be a key');
	const within = [...outer, value];
	const inner = (one: unknown) => encode(one, within);
	if (Array.isArray(value)) return Array.from(value, inner);
	if (value instanceof Uint8Array) return {b: Buffer.from(value).toString('base64')};
	if (value instanceof Date) return {d: encode(value.getTime(), within)};
	if (value instanceof Map) return {m: Array.from(value, ([key, item]) => [inner(key), inner(item)])};
	if (value instanceof Set) return {s: Array.from(value, inner)};
	const prototype: unknown = Object.getPrototypeOf(value);
	if (prototype !== Object.prototype && prototype !== null) {
		throw new TypeError(`an instance of ${value.constructor.name} cannot be a key`);
	}

	const properties = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
	return {o: properties.map(([name, item]) => [name, inner(item)])};
}

type Decoder = (content: never) => unknown;

const DECODERS: Readonly<Record<string, Decoder>> = {
	n: (name: string) => Number(name),
	i: (digits: string) => BigInt(digits),
	u: () => undefined,
	b: (base64: string) => Buffer.from(base64, 'base64'),
	d: (time: unknown) => new Date(decode(time) as number),
	m: (items: ReadonlyArray<[unknown, unknown]>) => new Map(items.map(([key, item]) => [decode(key), decode(item)])),
	s: (items: readonly unknown[]) => new Set(items.map(decode)),
	o: (items: ReadonlyArray<[string, unknown]>) => Object.fromEntries(items.map(([name, item]) => [name, decode(item)])),
};

function decode(value: unknown): unknown {
	if (Array.isArray(value)) return value.map(decode);
	if (typeof value !== 'object' || value === null) return value;
	const [[type, content] = ['', undefined]] = Object.entries(value) as Array<[string, unknown]>;
	const decoder = DECODERS[type];
	if (decoder === undefined) throw new TypeError(`${type} is no type of a key`);
	return decoder(content as never);
}
