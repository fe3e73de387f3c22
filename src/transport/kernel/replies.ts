import {OUT_HEADER} from './protocol/structs.js';
import type {Piped} from './reply-pipe.js';
import {ReplyBuffers, type ReplyBuffer} from './reply-buffers.js';

/** Writes what follows the header of a reply, at byte `at` of zeros. @returns how many bytes that is. */
export type Fill = (view: DataView, at: number) => number;

/** Data in a buffer of `ReplyBuffers`, behind the room for the header. */
export interface Data {
	readonly buffer: ReplyBuffer;
	readonly sizeBytes: number;
}

/** A no that is nobody's failure: an errno, positive. */
export interface Refusal {
	readonly errno: number;
}

/** What an operation answers; nothing but the header where it is undefined. */
export type Body = Fill | Data | Piped | Refusal | undefined;

export const HEADER_BYTES = OUT_HEADER.sizeBytes;
/** More than any struct needs. */
const SMALL_BYTES = 512;

/** Makes replies, each one write to the device. */
export class Replies {
	readonly buffers = new ReplyBuffers();
	readonly #small = Buffer.alloc(SMALL_BYTES);
	readonly #view = new DataView(this.#small.buffer, this.#small.byteOffset, SMALL_BYTES);

	/** @param write - sends the first `length` bytes, before it returns. */
	constructor(private readonly write: (reply: Uint8Array, length: number) => void) {}

	send(unique: number, body: Body): void {
		if (body === undefined) {
			this.#finish(this.#small, this.#view, {unique, error: 0, bodyBytes: 0});
		} else if (typeof body === 'function') {
			this.#small.fill(0);
			const bodyBytes = body(this.#view, HEADER_BYTES);
			this.#finish(this.#small, this.#view, {unique, error: 0, bodyBytes});
		} else if ('errno' in body) {
			this.fail(unique, body.errno);
		} else if ('pipe' in body) {
			body.pipe.send();
		} else {
			const {bytes, view} = body.buffer;
			this.#finish(bytes, view, {unique, error: 0, bodyBytes: body.sizeBytes});
			this.buffers.give(body.buffer);
		}
	}

	/** @param errno - positive. */
	fail(unique: number, errno: number): void {
		this.#finish(this.#small, this.#view, {unique, error: -errno, bodyBytes: 0});
	}

	#finish(
		bytes: Uint8Array,
		view: DataView,
		{unique, error, bodyBytes}: {unique: number; error: number; bodyBytes: number},
	): void {
		const header = OUT_HEADER.at(view, 0);
		header.len = HEADER_BYTES + bodyBytes;
		header.error = error;
		header.unique = unique;
		this.write(bytes, HEADER_BYTES + bodyBytes);
	}
}
