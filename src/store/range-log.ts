/** What of a partial is there, told in a file beside it, so that other processes can read it while it grows. */
import {closeSync, constants, openSync, readSync, rmSync, writeSync} from 'node:fs';
import {FILE_MODE} from '../base/atomic-file.js';
import type {Range} from '../base/range-set.js';

/** Two unsigned 64-bit numbers, little endian: where a run of bytes begins, and where it ends. */
const RECORD_BYTES = 16;
/** Records read at a time. */
const PAGE = 256;

function logOf(partial: string): string {
	return `${partial}.ranges`;
}

/** Tells what has been written to a partial. Only ever appended to. */
export class RangeLog {
	readonly #file: string;
	readonly #fd: number;

	/** @throws the system's error. */
	constructor(partial: string) {
		const {O_WRONLY, O_CREAT, O_EXCL, O_APPEND, O_NOFOLLOW} = constants;
		this.#file = logOf(partial);
		this.#fd = openSync(this.#file, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW, FILE_MODE);
	}

	/** Says that bytes are there: after they were written. On a full disk who follows hears of it with the end. */
	append({start, end}: Range): void {
		const record = Buffer.alloc(RECORD_BYTES);
		record.writeBigUInt64LE(BigInt(start), 0);
		record.writeBigUInt64LE(BigInt(end), 8);
		try {
			writeSync(this.#fd, record);
		} catch {
			// Less is told than there is.
		}
	}

	/** Who has it open reads on. */
	remove(): void {
		closeSync(this.#fd);
		rmSync(this.#file, {force: true});
	}
}

/** Reads what a `RangeLog` tells, as it grows. */
export class RangeLogReader {
	#position = 0;
	#isClosed = false;

	private constructor(private readonly fd: number) {}

	/** Undefined where there is none: such a partial is written from its first byte to its last. */
	static open(partial: string): RangeLogReader | undefined {
		try {
			const {O_RDONLY, O_NOFOLLOW, O_NONBLOCK} = constants;
			return new RangeLogReader(openSync(logOf(partial), O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
		} catch {
			return undefined;
		}
	}

	/** What was told since it was asked last. */
	*news(): Generator<Range> {
		const page = Buffer.allocUnsafe(PAGE * RECORD_BYTES);
		while (!this.#isClosed) {
			const count = Math.floor(readSync(this.fd, page, 0, page.byteLength, this.#position) / RECORD_BYTES);
			if (count === 0) return;
			for (let index = 0; index < count; index++) {
				const at = index * RECORD_BYTES;
				yield {start: Number(page.readBigUInt64LE(at)), end: Number(page.readBigUInt64LE(at + 8))};
			}

			this.#position += count * RECORD_BYTES;
		}
	}

	/** Does nothing the second time: by then the descriptor may be another file's. */
	close(): void {
		if (!this.#isClosed) closeSync(this.fd);
		this.#isClosed = true;
	}
}
