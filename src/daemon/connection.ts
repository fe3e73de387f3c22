/** The connections between the kernel and the daemons of FUSE file systems, as fusectl shows them. */
import {stat, writeFile} from 'node:fs/promises';
import path from 'node:path';
import type {Host} from './host.js';
import {mountAt, type Mount} from './mount-table.js';
import {run} from './run.js';

const MOUNT_MS = 5000;

/** Mounts fusectl where it is not, which only root may. Without it a connection cannot be aborted. */
export async function showConnections({uid, connections, mountInfo, searchPath}: Host): Promise<boolean> {
	if ((await mountAt(mountInfo, connections))?.fsType === 'fusectl') return true;
	if (uid !== 0) return false;
	const command = ['mount', '-t', 'fusectl', 'fusectl', connections] as const;
	const {code} = await run(command, {timeoutMs: MOUNT_MS, env: {PATH: searchPath}});
	return code === 0;
}

/** What ends the connection of a mount when it is written to; it belongs to who has mounted. */
export function abortFile({device}: Mount, {connections}: Host): string {
	return path.join(connections, device.split(':')[1] ?? '', 'abort');
}

/**
 * Ends the connection of a mount, be its daemon alive, hung or dead: who waits
 * for it gets an error, and so does who comes. The mount stays, dead.
 *
 * @throws Error with the `code` of open(2): EACCES for another user's, ENOENT where fusectl is not mounted.
 */
export function abortConnection(mount: Mount, host: Host): Promise<void> {
	return writeFile(abortFile(mount, host), '1');
}

/**
 * Tells a mount from the next one at the same place, which often gets the same
 * device: the files of fusectl have a number that is not given twice.
 */
export async function identityOf(mount: Mount, host: Host): Promise<string> {
	const file = await stat(abortFile(mount, host)).catch(() => undefined);
	return `${mount.device} ${file?.ino}`;
}
