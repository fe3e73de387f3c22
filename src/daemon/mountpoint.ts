/** What has to be true before the drive is mounted, each failure with the line that mends it. */
import {constants, type Stats} from 'node:fs';
import {readdir, stat} from 'node:fs/promises';
import {systemCode} from '../base/errors.js';
import type {Log} from '../base/log.js';
import {may, quoted, type Host} from './host.js';
import {checkAllowOther, checkDevice, checkPermission} from './may-mount.js';
import {MountError} from './mount-error.js';
import {canonical, recoverDeadMounts, type LeftMount} from './mount-state.js';
import {isFuse, isLarder} from './mount-table.js';

/** S_ISVTX, inode(7). */
const STICKY = 0o1000;

/**
 * Makes sure that a drive can be mounted at `mountPoint`: FUSE is there and
 * may be used, and the mount point is an empty directory on which nothing is
 * mounted. Dead mounts found there are removed.
 *
 * @returns the mount point, absolute and without symbolic links.
 * @throws MountError
 */
export async function prepareMountPoint(
	mountPoint: string,
	{host, log, allowOther}: {host: Host; log: Log; allowOther: boolean},
): Promise<string> {
	await checkDevice(host);
	await checkPermission(host);
	if (allowOther) await checkAllowOther(host);

	const directory = await canonical(mountPoint);
	const left = await recoverDeadMounts(directory, host, log);
	if (left && isFuse(left)) throw new MountError(alreadyMounted(left));
	await checkDirectory(directory, host);
	return directory;
}

function alreadyMounted(mount: LeftMount): string {
	const {mountPoint, fsType, source, state} = mount;
	if (state === 'silent') {
		const detach = isLarder(mount) ? 'larder unmount --force' : 'umount -l';
		const hint = `end its process, or detach it with: ${detach} ${quoted(mountPoint)}`;
		return `the ${fsType} file system at ${mountPoint} does not answer; ${hint}`;
	}

	if (isLarder(mount)) {
		return `a larder drive is already mounted at ${mountPoint}; unmount it with: larder unmount ${quoted(mountPoint)}`;
	}

	return `a ${fsType} file system (${source}) is already mounted at ${mountPoint}`;
}

async function checkDirectory(directory: string, host: Host): Promise<void> {
	const found = await statDirectory(directory);
	if (!found.isDirectory()) throw new MountError(`the mount point ${directory} is not a directory`);
	if (host.uid !== 0) await checkOwner(directory, found, host);
	if ((await list(directory)).length > 0) {
		throw new MountError(`the mount point ${directory} is not empty, and a drive would hide what is in it`);
	}
}

async function statDirectory(directory: string): Promise<Stats> {
	try {
		return await stat(directory);
	} catch (error) {
		const code = systemCode(error);
		if (code === 'ENOENT') {
			const hint = `make it with: mkdir -p ${quoted(directory)}`;
			throw new MountError(`the mount point ${directory} does not exist; ${hint}`, {cause: error});
		}

		if (code === 'ENOTDIR') {
			throw new MountError(`the mount point ${directory} lies below something that is not a directory`, {cause: error});
		}

		throw new MountError(`the mount point ${directory} cannot be reached (${code})`, {cause: error});
	}
}

/** What fusermount3 asks of anyone but root: to write there, and in a sticky directory to own it. */
async function checkOwner(directory: string, found: Stats, {uid}: Host): Promise<void> {
	const stickyOfAnother = (found.mode & STICKY) !== 0 && found.uid !== uid;
	if (stickyOfAnother || !(await may(directory, constants.W_OK))) {
		throw new MountError(`the mount point ${directory} belongs to another user; choose a directory of your own`);
	}
}

async function list(directory: string): Promise<string[]> {
	try {
		return await readdir(directory);
	} catch (error) {
		throw new MountError(`the mount point ${directory} cannot be read (${systemCode(error)})`, {cause: error});
	}
}
