import type {Range, RangeSet} from '../base/range-set.js';
import {BatchWriter} from './batch-writer.js';
import type {Buffers} from './buffers.js';

/** Bytes on their way from the source. */
export interface Incoming {
	readonly body: AsyncIterable<Uint8Array>;
	/** Gives up what has not been read. */
	discard(): void;
}

export interface TransferContext {
	/** Where the bytes from `position` on need not come from here: they are there, or on their way. `position` itself if it is. */
	stopAfter(position: number): number;
	/** Called with each chunk as it comes, before it is written. */
	onChunk?(chunk: Uint8Array): void;
	write(chunks: readonly Uint8Array[], position: number): Promise<void>;
	/** Bytes have come: the next are read once it resolves, at once where there is nothing to wait for. */
	pace(bytes: number): Promise<void> | undefined;
	/** Waits as long as nothing more is to come. */
	untilAllowed(): Promise<void> | undefined;
	readonly buffers: Buffers;
}

/**
 * One body, or a part of one, on its way into a draft. It ends early where it
 * meets what somebody else has brought or is bringing.
 */
export class Transfer implements Range {
	#received: number;
	#written: number;

	/**
	 * @param start - the offset of its first byte.
	 * @param end - that after the last one it is to bring; Infinity where nobody knows.
	 */
	constructor(
		readonly start: number,
		readonly end: number,
		private readonly context: TransferContext,
	) {
		this.#received = this.#written = start;
	}

	/** Up to where it is on the disk. What lies between this and `position` is in memory. */
	get written(): number {
		return this.#written;
	}

	/** The offset of the byte that comes next. */
	get position(): number {
		return this.#received;
	}

	/** @throws what reading or writing throws, or the signal's reason. */
	async run(incoming: Incoming, signal: AbortSignal): Promise<void> {
		const share = this.context.buffers.join();
		const writer = new BatchWriter(
			chunks => this.#write(chunks),
			// As much again is being written meanwhile.
			() => share.bytes / 2,
		);
		try {
			for await (const chunk of incoming.body) {
				signal.throwIfAborted();
				const room = Math.min(this.end, this.context.stopAfter(this.#received)) - this.#received;
				const wanted = chunk.byteLength > room ? chunk.subarray(0, room) : chunk;
				this.#received += wanted.byteLength;
				if (wanted.byteLength > 0) this.context.onChunk?.(wanted);
				const full = wanted.byteLength > 0 ? writer.add(wanted) : undefined;
				if (full !== undefined) await full;
				if (wanted.byteLength < chunk.byteLength) break;
				// Of what is whole the end is still to be read, which tells that it is.
				const pause = this.#received < this.end ? this.#pause(wanted.byteLength) : undefined;
				if (pause !== undefined) await pause;
			}
		} finally {
			await writer.end().finally(() => share.leave());
		}
	}

	#pause(bytes: number): Promise<void> | undefined {
		const paced = this.context.pace(bytes);
		return paced === undefined ? this.context.untilAllowed() : paced.then(() => this.context.untilAllowed());
	}

	async #write(chunks: readonly Uint8Array[]): Promise<void> {
		await this.context.write(chunks, this.#written);
		this.#written += chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0);
	}
}

/**
 * Where the bytes from `position` on need not come from one transfer: what is
 * there, or what others are bringing, begins there. `position` itself if it is.
 */
export function stopAfter(position: number, there: RangeSet, others: Iterable<Transfer>): number {
	const [gap] = there.missing(position, Infinity);
	if (gap === undefined || gap.start > position) return position;
	// One that has brought nothing yet may never do.
	const met = [...others].filter(one => one.end > position && one.position > one.start);
	return Math.min(gap.end, ...met.map(one => Math.max(position, one.start)));
}
