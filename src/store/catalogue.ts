import type {Entry} from './entry.js';
import type {Key} from './key.js';

/** What the entries of a catalogue come to. */
export interface Totals {
	readonly entries: number;
	readonly sizeBytes: number;
	readonly allocatedBytes: number;
}

/**
 * An index over the sidecars: what is there, what it comes to, and what leaves
 * first. The sidecars are the truth; a catalogue that is lost is read from them
 * again. Every call is O(1) in the number of entries, but for the iterations.
 */
export interface Catalogue {
	readonly totals: Totals;
	get(key: Key): Entry | undefined;
	/** Inserts as the most recently used, or replaces in its place. */
	set(entry: Entry): void;
	delete(key: Key): void;
	/** Notes an access. */
	touch(key: Key, nowMs: number): void;
	/** Last access in epoch milliseconds; 0 for what is not there. */
	accessedAtMs(key: Key): number;
	/** Takes in what a scan found; what is there already stays as it is. Order comes from each sidecar's `ts`. */
	adopt(entries: readonly Entry[]): void;
	/** Each entry, that which should leave first at the front. Entries may be deleted or touched meanwhile. */
	inOrderOfLeaving(): Iterable<Entry>;
}
