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
	/** Parts are known to be had. */
	readonly isProven: boolean;
	/** What readers wait for, who came first at the front. */
	awaited(): Iterable<Range>;
	fetch(range: Range, signal: AbortSignal): Promise<Incoming>;
	write(chunks: readonly Uint8Array[], position: number): Promise<void>;
	/** A place is being fetched. `isReadOn`: its reader reads in order. */
	onSeek(range: Range, isReadOn: boolean): void;
	/** Tells whether a failure may pass, so that the same may be tried again. */
	mayPass(error: unknown): boolean;
	/** One has ended: what is waited for may have to come in another way. */
	onEnd(): void;
	/** Ends all of them, with the download. */
	readonly signal: AbortSignal;
}

/** Transfers at once. */
const MAX_SEEKS = 4;
/** That fail one after another without a byte in between. */
const MAX_FAILURES = 5;
const FIRST_PAUSE_MS = 250;

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
	/** After a failure. */
	#isPausing = false;
	#isProven: boolean;

	constructor(private readonly context: SeeksContext) {
		this.#isProven = context.isProven;
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

	/** Whether parts are known to be had: until then what comes in order is not to be ended for one. */
	get areProven(): boolean {
		return this.areUseful && this.#isProven;
	}

	/** Whether there is any use in asking for a part. */
	get areUseful(): boolean {
		return !this.#signal.aborted && this.#failures < MAX_FAILURES;
	}

	/** Readers have begun to wait for something. */
	onAwaited(): void {
		for (const wanted of this.context.awaited()) {
			if (wanted.end === Infinity) continue;
			while (this.#hasRoom(MAX_SEEKS)) {
				const next = this.#plan.forWaiting(wanted, this.#situation);
				if (next === undefined) break;
				this.#seek(next, next.isReadOn);
			}
		}
	}

	/** A reader reads what is there. */
	onRead(range: Range): void {
		// One place is left to who waits.
		if (!this.#hasRoom(MAX_SEEKS - 1)) return;
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

	#hasRoom(max: number): boolean {
		return this.areUseful && !this.#isPausing && this.#running.size < max;
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
		this.#running.set(transfer, this.#bring(transfer, isReadOn));
	}

	/** Never fails: what it does not bring comes in order. */
	async #bring(transfer: Transfer, isReadOn: boolean): Promise<void> {
		try {
			const incoming = await this.context.fetch(transfer, this.#signal);
			this.#isProven = true;
			this.context.onSeek(transfer, isReadOn);
			await transfer.run(incoming, this.#signal);
			this.#failures = 0;
		} catch (error) {
			if (this.#signal.aborted) return;
			if (transfer.written > transfer.start) this.#failures = 0;
			if (this.context.mayPass(error)) this.#pause();
			else this.giveUp();
		} finally {
			this.#running.delete(transfer);
			this.context.onEnd();
		}
	}

	#pause(): void {
		this.#failures++;
		this.#isPausing = true;
		setTimeout(
			() => {
				this.#isPausing = false;
				this.context.onEnd();
			},
			FIRST_PAUSE_MS * 2 ** (this.#failures - 1),
		).unref();
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
