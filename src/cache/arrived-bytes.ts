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
 * What has arrived of one run of bytes, in any order, and in one file or several:
 * who follows one process and then another has some of it in each. Files whose
 * versions are known to be the same are read together; where that is not known,
 * another one is read from once it has all that has arrived, and the same. So no
 * reader ever gets a mixture of two versions.
 */
export class ArrivedBytes {
	readonly #progress = new Progress();
	/** Of one version; what is read is taken from the first that has it. */
	#files: Partial[] = [];
	/** Of what it is known to be a version; undefined where nothing is. */
	#version: string | undefined;
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

	/** Whether that is all of them. */
	get isWhole(): boolean {
		return this.#progress.isWhole;
	}

	/** What readers wait for, who came first at the front. */
	get awaited(): Iterable<Range> {
		return this.#progress.awaited;
	}

	/**
	 * `file` has `range`.
	 *
	 * @param version - equal for files of the same version; undefined where only
	 *   the bytes tell.
	 * @throws CacheError `origin-failed` where it is of another version, or has
	 *   other bytes than have arrived.
	 */
	async arrive(file: Readable, range: Range, version?: string): Promise<void> {
		let known = this.#files.find(one => one.file === file);
		if (known === undefined && (this.#files.length === 0 || this.#isOf(version))) {
			known = {file, ranges: new RangeSet()};
			this.#files.push(known);
		}

		if (known === undefined && !(await this.#isTakenOver(file, range))) return;
		this.#version ??= version;
		known?.ranges.add(range.start, range.end);
		this.#progress.add(range);
	}

	/** All is there: `count` bytes of `file`, which has what has arrived. */
	finish(file: Readable, count: number): void {
		this.#files = [{file, ranges: new RangeSet([{start: 0, end: count}])}];
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
	async read(buffer: Uint8Array, position: number): Promise<number> {
		const [first] = this.#files;
		if (first === undefined) throw new CacheError('aborted', 'the download has ended');
		if (this.#files.length === 1) return first.file.read(buffer, position);
		let length = 0;
		while (length < buffer.byteLength) {
			const at = position + length;
			const has = this.#files.find(({ranges}) => ranges.has(at, at + 1));
			const end = Math.min(has?.ranges.endOf(at) ?? at, position + buffer.byteLength);
			const count = (await has?.file.read(buffer.subarray(length, end - position), at)) ?? 0;
			if (count === 0) break;
			length += count;
		}

		return length;
	}

	/** Whether `file` has what has arrived. */
	async agreesWith(file: Readable): Promise<boolean> {
		if (this.#files.every(one => isSameFile(one.file, file))) return true;
		for (const {start, end} of [...this.ranges]) {
			for (let position = start; position < end; position += PART_BYTES) {
				const length = Math.min(PART_BYTES, end - position);
				const parts = await Promise.all([this, file].map(one => part(one, position, length)));
				if (parts.some(one => one.byteLength < length || parts[0]?.equals(one) !== true)) return false;
				// What lies in memory is read at once: others get their turn.
				await setImmediate();
			}
		}

		return true;
	}

	/** Whether a version is known to be that of what has arrived. @throws where it is known to be another one. */
	#isOf(version: string | undefined): boolean {
		if (version === undefined || this.#version === undefined) return false;
		if (version === this.#version) return true;
		throw new CacheError('origin-failed', `${this.name} is of another version than when it was begun`);
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

		this.#files = [{file, ranges}];
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
