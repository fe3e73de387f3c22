import {createHash, hash} from 'node:crypto';

/** What a key is made of. */
export interface KeyedRequest {
	readonly method: string;
	readonly url: string;
	readonly headers?: Headers;
	/** As it is sent. */
	readonly body?: Uint8Array | undefined;
}

export interface KeyOptions {
	/** Names that do not count, of query parameters, form fields, members of JSON bodies and headers. */
	readonly ignoredParameters?: readonly string[];
	/** Whether all headers count; without it those that say who asks do. */
	readonly includeHeaders?: boolean;
}

/** Who asks with others is somebody else, and gets other answers. */
const CREDENTIALS = ['authorization', 'cookie'];

type Part = readonly [kind: string, value: string | Uint8Array];

/** Half of a key: 128 bits. */
const HALF_DIGITS = 32;
/** The second half of most keys. */
const OF_NOTHING = hash('sha256', '', 'hex').slice(0, HALF_DIGITS);

/**
 * The key of a request: 64 hex digits, of which the first half is that of
 * method and URL. The order of query parameters does not count, that of equal
 * names does. Each part is hashed with its kind and its length, so that no two
 * requests have one key by being put together alike.
 */
export function keyOf({method, url, headers, body}: KeyedRequest, options: KeyOptions = {}): string {
	const said: Part[] = [];
	const {ignoredParameters: ignored = [], includeHeaders} = options;
	for (const [name, value] of headers ?? []) {
		const counts = includeHeaders === true || CREDENTIALS.includes(name);
		if (counts && !ignored.some(each => each.toLowerCase() === name)) said.push(['header', name], ['value', value]);
	}

	if (body !== undefined) said.push(...partsOfBody(body, headers?.get('content-type') ?? '', new Set(ignored)));
	return keyPrefixOf(method, url, ignored) + (said.length === 0 ? OF_NOTHING : digestOf(said));
}

/** What the keys of all requests for a URL begin with. */
export function keyPrefixOf(method: string, url: string, ignoredParameters: readonly string[] = []): string {
	const parts = [
		labelled('method', method.toUpperCase()),
		labelled('url', normalized(url, new Set(ignoredParameters))),
	];
	// One call costs a third of what an object for it does.
	return hash('sha256', parts.join(''), 'hex').slice(0, HALF_DIGITS);
}

function normalized(url: string, ignored: ReadonlySet<string>): string {
	const parsed = new URL(url);
	parsed.hash = '';
	// What is there once need not be sorted, and is left as it is spelled.
	if (!parsed.search.includes('&') && ignored.size === 0) return parsed.href;
	const pairs = parsed.search.slice(1).split('&');
	const named = pairs.map(pair => [nameOf(pair), pair] as const).filter(([name]) => !ignored.has(name));
	named.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
	parsed.search = named.map(([, pair]) => pair).join('&');
	return parsed.href;
}

function nameOf(pair: string): string {
	return [...new URLSearchParams(pair).keys()][0] ?? '';
}

function partsOfBody(body: Uint8Array, contentType: string, ignored: ReadonlySet<string>): Part[] {
	const type = contentType.split(';', 1)[0]?.trim().toLowerCase() ?? '';
	return [
		['type', type],
		['body', ignored.size === 0 ? body : withoutIgnored(body, type, ignored)],
	];
}

function withoutIgnored(body: Uint8Array, type: string, ignored: ReadonlySet<string>): string | Uint8Array {
	const text = () => Buffer.from(body).toString('utf8');
	if (type === 'application/x-www-form-urlencoded') {
		const fields = [...new URLSearchParams(text())].filter(([name]) => !ignored.has(name));
		return new URLSearchParams(fields).toString();
	}

	if (!/^application\/(.+\+)?json$/.test(type)) return body;
	try {
		const value = JSON.parse(text()) as unknown;
		if (typeof value !== 'object' || value === null || Array.isArray(value)) return body;
		return JSON.stringify(Object.fromEntries(Object.entries(value).filter(([name]) => !ignored.has(name))));
	} catch {
		return body;
	}
}

function digestOf(parts: readonly Part[]): string {
	const all = createHash('sha256');
	for (const [kind, value] of parts) all.update(labelOf(kind, value)).update(value);
	return all.digest('hex').slice(0, HALF_DIGITS);
}

function labelled(kind: string, text: string): string {
	return labelOf(kind, text) + text;
}

function labelOf(kind: string, value: string | Uint8Array): string {
	return `${kind} ${Buffer.byteLength(value)} `;
}
