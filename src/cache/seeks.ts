import {setMaxListeners} from 'node:events';
import type {Range, RangeSet} from '../base/range-set.js';
import type {Bandwidth} from './bandwidth.js';
import type {Buffers} from './buffers.js';
import {SeekPlan, type Bringing} from './seek-plan.js';
import {stopAfter, Transfer, type Incoming} from './transfer.js';

export interface SeeksContext {
	readonly lengthBytes: number;
	/** What is there of the body. */
	readonly there: RangeSet;
	readonly bandwidth: Bandwidth;
	readonly buffers: Buffers;
	/** What brings the body in order, while it is at it. */
	inOrder(): Bringing | undefined;
	/** What readers wait for, who came first at the front. */
	awaited(): Iterable<Range>;
	fetch(range: Range, signal: AbortSignal): Promise<Incoming>;
	write(chunks: readonly Uint8Array[], position: number): Promise<void>;
	/** A place is about to be fetched. `isReadOn`: its reader reads in order. */
	onSeek(range: Range, isReadOn: boolean): void;
	/** Tells whether the same may be tried again. */
	onFailure(error: unknown): boolean;
	/** One has ended: what is waited for may have to come in another way. */
	onEnd(): void;
	/** Ends all of them, with the download. */
	readonly signal: AbortSignal;
}

/** Transfers at once. */
const MAX_SEEKS = 4;
/** That fail one after another. */
const MAX_FAILURES = 5;

/**
 * What readers wait for far from where a body is brought in order, fetched by
 * requests of its own.
 */
export class Seeks {
	readonly #plan = new SeekPlan();
	readonly #running = new Map<Transfer, Promise<void>>();
	readonly #over = new AbortController();
	readonly #signal: AbortSignal;
	#failures = 0;

	constructor(private readonly context: SeeksContext) {
		this.#signal = AbortSignal.any([this.#over.signal, context.signal]);
		// Each request listens while it lasts.
		setMaxListeners(0, this.#signal);
	}

	/** What is under way. */
	get running(): Iterable<Transfer> {
		return this.#running.keys();
	}

	/** Whether bytes are coming that somebody waits for. */
	get areUrgent(): boolean {
		return [...this.#running.keys()].some(one => one.position > one.start && this.#isAwaited(one));
	}

	/** Whether there is any use in asking for a part. */
	get areUseful(): boolean {
		return !this.#signal.aborted && this.#failures < MAX_FAILURES;
	}

	/** Readers have begun to wait for something. */
	onAwaited(): void {
		for (const wanted of this.context.awaited()) {
			if (wanted.end === Infinity) continue;
			while (this.areUseful && this.#running.size < MAX_SEEKS) {
				const next = this.#plan.forWaiting(wanted, this.#situation);
				if (next === undefined) break;
				this.#seek(next, next.isReadOn);
			}
		}
	}

	/** A reader reads what is there. */
	onRead(range: Range): void {
		if (!this.areUseful || this.#running.size >= MAX_SEEKS) return;
		const next = this.#plan.forReading(range, this.#situation);
		if (next !== undefined) this.#seek(next, true);
	}

	/** The source has no parts. */
	giveUp(): void {
		this.#failures = MAX_FAILURES;
	}

	/** Begins no more, and ends what is under way. */
	async end(): Promise<void> {
		this.#over.abort();
		await Promise.all(this.#running.values());
	}

	get #situation() {
		const {lengthBytes, there} = this.context;
		const inOrder = this.context.inOrder();
		return {lengthBytes, there, bringing: [...(inOrder === undefined ? [] : [inOrder]), ...this.#running.keys()]};
	}

	/** Whether somebody waits for what a transfer is bringing. */
	#isAwaited({written, end}: Bringing): boolean {
		return [...this.context.awaited()].some(range => range.start < end && range.end > written);
	}

	#seek(range: Range, isReadOn: boolean): void {
		const transfer = this.#transfer(range);
		this.#running.set(transfer, this.#bring(transfer));
		this.context.onSeek(range, isReadOn);
	}

	/** Never fails: what it does not bring comes in order. */
	async #bring(transfer: Transfer): Promise<void> {
		try {
			await transfer.run(await this.context.fetch(transfer, this.#signal), this.#signal);
			if (this.areUseful) this.#failures = 0;
		} catch (error) {
			if (this.#signal.aborted) return;
			if (this.context.onFailure(error)) this.#failures++;
			else this.giveUp();
		} finally {
			this.#running.delete(transfer);
			this.context.onEnd();
		}
	}

	#transfer({start, end}: Range): Transfer {
		const {there, bandwidth, buffers} = this.context;
		const transfer: Transfer = new Transfer(start, end, {
			stopAfter: position => stopAfter(position, there, this.#others(transfer)),
			write: (chunks, position) => this.context.write(chunks, position),
			pace: bytes => bandwidth.take(bytes, () => (this.#isAwaited(transfer) ? 'reader' : 'ahead'), this.#signal),
			untilAllowed: () => undefined,
			buffers,
		});
		return transfer;
	}

	#others(own: Transfer): Transfer[] {
		return [...this.#running.keys()].filter(other => other !== own);
	}
}
