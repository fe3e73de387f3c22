import {readFile, stat} from 'node:fs/promises';
import {showConnections} from '../connection.js';
import {fusermount} from '../host.js';
import {checkAllowOther, checkDevice, checkPermission} from '../may-mount.js';
import {ok, problem, warning, type Subject, type Verdict} from './verdict.js';

/** 10:229, `linux/miscdevice.h`, as stat(2) has it. */
const FUSE_DEVICE_NUMBER = (10 << 8) | 229;

export async function checkFuseDevice({host}: Subject): Promise<Verdict> {
	await checkDevice(host);
	const {rdev} = await stat(host.fuseDevice);
	if (rdev === FUSE_DEVICE_NUMBER) return ok('it can be opened');
	return problem(`${host.fuseDevice} is not the FUSE device: make it with: mknod -m 666 ${host.fuseDevice} c 10 229`);
}

export async function checkMayMount({host}: Subject): Promise<Verdict> {
	await checkPermission(host);
	if (host.uid === 0) return ok('root mounts by itself');
	return ok(`${await fusermount(host)} mounts for this user`);
}

export async function checkOthers({host, config}: Subject): Promise<Verdict> {
	if (config.settings.allowOther) {
		await checkAllowOther(host);
		return ok('they may use the drive (allow-other)');
	}

	const lines = await readFile(host.fuseConf, 'utf8').catch(() => '');
	const mayBeAllowed = host.uid === 0 || /^\s*user_allow_other\s*$/m.test(lines);
	return ok(
		mayBeAllowed
			? 'they may not use the drive; --allow-other lets them'
			: `they may not use the drive, and ${host.fuseConf} has no line user_allow_other for --allow-other`,
	);
}

export async function checkFuseControl({host}: Subject): Promise<Verdict> {
	if (await showConnections(host)) return ok(`${host.connections} shows connections, so that a drive can be aborted`);
	const hint = `as root: mount -t fusectl fusectl ${host.connections}`;
	return warning(`${host.connections} shows no connections: readers of a drive that hangs cannot be freed; ${hint}`);
}
