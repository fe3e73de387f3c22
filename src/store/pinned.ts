import type {Budget} from './budget.js';
import type {Entry} from './entry.js';
import type {Key} from './key.js';
import type {OpenFile} from './open-file.js';
import {Pin} from './pin.js';

interface Held {
	readonly entry: Entry;
	pins: number;
	/** It would have left, had it not been open. */
	isToLeave: boolean;
	/** The entry is gone, its bytes stay on the disk until the last pin is closed. */
	detached: boolean;
}

/** Which entries are held open, and what they take of the budget once they are gone from the store. */
export class Pinned {
	readonly #held = new Map<Key, Held>();
	#allocatedBytes = 0;

	constructor(private readonly budget: Budget) {}

	/** Bytes on the disk of the entries that are both in the store and open. */
	get allocatedBytes(): number {
		return this.#allocatedBytes;
	}

	/** Whether an entry that is to leave has to stay for now, as it is open. Room is made anew when it is not open any more. */
	mustStay(key: Key): boolean {
		const held = this.#held.get(key);
		if (held === undefined) return false;
		held.isToLeave = true;
		return true;
	}

	pin(entry: Entry, file: OpenFile): Pin {
		// Another process may have replaced it, which was not heard of yet.
		this.recheck(entry.key, () => entry);
		const held = this.#held.get(entry.key) ?? this.#hold(entry);
		held.pins++;
		return new Pin(entry, file, () => this.#release(held));
	}

	/** The entry of `key` may be gone or another one now. */
	recheck(key: Key, now: () => Entry | undefined): void {
		const held = this.#held.get(key);
		if (held === undefined) return;
		const entry = now();
		if (entry?.data === held.entry.data) return;
		held.detached = true;
		this.#held.delete(key);
		this.#allocatedBytes -= held.entry.allocatedBytes;
		this.budget.hold(held.entry.allocatedBytes);
	}

	#hold(entry: Entry): Held {
		const held = {entry, pins: 0, isToLeave: false, detached: false};
		this.#held.set(entry.key, held);
		this.#allocatedBytes += entry.allocatedBytes;
		return held;
	}

	#release(held: Held): void {
		if (--held.pins > 0) return;
		if (held.detached) {
			this.budget.giveBack(held.entry.allocatedBytes);
			return;
		}

		this.#held.delete(held.entry.key);
		this.#allocatedBytes -= held.entry.allocatedBytes;
		if (held.isToLeave) void this.budget.keep();
	}
}
