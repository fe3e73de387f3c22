import type {Range, RangeSet} from '../base/range-set.js';

/** More than the readers of a few processes wait for; what does not fit is told again. */
const MAX_WANTS = 64;
/** Who still waits says so each second: what has not been told again for so long is waited for no more. */
const FORGOTTEN_AFTER_MS = 3000;

/** What readers in other processes wait for of a download, in the order in which they told it. */
export class ForeignWants {
	readonly #wants = new Map<string, {readonly range: Range; readonly toldAtMs: number}>();

	/** @param now - milliseconds of a clock that nobody sets. */
	constructor(private readonly now: () => number = () => performance.now()) {}

	/** Told once more, it keeps its place. */
	add(range: Range): void {
		const name = `${range.start}-${range.end}`;
		if (this.#wants.size < MAX_WANTS || this.#wants.has(name)) this.#wants.set(name, {range, toldAtMs: this.now()});
	}

	/** Those of which something is not there. The others are forgotten. */
	missing(there: RangeSet): Range[] {
		for (const [name, {range, toldAtMs}] of this.#wants) {
			const isOver = this.now() - toldAtMs > FORGOTTEN_AFTER_MS || there.has(range.start, range.end);
			if (isOver) this.#wants.delete(name);
		}

		return Array.from(this.#wants.values(), ({range}) => range);
	}
}
