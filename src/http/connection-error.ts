/** What went wrong before an answer came. */
import type {ClientRequest} from 'node:http';
import {CacheError, hasCode, messageOf, systemCode} from '../base/errors.js';
import {Denial} from './guard.js';
import {ProxyRefusal} from './proxy.js';
import {TransientError} from './retry.js';

/** Worth another attempt. ENOTFOUND and certificate errors are not: the next answer will be the same. */
const TRANSIENT: ReadonlySet<string> = new Set([
	'EAI_AGAIN',
	'ECONNABORTED',
	'ECONNREFUSED',
	'ECONNRESET',
	'EHOSTDOWN',
	'EHOSTUNREACH',
	'ENETDOWN',
	'ENETUNREACH',
	'EPIPE',
]);

/** Too few descriptors, ports or buffers here say nothing of the host. */
const OF_THIS_MACHINE: ReadonlySet<string> = new Set(['EADDRNOTAVAIL', 'EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM']);

/**
 * @param asked - the URL, redacted.
 * @param cause - what the request or node-fetch failed with.
 * @returns a `CacheError`: `origin-timeout` for no connection in time,
 *   `origin-failed` for an answer that is no HTTP, `origin-refused` where no
 *   address may be connected to, else `origin-unreachable`, a proxy's refusal too; one that the resolver threw comes back as it is.
 */
export function connectionError(asked: string, cause: unknown, request: ClientRequest): CacheError {
	if (cause instanceof CacheError) return cause;
	if (cause instanceof Denial || cause instanceof ProxyRefusal) return cause.toError(asked);
	const code = systemCode(cause) ?? '';
	const message = `${asked} could not be asked for: ${reasonOf(cause)}`;
	// On a connection that was used before, the trouble may be left over: it was closed meanwhile, or the
	// answer before was longer than announced. A new connection is made at once.
	const retry = request.reusedSocket ? {cause, retryAfterMs: 0} : {cause};
	if (code === 'ETIMEDOUT') return new TransientError('origin-timeout', message, retry);
	if (TRANSIENT.has(code)) return new TransientError('origin-unreachable', message, retry);
	if (!code.startsWith('HPE_')) return new CacheError('origin-unreachable', message, {cause});
	const malformed = `${asked} was answered with something that is no valid HTTP: ${messageOf(cause)}`;
	if (request.reusedSocket) return new TransientError('origin-failed', malformed, retry);
	return new CacheError('origin-failed', malformed, {cause});
}

/**
 * Whether a failure before an answer came means that the host is not there:
 * nobody accepts, resolves, or answers in time. A connection from before that
 * was closed meanwhile does not, nor does what this machine has run out of, nor a proxy's own refusal.
 */
export function isAbsence(error: unknown): error is CacheError {
	if (!hasCode(error, 'origin-unreachable') && !hasCode(error, 'origin-timeout')) return false;
	const {cause} = error as CacheError;
	if (cause instanceof ProxyRefusal && !cause.isPassing) return false;
	const isLeftOver = error instanceof TransientError && error.retryAfterMs === 0;
	return !isLeftOver && !OF_THIS_MACHINE.has(systemCode(cause) ?? '');
}

/** Node tries the addresses of a name in turn, and puts what each failed with into an error without a message. */
function reasonOf(cause: unknown): string {
	return cause instanceof AggregateError ? cause.errors.map(messageOf).join(', ') : messageOf(cause);
}
