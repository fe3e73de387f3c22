/** What a worker is told and what it answers. */
import type {Cpu} from './measure.js';

/** Files by a prefix and a number. */
export interface Numbered {
	readonly prefix: string;
	readonly first: number;
	readonly step: number;
	readonly count: number;
}

export type Job =
	/** Reads files one after another, each to its end; where that is wished for, the kernel forgets the pages of each before. */
	| {
			readonly kind: 'read';
			readonly files: readonly string[];
			readonly hash?: boolean;
			readonly forgets?: boolean;
	  }
	/** So many opens, each read for its first bytes and closed: of the files of a prefix and the numbers from `first` on, `step` apart. */
	| ({readonly kind: 'heads'; readonly bytes: number} & Numbered)
	/** A stat(2) of each. */
	| ({readonly kind: 'stat'} & Numbered)
	/** So many reads of one page each, no page twice, in an order that nobody can foresee. */
	| {readonly kind: 'pages'; readonly file: string; readonly count: number}
	/** Puts entries into a store that nobody has open: URLs of a prefix and the numbers `[from, to)`. */
	| {
			readonly kind: 'plant';
			readonly store: string;
			readonly prefix: string;
			readonly from: number;
			readonly to: number;
			readonly sizeBytes: number;
	  }
	/** Opens a file, and reads a part of it. Its sha256 is told. */
	| {readonly kind: 'part'; readonly file: string; readonly position: number; readonly bytes: number}
	/** The same of a URL, with node:http and `Range`; it leaves when it has these bytes. */
	| {readonly kind: 'fetch-part'; readonly url: string; readonly position: number; readonly bytes: number}
	/** Downloads with node-fetch, into a file. */
	| {readonly kind: 'fetch'; readonly url: string; readonly file: string}
	/** Reads URLs through the drive's operations in the worker itself, without a mount. */
	| {readonly kind: 'loopback'; readonly cacheDir: string; readonly urls: readonly string[]; readonly readers: number};

/** What a process is told that has a cache of media open, larder's or the original's. Calls follow one another, each awaited. */
export type CacheJob =
	/** Opens a cache in the place of the one before. Done when it knows what is in the directory. */
	| {readonly kind: 'open'; readonly directory: string; readonly maxMemoryItems: number}
	/** A `put` for each URL. */
	| {readonly kind: 'put'; readonly urls: readonly string[]; readonly sizeBytes: number}
	/** So many of `get`, of the URLs in turn. What is not stored is a failure. */
	| {readonly kind: 'get'; readonly urls: readonly string[]; readonly calls: number}
	/** So many of `stats`. Another number of entries is a failure. */
	| {readonly kind: 'stats'; readonly entries: number; readonly calls: number};

export interface Done {
	readonly seconds: number;
	readonly cpu: Cpu;
	readonly bytes: number;
	readonly peakRssBytes: number;
	/** Of all bytes read, where it was asked for. */
	readonly sha256?: string;
}

export type Answer = {readonly done: Done} | {readonly failed: string};

/** How much one read asks for: what `cat` does. */
export const READ_BYTES = 128 * 1024;
