/** What an origin has to send: bytes that are given, that lie in a file, or that are made up. */
import {closeSync, openSync, readSync, statSync} from 'node:fs';

/** Without any of it there is nothing: a body that is empty. */
export interface Content {
	readonly body?: string | Uint8Array;
	/** Bytes of generated content in the place of `body`; see `generated`. */
	readonly size?: number;
	/** The same of a file, which may have holes. */
	readonly file?: string;
}

export function sizeOf({body, size, file}: Content): number {
	if (file !== undefined) return statSync(file).size;
	return size ?? Buffer.byteLength(body ?? '');
}

/** A prime, so that no chunk size hides a shifted byte. */
export const PERIOD = 65_521;
const PATTERN = Buffer.alloc(2 * PERIOD);
for (let index = 0, state = 1; index < PERIOD; index++) {
	state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
	PATTERN[index] = PATTERN[index + PERIOD] = state >>> 16;
}

/** Bytes `[start, end)` of the content that `size` serves; the same for every size, at most 65,521 at a time. */
export function generated(start: number, end: number): Buffer {
	const from = start % PERIOD;
	return PATTERN.subarray(from, from + Math.min(end - start, PERIOD));
}

/** All of the content that `size` serves, for small sizes. */
export function generatedBody(size: number): Buffer {
	return generatedPart(0, size);
}

/** Bytes `[start, end)` of it, however many. */
export function generatedPart(start: number, end: number): Buffer {
	return Buffer.concat([...slices({size: end}, start, end, PERIOD)]);
}

/** Bytes `[start, end)` in pieces, each of `pieceBytes` at most, and of 65,521. */
export function* slices(content: Content, start: number, end: number, pieceBytes: number): Generator<Uint8Array, void> {
	const {body, file} = content;
	if (file !== undefined) return yield* slicesOfFile(file, start, end, pieceBytes);
	const bytes = body === undefined ? undefined : Buffer.from(body);
	for (let at = start; at < end;) {
		const until = Math.min(end, at + Math.min(pieceBytes, PERIOD));
		yield bytes ? bytes.subarray(at, until) : generated(at, until);
		at = until;
	}
}

function* slicesOfFile(file: string, start: number, end: number, pieceBytes: number): Generator<Uint8Array, void> {
	const fd = openSync(file, 'r');
	try {
		for (let at = start; at < end;) {
			// Each in memory of its own: the one before may still be on its way.
			const piece = Buffer.allocUnsafe(Math.min(end - at, pieceBytes, PERIOD));
			const count = readSync(fd, piece, 0, piece.byteLength, at);
			if (count === 0) throw new Error(`${file} is shorter than it was`);
			yield piece.subarray(0, count);
			at += count;
		}
	} finally {
		closeSync(fd);
	}
}
