import {chmod, rm} from 'node:fs/promises';
import path from 'node:path';
import {FILE_MODE} from '../base/atomic-file.js';
import {CacheError} from '../base/errors.js';
import {RangeSet, type Range} from '../base/range-set.js';
import type {Budget} from './budget.js';
import {draftName} from './draft-owner.js';
import {retryOnFullDisk} from './full-disk.js';
import type {Key} from './key.js';
import type {Layout} from './layout.js';
import {OpenFile} from './open-file.js';
import type {PartialFacts} from './partial-facts.js';
import {RangeLog} from './range-log.js';
import {footprintOf, Share} from './share.js';
import {WantedLog} from './wanted-log.js';

/** Who takes a draft over that is not finished. */
export interface DraftKeeper {
	/** Moves the draft at `path` and its log away. Resolves with false, and leaves both, where that cannot be. */
	keep(draft: {readonly key: Key; readonly path: string}): Promise<boolean>;
}

/** What was begun and is gone on with. */
export interface Begun {
	readonly key: Key;
	readonly path: string;
	readonly file: OpenFile;
	readonly log: RangeLog;
	/** What is there of it. */
	readonly ranges: RangeSet;
}

/**
 * An entry in the making: a file under `.larder/downloads/` that is written,
 * in any order, read meanwhile, and in the end committed by the store, kept for
 * who goes on with it, or discarded. It holds its share of the budget: what is
 * written, not its holes.
 */
export class Draft {
	#sizeBytes = 0;
	/** What is written. */
	readonly #written = new RangeSet();
	/** What is about to be. */
	readonly #underWay = new Set<Range>();
	readonly #share: Share;
	#log: RangeLog | undefined;
	#wanted: WantedLog | undefined;
	#keeping: Promise<boolean> | undefined;
	#state: 'open' | 'settled' | 'kept' | 'discarded' = 'open';

	private constructor(
		readonly key: Key,
		readonly path: string,
		/** The store's from the commit on. */
		readonly file: OpenFile,
		private readonly budget: Budget,
		private readonly keeper: DraftKeeper | undefined,
	) {
		this.#share = new Share(budget);
	}

	/**
	 * Starts an empty one.
	 *
	 * @param keeper - without one it cannot be kept.
	 * @throws CacheError `no-space` when the disk has no room for a file.
	 */
	static async create(layout: Layout, key: Key, budget: Budget, keeper?: DraftKeeper): Promise<Draft> {
		const file = path.join(layout.downloads, draftName(key));
		return new Draft(key, file, await retryOnFullDisk(budget, 1, () => OpenFile.create(file)), budget, keeper);
	}

	/** Goes on with what was begun: it holds what is there of it, and says nothing yet of how long it will be. */
	static goOn({key, path: file, ...begun}: Begun, budget: Budget, keeper: DraftKeeper): Draft {
		const draft = new Draft(key, file, begun.file, budget, keeper);
		for (const {start, end} of begun.ranges) draft.#written.add(start, end);
		draft.#sizeBytes = Number(begun.file.statsNow().size);
		draft.#log = begun.log;
		draft.#share.hold(footprintOf(draft.#written));
		return draft;
	}

	get sizeBytes(): number {
		return this.#sizeBytes;
	}

	/**
	 * Says how long it will be, and so refuses what could not be kept before
	 * anything is evicted for it. Where nothing is said others are evicted for up
	 * to half the budget, and more is taken only of what is free: a body that
	 * never ends empties nothing.
	 *
	 * @throws CacheError `too-large`
	 */
	expect(lengthBytes: number): void {
		this.#share.expect(lengthBytes);
	}

	/**
	 * Said instead of `expect` of a body that may be larger than the budget:
	 * nothing is ever evicted for it. What is not free fails the write, with
	 * `too-large` where all of it could never be kept, else with `no-space`; the
	 * draft is then as it was.
	 *
	 * @param lengthBytes - how long it will be, if that is known.
	 */
	expectAsFits(lengthBytes?: number): void {
		this.#share.expectAsFits(lengthBytes);
	}

	/**
	 * Writes `chunks` one after another from byte `position` on. Room is taken
	 * as the file grows; a full disk is met by evicting, and trying again. A
	 * failure leaves it as it was.
	 *
	 * @throws CacheError `too-large`, `no-space`; `aborted` where it is no draft any more.
	 */
	async write(chunks: readonly Uint8Array[], position: number): Promise<void> {
		const length = chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0);
		const range = {start: position, end: position + length};
		await this.#put(range, length, () => this.file.write(chunks, position));
		this.#sizeBytes = Math.max(this.#sizeBytes, range.end);
	}

	/** Called with what who reads it in another process begins to wait for, or still waits for. */
	onWanted: (range: Range) => void = () => undefined;

	/**
	 * From now on other processes can hear what is there, and of what it is a part.
	 *
	 * @throws the system's error; nobody can be told then.
	 */
	beginTelling(facts: PartialFacts): void {
		this.#log ??= RangeLog.create(this.path, {inode: this.file.statsNow().ino, facts});
	}

	/** From now on other processes can say what they wait for. */
	beginListening(): void {
		try {
			this.#wanted ??= new WantedLog(this.path, range => this.onWanted(range));
		} catch {
			// What a full disk has no room for: who follows gets what comes for others.
		}
	}

	/** Who follows is to look for another way. */
	endListening(): void {
		this.#wanted?.remove();
		this.#wanted = undefined;
	}

	/** Whether somebody reads it in another process. */
	get isFollowed(): boolean {
		return this.#wanted?.isFollowed() ?? false;
	}

	/** Says that bytes are there, to who reads them in other processes. */
	tell(range: Range): void {
		this.#log?.append(range);
	}

	/** Cuts or, with zeros, lengthens it to `sizeBytes`. */
	async truncate(sizeBytes: number): Promise<void> {
		await this.#put({start: 0, end: sizeBytes}, sizeBytes, () => this.file.truncate(sizeBytes));
		this.#written.cut(sizeBytes);
		this.#sizeBytes = sizeBytes;
	}

	/** Another draft of the same entry, of the bytes that somebody wrote to `file`. This one stays. */
	async adopt(file: string): Promise<Draft> {
		await chmod(file, FILE_MODE);
		const next = new Draft(this.key, file, await OpenFile.edit(file), this.budget, undefined);
		try {
			const sizeBytes = Number((await next.file.stats()).size);
			next.expect(sizeBytes);
			await next.#put({start: 0, end: sizeBytes}, sizeBytes, () => Promise.resolve());
			next.#sizeBytes = sizeBytes;
		} catch (error) {
			await next.discard();
			throw error;
		}

		return next;
	}

	/** Gives back what was taken of the budget for what is still to come: nobody knows when. */
	giveBackAhead(): void {
		if (this.#state === 'open') this.#share.giveBackAhead(footprintOf(this.#soon()));
	}

	/**
	 * Leaves what was told of it to whoever goes on with it, in whichever process:
	 * no more will come here, and its share of the budget is given back. `file`
	 * stays readable until `close`. No write may be under way.
	 *
	 * @returns false, with nothing done, where nothing was told, where it is no
	 *   draft any more, and where the files cannot be moved.
	 */
	async keep(): Promise<boolean> {
		if (this.#state !== 'open' || this.#log?.hasTold !== true || this.keeper === undefined) return false;
		this.#keeping ??= this.#keep(this.keeper);
		return this.#keeping;
	}

	/** Lets go of the file: of one that is kept, or no reader has any more. Not after the commit. */
	close(): void {
		this.file.close();
	}

	/** Gives its share of the budget back: it is an entry now, and counted as one. */
	settle(): void {
		if (this.#state === 'open') this.#end('settled');
	}

	/** Removes it. Does nothing once it is settled or discarded; of one that is kept it only closes the file. */
	async discard(): Promise<void> {
		if (this.#keeping !== undefined) await this.#keeping;
		if (this.#state === 'kept') this.close();
		if (this.#state !== 'open') return;
		this.#state = 'discarded';
		this.file.close();
		// What cannot be removed now is left to the sweep at the next start.
		await rm(this.path, {force: true}).catch(() => undefined);
		this.#end('discarded');
	}

	async #keep(keeper: DraftKeeper): Promise<boolean> {
		const isKept = await keeper.keep(this);
		if (isKept) {
			// Its name is another one by now, and nobody's here.
			this.#log?.close();
			this.#log = undefined;
			this.#end('kept');
		}

		this.#keeping = undefined;
		return isKept;
	}

	#end(state: 'settled' | 'kept' | 'discarded'): void {
		this.#state = state;
		this.endListening();
		this.#log?.remove();
		this.#log = undefined;
		this.#share.end();
	}

	/** Takes room for `range`, and runs `write` of so many bytes. */
	async #put(range: Range, bytes: number, write: () => Promise<void>): Promise<void> {
		this.#underWay.add(range);
		try {
			this.#assertOpen();
			await this.#share.grow(footprintOf(this.#soon()), range.end);
			this.#assertOpen();
			await this.#share.onDisk(bytes, write);
			this.#written.add(range.start, range.end);
		} finally {
			this.#underWay.delete(range);
		}
	}

	/** What will be written once the writes under way are done. */
	#soon(): RangeSet {
		return new RangeSet([...this.#written, ...this.#underWay]);
	}

	#assertOpen(): void {
		if (this.#state !== 'open') throw new CacheError('aborted', 'the draft was discarded');
	}
}
