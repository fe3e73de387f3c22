import type {Range} from '../base/range-set.js';
import type {FillMode} from './fill-mode.js';

/** What comes though nobody has asked for it yet: enough for who only wants to know what a file is. */
const UNASKED_BYTES = 256 * 1024;
/** What comes ahead of who reads in order, where no more than that is to come. */
const AHEAD_BYTES = 4 * 1024 * 1024;

/**
 * How far a body is fetched on from where it was begun, which readers decide by
 * what they read: `whole` all of it, whatever they do; `auto` all of it once
 * somebody reads on, as long as somebody reads; `ranges` what is read, and a
 * little ahead. Who has only asked what it is reads nothing: until somebody
 * does, its beginning is all that comes.
 */
export class Allowance {
	#until: number;
	/** Where what comes unasked ends. */
	#beginningEnd: number;
	#isFree: boolean;
	#isSuspended = false;
	#isHeld: boolean;

	/** @param isHeld - nobody reads it yet. */
	constructor(
		private readonly mode: FillMode,
		isHeld = false,
	) {
		this.#isHeld = isHeld;
		this.#until = this.#beginningEnd = UNASKED_BYTES;
		this.#isFree = mode === 'whole';
	}

	/** The body is gone on with at `position`. Returns how far, as long as nobody reads on. */
	goOnAt(position: number): number {
		this.#until = this.#beginningEnd = position + UNASKED_BYTES;
		return this.#isFree && !this.#isHeld ? Infinity : this.#until;
	}

	/** Nobody has read it yet. */
	get isHeld(): boolean {
		return this.#isHeld;
	}

	/** Whether the byte at `position` is of what comes unasked. */
	isOfBeginning(position: number): boolean {
		return position < this.#beginningEnd;
	}

	/** Whether all of it is to come. */
	get isFree(): boolean {
		return this.#isFree && !this.#isSuspended && !this.#isHeld;
	}

	/** Whether what is left when nobody reads any more is to come. */
	get isForWhole(): boolean {
		return this.mode !== 'ranges';
	}

	/** Whether the byte at `position` may come, where the body is being fetched in order. */
	allows(position: number): boolean {
		return !this.#isSuspended && (this.isFree || position < this.#until);
	}

	/** Somebody reads in order, what is there or what is next to come. */
	readOn({end}: Range): void {
		if (this.mode === 'ranges') this.#until = Math.max(this.#until, end + AHEAD_BYTES);
		else this.#isFree = true;
	}

	/** Somebody waits for all of it. */
	free(): void {
		this.#isFree = true;
	}

	/** Nobody reads it: nothing more is to come, unless all of it is. Tells which. */
	suspend(): boolean {
		this.#isSuspended = this.mode !== 'whole';
		return this.#isSuspended;
	}

	/** Nothing more can be kept. */
	stop(): void {
		this.#isSuspended = true;
	}

	/** Somebody reads it, or reads it again. */
	resume(): void {
		this.#isSuspended = false;
		this.#isHeld = false;
	}
}
