import {closeSync, read} from 'node:fs';
import {mkdtemp, rmdir} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {promisify} from 'node:util';
import {mountDevice, unmountDevice, type DeviceOptions} from './device.js';
import {IN_HEADER, INIT_IN, INIT_IN_EXT} from './protocol/structs.js';

/** What a kernel says of itself when something is mounted. */
export interface Offered {
	/** Of the protocol: 7.45. */
	readonly major: number;
	readonly minor: number;
	/** Reads of a file may go past the daemon, where it has CAP_SYS_ADMIN. Since Linux 6.9. */
	readonly passthrough: boolean;
}

/** Larger than the kernel insists on, which is 8 KiB. */
const REQUEST_BYTES = 64 * 1024;

/** Bit 37 of INIT's flags is bit 5 of the second half: `linux/fuse.h`. */
const PASSTHROUGH = 1 << 5;

/**
 * Mounts in a directory of its own, reads the kernel's first request, and
 * unmounts: a mount would work.
 *
 * @throws Error, one sentence, where it does not.
 */
export async function probeKernel(options: Pick<DeviceOptions, 'searchPath'>): Promise<Offered> {
	const mountpoint = await mkdtemp(path.join(tmpdir(), 'larder-probe-'));
	try {
		const device = {...options, mountpoint, allowOther: false};
		const fd = await mountDevice(device);
		try {
			return await firstRequest(fd);
		} finally {
			await unmountDevice(device);
			closeSync(fd);
		}
	} finally {
		await rmdir(mountpoint);
	}
}

/** It is there as soon as the mount is, so this does not wait. */
async function firstRequest(fd: number): Promise<Offered> {
	const buffer = Buffer.alloc(REQUEST_BYTES);
	const {bytesRead} = await promisify(read)(fd, buffer, 0, buffer.length, null);
	const view = new DataView(buffer.buffer, buffer.byteOffset, bytesRead);
	const {major, minor} = INIT_IN.at(view, IN_HEADER.sizeBytes);
	const extension = IN_HEADER.sizeBytes + INIT_IN.sizeBytes;
	const isExtended = bytesRead >= extension + INIT_IN_EXT.sizeBytes;
	const passthrough = isExtended && (INIT_IN_EXT.at(view, extension).flags2 & PASSTHROUGH) !== 0;
	return {major, minor, passthrough};
}
