import type {BigIntStats} from 'node:fs';
import type {Key} from './key.js';
import type {Sidecar} from './sidecar.js';

/**
 * Which file this was and whether it has been written since: `inode size mtime`,
 * the last in nanoseconds. larder never writes a published file, so a change of
 * it is somebody else's. A text, as the catalogue has it: of most entries it is
 * only compared, if at all.
 */
export type FileIdentity = string;

type FileStats = Pick<BigIntStats, 'ino' | 'size' | 'mtimeNs'>;

/** What the store holds for a key. Never changed: what changes about an entry is a new one. */
export interface Entry {
	readonly key: Key;
	readonly sidecar: Sidecar;
	readonly sizeBytes: number;
	/** What both files take on the disk. */
	readonly allocatedBytes: number;
	readonly storedAtMs: number;
	readonly data: FileIdentity;
	readonly sidecarFile: FileIdentity;
}

export function identityOf({ino, size, mtimeNs}: FileStats): FileIdentity {
	return `${ino} ${size} ${mtimeNs}`;
}

/** The inode's number; undefined for a text that is no identity. */
export function inodeOf(file: FileIdentity): bigint | undefined {
	const [ino = ''] = file.split(' ', 1);
	return /^\d+$/.test(ino) ? BigInt(ino) : undefined;
}

/** When it was written, epoch milliseconds; NaN for a text that is no identity. */
export function writtenAtMs(file: FileIdentity): number {
	return Number(file.slice(file.lastIndexOf(' ') + 1) || NaN) / 1e6;
}

/** `st_blocks` counts 512 bytes whatever the block size (stat(2)). */
export function allocatedBytes(stats: BigIntStats): number {
	return Number(stats.blocks) * 512;
}

export function makeEntry(key: Key, sidecar: Sidecar, data: BigIntStats, sidecarFile: BigIntStats): Entry {
	return {
		key,
		sidecar,
		sizeBytes: Number(data.size),
		allocatedBytes: allocatedBytes(data) + allocatedBytes(sidecarFile),
		storedAtMs: sidecar.stored === undefined ? Number(data.mtimeNs / 1_000_000n) : sidecar.stored * 1000,
		data: identityOf(data),
		sidecarFile: identityOf(sidecarFile),
	};
}

/** When the content was last changed, as far as known: Last-Modified, else when it was stored. */
export function modifiedAtMs(entry: Entry): number {
	const {lastModified} = entry.sidecar.origin;
	return lastModified === undefined ? entry.storedAtMs : lastModified * 1000;
}
