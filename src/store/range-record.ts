/** How a range of bytes is told in a file that is only ever appended to. */
import type {Range} from '../base/range-set.js';

/** Two unsigned 64-bit numbers, little endian: where a run of bytes begins, and where it ends. */
export const RECORD_BYTES = 16;

/** @throws RangeError for what is no offset. */
export function encodeRange({start, end}: Range): Buffer {
	const record = Buffer.alloc(RECORD_BYTES);
	record.writeBigUInt64LE(BigInt(start), 0);
	record.writeBigUInt64LE(BigInt(end), 8);
	return record;
}

/** What a record says, be it absurd. Numbers from 2^53 on are not exact, and no safe integers. */
export function decodeRange(bytes: Buffer, at: number): Range {
	return {start: Number(bytes.readBigUInt64LE(at)), end: Number(bytes.readBigUInt64LE(at + 8))};
}
