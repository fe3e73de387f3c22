import {SYSTEM_TIMERS, type Timers} from '../base/timers.js';
import {WaitingLine, type PriorityNow} from './waiting-line.js';

/** How much of the rate may come at once, after a while in which less came. */
const BURST_MS = 100;
/** A chunk of the usual size fits, however low the rate is. */
const SMALLEST_BURST_BYTES = 64 * 1024;
/** setTimeout takes no more, and fires at once instead. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * A rate that all transfers keep to together: each accounts for the bytes that
 * it has read before it reads on, so who is too fast leaves them to the
 * origin. Who has a reader goes before who has none, who then gets what is
 * left over.
 *
 * It is a bucket into which the rate flows and out of which bytes are taken. A
 * chunk larger than the bucket takes all of it and owes the rest, for which
 * those wait who come after.
 */
export class Bandwidth {
	#perMs = Infinity;
	#bucketBytes = Infinity;
	/** What may come now; below 0 it is owed. */
	#bytes = Infinity;
	#countedAtMs = 0;
	#callOff: (() => void) | undefined;
	readonly #line = new WaitingLine<number>(bytes => {
		this.#bytes -= bytes;
		this.#admit();
	});

	/**
	 * @param bytesPerSecond - Infinity for no limit.
	 * @throws RangeError for what is not above 0.
	 */
	constructor(
		bytesPerSecond: number,
		private readonly timers: Timers = SYSTEM_TIMERS,
	) {
		this.setLimit(bytesPerSecond);
	}

	/**
	 * Changes the rate, also for who waits already.
	 *
	 * @throws RangeError for what is not above 0.
	 */
	setLimit(bytesPerSecond: number): void {
		if (!(bytesPerSecond > 0)) throw new RangeError(`the bandwidth is ${bytesPerSecond}, not a number above 0`);
		this.#flow();
		this.#perMs = bytesPerSecond / 1000;
		this.#bucketBytes = Math.max(SMALLEST_BURST_BYTES, BURST_MS * this.#perMs);
		this.#bytes = this.#perMs === Infinity ? Infinity : Math.min(this.#bytes, this.#bucketBytes);
		this.#admit();
	}

	/**
	 * Accounts for `bytes` that have come. Where they are within the rate nothing
	 * is returned; else wait for what is, before more is read.
	 *
	 * @param signal - ends a wait with its reason. The bytes count all the same: they have come.
	 */
	take(bytes: number, priority: PriorityNow, signal?: AbortSignal): Promise<void> | undefined {
		if (this.#perMs === Infinity) return undefined;
		this.#flow();
		if (this.#has(bytes) && this.#line.isFirst(priority)) {
			this.#bytes -= bytes;
			return undefined;
		}

		const waited = this.#line.wait(bytes, priority, signal);
		this.#admit();
		return waited;
	}

	/** Whether somebody waits for more than the rate lets come. */
	get isShort(): boolean {
		return this.#line.first !== undefined;
	}

	#has(bytes: number): boolean {
		return this.#bytes >= Math.min(bytes, this.#bucketBytes);
	}

	/** Adds what the time since the last look has brought. */
	#flow(): void {
		const nowMs = this.timers.now();
		const flown = (nowMs - this.#countedAtMs) * this.#perMs;
		this.#countedAtMs = nowMs;
		if (this.#bytes !== Infinity) this.#bytes = Math.min(this.#bytes + flown, this.#bucketBytes);
	}

	/** Admits whose bytes there are, and sets the timer for the next. */
	#admit(): void {
		this.#callOff?.();
		this.#callOff = undefined;
		this.#flow();
		let next = this.#line.first;
		for (; next !== undefined && this.#has(next.wanted); next = this.#line.first) {
			this.#bytes -= next.wanted;
			next.admit();
		}

		if (next === undefined) return;
		const missing = Math.min(next.wanted, this.#bucketBytes) - this.#bytes;
		const delayMs = Math.min(Math.ceil(missing / this.#perMs), LONGEST_TIMER_MS);
		this.#callOff = this.timers.after(delayMs, () => this.#admit());
	}
}
