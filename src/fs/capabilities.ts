/** What a transport can do, as data: the drive decides by these, never by a transport's name. */
export interface Capabilities {
	/** Lookups in one directory run beside each other, so that one may wait for an origin. */
	readonly parallelLookup: boolean;
	/** An operation ends when its caller is killed or interrupted. */
	readonly interrupt: boolean;
	/** Single opens can bypass the page cache, so that a size need not be known (`Operations.isStream`). */
	readonly directIo: boolean;
	/** The kernel can be told to forget names and pages. */
	readonly invalidate: boolean;
	/** Two versions of a file can be two nodes, each with pages of its own. */
	readonly nodePerVersion: boolean;
	/** The kernel can read an open file by itself. */
	readonly passthrough: boolean;
}
