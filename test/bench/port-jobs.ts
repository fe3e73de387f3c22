/** What a process is told that has a port open, or its original. */
import type {Amount} from './report.js';

export type PortJob =
	/** Opens the cache in a directory, in the place of the one before. */
	| {readonly kind: 'open'; readonly directory: string}
	/** So many calls of one of its operations. */
	| {readonly kind: string; readonly calls: number};

export interface Operation {
	readonly calls: number;
	readonly says: string;
	/** Unless told `one call`. */
	readonly amount?: Amount;
}

/** In the order in which a round runs them: what is read was written before. */
export const TTL_OPERATIONS: Readonly<Record<string, Operation>> = {
	write: {calls: 5000, says: 'writeCache of 0.3 KB of JSON'},
	read: {calls: 20_000, says: 'readCache of 0.3 KB of JSON'},
};

export const RESPONSE_OPERATIONS: Readonly<Record<string, Operation>> = {
	write: {calls: 1000, says: 'FileCache write of a response of 10 KiB'},
	read: {calls: 5000, says: 'FileCache read of a response of 10 KiB'},
};

export const FETCH_OPERATIONS: Readonly<Record<string, Operation>> = {
	hit: {calls: 1000, says: 'fetch of 100 KiB that is cached'},
};

/** Keys that are read, of those that were written. */
export const READ_KEYS = 1000;
/** Of what `FileCache` and `fetch` are asked for. */
export const RESPONSE_BYTES = 10 * 1024;
export const FETCHED_BYTES = 100 * 1024;
