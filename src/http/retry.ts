/** When to ask an origin again, and how long to wait before. */
import {setTimeout as sleep} from 'node:timers/promises';
import {SYSTEM_CLOCK, type Clock} from '../base/clock.js';
import {CacheError, type ErrorCode} from '../base/errors.js';

/** The longest `Retry-After` that is waited for; a reader is waiting too. */
export const MAX_RETRY_AFTER_MS = 10_000;

/** The wait before the first retry; it doubles with each, up to the second number. */
const FIRST_DELAY_MS = 250;
const MAX_DELAY_MS = 4_000;

/** A failure that asking again may mend. Once the attempts are used up it is what the caller gets. */
export class TransientError extends CacheError {
	/** What the origin asked for, or 0 where there is no reason to wait; by default the wait grows. */
	readonly retryAfterMs: number | undefined;

	constructor(code: ErrorCode, message: string, options?: ErrorOptions & {retryAfterMs?: number | undefined}) {
		super(code, message, options);
		this.retryAfterMs = options?.retryAfterMs;
	}
}

/** The time as retries see it. */
export interface Timing extends Clock {
	/** Resolves after `delayMs`, or as soon as `signal` fires. */
	delay(delayMs: number, signal: AbortSignal): Promise<void>;
}

export const SYSTEM_TIMING: Timing = {
	...SYSTEM_CLOCK,
	delay: (delayMs, signal) => sleep(delayMs, undefined, {signal}).catch(() => undefined),
};

export interface RetryOptions {
	/** Attempts after the first. */
	readonly retries: number;
	readonly timing: Timing;
	readonly signal: AbortSignal;
	readonly onRetry: (error: TransientError, delayMs: number) => void;
}

/**
 * Runs `attempt` until it succeeds, fails with anything but a
 * `TransientError`, or the retries are used up; the last failure is thrown.
 *
 * @param attempt - must itself fail at once when the signal has fired.
 */
export async function withRetries<T>(attempt: () => Promise<T>, options: RetryOptions): Promise<T> {
	for (let failures = 0; ; failures++) {
		try {
			return await attempt();
		} catch (error) {
			if (!(error instanceof TransientError) || failures >= options.retries) throw error;
			const delayMs = error.retryAfterMs ?? backoff(failures);
			if (delayMs > MAX_RETRY_AFTER_MS) throw error;
			options.onRetry(error, delayMs);
			await options.timing.delay(delayMs, options.signal);
		}
	}
}

/** Between half and all of 250 ms, 500 ms, 1 s, …: random, so that many clients do not come back together. */
function backoff(failures: number): number {
	const fullMs = Math.min(FIRST_DELAY_MS * 2 ** failures, MAX_DELAY_MS);
	return Math.round(fullMs * (0.5 + Math.random() / 2));
}
