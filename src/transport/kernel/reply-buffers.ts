import {ProtocolError} from './protocol/protocol-error.js';
import {OUT_HEADER} from './protocol/structs.js';

/** Memory for a reply that is mostly data: one write(2) sends it together with its header. */
export interface ReplyBuffer {
	/** All of it, the header first. */
	readonly bytes: Buffer;
	readonly view: DataView;
}

const HEADER_BYTES = OUT_HEADER.sizeBytes;
const SMALLEST_BYTES = 4096;
/** An administrator may allow up to 65,535 pages (`fs.fuse.max_pages_limit`); we agree on 256. */
const LARGEST_BYTES = 1024 * 1024;
/** What is kept for the next replies; more is left to the garbage collector. */
const KEPT_BYTES = 8 * 1024 * 1024;

/**
 * Buffers for data that is on its way to the kernel, used again because the
 * kernel asks for the same few sizes all the time. A buffer that somebody may
 * still write into is not given back.
 */
export class ReplyBuffers {
	/** By their room for data. */
	readonly #free = new Map<number, ReplyBuffer[]>();
	#keptBytes = 0;

	/**
	 * One with room for so many bytes of data. They are whatever they were.
	 *
	 * @throws ProtocolError `out-of-range` for more than any kernel asks for.
	 */
	take(dataBytes: number): ReplyBuffer {
		if (dataBytes > LARGEST_BYTES) throw new ProtocolError('out-of-range', `${dataBytes} bytes are too much`);
		const room = roomFor(dataBytes);
		const kept = this.#free.get(room)?.pop();
		if (kept === undefined) return allocate(room);
		this.#keptBytes -= room;
		return kept;
	}

	give(buffer: ReplyBuffer): void {
		const room = buffer.bytes.byteLength - HEADER_BYTES;
		if (this.#keptBytes + room > KEPT_BYTES) return;
		this.#keptBytes += room;
		const free = this.#free.get(room);
		if (free === undefined) this.#free.set(room, [buffer]);
		else free.push(buffer);
	}
}

/** The next power of two. */
function roomFor(dataBytes: number): number {
	return dataBytes <= SMALLEST_BYTES ? SMALLEST_BYTES : 2 ** Math.ceil(Math.log2(dataBytes));
}

function allocate(room: number): ReplyBuffer {
	const bytes = Buffer.allocUnsafeSlow(HEADER_BYTES + room);
	return {bytes, view: new DataView(bytes.buffer)};
}
