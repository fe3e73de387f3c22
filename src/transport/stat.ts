/** Attributes, listings and space in the shape of stat(2) and statvfs(3), which path-based bindings speak. */
import {constants} from 'node:fs';
import type {Attributes, Dentry} from '../fs/inode.js';
import type {FileSystemSpace} from '../fs/operations.js';

const BLOCK_BYTES = 4096;
/** Numbers of blocks are 32 bits. */
const MAX_BLOCKS = 2 ** 32 - 1;

/** The user of this process. Asking for it is a system call, and a listing would ask 200,000 times. */
const OWNER = {uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0};

/** What it is, and who may do what with it: `st_mode`. */
export function modeOf({kind, permissions}: Attributes): number {
	return permissions | (kind === 'file' ? constants.S_IFREG : constants.S_IFDIR);
}

/** Owned by the user of this process; one time for all three. */
export function toStat(attributes: Attributes) {
	const {kind, ino, sizeBytes, modifiedAtMs} = attributes;
	const time = Math.max(0, Math.floor(modifiedAtMs));
	return {
		mode: modeOf(attributes),
		uid: OWNER.uid,
		gid: OWNER.gid,
		size: sizeBytes,
		nlink: kind === 'file' ? 1 : 2,
		ino,
		// Full, also while it is being fetched: cp takes missing blocks for a hole, and writes zeros.
		blocks: Math.ceil(sizeBytes / 512),
		blksize: BLOCK_BYTES,
		mtime: time,
		atime: time,
		ctime: time,
	};
}

/** The names, and beside them what stat(2) says of each: without it find(1) asks for every one. */
export function toListing(dentries: Iterable<Dentry>) {
	const names: string[] = [];
	const stats = [];
	for (const dentry of dentries) {
		names.push(dentry.name);
		stats.push(toStat(dentry.attributes()));
	}

	return {names, stats};
}

export function toStatFs({totalBytes, freeBytes, maxNameBytes}: FileSystemSpace) {
	let unit = BLOCK_BYTES;
	while (totalBytes / unit > MAX_BLOCKS) unit *= 2;
	const free = Math.floor(freeBytes / unit);
	return {
		bsize: unit,
		frsize: unit,
		blocks: Math.floor(totalBytes / unit),
		bfree: free,
		bavail: free,
		namemax: maxNameBytes,
	};
}
