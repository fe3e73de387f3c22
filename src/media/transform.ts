/** So many of the first bytes of a body tell whether a transform applies to it. */
export const DECIDING_BYTES = 16;

/** A change to a body between its download and its storage. */
export interface Transform {
	/** For the log: `gif-to-mp4`. */
	readonly name: string;

	/** @param head - the first bytes, `DECIDING_BYTES` at least, or the whole body if it is shorter. The answer does not change with more. */
	appliesTo(head: Uint8Array): boolean;

	/**
	 * Reads file `input` and writes file `output`, which does not exist yet. When
	 * this settles nothing it started is left; when it rejects, no `output` either.
	 *
	 * @returns the new type, and the extension that fits it, with its dot: `.mp4`.
	 * @throws CacheError `aborted` when `signal` fired; else an Error whose
	 *   message is one line for the log. The body can then be stored as it came.
	 */
	run(input: string, output: string, signal: AbortSignal): Promise<{mimetype: string; extension: string}>;
}
