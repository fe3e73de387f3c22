/** Starting children that do not inherit a device which this process holds open. */
import type {IOType} from 'node:child_process';
import {openSync, readdirSync, readlinkSync} from 'node:fs';

/** One element of the `stdio` array of `spawn` and `fork`. */
export type Stdio = IOType | 'ipc' | number;

/**
 * A child that holds it keeps the connection of a dead daemon alive, and its
 * readers hang: libfuse opens it without O_CLOEXEC.
 */
const FUSE_DEVICE = '/dev/fuse';

let devNull: number | undefined;

/**
 * The `stdio` for `spawn` or `fork`: `wanted`, and `/dev/null` in the place of
 * every further descriptor of this process that is open on `device`. To be
 * called right before the spawn, because it looks at what is open now.
 *
 * `'ignore'` does not do this: from descriptor 3 on libuv then leaves in the
 * child what the parent has there. What Node opened itself is closed on exec.
 *
 * @param wanted - the child's descriptors 0, 1, 2 and up; `'ipc'` may be at 3.
 */
export function cleanStdio(wanted: readonly Stdio[], device = FUSE_DEVICE): Stdio[] {
	const stdio = [...wanted];
	for (const fd of descriptorsOn(device)) {
		if (fd < wanted.length) continue;
		while (stdio.length < fd) stdio.push('ignore');
		stdio[fd] = devNull ??= openSync('/dev/null', 'r+');
	}

	return stdio;
}

/** This process's descriptors whose file is `device`, in ascending order. */
export function descriptorsOn(device = FUSE_DEVICE): number[] {
	return readdirSync('/proc/self/fd')
		.map(Number)
		.filter(fd => isOn(fd, device))
		.sort((a, b) => a - b);
}

/** Whether a descriptor of this process is open, and on `device`. */
export function isOn(fd: number, device = FUSE_DEVICE): boolean {
	try {
		return readlinkSync(`/proc/self/fd/${fd}`) === device;
	} catch {
		return false; // closed, as the one by which the directory itself was read
	}
}
