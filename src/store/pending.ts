import type {Totals} from './catalogue-reader.js';
import type {Entry} from './entry.js';
import type {Key} from './key.js';

interface Touch {
	/** The last access, epoch milliseconds. */
	readonly atMs: number;
	readonly times: number;
}

/** Of an entry what is summed up. */
export interface Counted {
	readonly sizeBytes: number;
	readonly allocatedBytes: number;
	readonly sidecar: {readonly pinned: boolean};
}

/** What has been noted of the catalogue and is not written yet. */
export class Pending {
	/** What is under a key now; undefined for what is gone. */
	readonly changes = new Map<Key, Entry | undefined>();
	readonly touches = new Map<Key, Touch>();
	/** Deleted, be it that they were set again since: what was known of their use is over. */
	readonly forgotten = new Set<Key>();
	/**
	 * Rows may have come or gone under these keys otherwise than by what was noted:
	 * by a scan, or with the catalogue. What they add has to be asked of the rows.
	 */
	isDoubtful = false;
	/** What the process holds on the disk has changed. */
	isHeldNew = false;
	#entries = 0;
	#sizeBytes = 0;
	#allocatedBytes = 0;
	#pinnedBytes = 0;

	get isEmpty(): boolean {
		return this.size === 0 && !this.isHeldNew;
	}

	get size(): number {
		return this.changes.size + this.touches.size;
	}

	/** How soon it should be written: accesses alone can wait. */
	get isUrgent(): boolean {
		return this.changes.size > 0 || this.isHeldNew;
	}

	/** @param before - what has been under the key by all that was known. */
	note(key: Key, before: Counted | undefined, after: Entry | undefined): void {
		this.#count(before, -1);
		this.#count(after, 1);
		this.changes.set(key, after);
		if (after !== undefined) return;
		this.touches.delete(key);
		this.forgotten.add(key);
	}

	touch(key: Key, atMs: number): void {
		const times = (this.touches.get(key)?.times ?? 0) + 1;
		this.touches.set(key, {atMs, times});
	}

	/** What something comes to with these changes. */
	addedTo<T extends Totals & {readonly pinnedBytes: number}>(sums: T): T {
		return {
			...sums,
			entries: sums.entries + this.#entries,
			sizeBytes: sums.sizeBytes + this.#sizeBytes,
			allocatedBytes: sums.allocatedBytes + this.#allocatedBytes,
			pinnedBytes: sums.pinnedBytes + this.#pinnedBytes,
		};
	}

	/** Takes in what was noted earlier. */
	putBefore(earlier: Pending): void {
		for (const [key, entry] of earlier.changes) if (!this.changes.has(key)) this.changes.set(key, entry);
		for (const [key, {atMs, times}] of earlier.touches) {
			if (this.forgotten.has(key)) continue;
			const touch = this.touches.get(key);
			this.touches.set(key, {atMs: touch?.atMs ?? atMs, times: times + (touch?.times ?? 0)});
		}

		for (const key of earlier.forgotten) this.forgotten.add(key);
		this.isHeldNew ||= earlier.isHeldNew;
		this.isDoubtful ||= earlier.isDoubtful;
		this.#entries += earlier.#entries;
		this.#sizeBytes += earlier.#sizeBytes;
		this.#allocatedBytes += earlier.#allocatedBytes;
		this.#pinnedBytes += earlier.#pinnedBytes;
	}

	#count(entry: Counted | undefined, sign: 1 | -1): void {
		if (entry === undefined) return;
		this.#entries += sign;
		this.#sizeBytes += sign * entry.sizeBytes;
		this.#allocatedBytes += sign * entry.allocatedBytes;
		if (entry.sidecar.pinned) this.#pinnedBytes += sign * entry.allocatedBytes;
	}
}
