import type {Range} from '../base/range-set.js';
import type {RangeBody} from './source.js';
import {Window, type WindowContext} from './window.js';
import type {WindowMemory} from './window-memory.js';

export interface ReadThroughContext {
	/** Of the whole body. */
	readonly lengthBytes: number;
	/** One part of the body, checked to be of the version. It may cover less than `range`, see `RangeBody.range`. */
	fetch(range: Range, signal: AbortSignal): Promise<RangeBody>;
	/** Called for each chunk that arrives, before it is kept: for a bandwidth limit; may wait. */
	onChunk?(chunk: Uint8Array): Promise<void> | undefined;
	/** The memory that all read-throughs of the process share. */
	readonly memory: WindowMemory;
}

/** What is fetched for the first read of a place; who reads on there gets twice as much each time. */
const FIRST_WINDOW_BYTES = 512 * 1024;
/** Half of it is more than what is on its way while a request is answered: 100 MB/s for 20 ms. */
const LARGEST_WINDOW_BYTES = 4 * 1024 * 1024;
/** The kernel asks in pieces of 128 KiB, and not in order: what is a piece before a read is about to be asked for as well. */
const PIECES = 4;
/** Windows whose readers may read on when they themselves are gone. */
const REMEMBERED = 32;

/**
 * A body that is read from its source again and again, because the disk cannot
 * keep it. What is read is fetched in windows, which stay in memory until that is
 * needed for others; meanwhile nothing of them is fetched twice. Who reads in
 * order does not wait for the next window: it is asked for once half of one is
 * read, if there is memory to spare.
 *
 * A connection that breaks is continued where it stopped. Three failures in a
 * row without a byte in between fail those who wait; who reads later starts anew.
 */
export class ReadThrough {
	readonly #windows = new Set<Window>();
	/** Where windows ended, and how much is fetched for who reads on there. */
	readonly #ends = new Map<number, number>();
	readonly #firstBytes: number;
	readonly #largestBytes: number;
	readonly #windowContext: WindowContext;
	#receivedBytes = 0;
	#closed: Error | undefined;

	constructor(private readonly context: ReadThroughContext) {
		const {memory} = context;
		this.#largestBytes = Math.min(LARGEST_WINDOW_BYTES, memory.largestBytes);
		this.#firstBytes = Math.min(FIRST_WINDOW_BYTES, memory.largestBytes);
		this.#windowContext = {
			fetch: (range, signal) => context.fetch(range, signal),
			onChunk: chunk => {
				this.#receivedBytes += chunk.byteLength;
				return context.onChunk?.(chunk);
			},
			onLeft: (window, bytes) => memory.onLeft(window, bytes),
			onEnd: window => {
				this.#windows.delete(window);
				memory.release(window);
			},
		};
	}

	/** Bytes received from the source so far. */
	get receivedBytes(): number {
		return this.#receivedBytes;
	}

	/**
	 * Fills `buffer` from byte `position` on; fewer only at the end of the body.
	 *
	 * @param signal - ends this wait only: what was asked for is fetched for who comes next.
	 * @throws what fetching throws, the signal's reason, or that of `close`.
	 */
	async read(buffer: Uint8Array, position: number, signal?: AbortSignal): Promise<number> {
		const end = Math.min(position + buffer.byteLength, this.context.lengthBytes);
		let at = position;
		while (at < end) {
			signal?.throwIfAborted();
			if (this.#closed !== undefined) throw this.#closed;
			const window = this.#windowAt(at) ?? this.#fetch(at, end);
			// In halves, so that the next window is on its way while the second one is.
			const until = Math.min(end, at < window.middle ? window.middle : window.end);
			await window.read(buffer.subarray(at - position), {start: at, end: until}, signal);
			if (until >= window.middle) this.#fetchAfter(window);
			at = until;
		}

		return at - position;
	}

	/** Ends every transfer; who waits, and who reads later, fails with `reason`. */
	close(reason: Error): void {
		if (this.#closed !== undefined) return;
		this.#closed = reason;
		const windows = [...this.#windows];
		// All at once: what one frees must not go to another one that is about to be closed.
		this.context.memory.release(...windows);
		for (const window of windows) window.close(reason);
	}

	/** For who waits for `[at, end)`. */
	#fetch(at: number, end: number): Window {
		const start = Math.max(this.#startFor(at), ...[...this.#windows].map(one => one.end).filter(other => other <= at));
		const sizeBytes = this.#sizeFor(start, end - start);
		const window = this.#windowFrom(start, sizeBytes);
		this.#begin(window, sizeBytes);
		return window;
	}

	/** For who reads on after `window`: where memory is short, that can wait. */
	#fetchAfter(window: Window): void {
		const {end: start} = window;
		if (window.isContinued || this.#closed !== undefined) return;
		window.isContinued = start >= this.context.lengthBytes || this.#windowAt(start) !== undefined;
		if (window.isContinued) return;
		const sizeBytes = this.#sizeFor(start, 0);
		const next = this.#windowFrom(start, sizeBytes);
		if (next.sizeBytes > this.context.memory.spareBytes) return;
		window.isContinued = true;
		this.#begin(next, sizeBytes);
	}

	#windowAt(position: number): Window | undefined {
		for (const one of this.#windows) if (one.start <= position && position < one.end) return one;
		return undefined;
	}

	/** A little before `at`: where a reader may be about to read on, or begins to read. */
	#startFor(at: number): number {
		const pieceBytes = Math.floor(this.#firstBytes / PIECES);
		const before = [...this.#ends.keys()].filter(end => end <= at && at - end <= pieceBytes);
		return before.at(-1) ?? at - (at % pieceBytes);
	}

	/** Where memory is short windows do not grow, and nobody who has not read his loses it for that. */
	#sizeFor(start: number, wantedBytes: number): number {
		const sizeBytes = Math.max(this.#ends.get(start) ?? this.#firstBytes, wantedBytes);
		return Math.min(sizeBytes, this.#largestBytes, Math.max(this.#firstBytes, this.context.memory.spareBytes));
	}

	/** It ends at the end of the body, and where another begins. */
	#windowFrom(start: number, sizeBytes: number): Window {
		const after = [...this.#windows].map(one => one.start).filter(other => other > start);
		return new Window(start, Math.min(start + sizeBytes, this.context.lengthBytes, ...after), this.#windowContext);
	}

	/** @param sizeBytes - what it would have, did it not end where something else begins. */
	#begin(window: Window, sizeBytes: number): void {
		this.#windows.add(window);
		this.#ends.delete(window.start);
		this.#ends.delete(window.end);
		this.#ends.set(window.end, 2 * sizeBytes);
		const [oldest] = this.#ends.keys();
		if (this.#ends.size > REMEMBERED && oldest !== undefined) this.#ends.delete(oldest);
		this.context.memory.take(window);
	}
}
