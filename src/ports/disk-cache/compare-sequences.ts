import {isDeepStrictEqual} from 'node:util';

/**
 * Below 0, 0 or above 0, as one sequence is before, equal to or behind another: by the first items that are not equal, and
 * then by their lengths.
 *
 * @param compareItems - of items that are not equal; as the operators do unless told.
 */
export function compareSequences<T>(
	one: Iterable<T>,
	other: Iterable<T>,
	compareItems: (a: T, b: T) => number = compareValues,
): number {
	const [mine, others] = [one[Symbol.iterator](), other[Symbol.iterator]()];
	for (;;) {
		const [a, b] = [mine.next(), others.next()];
		if (a.done === true || b.done === true) return Number(b.done ?? false) - Number(a.done ?? false);
		const order = isDeepStrictEqual(a.value, b.value) ? 0 : compareItems(a.value, b.value);
		if (order !== 0) return order;
	}
}

/** As the operators do, for what they can compare. */
function compareValues(a: unknown, b: unknown): number {
	return (a as number) < (b as number) ? -1 : 1;
}
