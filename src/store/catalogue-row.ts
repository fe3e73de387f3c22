/** An entry as a row of the catalogue, and back. */
import type {Entry, FileIdentity} from './entry.js';
import type {Key} from './key.js';
import {parseOwnSidecar, renderSidecar} from './sidecar.js';

export interface Row {
	readonly key: Key;
	/** The sidecar, as JSON. */
	readonly sidecar: string;
	readonly size_bytes: number;
	readonly allocated_bytes: number;
	/** Epoch milliseconds. */
	readonly stored_at: number;
	/** The sidecar's last access, epoch milliseconds. */
	readonly written_at: number;
	/** 1 for an entry that is never evicted. */
	readonly pinned: number;
	readonly data: FileIdentity;
	readonly sidecar_file: FileIdentity;
}

/** The columns that make an entry. */
export type EntryRow = Omit<Row, 'key' | 'written_at' | 'pinned'>;

export function toRow(entry: Entry): Row {
	const {key, sidecar} = entry;
	return {
		key,
		sidecar: renderSidecar(sidecar, 0),
		size_bytes: entry.sizeBytes,
		allocated_bytes: entry.allocatedBytes,
		stored_at: entry.storedAtMs,
		written_at: sidecar.ts * 1000,
		pinned: sidecar.pinned ? 1 : 0,
		data: entry.data,
		sidecar_file: entry.sidecarFile,
	};
}

/** @throws CacheError `corrupt-entry` for a row that is none of ours. */
export function toEntry(key: Key, row: EntryRow): Entry {
	return {
		key,
		sidecar: parseOwnSidecar(row.sidecar),
		sizeBytes: row.size_bytes,
		allocatedBytes: row.allocated_bytes,
		storedAtMs: row.stored_at,
		data: row.data,
		sidecarFile: row.sidecar_file,
	};
}
