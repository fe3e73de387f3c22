/** Something that takes up memory while it is held: a window of a body. */
export interface Occupant {
	/** Does not change. */
	readonly sizeBytes: number;
	/** Somebody waits in it: it is not dropped. */
	readonly isInUse: boolean;
	/** It has been read to its end: of all it is missed least. */
	readonly isSpent: boolean;
	/**
	 * From now on it has its memory. Called by `take`, or later; it may have been released in between.
	 *
	 * @param used - a buffer of its size that another one has let go of, if there is one.
	 */
	begin(used: Uint8Array | undefined): void;
	/** It no longer has its memory, for others need it. Returns its buffer, which it must not touch again. */
	drop(): Uint8Array | undefined;
}

/** With less there would be more requests than bytes. */
const LEAST_TOTAL_BYTES = 64 * 1024;
/** Windows that fit side by side, however large: who reads one fetches another, and is not alone. */
const LARGEST_SHARE = 4;

/**
 * The memory that all windows of the process share. Those that nobody waits in
 * stay until their memory is needed, and the least recently used of them go
 * first, but what has been read to its end goes before what has not. Where
 * nothing can go, who needs memory waits; the first to come is the first to get.
 *
 * No deadlock: who waits for memory holds none that could not be dropped, and
 * who is waited in ends, for it only waits for its source.
 *
 * Invariant: what is held is never more than `totalBytes`.
 */
export class WindowMemory {
	/** Who has memory, and what had been read of all by the time it was used last. The least recently used comes first. */
	readonly #held = new Map<Occupant, number>();
	readonly #waiting = new Set<Occupant>();
	#heldBytes = 0;
	#readBytes = 0;

	/** @throws RangeError for less than 64 KiB. */
	constructor(readonly totalBytes: number) {
		if (!Number.isSafeInteger(totalBytes) || totalBytes < LEAST_TOTAL_BYTES) {
			throw new RangeError(`${totalBytes} bytes of memory are not enough for windows, ${LEAST_TOTAL_BYTES} are`);
		}
	}

	/** Bytes held now. */
	get heldBytes(): number {
		return this.#heldBytes;
	}

	/** The largest that an occupant may be. */
	get largestBytes(): number {
		return Math.floor(this.totalBytes / LARGEST_SHARE);
	}

	/** What can be had at once, and from nobody who is likely to miss it; nothing while somebody waits. */
	get spareBytes(): number {
		if (this.#waiting.size > 0) return 0;
		let bytes = this.totalBytes - this.#heldBytes;
		for (const [one, usedAt] of this.#held) if (this.#isSpare(one, usedAt)) bytes += one.sizeBytes;
		return bytes;
	}

	/**
	 * Gives memory to `occupant` at once, or as soon as it is its turn.
	 *
	 * @throws RangeError where it is larger than `largestBytes`.
	 */
	take(occupant: Occupant): void {
		if (occupant.sizeBytes > this.largestBytes) {
			throw new RangeError(`a window of ${occupant.sizeBytes} bytes is larger than ${this.largestBytes}`);
		}

		this.#waiting.add(occupant);
		this.#admit();
	}

	/** Somebody has read `bytes` of it, or none, and no longer waits in it. */
	onLeft(occupant: Occupant, bytes: number): void {
		this.#readBytes += bytes;
		if (bytes > 0 && this.#held.delete(occupant)) this.#held.set(occupant, this.#readBytes);
		this.#admit();
	}

	/** They need no memory any more; those that wait for some are forgotten. */
	release(...occupants: Occupant[]): void {
		const released = occupants.filter(one => this.#waiting.delete(one) || this.#remove(one));
		if (released.length > 0) this.#admit();
	}

	#remove(occupant: Occupant): boolean {
		const wasHeld = this.#held.delete(occupant);
		if (wasHeld) this.#heldBytes -= occupant.sizeBytes;
		return wasHeld;
	}

	#admit(): void {
		for (const next of this.#waiting) {
			const leaving = this.#leavingFor(next.sizeBytes);
			if (leaving === undefined) return;
			// All is noted before anybody is told, for who is told may ask for more.
			this.#waiting.delete(next);
			for (const one of leaving) this.#remove(one);
			this.#held.set(next, this.#readBytes);
			this.#heldBytes += next.sizeBytes;
			// Dropped buffers are garbage, which piles up until somebody collects it: better to use them again.
			const buffers = leaving.map(one => one.drop());
			next.begin(buffers.find(buffer => buffer?.byteLength === next.sizeBytes));
		}
	}

	/** Who has to go; undefined where that would not suffice. */
	#leavingFor(sizeBytes: number): Occupant[] | undefined {
		let missingBytes = sizeBytes - (this.totalBytes - this.#heldBytes);
		const leaving: Occupant[] = [];
		for (const one of missingBytes > 0 ? this.#inOrderOfLeaving() : []) {
			leaving.push(one);
			missingBytes -= one.sizeBytes;
			if (missingBytes <= 0) break;
		}

		return missingBytes > 0 ? undefined : leaving;
	}

	#inOrderOfLeaving(): Occupant[] {
		const idle = [...this.#held.keys()].filter(one => !one.isInUse);
		return [...idle.filter(one => one.isSpent), ...idle.filter(one => !one.isSpent)];
	}

	/** Nobody comes back for what was left alone while as much was read elsewhere as there is memory. */
	#isSpare(occupant: Occupant, usedAt: number): boolean {
		if (occupant.isInUse) return false;
		return occupant.isSpent || this.#readBytes - usedAt >= this.totalBytes;
	}
}
