/** The wall clock, handed to what needs it so that a test can move it. */
export interface Clock {
	/** Milliseconds since the epoch. */
	now(): number;
}

export const SYSTEM_CLOCK: Clock = {now: () => Date.now()};
