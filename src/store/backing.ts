/** A file that has all bytes of something and nothing else, for as long as it is held open. */
export interface Backing {
	/** Of the file, while it is held. */
	readonly fd: number;
	readonly sizeBytes: number;
	/**
	 * Has `take` take some of the file's bytes by its descriptor, now.
	 *
	 * @returns what `take` does; undefined where the disk is likely to be waited for, and it was not called.
	 * @throws CacheError `corrupt-entry` when another program has written the
	 *   file since it was opened: what was taken is not to be used.
	 */
	takeAtOnce(take: (fd: number) => number): number | undefined;
}
