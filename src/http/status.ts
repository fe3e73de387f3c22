/** What the status of an answer means to whoever asked for a body. */
import {CacheError} from '../base/errors.js';
import {TransientError} from './retry.js';

/** 203 is a 200 that a proxy changed (RFC 9110 section 15.3.4). 206 is a part, 204 and 304 are no body. */
export const WHOLE: ReadonlySet<number> = new Set([200, 203]);
const GONE: ReadonlySet<number> = new Set([404, 410]);
const REFUSED: ReadonlySet<number> = new Set([401, 403, 407, 451]);
const TRANSIENT: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504]);

export interface Answered {
	readonly status: number;
	readonly retryAfter: string | null;
}

/**
 * The failure that this answer is, `undefined` for a status in `accepted`.
 *
 * @param asked - the URL, redacted.
 * @param now - milliseconds since the epoch, for a `Retry-After` that is a date.
 * @param accepted - what can be made use of; for a plain GET a whole body.
 */
export function failureOf(
	{status, retryAfter}: Answered,
	asked: string,
	now: number,
	accepted: ReadonlySet<number>,
): CacheError | undefined {
	if (accepted.has(status)) return undefined;
	const message = `${asked} was answered with status ${status}`;
	if (GONE.has(status)) return new CacheError('not-found', message);
	if (REFUSED.has(status)) return new CacheError('origin-refused', message);
	if (!TRANSIENT.has(status)) return new CacheError('origin-failed', message);
	return new TransientError('origin-failed', message, {retryAfterMs: parseRetryAfter(retryAfter, now)});
}

/** Seconds or a date (RFC 9110 section 10.2.3), in milliseconds from now; `undefined` for anything else. */
export function parseRetryAfter(value: string | null, now: number): number | undefined {
	if (value === null) return undefined;
	if (/^\d+$/.test(value)) return Number(value) * 1000;
	const date = /[a-z]/i.test(value) ? Date.parse(value) : Number.NaN;
	return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
