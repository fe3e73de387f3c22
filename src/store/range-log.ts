/**
 * What of a partial is there, told in a file beside it, so that other processes
 * can read it while it grows, and go on with it later. A line says what it is a
 * part of (`partial-facts.ts`), then come records.
 */
import {closeSync, constants, fstatSync, ftruncateSync, openSync, readSync, rmSync, writeSync} from 'node:fs';
import type {BigIntStats} from 'node:fs';
import {FILE_MODE} from '../base/atomic-file.js';
import type {Range} from '../base/range-set.js';
import {parsePartialHeader, renderPartialHeader, type PartialHeader} from './partial-facts.js';
import {decodeRange, encodeRange, RECORD_BYTES} from './range-record.js';

/** Records read at a time. */
const PAGE = 256;
/** No URL is so long that the first line would be longer. */
const MAX_HEADER_BYTES = 1024 * 1024;
const LINE_END = 0x0a;

export function logOf(partial: string): string {
	return `${partial}.ranges`;
}

/** Tells what has been written to a partial. Only ever appended to. */
export class RangeLog {
	/** What a full disk has not taken yet. It goes before what comes next, so that no record is ever torn. */
	#unwritten: Buffer = Buffer.alloc(0);
	#hasTold = false;
	#isClosed = false;

	private constructor(
		private readonly file: string,
		private readonly fd: number,
	) {}

	/** @throws the system's error, where there is one already or none can be made. */
	static create(partial: string, header: PartialHeader): RangeLog {
		const {O_WRONLY, O_CREAT, O_EXCL, O_APPEND, O_NOFOLLOW} = constants;
		const file = logOf(partial);
		const log = new RangeLog(file, openSync(file, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW, FILE_MODE));
		// One write, so that nobody sees half of it.
		log.#write(Buffer.from(`${renderPartialHeader(header)}\n`));
		return log;
	}

	/**
	 * Goes on with one that tells something.
	 *
	 * @param lengthBytes - what is there of it: what comes after is half a record.
	 * @throws the system's error.
	 */
	static goOn(partial: string, lengthBytes: number): RangeLog {
		const {O_WRONLY, O_APPEND, O_NOFOLLOW} = constants;
		const file = logOf(partial);
		const log = new RangeLog(file, openSync(file, O_WRONLY | O_APPEND | O_NOFOLLOW));
		ftruncateSync(log.fd, lengthBytes);
		log.#hasTold = true;
		return log;
	}

	/** Whether anything is told that others can read. */
	get hasTold(): boolean {
		return this.#hasTold;
	}

	/** Says that bytes are there: after they were written. On a full disk who follows hears of it later. */
	append(range: Range): void {
		this.#write(encodeRange(range));
		this.#hasTold ||= this.#unwritten.byteLength === 0;
	}

	/** Does nothing the second time: by then the descriptor may be another file's. */
	close(): void {
		if (!this.#isClosed) closeSync(this.fd);
		this.#isClosed = true;
	}

	/** Who has it open reads on. What cannot be removed now is left to the sweep. */
	remove(): void {
		this.close();
		try {
			rmSync(this.file, {force: true});
		} catch {
			// The sweep of the next start has it.
		}
	}

	#write(more: Buffer): void {
		if (this.#isClosed) return;
		this.#unwritten = this.#unwritten.byteLength === 0 ? more : Buffer.concat([this.#unwritten, more]);
		try {
			this.#unwritten = this.#unwritten.subarray(writeSync(this.fd, this.#unwritten));
		} catch {
			// Less is told than there is.
		}
	}
}

/** Reads what a `RangeLog` tells, as it grows. */
export class RangeLogReader {
	#header: PartialHeader | undefined;
	/** Where the next record begins; undefined as long as the first line has no end. */
	#position: number | undefined;
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

	/** What it is about; undefined where that cannot be read, or is not there yet. */
	get header(): PartialHeader | undefined {
		this.#skipHeader();
		return this.#header;
	}

	/** Where the next record will begin, once `news` has been read to its end. */
	get readBytes(): number {
		return this.#position ?? 0;
	}

	statsNow(): BigIntStats {
		return fstatSync(this.fd, {bigint: true});
	}

	/** What was told since it was asked last. */
	*news(): Generator<Range> {
		const page = Buffer.allocUnsafe(PAGE * RECORD_BYTES);
		while (!this.#isClosed && this.#skipHeader()) {
			const position = this.#position ?? 0;
			const count = Math.floor(readSync(this.fd, page, 0, page.byteLength, position) / RECORD_BYTES);
			if (count === 0) return;
			for (let index = 0; index < count; index++) yield decodeRange(page, index * RECORD_BYTES);

			this.#position = position + count * RECORD_BYTES;
		}
	}

	/** Does nothing the second time: by then the descriptor may be another file's. */
	close(): void {
		if (!this.#isClosed) closeSync(this.fd);
		this.#isClosed = true;
	}

	/** Whether the records can be read: the first line is there. */
	#skipHeader(): boolean {
		if (this.#position !== undefined) return true;
		if (this.#isClosed) return false;
		const line = this.#firstLine();
		if (line === undefined) return false;
		this.#header = parsePartialHeader(line.toString());
		this.#position = line.byteLength + 1;
		return true;
	}

	#firstLine(): Buffer | undefined {
		for (let room = 4096; room <= MAX_HEADER_BYTES; room *= 4) {
			const beginning = Buffer.allocUnsafe(room);
			const length = readSync(this.fd, beginning, 0, room, 0);
			const end = beginning.subarray(0, length).indexOf(LINE_END);
			if (end >= 0) return beginning.subarray(0, end);
			if (length < room) return undefined;
		}

		return undefined;
	}
}
