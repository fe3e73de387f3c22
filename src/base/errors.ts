/**
 * The closed set of ways in which larder fails. A layer throws one of these and
 * lets it pass; `fs/errno.ts` turns each into an errno, and does not compile
 * until every name here has one.
 */
export const ERROR_CODES = [
	/** The caller's signal fired, or the drive is being unmounted. */
	'aborted',
	/** Not an absolute http or https URL, not a key, or not well-formed Unicode. */
	'bad-name',
	/** Something else uses it in a way that excludes this use. */
	'busy',
	/** What lies on the disk is not what the store put there. */
	'corrupt-entry',
	/** An operation of the drive did not finish within its deadline. */
	'deadline',
	/** The disk is full, also after evicting what could be evicted. */
	'no-space',
	/** The origin answered 404 or 410. */
	'not-found',
	/** What was opened is another version than what was looked up: to be looked up again. */
	'replaced',
	/** The drive refuses this kind of change for good. */
	'not-permitted',
	/** There is no such name on the drive. */
	'not-stored',
	/** The origin answered something that is not the whole body: 5xx, a cut body, a redirect loop. */
	'origin-failed',
	/** The origin answered 401, 403 or 451, or policy forbids asking it. */
	'origin-refused',
	/** The origin did not connect, answer or go on within its deadline. */
	'origin-timeout',
	/** No connection: DNS, refused, reset, TLS. */
	'origin-unreachable',
	/** The drive is mounted read-only. */
	'read-only',
	/** Larger than the budget allows a single entry to be, or than policy allows one to be fetched. */
	'too-large',
	/** An operation that this file system does not have. */
	'unsupported',
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

/**
 * An expected failure: what was asked, what happened, and why (`cause`).
 * Messages hold URLs only through `redact`.
 */
export class CacheError extends Error {
	override readonly name = 'CacheError';

	constructor(
		readonly code: ErrorCode,
		message: string,
		options?: ErrorOptions,
	) {
		super(message, options);
	}
}

/** Whether `error` is a `CacheError` with this code. */
export function hasCode(error: unknown, code: ErrorCode): boolean {
	return error instanceof CacheError && error.code === code;
}

/** The `code` of an error of Node's (`ENOENT`, `ECONNRESET`, …), if it has one. */
export function systemCode(error: unknown): string | undefined {
	const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined;
	return typeof code === 'string' ? code : undefined;
}

/** One line for a person, whatever was thrown. */
export function messageOf(error: unknown): string {
	return error instanceof Error ? error.message : String(error);
}

/** What was thrown, as an Error, should it be something else. */
export function asError(thrown: unknown): Error {
	return thrown instanceof Error ? thrown : new Error(String(thrown));
}
