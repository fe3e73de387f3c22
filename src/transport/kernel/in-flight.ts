import type {Started} from '../dispatch.js';

/**
 * More wait in line. Each is a thread of some program that waits, so there are
 * as many only where something is badly wrong.
 */
const MOST = 4096;

/** A request that is to be answered. */
export interface Flight {
	readonly unique: number;
	/** The handle that it is about; undefined where that is none. */
	readonly handle: number | undefined;
	/** The thread that waits for it; 0 where none does. */
	readonly pid: number;
	readonly isInterruptible: boolean;
}

/** How a request is answered. */
export interface FlightControl<F extends Flight> {
	/** Begins the work, now or once there is room. @returns undefined where it was done at once. */
	start(flight: F): Started<unknown> | undefined;
	/** Answers, where its caller has gone before it began. */
	refuse(flight: F): void;
}

interface Entry<F extends Flight> {
	readonly flight: F;
	/** Undefined while it waits for its turn. */
	started: Started<unknown> | undefined;
}

/** The requests that wait for something, by their `unique`. */
export class InFlight<F extends Flight> {
	readonly #entries = new Map<number, Entry<F>>();
	readonly #line = new Set<number>();

	constructor(private readonly control: FlightControl<F>) {}

	get size(): number {
		return this.#entries.size;
	}

	add(flight: F): void {
		if (this.#hasRoom) {
			this.#begin(flight);
			return;
		}

		this.#entries.set(flight.unique, {flight, started: undefined});
		this.#line.add(flight.unique);
	}

	has(unique: number): boolean {
		return this.#entries.has(unique);
	}

	/** It ends now; nothing where it has ended, or is finished in any case. */
	interrupt(unique: number): void {
		const entry = this.#entries.get(unique);
		if (entry === undefined || !entry.flight.isInterruptible) return;
		if (entry.started !== undefined) {
			entry.started.interrupt();
		} else {
			this.#line.delete(unique);
			this.#entries.delete(unique);
			this.control.refuse(entry.flight);
		}
	}

	/** Those that are about a handle. */
	*on(handle: number): Iterable<Flight> {
		for (const {flight} of this.#entries.values()) {
			if (flight.handle === handle) yield flight;
		}
	}

	get #hasRoom(): boolean {
		return this.#entries.size - this.#line.size < MOST;
	}

	#begin(flight: F): void {
		const started = this.control.start(flight);
		if (started === undefined) return;
		const {unique} = flight;
		this.#entries.set(unique, {flight, started});
		void started.outcome.then(() => {
			this.#entries.delete(unique);
			this.#beginNext();
		});
	}

	/** Those of the line that there is room for. */
	#beginNext(): void {
		for (const unique of this.#line) {
			if (!this.#hasRoom) return;
			const entry = this.#entries.get(unique);
			this.#line.delete(unique);
			this.#entries.delete(unique);
			if (entry !== undefined) this.#begin(entry.flight);
		}
	}
}
