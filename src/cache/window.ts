import {asError, CacheError, hasCode, type ErrorCode} from '../base/errors.js';
import type {Range} from '../base/range-set.js';
import {Progress} from './progress.js';
import {RangesUnsupportedError, VersionChangedError, type RangeBody} from './source.js';
import type {Occupant} from './window-memory.js';

export interface WindowContext {
	/** One part of the body, checked to be of the version. It may cover less than `range`. */
	fetch(range: Range, signal: AbortSignal): Promise<RangeBody>;
	/** Called with each chunk that arrives, before it is kept; may wait. */
	onChunk(chunk: Uint8Array): Promise<void> | undefined;
	/** Somebody has read `bytes` of it, or none, and no longer waits in it. */
	onLeft(window: Window, bytes: number): void;
	/** It holds nothing any more, and will not. */
	onEnd(window: Window): void;
}

/** Requests that fail one after another without a byte in between. */
const MAX_FAILURES = 3;
/** After these the same need not be asked for again. */
const FINAL: readonly ErrorCode[] = ['aborted', 'not-found', 'origin-refused'];

/**
 * A run of a body in memory, filled in order as its bytes arrive. One request
 * brings it, and another one what that has left. It has memory from `begin`
 * until it ends; until then it can be waited in.
 */
export class Window implements Range, Occupant {
	/** The window after it has been asked for. Kept by who reads. */
	isContinued = false;
	readonly #progress = new Progress();
	readonly #abort = new AbortController();
	#buffer: Uint8Array | undefined;
	/** Up to where it is there. */
	#position: number;
	/** Up to where somebody has read. */
	#readUpTo: number;
	#readers = 0;
	#incoming: RangeBody | undefined;
	/** Why it has ended. */
	#ended: Error | undefined;

	constructor(
		readonly start: number,
		readonly end: number,
		private readonly context: WindowContext,
	) {
		this.#position = this.#readUpTo = start;
	}

	get sizeBytes(): number {
		return this.end - this.start;
	}

	/** From here on its second half begins; always behind its first byte. */
	get middle(): number {
		return this.start + Math.ceil(this.sizeBytes / 2);
	}

	get isInUse(): boolean {
		return this.#readers > 0;
	}

	get isSpent(): boolean {
		return this.#readUpTo === this.end;
	}

	begin(used: Uint8Array | undefined): void {
		if (this.#ended !== undefined) return;
		// No zeros: nobody reads beyond what has arrived. And no part of a pool that would keep more than this alive.
		this.#buffer = used ?? Buffer.allocUnsafeSlow(this.sizeBytes);
		void this.#fill();
	}

	drop(): Uint8Array | undefined {
		const buffer = this.#buffer;
		this.close(new CacheError('aborted', 'its memory was needed for others'));
		return buffer;
	}

	/** Ends what goes on; who waits in it fails with `reason`. Later calls do nothing. */
	close(reason: Error): void {
		if (this.#ended !== undefined) return;
		this.#ended = reason;
		this.#buffer = undefined;
		this.#abort.abort(reason);
		this.#incoming?.discard();
		this.#progress.fail(reason);
		this.context.onEnd(this);
	}

	/**
	 * Copies the bytes of `range`, which lies within it, once they are there.
	 *
	 * @param signal - ends this wait only.
	 * @throws why there are none, or the signal's reason.
	 */
	async read(target: Uint8Array, {start, end}: Range, signal?: AbortSignal): Promise<void> {
		this.#readers++;
		let bytes = 0;
		try {
			await this.#progress.reached({start, end}, signal);
			if (this.#buffer === undefined) throw this.#ended ?? new TypeError('a window was read before it began');
			target.set(this.#buffer.subarray(start - this.start, end - this.start));
			this.#readUpTo = Math.max(this.#readUpTo, end);
			bytes = end - start;
		} finally {
			this.#readers--;
			// Nobody waits any more for what has not even begun.
			if (this.#buffer === undefined && this.#readers === 0) this.drop();
			else this.context.onLeft(this, bytes);
		}
	}

	/** Never fails: who waits is told. */
	async #fill(): Promise<void> {
		for (let failures = 0; this.#ended === undefined && this.#position < this.end;) {
			const before = this.#position;
			const failure = await this.#bring().then(nothingMore, asError);
			failures = this.#position > before ? 0 : failures + 1;
			const isOver = isFinal(failure) || failures >= MAX_FAILURES;
			if (isOver && this.#position < this.end) this.close(failure);
		}
	}

	/** One request for what is missing. */
	async #bring(): Promise<void> {
		const body = await this.context.fetch({start: this.#position, end: this.end}, this.#abort.signal);
		this.#incoming = body;
		try {
			if (this.#ended !== undefined || body.range.start !== this.#position) return;
			// To its own end, though all may be here before: only then does its connection serve the next request.
			for await (const chunk of body.body) {
				const waiting = this.context.onChunk(chunk);
				if (waiting !== undefined) await waiting;
				if (!this.#keep(chunk)) return;
			}
		} finally {
			body.discard();
			this.#incoming = undefined;
		}
	}

	/** Whether there is a use for all of it. */
	#keep(chunk: Uint8Array): boolean {
		if (this.#buffer === undefined) return false;
		const wanted = chunk.subarray(0, this.end - this.#position);
		this.#buffer.set(wanted, this.#position - this.start);
		this.#position += wanted.byteLength;
		this.#progress.add({start: this.start, end: this.#position});
		return wanted.byteLength === chunk.byteLength;
	}
}

/** What is wrong where bytes are missing, though no request has failed. */
function nothingMore(): Error {
	return new CacheError('origin-failed', 'the source sent nothing of a part that was asked for');
}

function isFinal(error: Error): boolean {
	if (error instanceof VersionChangedError || error instanceof RangesUnsupportedError) return true;
	return FINAL.some(code => hasCode(error, code));
}
