/** Half of it waits while the other half is written. With 1 MiB a fast source takes 1.5 times as long, with 8 MiB as long. */
const LARGEST_SHARE_BYTES = 4 * 1024 * 1024;
/** A chunk of the usual size; with less each would be a write of its own. */
const SMALLEST_SHARE_BYTES = 64 * 1024;

/** What one of those who share may hold. */
export interface Share {
	/** Bytes that it may hold now. They become less as others join, and more as others leave. */
	readonly bytes: number;
	/** Leaves it to the others; once, however often it is called. */
	leave(): void;
}

/**
 * Memory for bytes on their way to the disk, shared evenly by all who write.
 * Only where there are so many that the smallest share of all exceeds it, more
 * is held.
 */
export class Buffers {
	#sharers = 0;

	constructor(private readonly totalBytes: number) {}

	join(): Share {
		this.#sharers++;
		let isIn = true;
		const share = () => this.#share();
		const leave = () => {
			if (isIn) this.#sharers--;
			isIn = false;
		};
		return {
			get bytes() {
				return share();
			},
			leave,
		};
	}

	#share(): number {
		const even = Math.floor(this.totalBytes / Math.max(this.#sharers, 1));
		return Math.min(Math.max(even, SMALLEST_SHARE_BYTES), LARGEST_SHARE_BYTES);
	}
}
