import {readdir, readFile, readlink} from 'node:fs/promises';
import {systemCode} from '../base/errors.js';
import type {Log} from '../base/log.js';
import {abortConnection, showConnections} from './connection.js';
import {quoted, type Host} from './host.js';
import {MountError} from './mount-error.js';
import {canonical, recoverDeadMounts, runUnmount} from './mount-state.js';
import {isLarder, mountAt, type Mount} from './mount-table.js';

/** More would not fit into one line. */
const MOST_PROGRAMS_NAMED = 5;

/**
 * Unmounts the larder drive at `mountPoint`, live or dead; its daemon then ends
 * by itself. Programs that use the drive keep it mounted.
 *
 * @throws MountError when nothing or something else is mounted there, when it
 *   is busy (naming the programs, as far as we may look), or not ours.
 */
export async function unmount(mountPoint: string, {host, log}: {host: Host; log: Log}): Promise<void> {
	const {mountPoint: directory} = await driveAt(mountPoint, host);
	const left = await recoverDeadMounts(directory, host, log);
	if (!left || !isLarder(left)) return;
	if (left.state === 'silent') {
		const hint = `take it away all the same with: larder unmount --force ${quoted(directory)}`;
		throw new MountError(`the daemon of the drive at ${directory} does not answer; ${hint}`);
	}

	const complaint = await runUnmount(directory, host, {lazy: false});
	if (complaint === undefined) return;

	const programs = await programsUsing(directory);
	if (programs.length === 0) throw new MountError(`the drive at ${directory} cannot be unmounted: ${complaint}`);
	const named = programs.slice(0, MOST_PROGRAMS_NAMED).join(', ');
	const others = programs.length > MOST_PROGRAMS_NAMED ? ` and ${programs.length - MOST_PROGRAMS_NAMED} more` : '';
	throw new MountError(`the drive at ${directory} is in use; close ${named}${others}, then try again`);
}

/**
 * Aborts the connection of the larder drive at `mountPoint` and unmounts it,
 * though its daemon hangs or programs use it: they get errors, at once.
 *
 * @throws MountError when nothing or something else is mounted there, when it
 *   is another user's, or when who waits for it could not be freed.
 */
export async function forceUnmount(mountPoint: string, host: Host): Promise<void> {
	const drive = await driveAt(mountPoint, host);
	const directory = drive.mountPoint;
	await showConnections(host);
	const unaborted = await abortConnection(drive, host).then(() => undefined, systemCode);
	if (unaborted === 'EACCES') {
		throw new MountError(`the drive at ${directory} is another user's: only they and root may unmount it`);
	}

	const complaint = await runUnmount(directory, host, {lazy: true});
	if (complaint !== undefined) throw new MountError(`the drive at ${directory} cannot be unmounted: ${complaint}`);
	if (unaborted !== undefined) {
		const reason = `${host.connections} does not show its connection (${unaborted})`;
		const hint = 'mount -t fusectl fusectl, or end its daemon';
		throw new MountError(`${directory} is unmounted, but who waits for the drive goes on waiting: ${reason}; ${hint}`);
	}
}

/** @throws MountError when what is mounted there is no larder drive. */
async function driveAt(mountPoint: string, host: Host): Promise<Mount> {
	const directory = await canonical(mountPoint);
	const mount = await mountAt(host.mountInfo, directory);
	if (!mount) throw new MountError(`nothing is mounted at ${directory}`);
	if (isLarder(mount)) return mount;
	throw new MountError(`what is mounted at ${directory} is ${mount.fsType} (${mount.source}), not a larder drive`);
}

/** `['mpv (4711)']`: the processes with an open file or their working directory there. Asks the drive nothing. */
async function programsUsing(directory: string): Promise<string[]> {
	const pids = (await readdir('/proc')).filter(name => /^\d+$/.test(name));
	const found: string[] = [];
	for (const pid of pids) {
		if (!(await uses(pid, directory))) continue;
		const name = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => 'process');
		found.push(`${name.trim()} (${pid})`);
	}

	return found;
}

async function uses(pid: string, directory: string): Promise<boolean> {
	const descriptors = await readdir(`/proc/${pid}/fd`).catch(() => []);
	const links = ['cwd', 'root', ...descriptors.map(fd => `fd/${fd}`)];
	const targets = await Promise.all(links.map(link => readlink(`/proc/${pid}/${link}`).catch(() => '')));
	return targets.some(target => target === directory || target.startsWith(`${directory}/`));
}
