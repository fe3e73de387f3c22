import type {Entry} from '../../src/store/entry.js';
import {keyOf} from '../../src/store/key.js';

/** What is to be said of an entry without files. Times are epoch milliseconds. */
export interface MadeEntry {
	readonly url: string;
	readonly sizeBytes?: number;
	readonly allocatedBytes?: number;
	readonly storedAtMs?: number;
	readonly accessedAtMs?: number;
	readonly pinned?: boolean;
}

/** An entry that there are no files of, for a catalogue to note. */
export function makeEntry(made: MadeEntry): Entry {
	const {url, sizeBytes = 10, allocatedBytes = 8192, storedAtMs = 0, accessedAtMs = 0, pinned = false} = made;
	const file = `1 ${sizeBytes} 1`;
	return {
		...{key: keyOf(url), sizeBytes, allocatedBytes, storedAtMs, data: file, sidecarFile: file},
		sidecar: {
			...{url, mimetype: 'text/plain', filename: 'a.txt', size: sizeBytes, ts: accessedAtMs / 1000},
			...{
				stored: storedAtMs / 1000,
				origin: {},
				http: undefined,
				isPut: false,
				pinned,
				tags: [],
				durable: false,
				others: {},
			},
		},
	};
}
