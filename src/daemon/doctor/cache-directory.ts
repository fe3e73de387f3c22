import {constants} from 'node:fs';
import {lstat, mkdtemp, readdir, readFile, rmdir, statfs} from 'node:fs/promises';
import path from 'node:path';
import {systemCode} from '../../base/errors.js';
import {formatSize} from '../../base/units.js';
import {may} from '../host.js';
import {parseMountInfo} from '../mount-table.js';
import {ok, problem, warning, type Subject, type Verdict} from './verdict.js';

export async function checkCacheDirectory({config, host}: Subject): Promise<Verdict> {
	const {cacheDir} = config.settings;
	const existing = await nearest(cacheDir);
	const fsType = await typeAt(existing, host.mountInfo);
	if (fsType.startsWith('nfs')) {
		return problem(`${cacheDir} is on NFS, where a cache is not safe; choose a local disk with --cache-dir`);
	}

	if (fsType === 'fuse.larder') {
		return problem(`${cacheDir} is on a larder drive, which would wait for itself; choose another with --cache-dir`);
	}

	const reason = await whyNotWritable(existing, cacheDir);
	const remedy = 'choose another with --cache-dir, or make it writable';
	if (reason !== undefined) return problem(`${existing} cannot be written to (${reason}); ${remedy}`);
	if (fsType === 'tmpfs') return warning(`${cacheDir} is in memory (tmpfs), and gone with the next boot`);
	return ok(`${cacheDir} ${existing === cacheDir ? 'can be written to' : 'can be made'} (${fsType})`);
}

/** The budget against what the disk has for it: what is free, and what the store holds already. */
export async function checkSpace({config}: Subject): Promise<Verdict> {
	const {cacheDir, maxSize, minFree} = config.settings;
	const {bavail, bsize} = await statfs(await nearest(cacheDir));
	const free = Math.max(0, bavail * bsize - minFree);
	if (free >= maxSize) return ok(`${formatSize(free)} are free, and max-size is ${formatSize(maxSize)}`);
	const room = free + (await allocated(cacheDir));
	if (room >= maxSize || maxSize === Infinity)
		return ok(`the store may grow to ${formatSize(Math.min(room, maxSize))}`);
	const limit = `max-size is ${formatSize(maxSize)}`;
	return warning(`${limit}, but the disk has room for ${formatSize(room)}: free some, or say less with --max-size`);
}

/** The directory itself, or the last one above it that is there. */
async function nearest(directory: string): Promise<string> {
	const isThere = await may(directory, constants.F_OK);
	return isThere || directory === '/' ? directory : nearest(path.dirname(directory));
}

/** Of the mount that a directory lies on: `ext4`. */
async function typeAt(directory: string, mountInfo: string): Promise<string> {
	const isAbove = (mountPoint: string) => !path.relative(mountPoint, directory).startsWith('..');
	const mounts = parseMountInfo(await readFile(mountInfo, 'utf8')).filter(({mountPoint}) => isAbove(mountPoint));
	const deepest = Math.max(...mounts.map(({mountPoint}) => mountPoint.length));
	return mounts.findLast(({mountPoint}) => mountPoint.length === deepest)?.fsType ?? 'unknown';
}

/** In a store it is tried; above one nothing is made, and access(2) is asked. */
async function whyNotWritable(existing: string, cacheDir: string): Promise<string | undefined> {
	if (existing !== cacheDir) return (await may(existing, constants.W_OK | constants.X_OK)) ? undefined : 'EACCES';
	try {
		await rmdir(await mkdtemp(path.join(cacheDir, '.larder-doctor-')));
		return undefined;
	} catch (error) {
		return systemCode(error);
	}
}

/** Bytes on the disk of all files below a directory; 0 for one that is not there. */
async function allocated(directory: string): Promise<number> {
	const names = await readdir(directory, {withFileTypes: true, recursive: true}).catch(() => []);
	let bytes = 0;
	for (const entry of names) {
		if (!entry.isFile()) continue;
		const found = await lstat(path.join(entry.parentPath, entry.name)).catch(() => undefined);
		bytes += (found?.blocks ?? 0) * 512;
	}

	return bytes;
}
