/** What the first line of a range log says of the partial that it belongs to. */
import {parseHttpFacts, type HttpFacts} from './http-facts.js';

/** Of what a partial is a part: as the source said it with the first bytes. */
export interface PartialFacts {
	/** As the user gave it. */
	readonly url: string;
	/** Where the bytes come from, after redirects. */
	readonly sourceUrl: string | undefined;
	/** Of all of it. */
	readonly lengthBytes: number;
	/** With its quotes, and the `W/` of a weak one. */
	readonly etag: string | undefined;
	readonly lastModifiedMs: number | undefined;
	/** As declared. */
	readonly mimetype: string | undefined;
	readonly filename: string;
	readonly modifiedAtMs: number;
	/** Undefined where nothing was said. */
	readonly http: HttpFacts | undefined;
}

/** What two bodies of the same version have in common, and others have not: for those with a strong validator. */
export function identityOf({
	lengthBytes,
	etag,
	lastModifiedMs,
}: Pick<PartialFacts, 'lengthBytes' | 'etag' | 'lastModifiedMs'>) {
	return `${lengthBytes} ${etag ?? lastModifiedMs}`;
}

export interface PartialHeader {
	/** Of the data that the log is about: with other data it tells nothing. */
	readonly inode: bigint;
	readonly facts: PartialFacts;
}

/**
 * One line, without its end. What is undefined is left out.
 *
 * `{"inode":"4711","url":"https://a.example/x.iso","lengthBytes":20480,"filename":"x.iso","modifiedAtMs":1790000000000}`
 */
export function renderPartialHeader({inode, facts}: PartialHeader): string {
	return JSON.stringify({inode: String(inode), ...facts});
}

/** Undefined for what `renderPartialHeader` would not say. What it says beside it counts for nothing. */
export function parsePartialHeader(line: string): PartialHeader | undefined {
	const said = parseObject(line);
	const {inode, url, sourceUrl, lengthBytes, etag, lastModifiedMs, mimetype, filename, modifiedAtMs} = said;
	if (typeof inode !== 'string' || !/^\d{1,20}$/.test(inode)) return undefined;
	if (typeof url !== 'string' || !url.isWellFormed() || typeof filename !== 'string') return undefined;
	if (!Number.isSafeInteger(lengthBytes) || (lengthBytes as number) < 0) return undefined;
	if (!isTime(modifiedAtMs) || !(lastModifiedMs === undefined || isTime(lastModifiedMs))) return undefined;
	if (!isStringIfAny(sourceUrl) || !isStringIfAny(etag) || !isStringIfAny(mimetype)) return undefined;
	const what = {url, sourceUrl, lengthBytes: lengthBytes as number, etag, lastModifiedMs};
	return {inode: BigInt(inode), facts: {...what, mimetype, filename, modifiedAtMs, http: parseHttpFacts(said['http'])}};
}

function parseObject(line: string): Partial<Record<string, unknown>> {
	try {
		return Object(JSON.parse(line)) as Partial<Record<string, unknown>>;
	} catch {
		return {};
	}
}

function isStringIfAny(value: unknown): value is string | undefined {
	return value === undefined || typeof value === 'string';
}

/** What a Date can hold (ECMA-262, Time Values and Time Range). */
const MAX_TIME_MS = 8.64e15;

function isTime(value: unknown): value is number {
	return typeof value === 'number' && Math.abs(value) <= MAX_TIME_MS;
}
