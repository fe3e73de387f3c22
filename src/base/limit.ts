import pLimit from 'p-limit';

/** Runs at most `concurrency` of the functions given to it at once, the others in the order they came. */
export function createLimit(concurrency: number): <T>(work: () => Promise<T>) => Promise<T> {
	return pLimit(concurrency);
}
