import path from 'node:path';
import {abortable} from '../base/abort.js';
import {asError, CacheError} from '../base/errors.js';
import type {Range} from '../base/range-set.js';
import {redact} from '../base/redact.js';
import {decideType, SNIFF_BYTES} from '../media/sniff.js';
import type {Draft} from '../store/draft.js';
import {modifiedAtMs, type Entry} from '../store/entry.js';
import type {Announcement, OwnedFill} from '../store/fill-owners.js';
import type {Pin} from '../store/pin.js';
import type {Description} from '../store/store.js';
import {ArrivedBytes} from './arrived-bytes.js';
import {Download, type Beginning, type DownloadContext} from './download.js';
import type {DownloadState} from './download-status.js';
import {Following, type Ending, type Followed} from './following.js';

export interface FillContext extends DownloadContext {
	/** Holds a download back while too many run. */
	readonly limit: <T>(work: () => Promise<T>) => Promise<T>;
	/** Called once: whether the fill makes a request, or finds that another process has made it. */
	onDecided(lookup: 'hit' | 'miss'): void;
}

/**
 * One URL on its way into the store: downloaded here, or followed where another
 * process downloads it. Any number of readers wait for it; they come and go, a
 * download runs to its end. What readers get is what lies on the disk.
 */
export class Fill {
	/** Settles when all is there, or with the reason why it is not. */
	readonly finished: Promise<void>;
	readonly #abort = new AbortController();
	readonly #arrived: ArrivedBytes;
	readonly #begun: Promise<void>;
	#begin: () => void = () => undefined;
	#beginning: Pick<Beginning, 'sizeBytes' | 'modifiedAtMs'> | undefined;
	#download: Download | undefined;
	#owned: OwnedFill | undefined;
	#announcement: Announcement | undefined;
	/** Of other processes, one after another. */
	readonly #followings: Following[] = [];
	#pin: Pin | undefined;
	#description: Description | undefined;
	#readers = 0;
	/** Who waits for a reader. */
	readonly #sleepers: Array<() => void> = [];
	#isDecided = false;
	#isFollowing = false;
	#isOver = false;
	#isClosed = false;
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
		return Math.max(this.#arrived.count, this.downloadedBytes);
	}

	/** Bytes that came from the source; another process's are not counted. */
	get downloadedBytes(): number {
		return this.#download?.arrivedBytes ?? 0;
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
		if (this.#download.isPaused) return 'paused';
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
		return this.#isWanted && !this.#isClosed && !this.#abort.signal.aborted;
	}

	/** Counts a reader in. Each one leaves, once. */
	join(): void {
		this.#readers++;
		this.#resume();
	}

	/**
	 * A download that has not been answered yet ends when nobody waits for it any
	 * more, and so does a following. One that was goes on, or pauses for a while.
	 */
	leave(): void {
		this.#readers--;
		if (this.#readers === 0) this.#leaveAlone();
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
	 */
	complete(signal?: AbortSignal): Promise<void> {
		return this.#arrived.reached({start: 0, end: Infinity}, signal);
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
			await this.#reached({start: position, end: Math.min(position + buffer.byteLength, sizeBytes)}, signal);
			if (this.#arrived.count === sizeBytes) await this.complete(signal);
			if (position >= sizeBytes) return 0;
		}

		return this.#arrived.read(buffer, position);
	}

	#reached(range: Range, signal?: AbortSignal): Promise<void> {
		if (this.#arrived.ranges.has(range.start, range.end)) {
			this.#download?.onRead(range);
			return DONE;
		}

		const reached = this.#arrived.reached(range, signal);
		this.#download?.onAwaited();
		return reached;
	}

	#leaveAlone(): void {
		if (this.#download?.isAnswered !== true) this.cancel(this.#given('given up'));
		else if (!this.#isFollowing) this.#download.pause();
	}

	#resume(): void {
		this.#download?.resume();
		for (const wake of this.#sleepers.splice(0)) wake();
	}

	/** Waits for a reader. @throws when none has come for long. */
	async #untilWanted(): Promise<void> {
		if (this.#download?.isPaused !== true) return;
		const timer = setTimeout(() => this.cancel(this.#given('left alone')), KEPT_PAUSED_MS).unref();
		try {
			await abortable(new Promise<void>(resolve => this.#sleepers.push(resolve)), this.#abort.signal);
		} finally {
			clearTimeout(timer);
		}
	}

	async #run(): Promise<void> {
		try {
			await this.#bringOrFollow();
		} catch (error) {
			const reason = asError(this.#abort.signal.aborted ? this.#abort.signal.reason : error);
			this.#arrived.fail(reason);
			throw reason;
		} finally {
			this.#decide('miss');
			this.#isOver = true;
			await this.#closeWhenUnused();
		}

		if (!this.#isWanted && this.#pin === undefined) throw this.#given('removed');
	}

	/** What another process has begun and does not end, somebody downloads anew: who claims it first. */
	async #bringOrFollow(): Promise<void> {
		let ending: Ending | undefined;
		for (;;) {
			const outcome = await this.context.limit(() => this.#bring(ending === 'silent'));
			if (outcome === 'brought') return;
			if (outcome === 'paused') {
				await this.#untilWanted();
				continue;
			}

			this.#decide('hit');
			ending = await this.#follow();
			if (ending === 'whole' || (ending === 'stored' && (await this.#takeStored()))) return;
		}
	}

	/**
	 * Takes what is stored by now, or downloads it.
	 *
	 * @param isAlone - also where another process is at it.
	 * @returns `theirs` where another process is at it; `paused` where nobody reads it.
	 */
	async #bring(isAlone: boolean): Promise<'brought' | 'theirs' | 'paused'> {
		this.#abort.signal.throwIfAborted();
		const claimed = isAlone || !this.#isWanted ? 'silent' : await this.context.store.fills.claim(this.key);
		if (claimed === 'theirs') return 'theirs';
		this.#owned = claimed === 'silent' ? undefined : claimed;
		this.#isFollowing = false;
		// It goes on after a pause.
		if (this.#announcement !== undefined) this.#owned?.announce(this.#announcement);
		try {
			if (await this.#takeStored()) return 'brought';
			return (await this.#fetch()) ? 'brought' : 'paused';
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

	/** @returns false where it was paused. */
	async #fetch(): Promise<boolean> {
		this.#decide('miss');
		this.#download ??= new Download(this.url, this.key, this.context, {
			onBegun: (beginning, draft) => this.#announce(beginning, draft),
			onArrived: async ({file}, range) => {
				if (this.#beginning?.sizeBytes !== undefined) await this.#arrived.arrive(file, range);
			},
			awaited: () => this.#arrived.awaited,
		});
		const brought = await this.#download.run(this.#abort.signal);
		if (brought === undefined) return false;
		const {draft, description} = brought;
		if (this.#isWanted) this.#pin = await this.context.store.commitFirst(draft, description);
		this.#description = description;
		this.#arrived.finish(this.#pin ?? draft.file, draft.sizeBytes);
		return true;
	}

	#announce({sizeBytes, modifiedAtMs, mimetype, filename}: Beginning, draft: Draft): void {
		this.#start({sizeBytes, modifiedAtMs});
		// Where only the end will tell the length, who follows waits for the entry.
		if (sizeBytes === undefined) return;
		const announcement = {partial: path.basename(draft.path), sizeBytes, modifiedAtMs, filename};
		this.#announcement = {...announcement, ...(mimetype !== undefined && {mimetype})};
		this.#owned?.announce(this.#announcement);
	}

	async #follow(): Promise<Ending> {
		this.#isFollowing = true;
		const following = new Following(this.key, this.context.store, {
			onBegun: announcement => this.#start(announcement),
			onArrived: (partial, range) => this.#arrived.arrive(partial, range),
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

	async #closeWhenUnused(): Promise<void> {
		if (!this.#isOver || this.#readers > 0) return;
		this.#isClosed = true;
		this.#pin?.close();
		for (const following of this.#followings) following.close();
		await this.#download?.discard();
	}

	#given(fate: string): CacheError {
		return new CacheError('aborted', `${redact(this.url)} was ${fate} while it was fetched`);
	}
}

const DONE = Promise.resolve();
/** What has come of a download that nobody reads is kept so long. */
const KEPT_PAUSED_MS = 5 * 60_000;
