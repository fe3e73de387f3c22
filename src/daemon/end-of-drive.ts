import {setTimeout as delay} from 'node:timers/promises';
import type {Transport} from '../transport/transport.js';
import {identityOf} from './connection.js';
import type {Host} from './host.js';
import {mountAt, type Mount} from './mount-table.js';

/** `unmounted` by another program; or its connection was `aborted`, and the mount is there, dead. */
export type EndOfDrive = 'unmounted' | 'aborted';

/** How often we look whether somebody else has unmounted the drive: while it is in use nobody tells. */
const LOOK_EVERY_MS = 1000;

/** Who aborts to unmount does both within this. */
const ABORTED_MS = 500;

/** Resolves when the drive is taken from us. */
export async function endOfDrive(mount: Mount, {ended}: Transport, host: Host): Promise<EndOfDrive> {
	const identity = await identityOf(mount, host);
	const isThere = async () => {
		const found = await mountAt(host.mountInfo, mount.mountPoint);
		return found !== undefined && (await identityOf(found, host)) === identity;
	};
	let isOver = false;
	const over = ended?.then(() => (isOver = true));
	while (!isOver && (await isThere())) {
		await Promise.race([delay(LOOK_EVERY_MS, undefined, {ref: false}), ...(over ? [over] : [])]);
	}

	if (await isThere()) await delay(ABORTED_MS);
	return (await isThere()) ? 'aborted' : 'unmounted';
}
