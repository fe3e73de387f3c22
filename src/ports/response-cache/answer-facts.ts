/** What an answer says, as far as a cache goes by it. */
import {parseHttpDate} from '../../http/http-date.js';
import type {BodyVersion} from '../../http/validators.js';
import type {ResponseHead} from './head.js';

/** The version that a 304 is about. */
export function versionAnswered({headers}: Response, nowMs: number): BodyVersion {
	const lastModified = headers.get('last-modified');
	return {
		etag: headers.get('etag') ?? undefined,
		lastModifiedMs: lastModified === null ? undefined : parseHttpDate(lastModified, nowMs),
	};
}

/** The length of the body as it is handed out; an encoded one is another length than the header says. */
export function lengthOf({headers}: Response, method: string): number | undefined {
	const length = headers.get('content-length');
	if (method === 'HEAD' || length === null || headers.has('content-encoding')) return undefined;
	return /^\d+$/.test(length) ? Number(length) : undefined;
}

/** What tells of the body, or of the connection, is as it was. */
const KEPT = /^(content-(?!security)|transfer-encoding$|connection$|keep-alive$|vary$)/;

/** RFC 9111 section 3.2. */
export function renewedHeaders(known: ResponseHead['headers'], renewal: Headers): ResponseHead['headers'] {
	const renewed = [...renewal].filter(([name]) => !KEPT.test(name));
	const names = new Set(renewed.map(([name]) => name));
	return [...known.filter(([name]) => !names.has(name) && name !== 'age'), ...renewed];
}
