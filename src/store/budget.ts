import {CacheError} from '../base/errors.js';
import {formatSize} from '../base/units.js';
import type {Limits, Reason} from './limits.js';

/** What a budget is kept by. */
export interface BudgetContext {
	limits(): Limits;
	/** What the entries come to, and what other processes hold beside them. */
	usage(): {readonly entries: number; readonly allocatedBytes: number; readonly heldByOthers: number};
	/** What is free on the disk. */
	diskFreeBytes(): number;
	/** Evicts the entry that should leave first; false when none can leave. */
	evictNext(reason: Reason): Promise<boolean>;
	/** Hears what is held. */
	onHeld(bytes: number): void;
}

/**
 * What a store may keep, counted as it is allocated on the disk: the entries,
 * and what is held beside them (drafts, and files that are unlinked but still
 * open), by this process and by the others that share the directory. Another
 * process's takings are heard of a moment later: for so long both may have
 * taken the same room, and the next one who looks evicts what is too much.
 *
 * Invariant: `heldBytes` is the sum of what was taken and not yet given back.
 */
export class Budget {
	#heldBytes = 0;
	#isClosed = false;
	/**
	 * Who evicts has the turn until the room is taken: two askers do not evict for
	 * the same room, and neither is refused for what the other only asked for.
	 */
	#turn: Promise<void> = Promise.resolve();

	constructor(private readonly context: BudgetContext) {}

	get limitBytes(): number {
		return this.context.limits().maxBytes;
	}

	get usedBytes(): number {
		const {allocatedBytes, heldByOthers} = this.context.usage();
		return allocatedBytes + heldByOthers + this.#heldBytes;
	}

	get heldBytes(): number {
		return this.#heldBytes;
	}

	/** Counts bytes that are on the disk in any case, without asking for room. */
	hold(bytes: number): void {
		this.#heldBytes += bytes;
		this.context.onHeld(this.#heldBytes);
	}

	giveBack(bytes: number): void {
		this.hold(-bytes);
	}

	/**
	 * Takes `bytes` more, evicting what has to leave for them.
	 *
	 * @throws CacheError `no-space` when everything that is left is in use.
	 */
	async take(bytes: number): Promise<void> {
		if (this.takeFree(bytes)) return;
		await this.#inTurn(() => this.#takeEvicting(bytes));
	}

	/** Takes `bytes` more of what is free, evicting nothing; false where that is not enough. */
	takeFree(bytes: number): boolean {
		if (this.#roomLacking(bytes) !== undefined) return false;
		this.hold(bytes);
		return true;
	}

	/** Evicts until the limits are kept, or nothing more can leave. */
	async keep(): Promise<void> {
		if (this.#exceeded() === undefined) return;
		await this.#inTurn(() => this.#evictWhile(() => this.#exceeded()));
	}

	/** Evicts until `bytes` fewer are used, or nothing more can leave: the disk has no more. @returns whether something has left. */
	async freeUp(bytes: number): Promise<boolean> {
		const before = this.usedBytes;
		const target = before - bytes;
		await this.#inTurn(() => this.#evictWhile(() => (this.usedBytes > target ? 'min-free' : undefined)));
		return this.usedBytes < before;
	}

	/** Evicts nothing more, and waits for the eviction under way. */
	close(): Promise<void> {
		this.#isClosed = true;
		return this.#turn;
	}

	/** One look decides and takes: by the next one another process may have taken the room, or a scan found more. */
	async #takeEvicting(bytes: number): Promise<void> {
		for (let canEvict = true; ;) {
			const lacking = this.#roomLacking(bytes);
			if (lacking === undefined) break;
			if (!canEvict || this.#isClosed) throw new CacheError('no-space', this.#explain(lacking));
			canEvict = await this.context.evictNext(lacking);
		}

		this.hold(bytes);
	}

	/** Which limit stands against `bytes` more. */
	#roomLacking(bytes: number): Reason | undefined {
		const {maxBytes, minFreeBytes} = this.context.limits();
		if (this.usedBytes + bytes > maxBytes) return 'max-size';
		const isShort = minFreeBytes > 0 && this.context.diskFreeBytes() - bytes < minFreeBytes;
		return isShort ? 'min-free' : undefined;
	}

	#exceeded(): Reason | undefined {
		const {entries} = this.context.usage();
		return entries > this.context.limits().maxEntries ? 'max-entries' : this.#roomLacking(0);
	}

	#explain(reason: Reason): string {
		const {maxBytes, minFreeBytes} = this.context.limits();
		if (reason === 'max-size') return `the budget of ${formatSize(maxBytes)} is taken by what is in use`;
		return `${formatSize(minFreeBytes)} of the disk must be left to others`;
	}

	async #evictWhile(reason: () => Reason | undefined): Promise<void> {
		for (let why = reason(); why !== undefined && !this.#isClosed; why = reason()) {
			if (!(await this.context.evictNext(why))) return;
		}
	}

	#inTurn(work: () => Promise<void>): Promise<void> {
		const mine = this.#turn.then(work);
		this.#turn = mine.catch(() => undefined);
		return mine;
	}
}
