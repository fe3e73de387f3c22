import {setMaxListeners} from 'node:events';
import {Condition} from '../base/condition.js';
import {asError, CacheError, messageOf} from '../base/errors.js';
import type {Log} from '../base/log.js';
import type {Range} from '../base/range-set.js';
import {redact} from '../base/redact.js';
import {decideType} from '../media/sniff.js';
import {DECIDING_BYTES, type Transform} from '../media/transforms.js';
import type {Draft} from '../store/draft.js';
import type {Entry} from '../store/entry.js';
import {seal} from '../store/fill-owners.js';
import type {Description, Store} from '../store/store.js';
import {Allowance} from './allowance.js';
import {begin, isOfAnother, type Begun} from './beginning.js';
import type {Body} from './body.js';
import {convert} from './conversion.js';
import type {FillMode} from './fill-mode.js';
import {Head} from './head.js';
import {Intake} from './intake.js';
import type {ReadThrough} from './read-through.js';
import type {Slot} from './slots.js';
import type {CachingFacts, Source} from './source.js';
import {Transfers, type TransferLimits} from './transfers.js';

export interface DownloadContext extends TransferLimits {
	readonly store: Store;
	readonly source: Source;
	readonly transforms: readonly Transform[];
	readonly fillMode: FillMode;
	readonly log: Log;
	/** When it was asked for, epoch milliseconds. */
	readonly nowMs: number;
	/** The entry whose place it is to take. */
	readonly replaced?: Entry | undefined;
	/** Whether a body of which its source says this may be kept for later readers. */
	mayKeep(caching: CachingFacts | undefined): boolean;
}

/** What a body turned out to be, once its first bytes are here. */
export interface Beginning {
	/** Bytes of the entry to be; undefined when only the end will tell. */
	readonly sizeBytes: number | undefined;
	/** Whether the entry is to be something else, which is made of it once it is whole. */
	readonly isTransformed: boolean;
	readonly modifiedAtMs: number;
	/** As declared. */
	readonly mimetype: string | undefined;
	readonly filename: string;
	/** Equal for the same version of the body; undefined where only the bytes tell. */
	readonly identity: string | undefined;
}

/** Who is told of a download. What it throws ends the download. */
export interface DownloadListener {
	/** Once, with the first bytes. */
	onBegun(beginning: Beginning, draft: Draft): void;
	/** After that: the draft has more than before. */
	onArrived(draft: Draft, range: Range): Promise<void>;
	/** The disk takes no more: what is not there is to be read by `readThrough`. */
	onOverflow(reason: CacheError): void;
	/**
	 * Who only asks about it learns no more for now: the source has to be asked
	 * again, or no more comes, and nothing is stored, before somebody reads it.
	 * `sizeBytes`: of the entry to be, where that is known.
	 */
	onHeld(sizeBytes?: number): void;
	/** What readers wait for, who came first at the front. */
	awaited(): Iterable<Range>;
	/** Whether what has come is of use to who comes later. */
	isWanted(): boolean;
	/** Whether somebody reads it, or did; else it is only asked about. */
	isRead(): boolean;
}

/** What came whole: a draft to be committed, and what to say of it. */
export interface Brought {
	readonly draft: Draft;
	readonly description: Description;
	/** Whether it may be stored. */
	readonly isForKeeps: boolean;
}

/** A shorter body is there before a second request would be answered. */
const MIN_SEEKABLE_BYTES = 4 * 1024 * 1024;
/** So much is fetched to its end, though nobody waits for it. */
const LITTLE_BYTES = 16 * 1024 * 1024;

/**
 * The bytes of a URL, brought from the source into a draft: in order, as far as
 * readers let it, and beside that what they wait for further on. It goes on
 * where a connection broke, if the source gives ranges, and where an earlier
 * download has left it.
 */
export class Download {
	#head = new Head();
	readonly #abort = new AbortController();
	/** What is known of the body, from the first answer or from an earlier download. */
	#body: Body | undefined;
	#intake: Intake | undefined;
	/** What a transform has made of it. */
	#converted: Draft | undefined;
	#allowance: Allowance;
	#transfers: Transfers | undefined;
	#transform: Transform | undefined;
	#hasBegun = false;
	#isConverting = false;
	#isSuspended = false;
	/** It goes on with what an earlier one has left. */
	#wasResumed = false;
	#hasLeft = false;
	/** Who waits for a reader. */
	readonly #news = new Condition();

	constructor(
		private readonly url: string,
		private readonly key: string,
		private readonly context: DownloadContext,
		private readonly listener: DownloadListener,
	) {
		this.#allowance = new Allowance(context.fillMode, !listener.isRead());
		// Each request listens while it lasts.
		setMaxListeners(0, this.#abort.signal);
	}

	/** The source has begun to send. */
	get isAnswered(): boolean {
		return this.#body !== undefined;
	}

	/** All has arrived, and a transform is at it. */
	get isConverting(): boolean {
		return this.#isConverting;
	}

	/** Nothing more is fetched. */
	get isSuspended(): boolean {
		return this.#isSuspended;
	}

	/** Whether what is there is of use to who comes when it has ended. What was only looked at leaves nothing behind. */
	get isResumable(): boolean {
		if (this.#body?.version === undefined || this.#transform !== undefined || !this.#isForKeeps) return false;
		return !this.#allowance.isHeld || this.#wasResumed;
	}

	/** Whether its source lets what has come be kept for others. */
	get #isForKeeps(): boolean {
		return this.context.mayKeep(this.#body?.caching);
	}

	/** Whether somebody reads it in another process. */
	get isFollowed(): boolean {
		return this.#intake?.draft.isFollowed === true;
	}

	/** Bytes of the body that are on the disk. */
	get arrivedBytes(): number {
		return this.#intake?.there.size ?? 0;
	}

	/** Bytes that came from the source. */
	get downloadedBytes(): number {
		return (this.#intake?.receivedBytes ?? 0) + (this.readThrough?.receivedBytes ?? 0);
	}

	/**
	 * Brings all of it. To be called once. What was left of it is gone on with, and
	 * what is not brought now is left to others.
	 *
	 * @param slot - in which it begins; given back when it is not used.
	 * @returns `left` where it was told to leave before all was there.
	 * @throws the reason why there is no whole body, or the signal's. What has
	 *   arrived stays readable until `close`.
	 */
	async run(slot: Slot, signal: AbortSignal): Promise<Brought | 'left'> {
		const abort = () => this.#abort.abort(signal.reason);
		signal.addEventListener('abort', abort, {once: true});
		if (signal.aborted) abort();
		try {
			const outcome = await this.#bring(slot);
			await this.#transfers?.end();
			if (outcome === 'whole' && (await this.#isReadAfter(slot))) return await this.#finish();
			await this.#leaveBehind();
			return 'left';
		} catch (error) {
			this.#abort.abort(error);
			await this.#transfers?.end();
			await this.#leaveBehind(error);
			this.#transfers?.close(asError(error));
			throw error;
		} finally {
			this.#transfers?.close(new CacheError('aborted', `the download of ${redact(this.url)} has ended`));
			signal.removeEventListener('abort', abort);
		}
	}

	/** Nobody reads it: nothing more is fetched, unless all or little is left to be. Tells which. */
	suspend(): boolean {
		const isPast = this.readThrough !== undefined;
		if (isPast) this.#allowance.stop();
		else if (this.#isToEnd) this.#allowance.free();
		this.#isSuspended = isPast || (!this.#isToEnd && this.#allowance.suspend());
		if (this.#isSuspended) this.#intake?.draft.giveBackAhead();
		this.#transfers?.onAllowance();
		return this.#isSuspended;
	}

	/** Somebody reads it, or reads it again. */
	resume(): void {
		this.#isSuspended = false;
		this.#allowance.resume();
		this.#transfers?.onAllowance();
		this.#news.notify();
	}

	/** Ends it, and leaves what has come to others. */
	leave(): void {
		this.#hasLeft = true;
		this.#transfers?.leave();
		this.#news.notify();
	}

	/** Readers have begun to wait for something. */
	onAwaited(): void {
		this.#transfers?.onAwaited();
	}

	/** A reader reads what is there. */
	onRead(range: Range): void {
		this.#transfers?.onRead(range);
	}

	/** Where the disk takes no more: what is not there is read by this. */
	get readThrough(): ReadThrough | undefined {
		return this.#transfers?.readThrough;
	}

	/** Removes what was neither committed nor left to others. */
	async close(): Promise<void> {
		await this.#intake?.draft.discard();
		await this.#converted?.discard();
	}

	async #bring(slot: Slot): Promise<'whole' | 'left'> {
		const {url, key, context} = this;
		const {first, ...begun} = await begin({
			...{url, key, store: context.store, source: context.source},
			...{allowance: this.#allowance, signal: this.#abort.signal},
			isReplacing: context.replaced !== undefined,
			isWanted: () => this.listener.isWanted(),
			onRetry: () => this.listener.onHeld(),
			onUseless: reason => this.#log('what was left of a download is of no use any more', reason),
		});
		const intake = this.#take(begun);
		if (first === undefined) return 'whole';
		this.#transfers = new Transfers(this.#transfersContext(begun.body, intake), slot);
		if (this.#head.isEnough) {
			this.#announce();
			await intake.tell();
		}

		return this.#transfers.run(first);
	}

	/** @throws CacheError `too-large` for what cannot be kept, where it cannot be read past the disk either. */
	#take({body, draft, kept, head}: Omit<Begun, 'first'>): Intake {
		this.#body = body;
		this.#head = head;
		const intake = new Intake(draft, kept, async range => {
			await this.listener.onArrived(draft, range).catch((error: unknown) => this.#end(error));
		});
		this.#intake = intake;
		this.#wasResumed = kept.length > 0;
		const {lengthBytes} = body;
		if (lengthBytes === undefined || lengthBytes < MIN_SEEKABLE_BYTES) this.#allowance.free();
		if (lengthBytes !== undefined) this.#expect(lengthBytes, body, draft);
		return intake;
	}

	#expect(lengthBytes: number, {version}: Body, draft: Draft): void {
		try {
			draft.expect(lengthBytes);
		} catch (error) {
			if (version === undefined) throw error;
			draft.expectAsFits(lengthBytes);
			this.#allowance = new Allowance('ranges', this.#allowance.isHeld);
		}
	}

	/** All of it is to come, readers or not: little is left, or only the end tells what it is. */
	get #isToEnd(): boolean {
		const lengthBytes = this.#body?.lengthBytes;
		if (lengthBytes === undefined || this.#transform !== undefined) return true;
		return lengthBytes - this.arrivedBytes <= LITTLE_BYTES && this.#allowance.isForWhole;
	}

	/** What a listener throws is no failure of a transfer, which might pass. */
	#end(error: unknown): never {
		this.#abort.abort(error);
		throw error;
	}

	#transfersContext(body: Body, intake: Intake) {
		const {source, slots, bandwidth, buffers, windows} = this.context;
		return {
			...{url: this.url, source, slots, bandwidth, buffers, windows},
			...{body, intake, allowance: this.#allowance, abort: this.#abort},
			awaited: () => this.listener.awaited(),
			onChunk: (chunk: Uint8Array) => this.#onChunk(chunk),
			hasBegun: () => this.#hasBegun,
			canReadPast: () => this.#canReadPast(),
			isToEnd: () => this.#isToEnd,
			onHeld: () => this.listener.onHeld(),
			onOverflow: (reason: CacheError) => this.#onOverflow(reason),
			log: (message: string, error: unknown) => void this.#log(message, error),
		};
	}

	get #received(): Intake {
		if (this.#intake === undefined) throw new TypeError('nothing comes before the first answer');
		return this.#intake;
	}

	/** What has no length may be read as it comes, however slowly: its type, which only its entry has, can wait for more of it. */
	#onChunk(chunk: Uint8Array): void {
		const hasLength = this.#body?.lengthBytes !== undefined;
		if (this.#hasBegun && hasLength) return;
		this.#head.add(chunk);
		const isDecided = !hasLength && this.#head.bytes.byteLength >= DECIDING_BYTES;
		if (this.#head.isEnough || isDecided) this.#announce();
	}

	/** Once: what the first bytes say of the body. */
	#announce(): void {
		const body = this.#body;
		if (this.#hasBegun || body === undefined) return;
		this.#hasBegun = true;
		const {draft} = this.#received;
		this.#received.beginTelling();
		this.#transform = this.context.transforms.find(candidate => candidate.appliesTo(this.#head.bytes));
		const {lengthBytes, mimetype, filename, lastModifiedMs: modifiedAtMs = this.context.nowMs} = body;
		const sizeBytes = this.#transform === undefined ? lengthBytes : undefined;
		const isTransformed = this.#transform !== undefined;
		if (isTransformed) this.#allowance.free();
		try {
			if (sizeBytes !== undefined && sizeBytes >= MIN_SEEKABLE_BYTES) this.#beginSharing(draft, modifiedAtMs);
			const {identity} = body;
			this.listener.onBegun({sizeBytes, isTransformed, modifiedAtMs, mimetype, filename, identity}, draft);
		} catch (error) {
			this.#end(error);
		}

		this.onAwaited();
	}

	/** From now on others hear what is there, and say what they wait for; what has parts can be sought in. */
	#beginSharing(draft: Draft, modifiedAtMs: number): void {
		draft.onWanted = range => this.#onWanted(range);
		draft.beginListening();
		const facts = this.#body?.partialFacts(this.url, modifiedAtMs);
		if (facts === undefined) return;
		try {
			draft.beginTelling(facts);
			this.#transfers?.beginSeeks();
		} catch (error) {
			// Who follows takes what is not told of for one that comes in order.
			this.#log('a download comes in order alone', error);
		}
	}

	/** Who reads it in another process counts as a reader. */
	#onWanted(range: Range): void {
		if (this.#isSuspended || this.#allowance.isHeld) this.resume();
		this.#transfers?.onWanted(range);
	}

	/** What is to be transformed has to be on the disk. */
	#canReadPast(): boolean {
		this.#announce();
		return this.#transform === undefined;
	}

	#onOverflow(reason: CacheError): void {
		// Who follows is not to wait for what is not kept.
		this.#received.draft.endListening();
		this.listener.onOverflow(reason);
	}

	/** All has come, and nothing is made of it before somebody reads it. Resolves with whether somebody does. */
	async #isReadAfter(slot: Slot): Promise<boolean> {
		if (!this.#allowance.isHeld) return true;
		slot.release();
		this.#announce();
		this.listener.onHeld(this.#transform === undefined ? this.#received.draft.sizeBytes : undefined);
		await this.#news.until(() => !this.#allowance.isHeld || this.#hasLeft, this.#abort.signal);
		return !this.#allowance.isHeld;
	}

	/** What to store. */
	async #finish(): Promise<Brought> {
		this.#announce();
		await this.#received.tell();
		const {draft} = this.#received;
		const {url} = this;
		const {mimetype, filename = 'attachment'} = this.#body ?? {};
		const origin = this.#body?.originFacts(draft.sizeBytes) ?? {};
		const said = {url, origin, http: this.#body?.caching};
		const isForKeeps = this.#isForKeeps;
		const converted = await this.#convert(draft, filename);
		if (converted !== undefined) {
			return {draft: converted.draft, description: {...said, ...converted.kind}, isForKeeps};
		}

		const kind = {mimetype: await decideType(mimetype, this.#head.bytes), filename};
		return {draft, description: {...said, ...kind}, isForKeeps};
	}

	async #convert(draft: Draft, filename: string) {
		if (this.#transform === undefined) return undefined;
		this.#isConverting = true;
		try {
			const {url, context} = this;
			const options = {signal: this.#abort.signal, log: context.log};
			const converted = await convert(this.#transform, draft, {url, filename}, options);
			this.#converted = converted?.draft;
			return converted;
		} finally {
			this.#isConverting = false;
		}
	}

	/** What has come is for who goes on with it, where somebody can; who follows hears that no more will come. */
	async #leaveBehind(error?: unknown): Promise<void> {
		const draft = this.#intake?.draft;
		if (draft === undefined) return;
		const isOfUse = this.isResumable && this.listener.isWanted() && !isOfAnother(error);
		const isKept = isOfUse && (await draft.keep().catch(cause => this.#log('what has come is not kept', cause)));
		if (!isKept) await seal(draft.path);
	}

	#log(message: string, error: unknown): false {
		this.context.log.debug(message, {url: redact(this.url), atBytes: this.arrivedBytes, reason: messageOf(error)});
		return false;
	}
}
