/** What SQLite's failures mean, and waiting for those that pass. */
import {setTimeout} from 'node:timers/promises';
import {systemCode} from '../base/errors.js';

/** Another connection has what this one needs. It passes. */
export function isBusy(error: unknown): boolean {
	return /^SQLITE_(BUSY|LOCKED)/.test(systemCode(error) ?? '');
}

/** The file is no database, or none that can be trusted. */
export function isDamaged(error: unknown): boolean {
	return /^SQLITE_(CORRUPT|NOTADB|FORMAT|IOERR_SHORT_READ)/.test(systemCode(error) ?? '');
}

const FIRST_PAUSE_MS = 1;
const LONGEST_PAUSE_MS = 50;

/**
 * Runs `work`; while it meets a lock it is run again, after a pause that grows,
 * until `isGivenUp` says so.
 *
 * @throws what `work` throws, be it that it is still locked out.
 */
export async function retryBusy<T>(work: () => T, isGivenUp: () => boolean): Promise<T> {
	for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
		try {
			return work();
		} catch (error) {
			if (!isBusy(error) || isGivenUp()) throw error;
		}

		await setTimeout(pauseMs);
	}
}

/**
 * As `retryBusy`, holding the thread up: for the milliseconds in which another
 * process opens the same database.
 */
export function waitWhileBusy<T>(work: () => T, timeoutMs: number): T {
	for (const givenUpAt = performance.now() + timeoutMs; ; holdUp(FIRST_PAUSE_MS)) {
		try {
			return work();
		} catch (error) {
			if (!isBusy(error) || performance.now() > givenUpAt) throw error;
		}
	}
}

/** Nothing else of this thread goes on meanwhile. */
export function holdUp(ms: number): void {
	Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
