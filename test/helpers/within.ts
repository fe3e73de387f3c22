/** What larder promises for a while, a test may count on until that is over: on a busy machine it may be. */

/** For so long what was asked about waits for who reads it, in ms. */
export const ANSWER_WAITS_MS = 1000;
/** For so long the size of what was asked about is known, in ms. */
export const SIZE_KNOWN_MS = 5000;

/** @returns whether `ms` are not over since the call of this. */
export function within(ms: number): () => boolean {
	const endsAt = performance.now() + ms;
	return () => performance.now() < endsAt;
}
