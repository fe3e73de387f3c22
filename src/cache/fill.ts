import {abortable} from '../base/abort.js';
import type {Clock} from '../base/clock.js';
import {asError, CacheError} from '../base/errors.js';
import type {Range} from '../base/range-set.js';
import {redact} from '../base/redact.js';
import type {Entry} from '../store/entry.js';
import type {Description} from '../store/store.js';
import {ArrivedBytes} from './arrived-bytes.js';
import {Bringing, type BegunBringing, type BringingContext, type Outcome} from './bringing.js';
import type {Download} from './download.js';
import type {DownloadState} from './download-status.js';
import {Trickle} from './trickle.js';
import type {VersionId} from './version-id.js';

export interface FillContext extends BringingContext {
	readonly clock: Clock;
	/** Nobody is about to read it. */
	readonly isAsked: boolean;
	/** Called once: it is over, its last reader has gone, and it has left nothing behind that nobody needs. */
	onClosed(): void;
}

/** What was asked about waits so long for who reads it: programs open what they have just looked at. */
const PARKED_MS = 1000;
/** A reader who comes back within this time finds the download as it was. */
const LEFT_AFTER_MS = 2000;
/** What nobody could go on with is kept so much longer. */
const DROPPED_AFTER_MS = 60_000;
/** How often it is looked whether what goes on without readers brings enough. */
const LOOK_EVERY_MS = 1000;

/**
 * One URL on its way into the store: downloaded here, or followed where another
 * process downloads it. Any number of readers wait for it; they come and go, and
 * some time after the last has gone it leaves what has come to another fill,
 * unless little was left. What readers get is what lies on the disk. Who only
 * asks what it is gets the same answer begun, and nothing more is brought until
 * somebody reads.
 */
export class Fill {
	/** Settles when all is there, or when it was left, or with the reason why it is not. */
	readonly finished: Promise<Outcome>;
	readonly #abort = new AbortController();
	readonly #arrived: ArrivedBytes;
	readonly #begun: Promise<void>;
	#begin: () => void = () => undefined;
	/** What readers are told as soon as it is known. */
	#beginning: BegunBringing | undefined;
	readonly #bringing: Bringing;
	/** Resolves when who only asks about it learns no more for now. */
	readonly #held: Promise<void>;
	#hold: () => void = () => undefined;
	/** What has come of it by then, where that is all, and its beginning has not told. */
	#heldBytes: number | undefined;
	#readers = 0;
	/** Who waits to hear what it is. */
	#askers = 0;
	/** Fires when the first reader comes. */
	readonly #read = new AbortController();
	/** Somebody may come to read what was asked about. */
	#isKept = false;
	/** What kind of lookup it is, and whether it has been counted. */
	#decided: 'hit' | 'miss' | undefined;
	#isCounted = false;
	/** Runs while nobody reads it. */
	#alone: NodeJS.Timeout | undefined;
	#isLeaving = false;
	/** Somebody was given it as a stream. */
	#isStreamed = false;
	/** Why the disk does not keep all of it. */
	#overflow: CacheError | undefined;
	#isOver = false;
	#isClosed = false;
	#closing: Promise<void> | undefined;
	#isWanted = true;

	constructor(
		readonly url: string,
		readonly key: string,
		private readonly context: FillContext,
	) {
		this.#arrived = new ArrivedBytes(redact(url));
		this.#begun = new Promise(resolve => (this.#begin = resolve));
		this.#held = new Promise(resolve => (this.#hold = resolve));
		if (!context.isAsked) this.#read.abort();
		const listener = {
			onBegun: (beginning: BegunBringing) => this.#start(beginning),
			sizeBytes: () => this.#beginning?.sizeBytes,
			onOverflow: (reason: CacheError) => this.#readPast(reason),
			onHeld: (sizeBytes?: number) => {
				this.#heldBytes ??= sizeBytes;
				this.#hold();
			},
			read: this.#read.signal,
			hasReaders: () => this.#readers > 0,
			isWanted: () => this.#isWanted,
		};
		const onDecided = (lookup: 'hit' | 'miss') => {
			this.#decided = lookup;
			if (this.isRead) this.#count();
		};
		const counting = {...context, onDecided};
		this.#bringing = new Bringing(url, key, counting, this.#arrived, listener, this.#abort.signal);
		this.finished = this.#run();
		this.finished.catch(() => undefined);
	}

	/** Bytes of the entry to be, for a `stat` that must not wait; undefined while nobody knows. */
	get sizeBytes(): number | undefined {
		return this.#beginning?.sizeBytes ?? (this.#arrived.isWhole ? this.#arrived.count : this.#heldBytes);
	}

	/** Whether it may be read as it comes to an end that nobody knows yet; once that has come it is no stream any more. */
	get isStream(): boolean {
		return this.#beginning?.isTransformed === false && this.sizeBytes === undefined;
	}

	/** Whether who opens it is given what comes, and not what it is to replace. */
	get isOffered(): boolean {
		return this.sizeBytes !== undefined || this.#isStreamed;
	}

	get modifiedAtMs(): number {
		return this.#beginning?.modifiedAtMs ?? this.context.nowMs;
	}

	/** Bytes that are on the disk, of a body that may be transformed. */
	get arrivedBytes(): number {
		return Math.max(this.#arrived.count, this.#bringing.download?.arrivedBytes ?? 0);
	}

	/** Bytes that came from the source; another process's are not counted. */
	get downloadedBytes(): number {
		return this.#bringing.download?.downloadedBytes ?? 0;
	}

	/** Whether it has asked the source. */
	get isDownload(): boolean {
		return this.#bringing.download !== undefined;
	}

	/** Whether another process is at it, or was to the end. */
	get isFollowing(): boolean {
		return this.#bringing.isFollowing;
	}

	/** How many have joined and not left. */
	get readers(): number {
		return this.#readers;
	}

	/** Whether somebody reads it, or did. */
	get isRead(): boolean {
		return this.#read.signal.aborted;
	}

	/** What was asked about waits for who reads it, and nobody waits for it. */
	get isParked(): boolean {
		return !this.isRead && this.#askers === 0 && this.isOpen && !this.#isOver;
	}

	/** What it is at, while it is not over. */
	get state(): DownloadState {
		if (this.#bringing.isFollowing) return 'following';
		if (this.#bringing.download?.isAnswered !== true) return 'waiting';
		if (this.#bringing.download.isSuspended || this.isParked) return 'paused';
		return this.#bringing.download.isConverting ? 'converting' : 'downloading';
	}

	/** Which bytes it brings. */
	get id(): VersionId {
		return this.#bringing.id;
	}

	/** What was stored; undefined before the end, and where something else is stored by then. */
	get entry(): Entry | undefined {
		return this.#bringing.entry;
	}

	/** What it is; undefined before the end. */
	get description(): Description | undefined {
		return this.#bringing.description;
	}

	/** Whether its end is an entry. */
	get isWanted(): boolean {
		return this.#isWanted;
	}

	/** Whether a new reader may join. */
	get isOpen(): boolean {
		return this.#isWanted && !this.#isClosed && !this.#isLeaving && !this.#abort.signal.aborted;
	}

	/** It was left or given up, and what has come is being put away: who comes now waits for that. */
	get isEnding(): boolean {
		return (this.#isLeaving || this.#abort.signal.aborted) && this.#isWanted && !this.#isClosed && this.#readers === 0;
	}

	/** Counts a reader in. Each one leaves, once. */
	join(): void {
		this.#readers++;
		clearTimeout(this.#alone);
		if (!this.isRead) {
			this.#read.abort();
			this.#count();
		}

		this.#bringing.download?.resume();
	}

	/** Counts in somebody who waits to hear what it is. Each one leaves by `leaveAsked`, once. */
	ask(): void {
		this.#askers++;
		if (!this.isRead) clearTimeout(this.#alone);
	}

	/**
	 * Where nobody else is here its answer waits a moment for who reads it.
	 *
	 * @param mayRead - who asked may come to do that.
	 */
	leaveAsked(mayRead: boolean): void {
		this.#askers--;
		this.#isKept ||= mayRead;
		if (!this.isRead) clearTimeout(this.#alone);
		if (this.#readers > 0 || this.#askers > 0 || this.#isOver) return;
		if (this.isRead) this.#onLastLeft();
		// What has not asked yet would save nobody a request.
		else if (this.#isKept && this.isDownload) this.#alone = setTimeout(() => this.giveWay(), PARKED_MS).unref();
		else this.giveWay();
	}

	/** Ends what is parked. */
	giveWay(): void {
		const download = this.#bringing.download;
		clearTimeout(this.#alone);
		if (this.#isOver) return;
		if (download?.isAnswered !== true || this.isFollowing) this.cancel(this.#given('given up'));
		else if (download.isFollowed) this.#leaveAfter(LEFT_AFTER_MS);
		else this.#drop(download);
	}

	/**
	 * A download that has not been answered yet ends when nobody waits for it any
	 * more, and so does a following. One that was goes on to its end, or pauses and
	 * is left after a while.
	 */
	leave(): void {
		this.#readers--;
		if (this.#readers === 0 && this.#askers === 0) this.#onLastLeft();
		void this.#closeWhenUnused();
	}

	/** Ends it now; who waits for it fails with `reason`. */
	cancel(reason: CacheError): void {
		this.#abort.abort(reason);
	}

	/** Ends it and clears away what it leaves, readers or not. */
	async close(reason: CacheError): Promise<void> {
		this.cancel(reason);
		await this.finished.catch(() => undefined);
		this.#readers = 0;
		await this.#closeWhenUnused();
	}

	/** The entry was removed or replaced meanwhile: who reads is served to the end, nothing is stored. */
	disown(): void {
		this.#isWanted = false;
		this.#bringing.release();
		if (this.#readers === 0) this.cancel(this.#given('removed'));
	}

	/**
	 * Waits until the size is known: for the first bytes, or where only the end
	 * tells it for the last.
	 *
	 * @param mayStream - the first bytes will do in any case: see `isStream`.
	 * @throws the reason why the download failed, or the signal's.
	 */
	async opened(signal?: AbortSignal, mayStream = false): Promise<void> {
		await abortable(Promise.race([this.#begun, this.finished]), signal);
		if (mayStream && this.isStream) this.#isStreamed = true;
		else if (this.#beginning?.sizeBytes === undefined) await this.complete(signal);
	}

	/**
	 * Waits until the size is known, or it is known that only who waits longer or
	 * reads it will learn it.
	 *
	 * @throws the reason why the download failed, or the signal's.
	 */
	async announced(signal: AbortSignal): Promise<void> {
		await abortable(Promise.race([this.#begun, this.#held, this.finished]), signal);
		if (!this.isOffered) await abortable(Promise.race([this.#held, this.finished]), signal);
	}

	/**
	 * Waits until all of it is on disk, and stored.
	 *
	 * @param signal - aborts this wait only; the download goes on for the others.
	 * @throws also what the disk cannot keep.
	 */
	async complete(signal?: AbortSignal): Promise<void> {
		this.#assertKept();
		const completed = this.#arrived.reached({start: 0, end: Infinity}, signal);
		this.#bringing.onAwaited();
		await completed;
		this.#assertKept();
	}

	#assertKept(): void {
		if (this.#overflow !== undefined && this.#arrived.count !== this.sizeBytes) throw this.#overflow;
	}

	/**
	 * Fills `buffer` from byte `position` on, waiting for the bytes; fewer only at
	 * the end of the body, or of a stream where no more has come. Who has read the
	 * last of all bytes, or the end of a stream, knows that it is whole, and
	 * stored. Readahead asks out of order, so any order is fine.
	 */
	async read(buffer: Uint8Array, position: number, signal?: AbortSignal): Promise<number> {
		const sizeBytes = this.#beginning?.sizeBytes;
		if (sizeBytes === undefined) return this.#readStream(buffer, position, signal);
		const range = {start: position, end: Math.min(position + buffer.byteLength, sizeBytes)};
		await this.#reached(range, signal);
		const through = this.#arrived.ranges.has(range.start, range.end) ? undefined : this.#bringing.download?.readThrough;
		if (through !== undefined) return through.read(buffer, position, signal);
		if (this.#arrived.count === sizeBytes) await this.complete(signal);
		if (position >= sizeBytes) return 0;
		return this.#arrived.read(buffer, position);
	}

	/** What is there by now, which is a byte at least, or nothing at the end. */
	async #readStream(buffer: Uint8Array, position: number, signal?: AbortSignal): Promise<number> {
		if (!this.#arrived.isWhole) await this.#reached({start: position, end: position + 1}, signal);
		const length = Math.min(this.#arrived.ranges.endOf(position) - position, buffer.byteLength);
		if (length > 0) return this.#arrived.read(buffer.subarray(0, length), position);
		this.#assertKept();
		return 0;
	}

	/** Waits until a range is there, or the disk takes no more. */
	async #reached(range: Range, signal?: AbortSignal): Promise<void> {
		if (this.#arrived.ranges.has(range.start, range.end)) {
			this.#bringing.download?.onRead(range);
		} else if (this.#overflow === undefined) {
			const reached = this.#arrived.reached(range, signal);
			this.#bringing.onAwaited(range);
			await reached;
		}
	}

	/** Once it is read, or has come to an end of its own: what is only asked about is no lookup. */
	#count(): void {
		if (this.#decided === undefined || this.#isCounted) return;
		this.#isCounted = true;
		this.context.onDecided(this.#decided);
	}

	/** Nobody reads it any more here. */
	#onLastLeft(): void {
		const download = this.#bringing.download;
		if (this.#bringing.isFollowing || download?.isAnswered !== true) this.cancel(this.#given('given up'));
		else if (download.isFollowed || download.suspend()) this.#leaveAfter(LEFT_AFTER_MS);
		else this.#goOnAlone(download);
	}

	/** It is to come to its end without readers, unless it takes its slot for too little. */
	#goOnAlone(download: Download): void {
		if (this.#isOver) return;
		const {clock, bandwidth} = this.context;
		const trickle = new Trickle(clock.now(), download.downloadedBytes);
		const look = () => {
			const isHeldUp = download.isFollowed || download.isConverting || bandwidth.isShort;
			if (isHeldUp) trickle.restart(clock.now(), download.downloadedBytes);
			else if (trickle.isTooLittle(clock.now(), download.downloadedBytes)) this.#drop(download);
		};
		clearTimeout(this.#alone);
		this.#alone = setInterval(look, LOOK_EVERY_MS).unref();
	}

	/** What somebody can go on with is kept. */
	#drop(download: Download): void {
		clearTimeout(this.#alone);
		this.#isLeaving = download.isResumable;
		if (this.#isLeaving) download.leave();
		else this.cancel(this.#given('left alone'));
	}

	#leaveAfter(ms: number): void {
		clearTimeout(this.#alone);
		this.#alone = setTimeout(() => this.#leave(), ms).unref();
	}

	/** Nobody has come back. Who reads it in another process counts as a reader. */
	#leave(): void {
		const download = this.#bringing.download;
		if (this.#readers > 0 || this.#isOver || download === undefined) return;
		if (download.isFollowed) {
			this.#leaveAfter(LEFT_AFTER_MS);
		} else if (download.suspend()) {
			this.#isLeaving = download.isResumable;
			if (this.#isLeaving) download.leave();
			else this.#alone = setTimeout(() => this.cancel(this.#given('left alone')), DROPPED_AFTER_MS).unref();
		} else {
			this.#goOnAlone(download);
		}
	}

	async #run(): Promise<Outcome> {
		let outcome: Outcome;
		try {
			outcome = await this.#bringing.run();
		} catch (error) {
			const reason = asError(this.#abort.signal.aborted ? this.#abort.signal.reason : error);
			this.#arrived.fail(reason);
			throw reason;
		} finally {
			this.#isOver = true;
			clearTimeout(this.#alone);
			if (!this.#isLeaving && !this.#abort.signal.aborted) this.#count();
			await this.#closeWhenUnused();
		}

		if (!this.#isWanted && this.entry === undefined) throw this.#given('removed');
		return outcome;
	}

	/** The disk takes no more: each reader is served past it. */
	#readPast(reason: CacheError): void {
		this.#overflow = reason;
		this.#arrived.wake();
		if (this.#readers === 0 && this.isRead) this.#onLastLeft();
	}

	/** What is said for the first time holds: readers have been told it. */
	#start(beginning: BegunBringing): void {
		if (this.#beginning !== undefined && this.#beginning.sizeBytes !== beginning.sizeBytes) {
			throw new CacheError('origin-failed', `${redact(this.url)} has another length than when it was begun`);
		}

		const {sizeBytes, modifiedAtMs, isTransformed = false} = beginning;
		this.#beginning ??= {sizeBytes, modifiedAtMs, isTransformed};
		this.#begin();
	}

	/** Once: when it is over, and nobody reads what it has brought. */
	async #closeWhenUnused(): Promise<void> {
		if (!this.#isOver || this.#readers > 0) return;
		this.#isClosed = true;
		this.#closing ??= this.#clear();
		await this.#closing;
	}

	async #clear(): Promise<void> {
		await this.#bringing.close();
		this.context.onClosed();
	}

	#given(fate: string): CacheError {
		return new CacheError('aborted', `${redact(this.url)} was ${fate} while it was fetched`);
	}
}
