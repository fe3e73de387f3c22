import {setTimeout as delay} from 'node:timers/promises';

const LOOK_EVERY_MS = 20;

/**
 * Waits for a condition instead of sleeping.
 *
 * @returns the first truthy value of `condition`.
 * @throws Error naming `what` once the deadline has passed.
 */
export async function until<T>(what: string, condition: () => T | Promise<T>, deadlineMs = 30_000): Promise<T> {
	const deadlineAt = performance.now() + deadlineMs;
	for (;;) {
		const value = await condition();
		if (value) return value;
		if (performance.now() > deadlineAt) throw new Error(`not within ${deadlineMs} ms: ${what}`);
		await delay(LOOK_EVERY_MS);
	}
}
