import {setTimeout as sleep} from 'node:timers/promises';

/** What one piece takes. */
const PIECE_MS = 2;
/** How late a piece may be asked for and still be sent as if in time. */
const LATE_MS = 4;
/** What is made up for when it was this process that overslept. */
const OVERSLEPT_MS = 200;
/** How much faster than its rate it is meanwhile. */
const HASTE = 2;

/**
 * A rate that is kept to by the clock: pieces are due one after another, in the
 * order in which they were asked for, so that who sends beside others gets
 * their turn. Nothing is saved up while nobody asks: no more than 10 ms' worth
 * goes out at once. Only what a busy machine held up is sent later, at twice the rate.
 */
export class Pace {
	#dueAt = performance.now();
	/** When the next may go out at the most haste. */
	#freeAt = this.#dueAt;
	#wokeAt = this.#dueAt;

	constructor(private readonly bytesPerSecond: number) {}

	/** How much to ask for at a time. */
	get pieceBytes(): number {
		return Math.max(1, Math.floor((this.bytesPerSecond * PIECE_MS) / 1000));
	}

	/** Resolves when these bytes may be sent. */
	async take(bytes: number, signal: AbortSignal): Promise<void> {
		const now = performance.now();
		const isAtOnce = now - this.#wokeAt <= PIECE_MS;
		const dueAt = Math.max(this.#dueAt, now - (isAtOnce ? OVERSLEPT_MS : LATE_MS));
		const startAt = Math.max(dueAt, this.#freeAt);
		const takesMs = (bytes / this.bytesPerSecond) * 1000;
		this.#dueAt = dueAt + takesMs;
		this.#freeAt = Math.max(startAt, now - LATE_MS) + takesMs / HASTE;
		if (startAt > now) await sleep(startAt - now, undefined, {signal});
		this.#wokeAt = performance.now();
	}
}
