import type {RangeSet} from '../base/range-set.js';
import {SNIFF_BYTES} from '../media/sniff.js';
import type {Readable} from './arrived-bytes.js';

/** The first bytes of a body, gathered from its chunks until there are enough to tell what it is. */
export class Head {
	#bytes = Buffer.alloc(0);

	get bytes(): Uint8Array {
		return this.#bytes;
	}

	get isEnough(): boolean {
		return this.#bytes.byteLength >= SNIFF_BYTES;
	}

	add(chunk: Uint8Array): void {
		if (this.isEnough) return;
		this.#bytes = Buffer.concat([this.#bytes, chunk.subarray(0, SNIFF_BYTES - this.#bytes.byteLength)]);
	}

	/** Takes them from what is there of a body; fewer where it does not begin at the first byte. */
	async readFrom(file: Readable, there: RangeSet): Promise<void> {
		const buffer = Buffer.alloc(Math.min(SNIFF_BYTES, there.endOf(0)));
		await file.read(buffer, 0);
		this.add(buffer);
	}
}
