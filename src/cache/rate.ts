import type {Clock} from '../base/clock.js';

/** How far back it looks. */
const WINDOW_MS = 5000;

/** What came within less is told as if it had taken as long, so that the first bytes do not look like a flood. */
const SHORTEST_MS = 1000;

interface Sample {
	readonly bytes: number;
	readonly atMs: number;
}

/**
 * How fast a count of bytes grows: what came within the last 5 s by the time it
 * took, which begins with the first bytes. It knows what it is told by `note`,
 * and is as exact as that is frequent. A count or a clock that goes back begins
 * anew.
 */
export class Rate {
	/** By time; the first may be as old as the window or older, the others are younger. */
	#samples: Sample[];

	/** @param bytes - what was there before. */
	constructor(
		private readonly clock: Clock,
		bytes = 0,
	) {
		this.#samples = [{bytes, atMs: clock.now()}];
	}

	/** The count is `bytes` now. To be told every so often, also while it does not grow. */
	note(bytes: number): void {
		const sample = {bytes, atMs: this.clock.now()};
		const last = this.#samples.at(-1);
		const isBack = last !== undefined && (bytes < last.bytes || sample.atMs < last.atMs);
		const isUnbegun = this.#samples.length === 1 && last?.bytes === bytes;
		this.#samples = isBack || isUnbegun ? [sample] : [...this.#within(sample.atMs), sample];
	}

	/** Bytes a second, whole ones, where the count is `bytes` now; 0 once nothing has come for 5 s. */
	perSecond(bytes: number): number {
		const nowMs = this.clock.now();
		const since = this.#within(nowMs)[0] ?? {bytes, atMs: nowMs};
		const elapsedMs = Math.max(nowMs - since.atMs, SHORTEST_MS);
		return Math.round((1000 * Math.max(bytes - since.bytes, 0)) / elapsedMs);
	}

	/** The samples of the window, and the last one before it. */
	#within(nowMs: number): Sample[] {
		const before = this.#samples.findLastIndex(({atMs}) => atMs <= nowMs - WINDOW_MS);
		return this.#samples.slice(Math.max(before, 0));
	}
}
