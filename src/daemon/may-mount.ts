/** Whether FUSE is there and may be used, each failure with the line that mends it. */
import {constants} from 'node:fs';
import {open, readFile} from 'node:fs/promises';
import {systemCode} from '../base/errors.js';
import {fusermount, type Host} from './host.js';
import {MountError} from './mount-error.js';

/** Bit 21 of a capability set, capabilities(7). */
const CAP_SYS_ADMIN = 1n << 21n;

const CONTAINER_HINT = 'a container needs --device /dev/fuse --cap-add SYS_ADMIN';

/** That the device can be opened. @throws MountError */
export async function checkDevice({fuseDevice}: Host): Promise<void> {
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

/** That this user may mount: root by a capability, anyone else by a helper. @throws MountError */
export function checkPermission(host: Host): Promise<void> {
	return host.uid === 0 ? checkCapability(host) : checkHelper(host);
}

/** Whether this process has CAP_SYS_ADMIN; what cannot be read counts as yes. */
export async function isAdmin({status}: Host): Promise<boolean> {
	const capabilities = /^CapEff:\s*([0-9a-f]+)$/m.exec(await readFile(status, 'utf8'))?.[1];
	return capabilities === undefined || (BigInt(`0x${capabilities}`) & CAP_SYS_ADMIN) !== 0n;
}

async function checkCapability(host: Host): Promise<void> {
	if (!(await isAdmin(host))) {
		throw new MountError(`root may not mount here, because it lacks CAP_SYS_ADMIN; ${CONTAINER_HINT}`);
	}
}

async function checkHelper(host: Host): Promise<void> {
	if ((await fusermount(host)) === undefined) {
		const hint = 'install it with: apt-get install fuse3';
		throw new MountError(`only root can mount here, because fusermount3 is not on PATH; ${hint}`);
	}
}

/** That other users may be let in. @throws MountError */
export async function checkAllowOther({fuseConf, uid}: Host): Promise<void> {
	if (uid === 0) return;
	const lines = await readFile(fuseConf, 'utf8').catch(() => '');
	if (!/^\s*user_allow_other\s*$/m.test(lines)) {
		throw new MountError(`--allow-other is for root only, unless ${fuseConf} has the line user_allow_other`);
	}
}
