import {CacheError} from '../base/errors.js';
import {formatSize} from '../base/units.js';
import type {Catalogue} from './catalogue.js';

/**
 * The bytes a store may keep, counted as they are allocated on the disk: the
 * entries, and what is held beside them (drafts, and files that are unlinked
 * but still open).
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

	/**
	 * @param evictNext - evicts the entry that should leave first; false when
	 *   none can leave.
	 */
	constructor(
		public limitBytes: number,
		private readonly catalogue: Catalogue,
		private readonly evictNext: () => Promise<boolean>,
	) {}

	get usedBytes(): number {
		return this.catalogue.totals.allocatedBytes + this.#heldBytes;
	}

	get heldBytes(): number {
		return this.#heldBytes;
	}

	/** Counts bytes that are on the disk in any case, without asking for room. */
	hold(bytes: number): void {
		this.#heldBytes += bytes;
	}

	giveBack(bytes: number): void {
		this.#heldBytes -= bytes;
	}

	/**
	 * Takes `bytes` more, evicting what has to leave for them.
	 *
	 * @throws CacheError `no-space` when everything that is left is in use.
	 */
	async take(bytes: number): Promise<void> {
		if (this.takeFree(bytes)) return;
		await this.#inTurn(async () => {
			await this.#evictDownTo(() => this.limitBytes - bytes);
			if (this.usedBytes + bytes > this.limitBytes) {
				throw new CacheError('no-space', `the budget of ${formatSize(this.limitBytes)} is taken by what is in use`);
			}

			this.hold(bytes);
		});
	}

	/** Takes `bytes` more of what is free, evicting nothing; false where that is not enough. */
	takeFree(bytes: number): boolean {
		if (this.usedBytes + bytes > this.limitBytes) return false;
		this.hold(bytes);
		return true;
	}

	/** Evicts until the limit is kept, or nothing more can leave. */
	async keep(): Promise<void> {
		if (this.usedBytes <= this.limitBytes) return;
		await this.#inTurn(() => this.#evictDownTo(() => this.limitBytes));
	}

	/** Evicts until `bytes` fewer are used, or nothing more can leave. */
	freeUp(bytes: number): Promise<void> {
		const target = this.usedBytes - bytes;
		return this.#inTurn(() => this.#evictDownTo(() => target));
	}

	/** Evicts nothing more, and waits for the eviction under way. */
	close(): Promise<void> {
		this.#isClosed = true;
		return this.#turn;
	}

	async #evictDownTo(target: () => number): Promise<void> {
		while (!this.#isClosed && this.usedBytes > target() && (await this.evictNext()));
	}

	#inTurn(work: () => Promise<void>): Promise<void> {
		const mine = this.#turn.then(work);
		this.#turn = mine.catch(() => undefined);
		return mine;
	}
}
