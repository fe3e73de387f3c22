import {createHash, type Hash} from 'node:crypto';

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

/** Half of a key: 128 bits. */
const HALF_DIGITS = 32;

/**
 * The key of a request: 64 hex digits, of which the first half is that of
 * method and URL. The order of query parameters does not count, that of equal
 * names does. Each part is hashed with its kind and its length, so that no two
 * requests have one key by being put together alike.
 */
export function keyOf({method, url, headers, body}: KeyedRequest, options: KeyOptions = {}): string {
	const hash = createHash('sha256');
	const {ignoredParameters: ignored = [], includeHeaders} = options;
	for (const [name, value] of [...(headers ?? [])]) {
		const counts = includeHeaders === true || CREDENTIALS.includes(name);
		if (counts && !ignored.some(each => each.toLowerCase() === name)) {
			add(hash, 'header', name);
			add(hash, 'value', value);
		}
	}

	if (body !== undefined) addBody(hash, body, headers?.get('content-type') ?? '', new Set(ignored));
	return keyPrefixOf(method, url, ignored) + hash.digest('hex').slice(0, HALF_DIGITS);
}

/** What the keys of all requests for a URL begin with. */
export function keyPrefixOf(method: string, url: string, ignoredParameters: readonly string[] = []): string {
	const hash = createHash('sha256');
	add(hash, 'method', method.toUpperCase());
	add(hash, 'url', normalized(url, new Set(ignoredParameters)));
	return hash.digest('hex').slice(0, HALF_DIGITS);
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

function addBody(hash: Hash, body: Uint8Array, contentType: string, ignored: ReadonlySet<string>): void {
	const type = contentType.split(';', 1)[0]?.trim().toLowerCase() ?? '';
	add(hash, 'type', type);
	add(hash, 'body', ignored.size === 0 ? body : withoutIgnored(body, type, ignored));
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

function add(hash: Hash, kind: string, value: string | Uint8Array): void {
	hash.update(`${kind} ${Buffer.byteLength(value)} `).update(value);
}
