/** What has to be true before the drive is mounted, each failure with the line that mends it. */
import {constants, type Stats} from 'node:fs';
import {open, readdir, readFile, stat} from 'node:fs/promises';
import {systemCode} from '../base/errors.js';
import type {Log} from '../base/log.js';
import {fusermount, may, quoted, type Host} from './host.js';
import {MountError} from './mount-error.js';
import {canonical, recoverDeadMounts, type LeftMount} from './mount-state.js';
import {isFuse, isLarder} from './mount-table.js';

/** Bit 21 of a capability set, capabilities(7). */
const CAP_SYS_ADMIN = 1n << 21n;

/** S_ISVTX, inode(7). */
const STICKY = 0o1000;

const CONTAINER_HINT = 'a container needs --device /dev/fuse --cap-add SYS_ADMIN';

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
	await (host.uid === 0 ? checkCapability(host) : checkHelper(host));
	if (allowOther && host.uid !== 0) await checkAllowOther(host);

	const directory = await canonical(mountPoint);
	const left = await recoverDeadMounts(directory, host, log);
	if (left && isFuse(left)) throw new MountError(alreadyMounted(left));
	await checkDirectory(directory, host);
	return directory;
}

async function checkDevice({fuseDevice}: Host): Promise<void> {
	try {
		const handle = await open(fuseDevice, constants.O_RDWR);
		await handle.close();
	} catch (error) {
		const code = systemCode(error);
		if (code === 'EACCES' || code === 'EPERM') {
			throw new MountError(`no permission to open ${fuseDevice}; ${CONTAINER_HINT}`, {cause: error});
		}

		const hint = `load the module with: modprobe fuse (${CONTAINER_HINT})`;
		throw new MountError(`${fuseDevice} is missing, so there is no FUSE here; ${hint}`, {cause: error});
	}
}

async function checkCapability({status}: Host): Promise<void> {
	const capabilities = /^CapEff:\s*([0-9a-f]+)$/m.exec(await readFile(status, 'utf8'))?.[1];
	if (capabilities !== undefined && (BigInt(`0x${capabilities}`) & CAP_SYS_ADMIN) === 0n) {
		throw new MountError(`root may not mount here, because it lacks CAP_SYS_ADMIN; ${CONTAINER_HINT}`);
	}
}

async function checkHelper(host: Host): Promise<void> {
	if ((await fusermount(host)) === undefined) {
		const hint = 'install it with: apt-get install fuse3';
		throw new MountError(`only root can mount here, because fusermount3 is not on PATH; ${hint}`);
	}
}

async function checkAllowOther({fuseConf}: Host): Promise<void> {
	const lines = await readFile(fuseConf, 'utf8').catch(() => '');
	if (!/^\s*user_allow_other\s*$/m.test(lines)) {
		throw new MountError(`--allow-other is for root only, unless ${fuseConf} has the line user_allow_other`);
	}
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
