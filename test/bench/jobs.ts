/** What a worker is told and what it answers. */
import type {Cpu} from './measure.js';

export type Job =
	/** Reads files one after another, each to its end. */
	| {readonly kind: 'read'; readonly files: readonly string[]; readonly hash?: boolean}
	/** Downloads with node-fetch, into a file. */
	| {readonly kind: 'fetch'; readonly url: string; readonly file: string}
	/** Reads URLs through the drive's operations in the worker itself, without a mount. */
	| {readonly kind: 'loopback'; readonly cacheDir: string; readonly urls: readonly string[]; readonly readers: number};

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
