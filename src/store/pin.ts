import {CacheError} from '../base/errors.js';
import {sameFile, type Entry} from './entry.js';
import type {OpenFile} from './open-file.js';

/**
 * An entry held open: its bytes stay as they are, and readable, whatever
 * becomes of the entry meanwhile. Close it, once.
 */
export class Pin {
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
		const length = await this.file.read(buffer, position);
		if (!sameFile(this.entry.data, this.file.statsNow())) {
			throw new CacheError('corrupt-entry', `another program changed ${this.entry.key}.dat while it was read`);
		}

		return length;
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
		this.file.close();
		this.onClose();
	}
}
