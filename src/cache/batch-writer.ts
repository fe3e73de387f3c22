import {setImmediate} from 'node:timers/promises';
import {asError} from '../base/errors.js';

/** Larger writes are hardly faster. */
const MAX_WAITING_BYTES = 1024 * 1024;

/**
 * Writes chunks as they come: while one batch is being written the next
 * gathers, so that a fast source makes few large writes and a slow one is
 * written at once.
 */
export class BatchWriter {
	#waiting: Uint8Array[] = [];
	#waitingBytes = 0;
	#writing: Promise<void> | undefined;
	#failure: Error | undefined;

	/**
	 * @param write - appends `chunks`; never called again before it has settled.
	 * @param maxWaitingBytes - what may wait to be written at the moment, beside what is being written. Who adds more waits.
	 */
	constructor(
		private readonly write: (chunks: Uint8Array[]) => Promise<void>,
		private readonly maxWaitingBytes: () => number = () => MAX_WAITING_BYTES,
	) {}

	/**
	 * Takes a chunk in. While there is room nothing is returned; else wait for
	 * what is, before the next.
	 *
	 * @throws what an earlier write threw.
	 */
	add(chunk: Uint8Array): Promise<void> | undefined {
		this.#assertWritten();
		this.#waiting.push(chunk);
		this.#waitingBytes += chunk.byteLength;
		this.#writing ??= this.#writeAll();
		return this.#waitingBytes > this.maxWaitingBytes() ? this.end() : undefined;
	}

	/** Waits until all is written. */
	async end(): Promise<void> {
		await this.#writing;
		this.#assertWritten();
	}

	async #writeAll(): Promise<void> {
		try {
			// What has arrived with this chunk comes in the same turn of the event loop.
			await setImmediate();
			while (this.#waiting.length > 0) {
				const batch = this.#waiting;
				this.#waiting = [];
				this.#waitingBytes = 0;
				await this.write(batch);
			}
		} catch (error) {
			this.#failure = asError(error);
		} finally {
			this.#writing = undefined;
		}
	}

	#assertWritten(): void {
		if (this.#failure !== undefined) throw this.#failure;
	}
}
