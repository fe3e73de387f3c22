import {SNIFF_BYTES} from '../media/sniff.js';

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
}
