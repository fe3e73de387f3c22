import {closeSync, writeSync} from 'node:fs';
import {systemCode} from '../../base/errors.js';
import {libc} from './libc.js';
import {OUT_HEADER} from './protocol/structs.js';

/** Each page takes a place, however much of it is wanted: there is room for the header, and for pages that begin elsewhere. */
const PIPE_BYTES = 512 * 1024;
const MOST_BYTES = PIPE_BYTES / 2;

/** A reply that lies in a pipe, with its header; sent before another one is put there. */
export interface Piped {
	readonly pipe: ReplyPipe;
}

/**
 * The way of file bytes into a reply that leads through no memory of ours: the
 * pages of the file are passed on by a pipe (splice(2)). The kernel copies them
 * once instead of twice, and need not look our pages up: a sequential read takes
 * three quarters of the processor time.
 */
export class ReplyPipe {
	/** Where it is read, and where it is written; undefined until it is needed, and again after a failure. */
	#ends: readonly [out: number, into: number] | undefined;
	/** What lies in it. */
	#bytes = 0;
	/** It cannot be done with these files, or on this machine. */
	#isUseless = false;
	readonly #header = Buffer.alloc(OUT_HEADER.sizeBytes);
	readonly #out = OUT_HEADER.at(new DataView(this.#header.buffer, this.#header.byteOffset), 0);

	/** @param splice - sends `length` bytes of a pipe to the kernel. Returns whether they are out of the pipe. */
	constructor(private readonly splice: (pipe: number, length: number) => boolean) {}

	/**
	 * Puts bytes of a file there as the reply to a request.
	 *
	 * @returns undefined where they cannot be had like this: nothing was taken then.
	 */
	take(unique: number, fd: number, position: number, length: number): Piped | undefined {
		if (this.#isUseless || length > MOST_BYTES) return undefined;
		// What was put there was not sent, or not taken.
		if (this.#bytes > 0) this.close();
		try {
			const [, into] = (this.#ends ??= libc().pipe(PIPE_BYTES));
			this.#out.len = this.#header.byteLength + length;
			this.#out.error = 0;
			this.#out.unique = unique;
			this.#bytes = writeSync(into, this.#header);
			while (this.#bytes < this.#out.len) {
				const at = this.#bytes - this.#header.byteLength;
				const moved = libc().spliceFrom(fd, position + at, into, length - at);
				if (moved === 0) return undefined;
				this.#bytes += moved;
			}

			return {pipe: this};
		} catch (error) {
			// A disk that cannot be read says nothing of the other files.
			this.#isUseless = systemCode(error) !== 'EIO';
			this.close();
			return undefined;
		}
	}

	/** Sends what was taken. @throws Error for a reply that the kernel does not take, or where nothing was taken. */
	send(): void {
		if (this.#ends === undefined || this.#bytes === 0) throw new Error('there is no reply in the pipe');
		if (this.splice(this.#ends[0], this.#bytes)) this.#bytes = 0;
	}

	/** Lets go of the pipe and of what is in it. It can be used again. */
	close(): void {
		for (const end of this.#ends ?? []) closeSync(end);
		this.#ends = undefined;
		this.#bytes = 0;
	}
}
