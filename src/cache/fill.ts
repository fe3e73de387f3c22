import path from 'node:path';
import {abortable} from '../base/abort.js';
import {asError, CacheError} from '../base/errors.js';
import type {Range} from '../base/range-set.js';
import {redact} from '../base/redact.js';
import {decideType, SNIFF_BYTES} from '../media/sniff.js';
import type {Draft} from '../store/draft.js';
import {modifiedAtMs, type Entry} from '../store/entry.js';
import type {OwnedFill} from '../store/fill-owners.js';
import type {Pin} from '../store/pin.js';
import type {Description} from '../store/store.js';
import {ArrivedBytes} from './arrived-bytes.js';
import {Download, type Beginning, type DownloadContext} from './download.js';
import type {DownloadState} from './download-status.js';
import {Following, type Ending, type Followed} from './following.js';
import {hostOf, type Slot} from './slots.js';

export interface FillContext extends DownloadContext {
	/** Called once: whether the fill makes a request, or finds that another process has made it. */
	onDecided(lookup: 'hit' | 'miss'): void;
	/** Called once: it is over, its last reader has gone, and it has left nothing behind that nobody needs. */
	onClosed(): void;
}

/** How a fill ended that did not fail. */
export type Outcome =
	/** All is there. */
	| 'whole'
	/** Nobody read it any more: what had come is kept for the next fill. */
	| 'left';

/**
 * One URL on its way into the store: downloaded here, or followed where another
 * process downloads it. Any number of readers wait for it; they come and go, and
 * some time after the last has gone it leaves what has come to another fill,
 * unless little was left. What readers get is what lies on the disk.
 */
export class Fill {
	/** Settles when all is there, or when it was left, or with the reason why it is not. */
	readonly finished: Promise<Outcome>;
	readonly #abort = new AbortController();
	readonly #arrived: ArrivedBytes;
	readonly #begun: Promise<void>;
	#begin: () => void = () => undefined;
	#beginning: Pick<Beginning, 'sizeBytes' | 'modifiedAtMs'> | undefined;
	#download: Download | undefined;
	#owned: OwnedFill | undefined;
	/** Of other processes, one after another. */
	readonly #followings: Following[] = [];
	#pin: Pin | undefined;
	#description: Description | undefined;
	#readers = 0;
	/** Runs while nobody reads it. */
	#alone: NodeJS.Timeout | undefined;
	#isLeaving = false;
	#isDecided = false;
	#isFollowing = false;
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
		this.finished = this.#run();
		this.finished.catch(() => undefined);
	}

	/** Bytes of the entry to be, for a `stat` that must not wait; undefined while nobody knows. */
	get sizeBytes(): number | undefined {
		return this.#beginning?.sizeBytes ?? (this.#isOver ? this.#arrived.count : undefined);
	}

	get modifiedAtMs(): number {
		return this.#beginning?.modifiedAtMs ?? this.context.nowMs;
	}

	/** Bytes that are on the disk, of a body that may be transformed. */
	get arrivedBytes(): number {
		return Math.max(this.#arrived.count, this.#download?.arrivedBytes ?? 0);
	}

	/** Bytes that came from the source; another process's are not counted. */
	get downloadedBytes(): number {
		return this.#download?.downloadedBytes ?? 0;
	}

	/** Whether it has asked the source. */
	get isDownload(): boolean {
		return this.#download !== undefined;
	}

	/** Whether another process is at it, or was to the end. */
	get isFollowing(): boolean {
		return this.#isFollowing;
	}

	/** How many have joined and not left. */
	get readers(): number {
		return this.#readers;
	}

	/** What it is at, while it is not over. */
	get state(): DownloadState {
		if (this.#isFollowing) return 'following';
		if (this.#download?.isAnswered !== true) return 'waiting';
		if (this.#download.isSuspended) return 'paused';
		return this.#download.isConverting ? 'converting' : 'downloading';
	}

	/** What was stored; undefined before the end, and where something else is stored by then. */
	get entry(): Entry | undefined {
		return this.#pin?.entry;
	}

	/** What it is; undefined before the end. */
	get description(): Description | undefined {
		return this.#description;
	}

	/** Whether its end is an entry. */
	get isWanted(): boolean {
		return this.#isWanted;
	}

	/** Whether a new reader may join. */
	get isOpen(): boolean {
		return this.#isWanted && !this.#isClosed && !this.#isLeaving && !this.#abort.signal.aborted;
	}

	/** Nobody read it any more, and what has come is being put away. */
	get isLeaving(): boolean {
		return this.#isLeaving && !this.#isClosed;
	}

	/** Counts a reader in. Each one leaves, once. */
	join(): void {
		this.#readers++;
		clearTimeout(this.#alone);
		this.#download?.resume();
	}

	/**
	 * A download that has not been answered yet ends when nobody waits for it any
	 * more, and so does a following. One that was goes on to its end, or pauses and
	 * is left after a while.
	 */
	leave(): void {
		this.#readers--;
		if (this.#readers === 0) this.#pause();
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
		this.#owned?.release();
		if (this.#readers === 0) this.cancel(this.#given('removed'));
	}

	/**
	 * Waits until the size is known: for the first bytes, or where only the end
	 * tells it for the last.
	 *
	 * @throws the reason why the download failed, or the signal's.
	 */
	async opened(signal?: AbortSignal): Promise<void> {
		await abortable(Promise.race([this.#begun, this.finished]), signal);
		if (this.#beginning?.sizeBytes === undefined) await this.complete(signal);
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
		this.#download?.onAwaited();
		await completed;
		this.#assertKept();
	}

	#assertKept(): void {
		if (this.#overflow !== undefined) throw this.#overflow;
	}

	/**
	 * Fills `buffer` from byte `position` on, waiting for the bytes; fewer only at
	 * the end of the body. Who has read the last of all bytes knows that it is
	 * whole, and stored. Readahead asks out of order, so any order is fine.
	 */
	async read(buffer: Uint8Array, position: number, signal?: AbortSignal): Promise<number> {
		const sizeBytes = this.#beginning?.sizeBytes;
		if (sizeBytes === undefined) {
			await this.complete(signal);
		} else {
			const range = {start: position, end: Math.min(position + buffer.byteLength, sizeBytes)};
			await this.#reached(range, signal);
			const through = this.#arrived.ranges.has(range.start, range.end) ? undefined : this.#download?.readThrough;
			if (through !== undefined) return through.read(buffer, position, signal);
			if (this.#arrived.count === sizeBytes) await this.complete(signal);
			if (position >= sizeBytes) return 0;
		}

		return this.#arrived.read(buffer, position);
	}

	/** Waits until a range is there, or the disk takes no more. */
	async #reached(range: Range, signal?: AbortSignal): Promise<void> {
		if (this.#arrived.ranges.has(range.start, range.end)) {
			this.#download?.onRead(range);
		} else if (this.#overflow === undefined) {
			const reached = this.#arrived.reached(range, signal);
			this.#download?.onAwaited();
			if (this.#isFollowing) this.#followings.at(-1)?.want(range);
			await reached;
		}
	}

	/** Nobody reads it any more here. */
	#pause(): void {
		const download = this.#download;
		if (this.#isFollowing || download?.isAnswered !== true) this.cancel(this.#given('given up'));
		else if (download.isFollowed || download.suspend()) this.#leaveAfter(LEFT_AFTER_MS);
	}

	#leaveAfter(ms: number): void {
		this.#alone = setTimeout(() => this.#leave(), ms).unref();
	}

	/** Nobody has come back. Who reads it in another process counts as a reader. */
	#leave(): void {
		const download = this.#download;
		if (this.#readers > 0 || this.#isOver || download === undefined) return;
		if (download.isFollowed) {
			this.#leaveAfter(LEFT_AFTER_MS);
		} else if (download.suspend()) {
			this.#isLeaving = download.isResumable;
			if (this.#isLeaving) download.leave();
			else this.#alone = setTimeout(() => this.cancel(this.#given('left alone')), DROPPED_AFTER_MS).unref();
		}
	}

	async #run(): Promise<Outcome> {
		let outcome: Outcome;
		try {
			outcome = await this.#bringOrFollow();
		} catch (error) {
			const reason = asError(this.#abort.signal.aborted ? this.#abort.signal.reason : error);
			this.#arrived.fail(reason);
			throw reason;
		} finally {
			this.#decide('miss');
			this.#isOver = true;
			clearTimeout(this.#alone);
			await this.#closeWhenUnused();
		}

		if (!this.#isWanted && this.#pin === undefined) throw this.#given('removed');
		return outcome;
	}

	/** What another process has begun and does not end, somebody downloads anew: who claims it first. */
	async #bringOrFollow(): Promise<Outcome> {
		let ending: Ending | undefined;
		for (;;) {
			const outcome = await this.#bring(ending === 'silent');
			if (outcome !== 'theirs') return outcome;
			this.#decide('hit');
			ending = await this.#follow();
			if (ending === 'whole' || (ending === 'stored' && (await this.#takeStored()))) return 'whole';
		}
	}

	/**
	 * Takes what is stored by now, or downloads it.
	 *
	 * @param isAlone - also where another process is at it.
	 * @returns `theirs` where another process is at it.
	 */
	async #bring(isAlone: boolean): Promise<Outcome | 'theirs'> {
		const {signal} = this.#abort;
		const slot = await this.context.slots.take(hostOf(this.url), 'reader', signal);
		try {
			signal.throwIfAborted();
			return await this.#bringIn(slot, isAlone);
		} finally {
			slot.release();
		}
	}

	async #bringIn(slot: Slot, isAlone: boolean): Promise<Outcome | 'theirs'> {
		const claimed = isAlone || !this.#isWanted ? 'silent' : await this.context.store.fills.claim(this.key);
		if (claimed === 'theirs') return 'theirs';
		this.#owned = claimed === 'silent' ? undefined : claimed;
		this.#isFollowing = false;
		try {
			return (await this.#takeStored()) ? 'whole' : await this.#fetch(slot);
		} finally {
			this.#owned?.release();
		}
	}

	/** Whether there is an entry by now, and not of another version than readers have begun to read. */
	async #takeStored(): Promise<boolean> {
		const pin = await this.context.store.pin(this.key);
		if (pin === undefined) return false;
		if (!(await this.#isSameVersion(pin).catch(() => false))) {
			pin.close();
			return false;
		}

		const {entry} = pin;
		const {mimetype, filename} = entry.sidecar;
		this.#decide('hit');
		this.#pin = pin;
		this.#description = {url: this.url, mimetype, filename};
		this.#start({sizeBytes: entry.sizeBytes, modifiedAtMs: modifiedAtMs(entry)});
		this.#arrived.finish(pin, entry.sizeBytes);
		return true;
	}

	async #isSameVersion(pin: Pin): Promise<boolean> {
		if (this.#beginning !== undefined && this.#beginning.sizeBytes !== pin.entry.sizeBytes) return false;
		const {ino} = pin.entry.data;
		return this.#followings.some(({followed}) => followed?.inode === ino) || this.#arrived.agreesWith(pin);
	}

	async #fetch(slot: Slot): Promise<Outcome> {
		this.#decide('miss');
		this.#download = new Download(this.url, this.key, this.context, {
			onBegun: (beginning, draft) => this.#announce(beginning, draft),
			onArrived: async ({file}, range) => {
				if (this.#beginning?.sizeBytes !== undefined) await this.#arrived.arrive(file, range);
			},
			onOverflow: reason => this.#readPast(reason),
			awaited: () => this.#arrived.awaited,
			isWanted: () => this.#isWanted,
		});
		const brought = await this.#download.run(slot, this.#abort.signal);
		if (brought === 'left') return 'left';
		const {draft, description} = brought;
		if (this.#isWanted) this.#pin = await this.context.store.commitFirst(draft, description);
		this.#description = description;
		this.#arrived.finish(this.#pin ?? draft.file, draft.sizeBytes);
		return 'whole';
	}

	/** The disk takes no more: who follows is not to wait for it, and each reader is served past it. */
	#readPast(reason: CacheError): void {
		this.#overflow = reason;
		this.#owned?.release();
		this.#arrived.wake();
	}

	#announce({sizeBytes, modifiedAtMs, mimetype, filename}: Beginning, draft: Draft): void {
		this.#start({sizeBytes, modifiedAtMs});
		// Where only the end will tell the length, who follows waits for the entry.
		if (sizeBytes === undefined) return;
		const announcement = {partial: path.basename(draft.path), sizeBytes, modifiedAtMs, filename};
		this.#owned?.announce({...announcement, ...(mimetype !== undefined && {mimetype})});
	}

	async #follow(): Promise<Ending> {
		this.#isFollowing = true;
		const following = new Following(this.key, this.context.store, {
			onBegun: announcement => this.#start(announcement),
			onArrived: (partial, range) => this.#arrived.arrive(partial, range),
			awaited: () => this.#arrived.awaited,
			hasReaders: () => this.#readers > 0,
		});
		this.#followings.push(following);
		const ending = await following.run(this.#abort.signal);
		if (ending === 'whole' && following.followed !== undefined) await this.#takeFollowed(following.followed);
		return ending;
	}

	/** Its bytes are there, and no sidecar tells what they are. */
	async #takeFollowed({announcement, partial}: Followed): Promise<void> {
		const {sizeBytes, filename, mimetype} = announcement;
		const head = Buffer.alloc(Math.min(SNIFF_BYTES, sizeBytes));
		await partial.read(head, 0);
		this.#description = {url: this.url, filename, mimetype: await decideType(mimetype, head)};
		this.#arrived.finish(partial, sizeBytes);
	}

	/** What is said for the first time holds: readers have been told it. */
	#start(beginning: Pick<Beginning, 'sizeBytes' | 'modifiedAtMs'>): void {
		if (this.#beginning !== undefined && this.#beginning.sizeBytes !== beginning.sizeBytes) {
			throw new CacheError('origin-failed', `${redact(this.url)} has another length than when it was begun`);
		}

		this.#beginning ??= {sizeBytes: beginning.sizeBytes, modifiedAtMs: beginning.modifiedAtMs};
		this.#begin();
	}

	#decide(lookup: 'hit' | 'miss'): void {
		if (!this.#isDecided) this.context.onDecided(lookup);
		this.#isDecided = true;
	}

	/** Once: when it is over, and nobody reads what it has brought. */
	async #closeWhenUnused(): Promise<void> {
		if (!this.#isOver || this.#readers > 0) return;
		this.#isClosed = true;
		this.#closing ??= this.#clear();
		await this.#closing;
	}

	async #clear(): Promise<void> {
		this.#pin?.close();
		for (const following of this.#followings) following.close();
		await this.#download?.close();
		this.context.onClosed();
	}

	#given(fate: string): CacheError {
		return new CacheError('aborted', `${redact(this.url)} was ${fate} while it was fetched`);
	}
}

/** A reader who comes back within this time finds the connection as it was. */
const LEFT_AFTER_MS = 2000;
/** What nobody could go on with is kept so much longer. */
const DROPPED_AFTER_MS = 60_000;
