import {RangeSet, type Range} from '../base/range-set.js';
import type {Draft} from '../store/draft.js';

/** The bytes of one body on their way into a draft, in any order. */
export class Intake {
	/** What is in the draft. */
	readonly there: RangeSet;
	/** Of that what the listener has not been told of, and whether who follows has. */
	readonly #untold: Array<{readonly range: Range; readonly isKept: boolean}>;
	#isTelling = false;
	#receivedBytes = 0;

	/**
	 * @param kept - what the draft has, and has told, from before.
	 * @param onArrived - hears, once that is asked for, of all that is there.
	 */
	constructor(
		readonly draft: Draft,
		kept: readonly Range[],
		private readonly onArrived: (range: Range) => Promise<void>,
	) {
		this.there = new RangeSet(kept);
		this.#untold = kept.map(range => ({range, isKept: true}));
	}

	/** What was written here, and not before. */
	get receivedBytes(): number {
		return this.#receivedBytes;
	}

	async write(chunks: readonly Uint8Array[], position: number): Promise<void> {
		await this.draft.write(chunks, position);
		const end = position + chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0);
		this.there.add(position, end);
		this.#receivedBytes += end - position;
		this.#untold.push({range: {start: position, end}, isKept: false});
		if (this.#isTelling) await this.tell();
	}

	/** From now on it is told what comes. */
	beginTelling(): void {
		this.#isTelling = true;
	}

	/** Tells what is there. */
	async tell(): Promise<void> {
		for (const {range, isKept} of this.#untold.splice(0)) {
			if (!isKept) this.draft.tell(range);
			await this.onArrived(range);
		}
	}
}
