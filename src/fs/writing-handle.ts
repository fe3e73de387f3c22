import type {Awaitable} from '../base/awaitable.js';
import type {Put} from '../cache/put.js';
import {notForWriting, type FileHandle} from './handle.js';
import type {Access} from './inode.js';

/** What a writing handle asks of its file. */
export interface Writable {
	/** Opens what is stored or at the origin, for one more reader. @throws CacheError `busy` while it is written. */
	startReading(access: Access, signal: AbortSignal): Awaitable<void>;
	stopReading(): void;
	read(buffer: Uint8Array, position: number, signal: AbortSignal): Awaitable<number>;
	/** An empty put of the file's URL. */
	createPut(): Put;
	/**
	 * Makes `put` the one that is being written, alone.
	 *
	 * @throws CacheError `busy` when others go on reading or writing.
	 */
	claim(put: Put): Promise<void>;
	/** Stores what was written since the last time; nothing once the name is gone. */
	commit(put: Put): Promise<void>;
	/** Stores that nothing was written, if there was something; nothing once the name is gone. */
	commitEmpty(put: Put): Promise<void>;
	/** A handle is closed, and its put with it. */
	release(put?: Put): void;
}

/**
 * A handle that may write. It is a put from the moment it empties the file: each
 * flush commits what was written since the last, the release discards what no
 * flush has committed. A handle that emptied a file and never wrote empties the
 * entry at its release, not before: a shell flushes before it begins to write.
 */
export class WritingHandle implements FileHandle {
	readonly isStream = false;
	#put: Put | undefined;
	#isReading = false;

	/** @param mayStart - the file is empty as it is, so that a write may start the put. */
	constructor(
		private readonly file: Writable,
		private readonly mayStart: boolean,
	) {}

	/** Reads what is there, until it is emptied. */
	async startReading(access: Access, signal: AbortSignal): Promise<void> {
		await this.file.startReading(access, signal);
		this.#isReading = true;
	}

	read(buffer: Uint8Array, position: number, signal: AbortSignal): Awaitable<number> {
		return this.#put === undefined ? this.file.read(buffer, position, signal) : this.#put.read(buffer, position);
	}

	/** What is written is not what is stored. */
	backing(): undefined {
		return undefined;
	}

	async write(data: Uint8Array, position: number): Promise<void> {
		const put = await this.#claim(this.mayStart);
		await put.write(data, position);
	}

	/** @throws CacheError `not-permitted` for a length but 0 of a file that was not emptied before. */
	async truncate(sizeBytes: number): Promise<void> {
		const put = await this.#claim(this.mayStart || sizeBytes === 0);
		await put.truncate(sizeBytes);
	}

	async flush(): Promise<void> {
		if (this.#put !== undefined) await this.file.commit(this.#put);
	}

	async release(): Promise<void> {
		this.#stopReading();
		try {
			if (this.#put !== undefined) await this.file.commitEmpty(this.#put);
		} finally {
			this.file.release(this.#put);
			await this.#put?.close();
		}
	}

	async #claim(mayStart: boolean): Promise<Put> {
		if (this.#put === undefined && !mayStart) throw notForWriting();
		this.#stopReading();
		const put = this.#put ?? this.file.createPut();
		await this.file.claim(put);
		this.#put = put;
		return put;
	}

	#stopReading(): void {
		if (!this.#isReading) return;
		this.#isReading = false;
		this.file.stopReading();
	}
}
