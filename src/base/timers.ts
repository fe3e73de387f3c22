/** Time that passes and calls back, handed to what waits so that a test can let it pass. */
export interface Timers {
	/** Milliseconds since some moment, fractions included. Never goes back. */
	now(): number;
	/** Calls `work` once, in `ms`. It keeps the process alive until then. Returns what calls it off. */
	after(ms: number, work: () => void): () => void;
}

export const SYSTEM_TIMERS: Timers = {
	now: () => performance.now(),
	after(ms, work) {
		const timer = setTimeout(work, ms);
		return () => clearTimeout(timer);
	},
};
