import {access, constants} from 'node:fs/promises';
import path from 'node:path';

/** What mounting depends on outside of us, as data, so that a test can describe another machine. */
export interface Host {
	readonly uid: number;
	/** As in `PATH`. */
	readonly searchPath: string;
	readonly fuseDevice: string;
	readonly fuseConf: string;
	/** Where the kernel shows the connections of FUSE file systems: fusectl. */
	readonly connections: string;
	/** The table of mounts. */
	readonly mountInfo: string;
	/** The state of this process, with its capabilities. */
	readonly status: string;
}

export function thisHost(env: Readonly<Record<string, string | undefined>>): Host {
	return {
		uid: process.geteuid?.() ?? 0,
		searchPath: env['PATH'] ?? '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
		fuseDevice: '/dev/fuse',
		fuseConf: '/etc/fuse.conf',
		connections: '/sys/fs/fuse/connections',
		mountInfo: '/proc/self/mountinfo',
		status: '/proc/self/status',
	};
}

/** The helper that lets anyone mount: its path, of either of the names it has had. */
export async function fusermount({searchPath}: Host): Promise<string | undefined> {
	for (const name of ['fusermount3', 'fusermount']) {
		for (const directory of searchPath.split(':')) {
			const program = path.join(directory, name);
			if (await may(program, constants.X_OK)) return program;
		}
	}

	return undefined;
}

/** Whether this process has the access of access(2). */
export async function may(file: string, mode: number): Promise<boolean> {
	return access(file, mode).then(
		() => true,
		() => false,
	);
}

/** `/mnt/my drive` -> `'/mnt/my drive'`: as a shell takes it. */
export function quoted(file: string): string {
	return /^[\w@%+=:,./-]+$/.test(file) ? file : `'${file.replaceAll("'", String.raw`'\''`)}'`;
}
