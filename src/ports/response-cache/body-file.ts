import {closeSync, read, readSync} from 'node:fs';
import {CacheError} from '../../base/errors.js';

/** Closes what nobody closed: a response need not be read to its end. */
const forgotten = new FinalizationRegistry<number>(fd => closeSync(fd));

const CHUNK_BYTES = 64 * 1024;

/** A body in an open file, or in the part of one: whatever becomes of its name, its bytes stay. */
export class BodyFile {
	#fd: number | undefined;
	#bytes: number;

	/** @param fd - is this object's from now on. */
	constructor(
		fd: number,
		private readonly start: number,
		bytes: number,
	) {
		this.#bytes = bytes;
		this.#fd = fd;
		forgotten.register(this, fd, this);
	}

	get bytes(): number {
		return this.#bytes;
	}

	/** More of it is there. */
	grow(bytes: number): void {
		this.#bytes = bytes;
	}

	/** The body from its beginning, as often as is asked; chunks have 64 KiB unless told. */
	stream(chunkBytes = CHUNK_BYTES): ReadableStream<Uint8Array> {
		let position = 0;
		return new ReadableStream<Uint8Array>(
			{
				pull: async controller => {
					const chunk = await this.read(position, chunkBytes);
					position += chunk.byteLength;
					if (chunk.byteLength > 0) controller.enqueue(chunk);
					if (position === this.bytes) controller.close();
				},
			},
			{highWaterMark: 0},
		);
	}

	/** At most `length` bytes from `position` on, none only at the end. @throws CacheError `corrupt-entry` */
	read(position: number, length: number): Promise<Uint8Array> {
		const wanted = Math.min(length, this.bytes - position);
		const fd = this.#fd;
		if (fd === undefined) return Promise.reject(new TypeError('the body was closed'));
		if (wanted === 0) return Promise.resolve(new Uint8Array());
		return new Promise((resolve, reject) => {
			read(fd, new Uint8Array(wanted), 0, wanted, this.start + position, (error, count, buffer) => {
				if (error) reject(error);
				else if (count === 0) reject(new CacheError('corrupt-entry', 'a cached body is shorter than it was'));
				else resolve(buffer.subarray(0, count));
			});
		});
	}

	/** All of it at once, after which it is closed. */
	readSync(): Uint8Array {
		if (this.#fd === undefined) throw new TypeError('the body was closed');
		const bytes = new Uint8Array(this.bytes);
		try {
			for (let at = 0, count = 1; at < this.bytes && count > 0; at += count) {
				count = readSync(this.#fd, bytes, at, this.bytes - at, this.start + at);
				if (count === 0) throw new CacheError('corrupt-entry', 'a cached value is shorter than it was');
			}
		} finally {
			this.close();
		}

		return bytes;
	}

	close(): void {
		if (this.#fd === undefined) return;
		forgotten.unregister(this);
		closeSync(this.#fd);
		this.#fd = undefined;
	}
}
