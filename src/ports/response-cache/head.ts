/**
 * A cached file: a line of fixed length, a head of JSON, and the body as it is.
 *
 * ```
 * LARDER1 000000f3 0000000019000\n{"kind":"response",…}<body>
 * ```
 *
 * The numbers are the bytes of the head and of the body in hexadecimal: a file
 * of another size is none.
 */
import type {CachingFacts} from '../../http/caching-facts.js';

/** What is kept of a response beside its body. */
export interface ResponseHead {
	readonly kind: 'response';
	readonly key: string;
	/** The method of the request. */
	readonly method: string;
	/** What was asked for. */
	readonly requestUrl: string;
	/** Where the answer came from, after redirects. */
	readonly url: string;
	readonly redirected: boolean;
	readonly status: number;
	readonly statusText: string;
	/** As they came, in order; a name may come twice. */
	readonly headers: readonly (readonly [name: string, value: string])[];
	/** Epoch milliseconds. */
	readonly storedAtMs: number;
	readonly caching: CachingFacts;
	/** Not used after this, epoch milliseconds: of a 404 and of what was given a time. */
	readonly untilMs?: number;
}

/** What is kept of another value. */
export interface ValueHead {
	readonly kind: 'bytes' | 'text' | 'json';
	readonly key: string;
}

export type Head = ResponseHead | ValueHead;

const MAGIC = 'LARDER1';
const LINE = /^LARDER1 ([0-9a-f]{8}) ([0-9a-f]{13})\n$/;

/** The first line. */
export const LINE_BYTES = MAGIC.length + 1 + 8 + 1 + 13 + 1;

/** A larger head is none. */
export const MAX_HEAD_BYTES = 1024 * 1024;

export interface Sizes {
	readonly headBytes: number;
	readonly bodyBytes: number;
}

export function formatLine({headBytes, bodyBytes}: Sizes): string {
	return `${MAGIC} ${hex(headBytes, 8)} ${hex(bodyBytes, 13)}\n`;
}

/** Undefined for what is none. */
export function parseLine(line: string): Sizes | undefined {
	const [, head, body] = LINE.exec(line) ?? [];
	if (head === undefined || body === undefined) return undefined;
	const sizes = {headBytes: Number.parseInt(head, 16), bodyBytes: Number.parseInt(body, 16)};
	return sizes.headBytes <= MAX_HEAD_BYTES ? sizes : undefined;
}

/** Undefined for what is no head of `key`. */
export function parseHead(json: string, key: string | undefined): Head | undefined {
	try {
		const head = Object(JSON.parse(json)) as Partial<ResponseHead>;
		const isOfKey = typeof head.key === 'string' && (key === undefined || head.key === key);
		return isOfKey && (isValue(head.kind) || isResponse(head)) ? (head as Head) : undefined;
	} catch {
		return undefined;
	}
}

function isValue(kind: string | undefined): boolean {
	return kind === 'bytes' || kind === 'text' || kind === 'json';
}

/** Whatever somebody else may have put there: a `Response` can be made of it, and its freshness be told. */
function isResponse(head: Partial<Record<keyof ResponseHead, unknown>>): boolean {
	const {kind, status, statusText, redirected, headers, untilMs, storedAtMs} = head;
	const texts = [head.method, head.requestUrl, head.url, statusText];
	if (kind !== 'response' || !texts.every(text => typeof text === 'string')) return false;
	if (!(Number.isInteger(status) && (status as number) >= 200 && (status as number) < 600)) return false;
	if (!HEADER_VALUE.test(statusText as string) || typeof redirected !== 'boolean') return false;
	if (!(Array.isArray(headers) && headers.every(isHeader))) return false;
	return Number.isFinite(storedAtMs) && isTime(untilMs) && isCaching(head.caching);
}

function isTime(untilMs: unknown): boolean {
	// For ever is null in JSON.
	return untilMs === undefined || untilMs === null || typeof untilMs === 'number';
}

const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** Of a header, and of what is beside the status. */
const HEADER_VALUE = /^[^\0\r\n\u0100-\uffff]*$/;

function isHeader(pair: unknown): boolean {
	if (!Array.isArray(pair)) return false;
	const [name, value] = pair as unknown[];
	return typeof name === 'string' && typeof value === 'string' && HEADER_NAME.test(name) && HEADER_VALUE.test(value);
}

function isCaching(caching: unknown): boolean {
	const {received, headers, varied} = Object(caching) as Partial<CachingFacts>;
	return Number.isFinite(received) && isTexts(headers) && isTexts(varied);
}

function isTexts(texts: unknown): boolean {
	return typeof texts === 'object' && texts !== null && Object.values(texts).every(text => typeof text === 'string');
}

function hex(value: number, digits: number): string {
	return value.toString(16).padStart(digits, '0');
}
