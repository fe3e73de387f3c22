import {CacheError} from '../base/errors.js';
import type {Backing} from './backing.js';
import {identityOf, type Entry} from './entry.js';
import type {OpenFile} from './open-file.js';

/** A larger one is closed by the thread pool, which takes 9 microseconds in the place of 1: freeing its blocks may take much longer. */
const SMALL_BYTES = 4 * 1024 * 1024;

/**
 * An entry held open: its bytes stay as they are, and readable, whatever
 * becomes of the entry meanwhile. Close it, once.
 */
export class Pin implements Backing {
	#closed = false;

	constructor(
		readonly entry: Entry,
		private readonly file: OpenFile,
		private readonly onClose: () => void,
	) {}

	/**
	 * Fills `buffer` from byte `position` on.
	 *
	 * @returns bytes read; fewer than the buffer holds only at the end.
	 * @throws CacheError `corrupt-entry` when another program has written the
	 *   file since it was opened.
	 */
	async read(buffer: Uint8Array, position: number): Promise<number> {
		return this.#checked(await this.file.read(buffer, position));
	}

	/** As `read`, for who does not wait: undefined where the disk is likely to be waited for. */
	readAtOnce(buffer: Uint8Array, position: number): number | undefined {
		const length = this.file.readAtOnce(buffer, position);
		return length === undefined ? undefined : this.#checked(length);
	}

	get fd(): number {
		return this.file.fd;
	}

	get sizeBytes(): number {
		return this.entry.sizeBytes;
	}

	takeAtOnce(take: (fd: number) => number): number | undefined {
		const taken = this.file.atOnce(take);
		return taken === undefined ? undefined : this.#checked(taken);
	}

	/** All of it, in memory. */
	async readAll(): Promise<Buffer> {
		const buffer = Buffer.allocUnsafe(this.entry.sizeBytes);
		await this.read(buffer, 0);
		return buffer;
	}

	close(): void {
		if (this.#closed) return;
		this.#closed = true;
		this.file.close(this.entry.sizeBytes <= SMALL_BYTES);
		this.onClose();
	}

	#checked(length: number): number {
		if (identityOf(this.file.statsNow()) === this.entry.data) return length;
		throw new CacheError('corrupt-entry', `another program changed ${this.entry.key}.dat while it was read`);
	}
}
