import {CacheError} from '../base/errors.js';
import {parseHttpFacts, type HttpFacts} from './http-facts.js';
import {keyOf, type Key} from './key.js';

/** What the origin said of the body, to tell versions apart later. */
export interface OriginFacts {
	/** Bytes of the body as it came; differs from the entry's size where it was transformed. */
	readonly length?: number;
	readonly etag?: string;
	/** Epoch seconds. */
	readonly lastModified?: number;
}

/**
 * The `.json` beside a `.dat`: the original's five fields, ours, and whatever
 * else was there, which is kept.
 *
 * ```json
 * {"url": "https://a.example/x.gif", "mimetype": "video/mp4", "filename": "x.mp4",
 *  "size": 18234, "ts": 1790000000.25, "stored": 1789990000, "origin": {"length": 20480},
 *  "http": {"received": 1789990000, "headers": {"cache-control": "max-age=60"}, "varied": {}},
 *  "pinned": true, "tags": ["talks"]}
 * ```
 */
export interface Sidecar {
	readonly url: string;
	readonly mimetype: string;
	readonly filename: string;
	/** Bytes; undefined where the sidecar does not say. */
	readonly size: number | undefined;
	/** Last access as written, epoch seconds. */
	readonly ts: number;
	/** When the bytes were stored, epoch seconds; undefined in what the original wrote. */
	readonly stored: number | undefined;
	readonly origin: OriginFacts;
	/** Undefined where it did not come over HTTP, or nobody has written down what was said. */
	readonly http: HttpFacts | undefined;
	/** Written by hand, and not fetched. */
	readonly isPut: boolean;
	/** Never evicted for want of room. */
	readonly pinned: boolean;
	/** Names that a user gave it, sorted. */
	readonly tags: readonly string[];
	/** It was on the disk for good before it was an entry: a power cut does not take it. */
	readonly durable: boolean;
	/** Fields that larder does not know. */
	readonly others: Readonly<Record<string, unknown>>;
}

/** No sidecar is longer; a longer file is none. */
export const MAX_SIDECAR_BYTES = 1024 * 1024;

/**
 * @throws CacheError `corrupt-entry` where the text is no sidecar of `key`: the
 *   file's name decides, so that a foreign sidecar cannot claim a URL.
 */
export function parseSidecar(text: string, key: Key): Sidecar {
	const sidecar = parseOwnSidecar(text);
	const {url} = sidecar;
	if (!url.isWellFormed() || keyOf(url) !== key) throw corrupt('url is not the one the file is named after');
	return sidecar;
}

/**
 * As `parseSidecar`, a text that was taken for a sidecar of its key before.
 *
 * @throws CacheError `corrupt-entry` where it is none.
 */
export function parseOwnSidecar(text: string): Sidecar {
	const fields = parseObject(text);
	const {url, mimetype, filename, size, ts, stored, origin, http, put, pinned, tags, durable} = fields;
	if (typeof url !== 'string') throw corrupt('url is not a string');
	return {
		url,
		mimetype: string(mimetype, 'mimetype') ?? 'application/octet-stream',
		filename: string(filename, 'filename') ?? 'attachment',
		size: count(size, 'size'),
		ts: seconds(ts, 'ts') ?? 0,
		stored: seconds(stored, 'stored'),
		origin: isObject(origin) ? parseOrigin(origin) : NOTHING,
		http: parseHttpFacts(http),
		isPut: put === true,
		pinned: pinned === true,
		tags: parseTags(tags),
		durable: durable === true,
		others: othersOf(fields),
	};
}

const FIELDS: ReadonlySet<string> = new Set([
	...['url', 'mimetype', 'filename', 'size', 'ts', 'stored', 'origin', 'http', 'put', 'pinned', 'tags', 'durable'],
]);
const NOTHING = Object.freeze({});

/** The fields that larder does not know. Of most sidecars none: looking first saves the copy. */
function othersOf(fields: Record<string, unknown>): Readonly<Record<string, unknown>> {
	for (const name in fields) {
		if (FIELDS.has(name)) continue;
		return Object.fromEntries(Object.entries(fields).filter(([other]) => !FIELDS.has(other)));
	}

	return NOTHING;
}

/** The sidecar as text, laid out like the original's. What says nothing is left out. */
export function renderSidecar(sidecar: Sidecar, indent = 2): string {
	const {others, origin, http, isPut, pinned, tags, durable, ...known} = sidecar;
	const facts = {
		...(Object.keys(origin).length > 0 && {origin}),
		...(http !== undefined && {http}),
		...(isPut && {put: true}),
		...(pinned && {pinned}),
		...(tags.length > 0 && {tags}),
		...(durable && {durable}),
	};
	return JSON.stringify({...known, ...facts, ...others}, undefined, indent);
}

function parseObject(text: string): Record<string, unknown> {
	let value: unknown;
	try {
		value = JSON.parse(text);
	} catch (cause) {
		throw corrupt('not JSON', cause);
	}

	if (!isObject(value)) throw corrupt('not a JSON object');
	return value;
}

function parseOrigin(origin: Record<string, unknown>): OriginFacts {
	const {length, etag, lastModified} = origin;
	return {
		...(isCount(length) && {length}),
		...(typeof etag === 'string' && {etag}),
		...(isTime(lastModified) && {lastModified}),
	};
}

/**
 * The original writes a sidecar anew without the fields that it does not know:
 * what a user said of the entry is taken over from what was known before.
 *
 * @returns the same sidecar where there is nothing to take over.
 */
export function withAnnotations(sidecar: Sidecar, known: Sidecar | undefined): Sidecar {
	const isOurs = sidecar.stored !== undefined;
	if (isOurs || known === undefined || (!known.pinned && known.tags.length === 0)) return sidecar;
	return {...sidecar, pinned: known.pinned, tags: known.tags};
}

/** Of what is there those that are names. */
function parseTags(tags: unknown): readonly string[] {
	if (!Array.isArray(tags)) return NO_TAGS;
	return [...new Set(tags.filter(tag => typeof tag === 'string'))].sort();
}

const NO_TAGS: readonly string[] = [];

function string(value: unknown, field: string): string | undefined {
	if (value === undefined || typeof value === 'string') return value;
	throw corrupt(`${field} is not a string`);
}

function seconds(value: unknown, field: string): number | undefined {
	if (value === undefined || isTime(value)) return value;
	throw corrupt(`${field} is not a time`);
}

function count(value: unknown, field: string): number | undefined {
	if (value === undefined || isCount(value)) return value;
	throw corrupt(`${field} is not a number of bytes`);
}

/** What a Date can hold, in seconds (ECMA-262, Time Values and Time Range). */
const MAX_SECONDS = 8.64e12;

function isTime(value: unknown): value is number {
	return typeof value === 'number' && Math.abs(value) <= MAX_SECONDS;
}

function isCount(value: unknown): value is number {
	return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isObject(value: unknown): value is Record<string, unknown> {
	return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function corrupt(reason: string, cause?: unknown): CacheError {
	return new CacheError('corrupt-entry', `sidecar: ${reason}`, {cause});
}
