/** A half-open range of byte offsets: from `start` on, up to `end` and without it. */
export interface Range {
	readonly start: number;
	readonly end: number;
}

/**
 * A set of byte offsets, as few ranges as it takes. What is added in order
 * costs the same however much there is.
 *
 * Invariant: the ranges are in order, not empty, and none touches the next.
 */
export class RangeSet implements Iterable<Range> {
	#ranges: Range[] = [];
	#size = 0;

	constructor(ranges: Iterable<Range> = []) {
		for (const {start, end} of ranges) this.add(start, end);
	}

	/** Offsets in it. */
	get size(): number {
		return this.#size;
	}

	/** Ranges in it. */
	get count(): number {
		return this.#ranges.length;
	}

	[Symbol.iterator](): IterableIterator<Range> {
		return this.#ranges[Symbol.iterator]();
	}

	/** Adds `[start, end)`; some of it may be there already. */
	add(start: number, end: number): void {
		if (start >= end) return;
		const first = this.#firstEndingFrom(start);
		let after = first;
		let merged = {start, end};
		for (let range = this.#ranges[after]; range !== undefined && range.start <= end; range = this.#ranges[++after]) {
			merged = {start: Math.min(merged.start, range.start), end: Math.max(merged.end, range.end)};
			this.#size -= range.end - range.start;
		}

		this.#ranges.splice(first, after - first, merged);
		this.#size += merged.end - merged.start;
	}

	/** Takes out all from `end` on. */
	cut(end: number): void {
		const kept = this.#ranges.filter(range => range.start < end);
		this.#ranges = kept.map(range => ({start: range.start, end: Math.min(range.end, end)}));
		this.#size = this.#ranges.reduce((sum, range) => sum + range.end - range.start, 0);
	}

	/** Whether all of `[start, end)` is in it; of nothing it always is. */
	has(start: number, end: number): boolean {
		return start >= end || this.endOf(start) >= end;
	}

	/** Where the run of offsets ends that `start` is in: `start` itself, where that is in none. */
	endOf(start: number): number {
		const range = this.#ranges[this.#firstEndingFrom(start)];
		// One that ends at `start` does not have it, and the next does not begin there.
		return range !== undefined && range.start <= start ? range.end : start;
	}

	/** The ranges of `[start, end)` that are not in it, in order. */
	*missing(start: number, end: number): Generator<Range> {
		let position = start;
		for (let index = this.#firstEndingFrom(start); position < end; index++) {
			const range = this.#ranges[index];
			const until = Math.min(range?.start ?? end, end);
			if (position < until) yield {start: position, end: until};
			if (range === undefined) return;
			position = Math.max(position, range.end);
		}
	}

	/** The index of the first range that ends at `position` or later. */
	#firstEndingFrom(position: number): number {
		let [low, high] = [0, this.#ranges.length];
		while (low < high) {
			const middle = (low + high) >> 1;
			if ((this.#ranges[middle] as Range).end < position) low = middle + 1;
			else high = middle;
		}

		return low;
	}
}
