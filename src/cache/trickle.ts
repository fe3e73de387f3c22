/** What comes for nobody has to bring as much in this time: it takes a slot, and an origin may send a byte a second for ever. */
const WINDOW_MS = 60_000;
const ENOUGH_BYTES = 64 * 1024;

/** Tells whether what comes is worth its slot. */
export class Trickle {
	/** @param receivedBytes - so far. */
	constructor(
		private nowMs: number,
		private receivedBytes: number,
	) {}

	/** Whether less than 64 KiB came in a minute. To be asked every now and then. */
	isTooLittle(nowMs: number, receivedBytes: number): boolean {
		const passedMs = nowMs - this.nowMs;
		const hasBrought = receivedBytes - this.receivedBytes >= ENOUGH_BYTES;
		if (hasBrought || passedMs < 0) this.restart(nowMs, receivedBytes);
		return !hasBrought && passedMs >= WINDOW_MS;
	}

	/** What has been so far does not count: something else has held it up. */
	restart(nowMs: number, receivedBytes: number): void {
		this.nowMs = nowMs;
		this.receivedBytes = receivedBytes;
	}
}
