import type {Range, RangeSet} from '../base/range-set.js';

/**
 * What is so near to where a transfer stands is waited for. The kernel reads up to
 * two windows of 512 KiB ahead of who reads in order, and who does is in no hurry.
 */
const NEAR_BYTES = 3 * 1024 * 1024;
/** What is fetched for the first read of a place; who reads on there gets twice as much each time. */
const FIRST_WINDOW_BYTES = 512 * 1024;
const LARGEST_WINDOW_BYTES = 16 * 1024 * 1024;
/** Readers ask in parts of this size, and not in order: what is before a read is about to be asked for as well. */
const ALIGNMENT_BYTES = 128 * 1024;
/** Windows whose readers may read on. */
const REMEMBERED = 16;

/** Something that brings bytes from its position on. */
export interface Bringing {
	/** Up to where it is there. */
	readonly written: number;
	/** From where on it is still to come. */
	readonly position: number;
	readonly end: number;
}

/** What is there, and what is on its way. */
export interface Situation {
	readonly lengthBytes: number;
	readonly there: RangeSet;
	readonly bringing: Iterable<Bringing>;
}

interface Window extends Range {
	/** What was wanted of it, before it met something else. */
	readonly sizeBytes: number;
	isContinued: boolean;
}

/** What to fetch. */
export interface Planned extends Range {
	/** Whether its reader has read the window before it. */
	readonly isReadOn: boolean;
}

/** Decides which ranges are worth a request of their own. Knows no time and no network. */
export class SeekPlan {
	readonly #windows: Window[] = [];

	/** The range to fetch for who waits for `wanted`; undefined where all of it is coming. */
	forWaiting(wanted: Range, situation: Situation): Planned | undefined {
		const {there, lengthBytes} = situation;
		for (const gap of there.missing(wanted.start, Math.min(wanted.end, lengthBytes))) {
			if (isComing(gap.start, situation)) continue;
			const isReadOn = this.#windows.some(({end}) => end === gap.start);
			const sizeBytes = Math.max(this.#sizeAt(gap.start), wanted.end - gap.start);
			return {...this.#window(gap.start, sizeBytes, situation), isReadOn};
		}

		return undefined;
	}

	/** What to fetch ahead for who has read `range`: the next window, once half of one is read. */
	forReading({start, end}: Range, situation: Situation): Planned | undefined {
		const window = this.#windows.find(
			one => !one.isContinued && start < one.end && end > one.start + (one.end - one.start) / 2 && start >= one.start,
		);
		if (window === undefined) return undefined;
		window.isContinued = true;
		const [next] = situation.there.missing(window.end, situation.lengthBytes);
		if (next === undefined || next.start > window.end || isComing(next.start, situation)) return undefined;
		return {...this.#window(next.start, this.#sizeAt(next.start), situation), isReadOn: true};
	}

	#sizeAt(position: number): number {
		const before = this.#windows.find(({end}) => end === position);
		if (before === undefined) return FIRST_WINDOW_BYTES;
		before.isContinued = true;
		return Math.min(2 * before.sizeBytes, LARGEST_WINDOW_BYTES);
	}

	#window(position: number, sizeBytes: number, {there, bringing, lengthBytes}: Situation): Range {
		const aligned = position - (position % ALIGNMENT_BYTES);
		const gap = [...there.missing(aligned, position + 1)].at(-1);
		const ahead = [...bringing].filter(one => one.position > position).map(one => one.position);
		const [rest = {end: lengthBytes}] = there.missing(position, lengthBytes);
		const start = gap?.start ?? position;
		const end = Math.min(start + Math.max(sizeBytes, position + 1 - start), rest.end, ...ahead);
		this.#windows.push({start, end, sizeBytes, isContinued: false});
		if (this.#windows.length > REMEMBERED) this.#windows.shift();
		return {start, end};
	}
}

function isComing(position: number, {bringing}: Situation): boolean {
	return [...bringing].some(one => isNear(position, one));
}

/** Whether something is about to bring the byte at `position`. */
export function isNear(position: number, {written, position: next, end}: Bringing): boolean {
	return written <= position && position < Math.min(end, next + NEAR_BYTES);
}
