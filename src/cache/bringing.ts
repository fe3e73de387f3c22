import path from 'node:path';
import type {CacheError} from '../base/errors.js';
import type {Range} from '../base/range-set.js';
import {decideType, SNIFF_BYTES} from '../media/sniff.js';
import type {Draft} from '../store/draft.js';
import {inodeOf, modifiedAtMs, type Entry} from '../store/entry.js';
import type {Announcement, OwnedFill} from '../store/fill-owners.js';
import type {OpenFile} from '../store/open-file.js';
import type {Pin} from '../store/pin.js';
import type {Description} from '../store/store.js';
import type {ArrivedBytes} from './arrived-bytes.js';
import {Download, type Beginning, type DownloadContext} from './download.js';
import {Following, type Ending, type Followed} from './following.js';
import {hostOf, type Slot} from './slots.js';
import {VersionId} from './version-id.js';

export interface BringingContext extends DownloadContext {
	/** Called once: whether a request is made, or another process has made it. */
	onDecided(lookup: 'hit' | 'miss'): void;
}

/** What is known as soon as the first bytes are. Where `sizeBytes` is undefined, what comes may be read as it comes, unless it `isTransformed`. */
export type BegunBringing = Pick<Beginning, 'sizeBytes' | 'modifiedAtMs'> & Partial<Pick<Beginning, 'isTransformed'>>;

/** Who is told of what comes. */
export interface BringingListener {
	/** Once, or again where another begins anew. @throws where it is not as it was said to be. */
	onBegun(beginning: BegunBringing): void;
	/** What readers have been told; undefined where they have been told nothing. */
	sizeBytes(): number | undefined;
	/** The disk takes no more. */
	onOverflow(reason: CacheError): void;
	/** Who only asks about it learns no more for now. `sizeBytes`: of all of it, where that is known. */
	onHeld(sizeBytes?: number): void;
	hasReaders(): boolean;
	/** Fires when somebody reads it: until then it is only asked about. */
	readonly read: AbortSignal;
	/** Whether its end is to be an entry. */
	isWanted(): boolean;
}

/** How it ended, where it did not fail. */
export type Outcome =
	/** All is there. */
	| 'whole'
	/** Nobody read it any more: what had come is kept for who comes later. */
	| 'left';

/**
 * How the bytes of a URL come: taken from the store, followed where another
 * process downloads them, or downloaded, whichever it is by then. What comes is
 * told to `arrived`.
 */
export class Bringing {
	/** Which bytes come. */
	readonly id = new VersionId();
	#download: Download | undefined;
	#owned: OwnedFill | undefined;
	/** Of other processes, one after another. */
	readonly #followings: Following[] = [];
	#pin: Pin | undefined;
	#description: Description | undefined;
	#isDecided = false;
	#isFollowing = false;

	constructor(
		private readonly url: string,
		private readonly key: string,
		private readonly context: BringingContext,
		private readonly arrived: ArrivedBytes,
		private readonly listener: BringingListener,
		/** Ends it. */
		private readonly signal: AbortSignal,
	) {}

	/** Undefined as long as the source is not to be asked. */
	get download(): Download | undefined {
		return this.#download;
	}

	/** Whether another process is at it, or was to the end. */
	get isFollowing(): boolean {
		return this.#isFollowing;
	}

	/** What was stored; undefined before the end, and where something else is stored by then. */
	get entry(): Entry | undefined {
		return this.#pin?.entry;
	}

	/** What it is; undefined before the end. */
	get description(): Description | undefined {
		return this.#description;
	}

	/** Runs to its end. To be called once. @throws the reason why there is none, or the signal's. */
	async run(): Promise<Outcome> {
		try {
			return await this.#bringOrFollow();
		} finally {
			this.#decide('miss');
		}
	}

	/** Readers have begun to wait for something; `range` is the last of it. */
	onAwaited(range?: Range): void {
		this.#download?.onAwaited();
		if (range !== undefined && this.#isFollowing) this.#followings.at(-1)?.want(range);
	}

	/** No new reader of another process is to follow. */
	release(): void {
		this.#owned?.release();
	}

	/** Closes what is read from, and removes what nobody needs any more. */
	async close(): Promise<void> {
		this.#pin?.close();
		for (const following of this.#followings) following.close();
		await this.#download?.close();
	}

	/** What another process has begun and does not end, somebody downloads anew: who claims it first. */
	async #bringOrFollow(): Promise<Outcome> {
		let ending: Ending | undefined;
		for (;;) {
			const outcome = await this.#bring(ending === 'silent');
			if (outcome !== 'theirs') return outcome;
			this.#decide('hit');
			// An answer that is here already would keep its connection as long as that lasts.
			this.context.source.release?.();
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
		const slot = await this.#takeSlot();
		try {
			this.signal.throwIfAborted();
			return await this.#bringIn(slot, isAlone);
		} finally {
			slot.release();
		}
	}

	/** What is only asked about has slots of its own; who reads it waits for none of these. */
	async #takeSlot(): Promise<Slot> {
		const {slots} = this.context;
		const {read} = this.listener;
		const host = hostOf(this.url);
		if (!read.aborted) {
			const changed = AbortSignal.any([this.signal, read]);
			const slot = await slots.beginnings.take(host, 'reader', changed).catch(() => undefined);
			if (slot !== undefined) return slot;
		}

		return slots.take(host, 'reader', this.signal);
	}

	async #bringIn(slot: Slot, isAlone: boolean): Promise<Outcome | 'theirs'> {
		const {store} = this.context;
		const isRead = this.listener.read.aborted;
		const claimed = isAlone || !this.listener.isWanted() ? 'silent' : await store.fills.claim(this.key, isRead);
		if (claimed === 'theirs') return 'theirs';
		this.#owned = claimed === 'silent' ? undefined : claimed;
		this.#isFollowing = false;
		try {
			return (await this.#takeStored()) ? 'whole' : await this.#fetch(slot);
		} finally {
			this.release();
		}
	}

	/** Whether there is an entry by now, and not of another version than readers have begun to read. */
	async #takeStored(): Promise<boolean> {
		const pin = await this.context.store.pin(this.key);
		if (pin === undefined) return false;
		const {replaced} = this.context;
		const isReplaced = pin.entry.data === replaced?.data;
		if (isReplaced || !(await this.#isSameVersion(pin).catch(() => false))) {
			pin.close();
			return false;
		}

		const {entry} = pin;
		const {mimetype, filename} = entry.sidecar;
		this.#decide('hit');
		this.#pin = pin;
		this.id.settle(entry.data);
		this.#description = {url: this.url, mimetype, filename};
		this.listener.onBegun({sizeBytes: entry.sizeBytes, modifiedAtMs: modifiedAtMs(entry)});
		this.arrived.finish(pin, entry.sizeBytes);
		return true;
	}

	async #isSameVersion(pin: Pin): Promise<boolean> {
		const sizeBytes = this.listener.sizeBytes();
		if (sizeBytes !== undefined && sizeBytes !== pin.entry.sizeBytes) return false;
		const ino = inodeOf(pin.entry.data);
		return this.#followings.some(({followed}) => followed?.inode === ino) || this.arrived.agreesWith(pin);
	}

	async #fetch(slot: Slot): Promise<Outcome> {
		this.#decide('miss');
		let identity: string | undefined;
		let isTransformed = false;
		this.#download = new Download(this.url, this.key, this.context, {
			onBegun: (beginning, draft) => {
				({identity, isTransformed} = beginning);
				this.#announce(beginning, draft);
			},
			onArrived: async ({file}, range) => {
				if (!isTransformed) await this.arrived.arrive(file, range, identity);
			},
			onOverflow: reason => this.#onOverflow(reason),
			onHeld: sizeBytes => this.listener.onHeld(sizeBytes),
			isRead: () => this.listener.read.aborted,
			awaited: () => this.arrived.awaited,
			isWanted: () => this.listener.isWanted(),
		});
		const brought = await this.#download.run(slot, this.signal);
		if (brought === 'left') return 'left';
		const {draft, description, isForKeeps} = brought;
		if (isForKeeps && this.listener.isWanted()) {
			this.id.publishes(draft.file.statsNow().ino);
			try {
				this.#pin = await this.context.store.commitFirst(draft, description, this.context.replaced);
			} finally {
				this.id.settle(this.#pin?.entry.data);
			}
		}

		this.#description = description;
		this.arrived.finish(this.#pin ?? draft.file, draft.sizeBytes);
		return 'whole';
	}

	/** Who follows is not to wait for what is not kept. */
	#onOverflow(reason: CacheError): void {
		this.release();
		this.listener.onOverflow(reason);
	}

	#announce({sizeBytes, isTransformed, modifiedAtMs, mimetype, filename}: Beginning, draft: Draft): void {
		this.listener.onBegun({sizeBytes, isTransformed, modifiedAtMs});
		// Where only the end will tell the length, who follows waits for the entry.
		if (sizeBytes === undefined) return;
		const announcement = {partial: path.basename(draft.path), sizeBytes, modifiedAtMs, filename};
		this.#owned?.announce({...announcement, ...(mimetype !== undefined && {mimetype})});
	}

	async #follow(): Promise<Ending> {
		this.#isFollowing = true;
		const listener = {
			onBegun: (announcement: Announcement) => this.listener.onBegun(announcement),
			onArrived: (partial: OpenFile, range: Range) => this.arrived.arrive(partial, range, following.identity),
			awaited: () => this.arrived.awaited,
			hasReaders: () => this.listener.hasReaders(),
		};
		const following: Following = new Following(this.key, this.context.store, listener, this.context.replaced);
		this.#followings.push(following);
		const ending = await following.run(this.signal);
		if (ending === 'whole' && following.followed !== undefined) await this.#takeFollowed(following.followed);
		return ending;
	}

	/** Its bytes are there, and no sidecar tells what they are. */
	async #takeFollowed({announcement, partial}: Followed): Promise<void> {
		const {sizeBytes, filename, mimetype} = announcement;
		const head = Buffer.alloc(Math.min(SNIFF_BYTES, sizeBytes));
		await partial.read(head, 0);
		this.#description = {url: this.url, filename, mimetype: await decideType(mimetype, head)};
		this.arrived.finish(partial, sizeBytes);
	}

	#decide(lookup: 'hit' | 'miss'): void {
		if (!this.#isDecided) this.context.onDecided(lookup);
		this.#isDecided = true;
	}
}
