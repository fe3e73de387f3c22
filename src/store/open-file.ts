import {
	close,
	closeSync,
	constants,
	fstat,
	fstatSync,
	ftruncate,
	fsync,
	open,
	read,
	readSync,
	writev,
	type BigIntStats,
} from 'node:fs';
import {FILE_MODE} from '../base/atomic-file.js';
import {CacheError} from '../base/errors.js';

/** A longer read is never done at once: it would hold up everything else. */
const MAX_IMMEDIATE_BYTES = 1024 * 1024;
/** A read that took longer went to the disk, in ms. */
const SLOW_MS = 1;
const READS_TO_QUEUE = 64;

/**
 * An open file of the store. Closing waits for the calls under way, so that no
 * read ever meets a descriptor that has been given to another file.
 */
export class OpenFile {
	#calls = 0;
	/** So many reads go through the thread pool before one is tried at once again. */
	#readsToQueue = 0;
	#closed = false;

	constructor(readonly fd: number) {}

	/** Creates `file` for reading and writing; it must not exist. */
	static create(file: string): Promise<OpenFile> {
		return openWith(file, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW);
	}

	/** Opens what is there for reading and writing. */
	static edit(file: string): Promise<OpenFile> {
		return openWith(file, constants.O_RDWR | constants.O_NOFOLLOW);
	}

	/**
	 * Reads up to the length of `buffer` from byte `position`; fewer bytes only at
	 * the end of the file.
	 */
	async read(buffer: Uint8Array, position: number): Promise<number> {
		const now = this.readAtOnce(buffer, position);
		if (now !== undefined) return now;
		let length = 0;
		while (length < buffer.byteLength) {
			const count = await this.#call<number>(done =>
				read(this.fd, buffer, length, buffer.byteLength - length, position + length, done),
			);
			if (count === 0) break;
			length += count;
		}

		return length;
	}

	/** As `read`, now; undefined where that would hold up everything else. */
	readAtOnce(buffer: Uint8Array, position: number): number | undefined {
		if (buffer.byteLength > MAX_IMMEDIATE_BYTES) return undefined;
		return this.atOnce(fd => readNow(fd, buffer, position));
	}

	/**
	 * What `read` returns, which reads from the file now; undefined, and not called, where that would hold up everything else.
	 *
	 * What lies in the page cache is there sooner than a trip through the thread
	 * pool takes (128 KiB: 14 against 45 microseconds). Nobody tells whether it
	 * does; but a read that was slow went to the disk, and so will the next ones.
	 */
	atOnce(read: (fd: number) => number): number | undefined {
		if (this.#closed) throw new CacheError('aborted', 'the file was closed');
		if (this.#readsToQueue > 0) {
			this.#readsToQueue--;
			return undefined;
		}

		const startedAt = performance.now();
		const count = read(this.fd);
		if (performance.now() - startedAt > SLOW_MS) this.#readsToQueue = READS_TO_QUEUE;
		return count;
	}

	/** Writes all of `chunks`, one after another, from byte `position`. */
	async write(chunks: readonly Uint8Array[], position: number): Promise<void> {
		let rest = chunks;
		let at = position;
		while (rest.length > 0) {
			const written = await this.#call<number>(done => writev(this.fd, rest, at, done));
			at += written;
			rest = dropFront(rest, written);
		}
	}

	truncate(sizeBytes: number): Promise<void> {
		return this.#call<void>(done => ftruncate(this.fd, sizeBytes, done));
	}

	sync(): Promise<void> {
		return this.#call<void>(done => fsync(this.fd, done));
	}

	stats(): Promise<BigIntStats> {
		return this.#call<BigIntStats>(done => fstat(this.fd, {bigint: true}, done));
	}

	/** As `stats`, at once: some microseconds, for the way of a read. */
	statsNow(): BigIntStats {
		return fstatSync(this.fd, {bigint: true});
	}

	/**
	 * Does nothing the second time: by then the descriptor may be another file's.
	 *
	 * @param isSmall - closing it takes no time, even where that frees its blocks.
	 */
	close(isSmall = false): void {
		if (this.#closed) return;
		this.#closed = true;
		if (isSmall && this.#calls === 0) closeSync(this.fd);
		else this.#closeWhenIdle();
	}

	#call<T>(start: (done: (error: Error | null, value: T) => void) => void): Promise<T> {
		if (this.#closed) return Promise.reject(new CacheError('aborted', 'the file was closed'));
		this.#calls++;
		return new Promise((resolve, reject) => {
			start((error, value) => {
				this.#calls--;
				if (this.#closed) this.#closeWhenIdle();
				if (error) reject(error);
				else resolve(value);
			});
		});
	}

	#closeWhenIdle(): void {
		if (this.#calls === 0) close(this.fd, () => undefined);
	}
}

function openWith(file: string, flags: number): Promise<OpenFile> {
	return new Promise((resolve, reject) => {
		open(file, flags, FILE_MODE, (error, fd) => (error ? reject(error) : resolve(new OpenFile(fd))));
	});
}

function readNow(fd: number, buffer: Uint8Array, position: number): number {
	let length = 0;
	while (length < buffer.byteLength) {
		const count = readSync(fd, buffer, length, buffer.byteLength - length, position + length);
		if (count === 0) break;
		length += count;
	}

	return length;
}

/** writev(2) may write less than asked for. */
function dropFront(chunks: readonly Uint8Array[], bytes: number): Uint8Array[] {
	const rest: Uint8Array[] = [];
	let skip = bytes;
	for (const chunk of chunks) {
		if (skip < chunk.byteLength) rest.push(chunk.subarray(skip));
		skip = Math.max(0, skip - chunk.byteLength);
	}

	return rest;
}
