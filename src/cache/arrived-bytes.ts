import {setImmediate} from 'node:timers/promises';
import {CacheError} from '../base/errors.js';
import {RangeSet, type Range} from '../base/range-set.js';
import {Progress} from './progress.js';

/** What bytes are read from: an open file, an entry. */
export interface Readable {
	/** Fills `buffer` from byte `position` on; fewer only at the end. */
	read(buffer: Uint8Array, position: number): Promise<number>;
	/** Of a file that is written while it is read. */
	statsNow?(): {readonly dev: bigint; readonly ino: bigint};
}

/** A file, and what of it is there. */
interface Partial {
	readonly file: Readable;
	readonly ranges: RangeSet;
}

/** Two files are compared in parts of this size. */
const PART_BYTES = 256 * 1024;

/**
 * What has arrived of one run of bytes, in any order. The file where it lies may
 * be exchanged for another one that has the same: no reader ever gets a mixture
 * of two versions.
 */
export class ArrivedBytes {
	readonly #progress = new Progress();
	#file: Readable | undefined;
	/** One that has not as much yet. */
	#next: Partial | undefined;

	/** @param name - what they are of, for messages. */
	constructor(private readonly name: string) {}

	/** Bytes that may be read, wherever they are. */
	get count(): number {
		return this.#progress.bytes;
	}

	/** What may be read. Not to be changed by who asks. */
	get ranges(): RangeSet {
		return this.#progress.ranges;
	}

	/** What readers wait for, who came first at the front. */
	get awaited(): Iterable<Range> {
		return this.#progress.awaited;
	}

	/**
	 * `file` has `range`. Another file than before is read from once it has as
	 * much as that.
	 *
	 * @throws CacheError `origin-failed` where it has other bytes than have arrived.
	 */
	async arrive(file: Readable, range: Range): Promise<void> {
		if (this.#file === undefined) this.#file = file;
		else if (file !== this.#file && !(await this.#isTakenOver(file, range))) return;
		this.#progress.add(range);
	}

	/** All is there: `count` bytes of `file`, which has what has arrived. */
	finish(file: Readable, count: number): void {
		this.#file = file;
		this.#progress.finish(count);
	}

	/** Who waits looks again. */
	wake(): void {
		this.#progress.wake();
	}

	/** No more will come; what is there stays readable. */
	fail(reason: Error): void {
		this.#progress.fail(reason);
	}

	/** @see Progress.reached */
	reached(range: Range, signal?: AbortSignal): Promise<void> {
		return this.#progress.reached(range, signal);
	}

	/** Of what has arrived; fewer bytes only at the end of it. */
	read(buffer: Uint8Array, position: number): Promise<number> {
		if (this.#file === undefined) throw new CacheError('aborted', 'the download has ended');
		return this.#file.read(buffer, position);
	}

	/** Whether `file` has what has arrived. */
	async agreesWith(file: Readable): Promise<boolean> {
		if (this.#file === undefined || isSameFile(this.#file, file)) return true;
		for (const {start, end} of [...this.ranges]) {
			for (let position = start; position < end; position += PART_BYTES) {
				const length = Math.min(PART_BYTES, end - position);
				const parts = await Promise.all([this.#file, file].map(one => part(one, position, length)));
				if (parts.some(one => one.byteLength < length || parts[0]?.equals(one) !== true)) return false;
				// What lies in memory is read at once: others get their turn.
				await setImmediate();
			}
		}

		return true;
	}

	/** Whether another file has all that has arrived by now, and is read from. */
	async #isTakenOver(file: Readable, {start, end}: Range): Promise<boolean> {
		if (this.#next?.file !== file) this.#next = {file, ranges: new RangeSet()};
		const {ranges} = this.#next;
		ranges.add(start, end);
		if (![...this.ranges].every(range => ranges.has(range.start, range.end))) return false;
		if (!(await this.agreesWith(file))) {
			throw new CacheError('origin-failed', `${this.name} has other bytes than when it was begun`);
		}

		this.#file = file;
		this.#next = undefined;
		for (const range of ranges) this.#progress.add(range);
		return true;
	}
}

/** What one process has left another may go on with. */
function isSameFile(one: Readable, other: Readable): boolean {
	if (one === other) return true;
	const [first, second] = [one.statsNow?.(), other.statsNow?.()];
	return first !== undefined && first.dev === second?.dev && first.ino === second.ino;
}

async function part(file: Readable, position: number, length: number): Promise<Buffer> {
	const buffer = Buffer.allocUnsafe(length);
	return buffer.subarray(0, await file.read(buffer, position));
}
