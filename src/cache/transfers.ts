import {Condition} from '../base/condition.js';
import {CacheError, hasCode} from '../base/errors.js';
import type {Range} from '../base/range-set.js';
import {redact} from '../base/redact.js';
import type {Allowance} from './allowance.js';
import type {Bandwidth} from './bandwidth.js';
import type {Body} from './body.js';
import type {Buffers} from './buffers.js';
import {ForeignWants} from './foreign-wants.js';
import {InOrder} from './in-order.js';
import type {Intake} from './intake.js';
import {ReadThrough} from './read-through.js';
import {Seeks} from './seeks.js';
import {hostOf, type Slot, type Slots} from './slots.js';
import {
	answered,
	RangesUnsupportedError,
	VersionChangedError,
	type RangeBody,
	type RangeOptions,
	type Source,
} from './source.js';
import type {Incoming} from './transfer.js';
import type {WindowMemory} from './window-memory.js';

/** What all transfers of a process share. */
export interface TransferLimits {
	readonly slots: Slots;
	readonly bandwidth: Bandwidth;
	readonly buffers: Buffers;
	/** For what the disk cannot keep. */
	readonly windows: WindowMemory;
}

export interface TransfersContext extends TransferLimits {
	readonly url: string;
	readonly source: Source;
	readonly body: Body;
	readonly intake: Intake;
	readonly allowance: Allowance;
	/** What readers wait for, who came first at the front. */
	awaited(): Iterable<Range>;
	/** Called with what comes in order. */
	onChunk(chunk: Uint8Array): void;
	/** Whether it is known what the body is. */
	hasBegun(): boolean;
	/** Whether readers can be served what the disk does not have. */
	canReadPast(): boolean;
	/** Whether what is left is to come, readers or not. */
	isToEnd(): boolean;
	/** No more comes before somebody reads it. */
	onHeld(): void;
	/** The disk takes no more: what is not there is to be read by `readThrough`. */
	onOverflow(reason: CacheError): void;
	log(message: string, error: unknown): void;
	/** Ends the download; aborted where a part is of another version. */
	readonly abort: AbortController;
}

/**
 * The ways in which the bytes of one body come: in order, from places that
 * readers wait for, and past the disk once that takes no more.
 */
export class Transfers {
	/** Who waits for something to change here. */
	readonly #news = new Condition();
	/** What readers in other processes wait for. */
	readonly #wanted = new ForeignWants();
	readonly #inOrder: InOrder;
	/** Undefined where no part can be had by itself. */
	#seeks: Seeks | undefined;
	#through: ReadThrough | undefined;

	/** @param slot - in which the first answer came. */
	constructor(
		private readonly context: TransfersContext,
		slot: Slot,
	) {
		const {allowance, bandwidth, buffers, body, intake, slots, url} = context;
		this.#inOrder = new InOrder(
			{
				...{allowance, bandwidth, buffers, lengthBytes: body.lengthBytes, there: intake.there},
				...{news: this.#news, signal: context.abort.signal},
				seeks: () => this.#seeks,
				awaited: () => this.#awaited(),
				takeSlot: (priority, signal) =>
					(allowance.isHeld ? slots.beginnings : slots).take(hostOf(url), priority, signal),
				fetch: (range, signal) => this.#fetchRest(range, signal),
				onChunk: chunk => context.onChunk(chunk),
				write: (chunks, position) => this.#write(chunks, position),
				isFinal: error => !this.#mayPass(error),
				isOver: () => this.#through !== undefined,
				isToEnd: () => context.isToEnd(),
				onPause: () => this.onAwaited(),
				onHeld: () => context.onHeld(),
			},
			slot,
		);
	}

	/** Where the disk takes no more: what is not there is read by this. */
	get readThrough(): ReadThrough | undefined {
		return this.#through;
	}

	/**
	 * Brings what `first` has, and all that is missing.
	 *
	 * @returns `left` where it was told to leave before all was there.
	 * @throws the reason why not all of it can be had.
	 */
	run(first: {readonly range: Range; readonly incoming: Incoming}): Promise<'whole' | 'left'> {
		return this.#inOrder.run(first);
	}

	/** From now on places that readers wait for are fetched by themselves. */
	beginSeeks(): void {
		const {bandwidth, buffers, body, intake, abort} = this.context;
		this.#seeks = new Seeks({
			...{bandwidth, buffers, lengthBytes: body.lengthBytes ?? 0, there: intake.there, signal: abort.signal},
			isProven: body.hasParts,
			inOrder: () => this.#inOrder.bringing,
			awaited: () => this.#awaited(),
			fetch: (range, signal) => this.#fetchRange(range, {signal, maxSkipBytes: 0}),
			write: (chunks, position) => this.#write(chunks, position),
			onSeek: (range, isReadOn) => this.#inOrder.onSeek(range, isReadOn),
			mayPass: error => this.#mayPass(error),
			onEnd: () => this.onAwaited(),
		});
	}

	/** Readers have begun to wait for something. */
	onAwaited(): void {
		for (const range of this.#awaited()) this.#inOrder.onAwaited(range);
		this.#seeks?.onAwaited();
		this.#news.notify();
	}

	/** A reader in another process waits for a range. */
	onWanted(range: Range): void {
		this.#wanted.add(range);
		this.onAwaited();
	}

	/** A reader reads what is there. What has no parts cannot wait for who reads on: its connection would be closed. */
	onRead(range: Range): void {
		if (this.context.body.version === undefined) this.context.allowance.readOn(range);
		this.#seeks?.onRead(range);
	}

	/** More or less is allowed than before. */
	onAllowance(): void {
		this.#news.notify();
	}

	/** Brings no more; `run` returns. */
	leave(): void {
		this.#inOrder.leave();
	}

	/** Ends what `run` has not: afterwards nothing is written any more. */
	async end(): Promise<void> {
		await this.#seeks?.end();
	}

	/** Who is served past the disk fails with `reason`. */
	close(reason: Error): void {
		this.#through?.close(reason);
	}

	/** What readers wait for, here and elsewhere. */
	*#awaited(): Generator<Range> {
		const {body, intake} = this.context;
		yield* this.context.awaited();
		for (const range of this.#wanted.missing(intake.there)) {
			const isAll = range.end - range.start === body.lengthBytes;
			yield isAll ? {start: 0, end: Infinity} : range;
		}
	}

	async #write(chunks: readonly Uint8Array[], position: number): Promise<void> {
		await this.context.intake.write(chunks, position);
		this.#news.notify();
	}

	/** Rather all of it again than nothing, where the source has no parts. */
	async #fetchRest(range: Range, signal: AbortSignal): Promise<Incoming> {
		const body = await this.#fetchRange(range, {signal, maxSkipBytes: Infinity});
		if (!body.acceptsRanges) this.#seeks?.giveUp();
		return body;
	}

	#fetchRange({start, end}: Range, options: RangeOptions): Promise<RangeBody> {
		const {source, url, body} = this.context;
		if (source.fetchRange === undefined || body.version === undefined) {
			throw new CacheError('origin-failed', `${redact(url)} ended before it was whole`);
		}

		return answered(source.fetchRange(url, {start, end}, body.version, options), options.signal);
	}

	/** Whether what has failed may be tried again. What the disk does not take is read past it from then on. */
	#mayPass(error: unknown): boolean {
		const {context} = this;
		if (error instanceof VersionChangedError) context.abort.abort(error);
		if (isFull(error) && this.#readPast(error)) return false;
		context.log('a transfer has broken off', error);
		return context.body.version !== undefined && context.hasBegun() && isTransient(error);
	}

	#readPast(reason: CacheError): boolean {
		const {body, bandwidth, windows: memory, abort} = this.context;
		if (this.#through !== undefined) return true;
		if (body.version === undefined || !this.context.canReadPast()) return false;
		this.#through = new ReadThrough({
			...{lengthBytes: body.version.lengthBytes, memory},
			fetch: (range, signal) => this.#fetchRange(range, {signal, maxSkipBytes: 0}),
			onChunk: ({byteLength}) => bandwidth.take(byteLength, 'reader', abort.signal),
		});
		this.context.log('the disk takes no more of it', reason);
		this.context.onOverflow(reason);
		this.#news.notify();
		return true;
	}
}

function isFull(error: unknown): error is CacheError {
	return hasCode(error, 'no-space') || hasCode(error, 'too-large');
}

/** A failure after which the same may be asked for again. */
function isTransient(error: unknown): boolean {
	if (error instanceof RangesUnsupportedError || error instanceof VersionChangedError) return false;
	return (['origin-failed', 'origin-timeout', 'origin-unreachable'] as const).some(code => hasCode(error, code));
}
