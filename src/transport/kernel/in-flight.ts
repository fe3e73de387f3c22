import type {Started} from '../dispatch.js';

/**
 * More wait in line. Each is a thread of some program that waits, so there are
 * as many only where something is badly wrong.
 */
const MOST = 4096;

/** A request that is being answered, or waits for its turn. */
export interface Flight {
	/** The handle that it is about; undefined where that is none. */
	readonly handle: number | undefined;
	/** The thread that waits for it; 0 where none does. */
	readonly pid: number;
	readonly isInterruptible: boolean;
}

interface Entry extends Flight {
	/** Undefined while it waits for its turn. */
	started: Started<unknown> | undefined;
	readonly start: () => Started<unknown>;
	/** Answers for one that has not begun. */
	readonly refuse: () => void;
}

/** The requests that are not answered yet, by their `unique`. */
export class InFlight {
	readonly #entries = new Map<number, Entry>();
	readonly #line = new Set<number>();

	get size(): number {
		return this.#entries.size;
	}

	/**
	 * @param start - begins the work, now or once there is room.
	 * @param refuse - answers, where its caller has gone before it began.
	 */
	add(unique: number, flight: Flight, {start, refuse}: {start: () => Started<unknown>; refuse: () => void}): void {
		const entry: Entry = {...flight, started: undefined, start, refuse};
		this.#entries.set(unique, entry);
		if (this.#entries.size - this.#line.size > MOST) this.#line.add(unique);
		else this.#begin(unique, entry);
	}

	has(unique: number): boolean {
		return this.#entries.has(unique);
	}

	/** It ends now; nothing where it has ended, or is finished in any case. */
	interrupt(unique: number): void {
		const entry = this.#entries.get(unique);
		if (entry === undefined || !entry.isInterruptible) return;
		if (entry.started !== undefined) {
			entry.started.interrupt();
		} else {
			this.#line.delete(unique);
			this.#entries.delete(unique);
			entry.refuse();
		}
	}

	/** Those that are about a handle. */
	*on(handle: number): Iterable<{readonly unique: number; readonly pid: number}> {
		for (const [unique, entry] of this.#entries) {
			if (entry.handle === handle) yield {unique, pid: entry.pid};
		}
	}

	#begin(unique: number, entry: Entry): void {
		entry.started = entry.start();
		void entry.started.outcome.then(() => {
			this.#entries.delete(unique);
			this.#next();
		});
	}

	#next(): void {
		const [unique] = this.#line;
		const entry = unique === undefined ? undefined : this.#entries.get(unique);
		if (unique === undefined || entry === undefined) return;
		this.#line.delete(unique);
		this.#begin(unique, entry);
	}
}
