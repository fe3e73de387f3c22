import {setTimeout as sleep} from 'node:timers/promises';
import type {Condition} from '../base/condition.js';
import {CacheError} from '../base/errors.js';
import {RangeSet, type Range} from '../base/range-set.js';
import type {Allowance} from './allowance.js';
import type {Bandwidth} from './bandwidth.js';
import type {Buffers} from './buffers.js';
import {isNear, type Bringing} from './seek-plan.js';
import type {Seeks} from './seeks.js';
import type {Slot} from './slots.js';
import {CircuitOpenError} from './source.js';
import {stopAfter, Transfer, type Incoming} from './transfer.js';
import type {Priority, PriorityNow} from './waiting-line.js';

export interface InOrderContext {
	/** Undefined where only the end tells it. */
	readonly lengthBytes: number | undefined;
	/** What is there of the body. */
	readonly there: RangeSet;
	readonly allowance: Allowance;
	readonly bandwidth: Bandwidth;
	readonly buffers: Buffers;
	/** Who waits for something to change in the download. */
	readonly news: Condition;
	/** Where parts can be had by themselves. */
	seeks(): Seeks | undefined;
	/** What readers wait for. */
	awaited(): Iterable<Range>;
	takeSlot(priority: PriorityNow, signal: AbortSignal): Promise<Slot>;
	/** Fetches what lacks. */
	fetch(range: Range, signal: AbortSignal): Promise<Incoming>;
	onChunk(chunk: Uint8Array): void;
	write(chunks: readonly Uint8Array[], position: number): Promise<void>;
	/** Tells whether a failure is the end, and not one that may pass. */
	isFinal(error: unknown): boolean;
	/** Nothing more is to come in order. */
	isOver(): boolean;
	/** What is left is fetched to its end also when nobody reads any more. */
	isToEnd(): boolean;
	/** What comes in order has ended, for the moment. */
	onPause(): void;
	/** No more comes before somebody reads it. */
	onHeld(): void;
	/** Ends all of it, with the download. */
	readonly signal: AbortSignal;
}

/** Connections that break one after another without a byte in between. */
const MAX_FAILURES = 5;
const FIRST_PAUSE_MS = 250;
/** A host that is not asked for a while is waited for, so that an origin may be started anew; its readers wait too. */
const LONGEST_WAIT_MS = 10_000;
/** A connection that is not read from any more still fills the buffers on its way, with megabytes that nobody has asked for. */
const HELD_MS = 50;

/**
 * Brings a body in order: from where it was begun, as far as it is allowed, and
 * where a connection broke; then what is missing, from where readers read on.
 */
export class InOrder {
	readonly #leaving = new AbortController();
	/** It is under way. */
	#transfer: Transfer | undefined;
	/** What that reads. */
	#incoming: Incoming | undefined;
	/** One that was ended for what is read elsewhere: its failure is none. */
	#givenUp: Incoming | undefined;
	#slot: Slot | undefined;
	/** From where on readers read. */
	#readAt = 0;
	/** What is about to come, or coming. */
	#range: Range | undefined;
	/** In a row. */
	#failures = 0;
	readonly #priority = (): Priority => (this.#isAwaited ? 'reader' : 'ahead');

	/** @param slot - in which it was begun. */
	constructor(
		private readonly context: InOrderContext,
		slot: Slot,
	) {
		this.#slot = slot;
		const {signal} = context;
		const abort = () => this.#leaving.abort(signal.reason);
		if (signal.aborted) abort();
		else signal.addEventListener('abort', abort, {once: true});
	}

	/** What is coming. */
	get bringing(): Bringing | undefined {
		return this.#transfer;
	}

	/**
	 * Brings what `first` has, and all that is missing.
	 *
	 * @returns `left` where it was told to leave before all was there.
	 * @throws the reason why not all of it can be had.
	 */
	async run(first: {readonly range: Range; readonly incoming: Incoming}): Promise<'whole' | 'left'> {
		const {lengthBytes, news, signal} = this.context;
		await this.#bring(first.range, first.incoming);
		while (lengthBytes !== undefined && !this.#isWhole) {
			await news.until(() => this.#isLeft || this.#isWhole || this.#nextGap() !== undefined, signal);
			if (this.#isLeft) return 'left';
			const gap = this.#nextGap();
			if (gap !== undefined) await this.#bring(gap);
		}

		return 'whole';
	}

	/** Ends it before all is there. */
	leave(): void {
		this.#leaving.abort(new CacheError('aborted', 'nobody reads it any more'));
		this.#incoming?.discard();
		this.context.news.notify();
	}

	/** Somebody waits for a range, which may be about to come. */
	onAwaited(range: Range): void {
		const {allowance} = this.context;
		if (range.end === Infinity) allowance.free();
		else if (!this.#canSeek || this.#isNext(range)) allowance.readOn(range);
		if (this.#isLost(range)) this.#giveUp();
	}

	/** A place is fetched by itself. `isReadOn`: its reader reads in order from there. */
	onSeek(range: Range, isReadOn: boolean): void {
		const {allowance} = this.context;
		this.#readAt = range.start;
		if (isReadOn) allowance.readOn(range);
		if (!allowance.isFree && !this.context.isToEnd()) this.#giveUp();
	}

	/** Whether a range lies before what comes in order, and nothing else will bring it. */
	#isLost({start, end}: Range): boolean {
		if (this.context.seeks() === undefined || this.#canSeek || this.#transfer === undefined) return false;
		const [gap] = this.context.there.missing(start, Math.min(end, this.#transfer.start));
		return gap !== undefined;
	}

	#giveUp(): void {
		this.#givenUp = this.#incoming;
		this.#incoming?.discard();
		this.context.news.notify();
	}

	/** Brings a range, until it meets what is there or coming. A failure that may pass is no end of it. */
	async #bring(range: Range, first?: Incoming): Promise<void> {
		const before = this.context.there.size;
		try {
			this.#range = range;
			await this.#takeSlot();
			this.#transfer = this.#begin(range);
			this.#incoming = first ?? (await this.context.fetch(range, this.#leaving.signal));
			await this.#transfer.run(this.#incoming, this.#leaving.signal);
			this.#failures = 0;
		} catch (error) {
			this.#incoming?.discard();
			this.#freeSlot();
			if (this.context.there.size > before) this.#failures = 0;
			await this.#judge(error);
		} finally {
			this.#range = this.#transfer = this.#incoming = undefined;
			this.#freeSlot();
			this.context.onPause();
		}
	}

	/** Returns where it may go on: at once, or after a while. @throws `error` where it may not. */
	async #judge(error: unknown): Promise<void> {
		this.context.signal.throwIfAborted();
		if (this.#isLeft || this.#isGivenUp) return;
		const isFinal = this.context.isFinal(error);
		if (this.context.isOver()) return;
		if (isFinal || ++this.#failures > MAX_FAILURES) throw error;
		const notAskedForMs = error instanceof CircuitOpenError ? error.notAskedForMs : 0;
		const delayMs = Math.max(FIRST_PAUSE_MS * 2 ** (this.#failures - 1), Math.min(notAskedForMs, LONGEST_WAIT_MS));
		await sleep(delayMs, undefined, {signal: this.#leaving.signal}).catch(() => undefined);
	}

	/** From where readers read on, and then what is before. */
	#nextGap(): Range | undefined {
		const {there, lengthBytes = 0, allowance} = this.context;
		const coming = new RangeSet([...there, ...(this.context.seeks()?.running ?? [])]);
		const gaps = [...coming.missing(0, lengthBytes)];
		// Where nothing else brings what readers wait for, the order is that of the body.
		const readAt = this.#canSeek ? this.#readAt : 0;
		const gap = gaps.find(({end}) => end > readAt) ?? gaps[0];
		if (gap === undefined || this.context.isOver()) return undefined;
		const start = gap.end > readAt ? Math.max(gap.start, readAt) : gap.start;
		const isAllowed = allowance.isFree || (!this.#canSeek && allowance.allows(start));
		return isAllowed ? {start, end: gap.end} : undefined;
	}

	#begin(range: Range): Transfer {
		const {there, bandwidth, buffers} = this.context;
		return new Transfer(range.start, range.end, {
			stopAfter: position => stopAfter(position, there, this.context.seeks()?.running ?? []),
			onChunk: chunk => this.context.onChunk(chunk),
			write: (chunks, position) => this.context.write(chunks, position),
			pace: bytes => bandwidth.take(bytes, this.#priority, this.#leaving.signal),
			untilAllowed: () => (this.#mayGoOn && !this.#hasOutgrownSlot ? undefined : this.#hold()),
			buffers,
		});
	}

	/** What is fetched elsewhere for who waits for it comes first. */
	get #mayGoOn(): boolean {
		return this.#isAllowed && (this.context.seeks()?.areUrgent !== true || this.#isAwaited);
	}

	/** It was only asked about, and is read further on now. */
	get #hasOutgrownSlot(): boolean {
		const {allowance} = this.context;
		const isPast = !allowance.isHeld && !allowance.isOfBeginning(this.#transfer?.position ?? 0);
		return isPast && this.#slot?.isForBeginning === true;
	}

	get #isAllowed(): boolean {
		return this.context.allowance.allows(this.#transfer?.position ?? 0);
	}

	/** The source is not read from meanwhile, and has to wait as well; what is not allowed gives others their turn. */
	async #hold(): Promise<void> {
		const {news, allowance} = this.context;
		const isOver = () => this.#mayGoOn || this.#isGivenUp;
		if (this.#isAllowed && !this.#hasOutgrownSlot) return news.until(isOver, this.#leaving.signal);
		this.#freeSlot();
		// Who has asked what it is opens it at once, if at all: the answer waits for that.
		if (allowance.isHeld) this.context.onHeld();
		await news.until(() => isOver() || !allowance.isHeld, this.#leaving.signal);
		// Nothing is gained by giving up what would be asked for again in any case.
		const mayGiveUp = this.context.seeks()?.areProven === true && !this.context.isToEnd();
		const timer = mayGiveUp ? setTimeout(() => this.#giveUp(), HELD_MS) : undefined;
		await news.until(isOver, this.#leaving.signal).finally(() => clearTimeout(timer));
		if (!this.#isGivenUp) await this.#takeSlot();
	}

	async #takeSlot(): Promise<void> {
		this.#slot ??= await this.context.takeSlot(this.#priority, this.#leaving.signal);
	}

	#freeSlot(): void {
		this.#slot?.release();
		this.#slot = undefined;
	}

	/** Whether somebody waits for what comes next. */
	get #isAwaited(): boolean {
		return [...this.context.awaited()].some(range => this.#isNext(range));
	}

	/** Whether what lacks of a range is about to come. */
	#isNext({start, end}: Range): boolean {
		const coming = this.#transfer ?? soon(this.#range);
		if (coming === undefined) return false;
		const [gap] = this.context.there.missing(start, Math.min(end, coming.end));
		return gap !== undefined && isNear(gap.start, coming);
	}

	get #canSeek(): boolean {
		return this.context.seeks()?.areUseful === true;
	}

	get #isWhole(): boolean {
		return this.context.there.has(0, this.context.lengthBytes ?? Infinity);
	}

	get #isLeft(): boolean {
		return this.#leaving.signal.aborted && !this.context.signal.aborted;
	}

	get #isGivenUp(): boolean {
		return this.#incoming !== undefined && this.#incoming === this.#givenUp;
	}
}

function soon(range: Range | undefined): Bringing | undefined {
	return range && {written: range.start, position: range.start, end: range.end};
}
