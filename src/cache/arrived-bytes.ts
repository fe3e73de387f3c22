import {setImmediate} from 'node:timers/promises';
import {CacheError} from '../base/errors.js';
import {Progress} from './progress.js';

/** What bytes are read from: an open file, an entry. */
export interface Readable {
	/** Fills `buffer` from byte `position` on; fewer only at the end. */
	read(buffer: Uint8Array, position: number): Promise<number>;
}

/** Two files are compared in parts of this size. */
const PART_BYTES = 256 * 1024;

/**
 * What has arrived of one run of bytes. The file where it lies may be exchanged
 * for another one that has the same: no reader ever gets a mixture of two versions.
 */
export class ArrivedBytes {
	readonly #progress = new Progress();
	#file: Readable | undefined;

	/** @param name - what they are of, for messages. */
	constructor(private readonly name: string) {}

	/** Bytes that may have been read: from the first on, without a gap. */
	get count(): number {
		return this.#progress.bytes;
	}

	/**
	 * `file` has its first `count` bytes. Another file than before is read from
	 * once it has as much as that.
	 *
	 * @throws CacheError `origin-failed` where it does not begin with what has arrived.
	 */
	async arrive(file: Readable, count: number): Promise<void> {
		if (file !== this.#file) {
			if (count < this.count) return;
			if (!(await this.areBegunBy(file))) {
				throw new CacheError('origin-failed', `${this.name} has other bytes than when it was begun`);
			}

			this.#file = file;
		}

		this.#progress.advance(count);
	}

	/** All is there: `count` bytes of `file`, which begins with what has arrived. */
	finish(file: Readable, count: number): void {
		this.#file = file;
		this.#progress.finish(count);
	}

	/** No more will come; what is there stays readable. */
	fail(reason: Error): void {
		this.#progress.fail(reason);
	}

	/** @see Progress.reached */
	reached(end: number, signal?: AbortSignal): Promise<void> {
		return this.#progress.reached(end, signal);
	}

	/** Of what has arrived; fewer bytes only at the end of it. */
	read(buffer: Uint8Array, position: number): Promise<number> {
		if (this.#file === undefined) throw new CacheError('aborted', 'the download has ended');
		return this.#file.read(buffer, position);
	}

	/** Whether `file` begins with what has arrived. */
	async areBegunBy(file: Readable): Promise<boolean> {
		const {count} = this;
		if (this.#file === undefined || this.#file === file) return true;
		for (let position = 0; position < count; position += PART_BYTES) {
			const length = Math.min(PART_BYTES, count - position);
			const parts = await Promise.all([this.#file, file].map(one => part(one, position, length)));
			if (parts.some(one => one.byteLength < length || parts[0]?.equals(one) !== true)) return false;
			// What lies in memory is read at once: others get their turn.
			await setImmediate();
		}

		return true;
	}
}

async function part(file: Readable, position: number, length: number): Promise<Buffer> {
	const buffer = Buffer.allocUnsafe(length);
	return buffer.subarray(0, await file.read(buffer, position));
}
