/** What is mounted where, from the kernel's table. */
import {readFile} from 'node:fs/promises';

export interface Mount {
	/** The device that its files are on, `0:41`. Of a FUSE file system the second number is its connection's. */
	readonly device: string;
	readonly mountPoint: string;
	/** `fuse`, or `fuse.` and the subtype. */
	readonly fsType: string;
	/** What was mounted: a device, or the name that a FUSE file system gave itself. */
	readonly source: string;
}

/**
 * `36 35 0:41 / /mnt/my\040drive rw,nosuid - fuse larder rw,user_id=0` ->
 * device `0:41`, mount point `/mnt/my drive`, type `fuse`, source `larder`.
 *
 * @see proc_pid_mountinfo(5)
 */
export function parseMountInfo(text: string): Mount[] {
	return text.split('\n').flatMap(line => {
		const [ids = '', filesystem] = line.split(' - ', 2);
		const [, , device, , mountPoint] = ids.split(' ');
		const [fsType, source = ''] = filesystem?.split(' ') ?? [];
		if (device === undefined || mountPoint === undefined || fsType === undefined) return [];
		return [{device, mountPoint: unescape(mountPoint), fsType: unescape(fsType), source: unescape(source)}];
	});
}

/**
 * The mount that a path names: of several on one mount point, the last.
 *
 * @param mountInfo - the table, `/proc/self/mountinfo`.
 * @param mountPoint - absolute, without symbolic links.
 */
export async function mountAt(mountInfo: string, mountPoint: string): Promise<Mount | undefined> {
	return parseMountInfo(await readFile(mountInfo, 'utf8')).findLast(mount => mount.mountPoint === mountPoint);
}

/** Where larder drives are mounted. */
export async function larderMounts(mountInfo: string): Promise<string[]> {
	return parseMountInfo(await readFile(mountInfo, 'utf8'))
		.filter(mount => isLarder(mount))
		.map(mount => mount.mountPoint);
}

export function isFuse({fsType}: Mount): boolean {
	return fsType === 'fuse' || fsType.startsWith('fuse.');
}

export function isLarder(mount: Mount): boolean {
	return mount.fsType === 'fuse.larder' || (isFuse(mount) && mount.source === 'larder');
}

/** `/mnt/my drive` -> `/mnt/my\\040drive`: as the table has it. */
export function escaped(mountPoint: string): string {
	return mountPoint.replace(/[ \t\n\\#]/g, char => `\\${char.charCodeAt(0).toString(8).padStart(3, '0')}`);
}

/** The kernel writes space, tab, line feed, backslash and `#` as three octal digits. */
function unescape(field: string): string {
	return field.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 8)));
}
