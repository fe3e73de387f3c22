import type {Region} from './protocol/request.js';

/** Hundreds of requests. */
const SLAB_BYTES = 64 * 1024;
/** Larger ones, which bring what is written, have memory of their own. */
const LARGE_BYTES = 4096;
const ALIGNMENT = 8;

/**
 * Keeps requests when the buffer that they were read into is read into again.
 * Many share one piece of memory; it is free once none of them is there any
 * more, and never used twice.
 */
export class RequestMemory {
	#slab = slab(SLAB_BYTES);
	#used = 0;

	keep(bytes: Uint8Array, length: number): Region {
		const isLarge = length > LARGE_BYTES;
		if (!isLarge && this.#used + length > SLAB_BYTES) {
			this.#slab = slab(SLAB_BYTES);
			this.#used = 0;
		}

		const {view, bytes: memory} = isLarge ? slab(length) : this.#slab;
		const at = isLarge ? 0 : this.#used;
		if (!isLarge) this.#used += Math.ceil(length / ALIGNMENT) * ALIGNMENT;
		memory.set(length === bytes.byteLength ? bytes : bytes.subarray(0, length), at);
		return {view, bytes: memory, at, length};
	}
}

function slab(sizeBytes: number): {view: DataView; bytes: Buffer} {
	const bytes = Buffer.allocUnsafeSlow(sizeBytes);
	return {bytes, view: new DataView(bytes.buffer)};
}
