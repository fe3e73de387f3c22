import {spawn} from 'node:child_process';
import {closeSync, constants, fstatSync, openSync} from 'node:fs';
import {access} from 'node:fs/promises';
import path from 'node:path';
import {cleanStdio, type Stdio} from '../../base/clean-spawn.js';
import {libc} from './libc.js';

const FUSE_DEVICE = '/dev/fuse';
/** 10:229 (`linux/miscdevice.h`), as stat(2) has it. */
const FUSE_DEVICE_NUMBER = (10 << 8) | 229;
const {O_RDWR} = constants;
const O_CLOEXEC = 0o2_000_000;

/** `mount` and `fusermount3` ask no file system of ours for anything: longer than this they wait for somebody else's. */
const PATIENCE_MS = 10_000;

/** The number of the socket in the helper, and of the device in mount(8). */
const INHERITED = 3;

/**
 * The most that one READ asks for. A warm GiB takes 0.53 to 0.65 s of CPU in pieces of 256 KiB, 0.71 to
 * 0.88 s in pieces of 128 KiB, and 1 MiB saves no more; a file that is being fetched comes in larger lumps then.
 */
const MAX_READ_BYTES = 256 * 1024;

export interface DeviceOptions {
	/** Absolute, without symbolic links. */
	readonly mountpoint: string;
	/** Users other than this one may look, as far as the modes of files allow it. */
	readonly allowOther: boolean;
	/** As in `PATH`. */
	readonly searchPath: string;
}

/**
 * Mounts a FUSE file system of type `fuse.larder`: as root by mount(8), which
 * inherits the device, as anyone else by `fusermount3`, which sends it.
 *
 * @returns the device: requests are read from it, replies written to it. Closed
 *   on exec: a child that held it would keep the readers of a dead daemon waiting.
 * @throws Error, one sentence.
 */
export function mountDevice(options: DeviceOptions): Promise<number> {
	return process.geteuid?.() === 0 ? mountAsRoot(options) : mountAsAnyone(options);
}

/**
 * Takes a device that who started this process has opened and mounted.
 *
 * @param fd - its descriptor here. No child gets it from now on.
 * @throws Error, one sentence, for what is not open on the FUSE device.
 */
export function takeDevice(fd: number): number {
	if (!isFuseDevice(fd)) throw new Error(`descriptor ${fd} is not open on ${FUSE_DEVICE}`);
	libc().keepFromChildren(fd);
	return fd;
}

function isFuseDevice(fd: number): boolean {
	try {
		const found = fstatSync(fd);
		return found.isCharacterDevice() && found.rdev === FUSE_DEVICE_NUMBER;
	} catch {
		return false; // EBADF
	}
}

/** Detaches the drive from its mount point, at once. @throws Error, in the words of the program that tried. */
export async function unmountDevice({mountpoint, searchPath}: DeviceOptions): Promise<void> {
	const command: Command =
		process.geteuid?.() === 0
			? ['umount', '-l', '--', mountpoint]
			: [await helper(searchPath), '-u', '-z', '--', mountpoint];
	await run(command, {searchPath});
}

async function mountAsRoot({mountpoint, allowOther, searchPath}: DeviceOptions): Promise<number> {
	const fd = openSync(FUSE_DEVICE, O_RDWR | O_CLOEXEC);
	try {
		const words = [
			`fd=${INHERITED}`,
			'rootmode=40000',
			`user_id=${process.getuid?.()}`,
			`group_id=${process.getgid?.()}`,
		];
		const options = ['nosuid', 'nodev', ...words, ...common(allowOther)].join(',');
		await run(['mount', '-i', '-t', 'fuse.larder', '-o', options, '--', 'larder', mountpoint], {searchPath, fd});
		return fd;
	} catch (error) {
		closeSync(fd);
		throw error;
	}
}

async function mountAsAnyone({mountpoint, allowOther, searchPath}: DeviceOptions): Promise<number> {
	const [ours, theirs] = libc().socketPair();
	try {
		const options = ['fsname=larder', 'subtype=larder', ...common(allowOther)].join(',');
		const command: Command = [await helper(searchPath), '-o', options, '--', mountpoint];
		await run(command, {searchPath, fd: theirs, env: {_FUSE_COMMFD: `${INHERITED}`}});
		return libc().receiveDescriptor(ours);
	} finally {
		closeSync(ours);
		closeSync(theirs);
	}
}

/** The kernel lets in nobody but the owner unless told; only then do modes matter. */
function common(allowOther: boolean): string[] {
	return [`max_read=${MAX_READ_BYTES}`, ...(allowOther ? ['allow_other', 'default_permissions'] : [])];
}

async function helper(searchPath: string): Promise<string> {
	for (const name of ['fusermount3', 'fusermount']) {
		for (const directory of searchPath.split(path.delimiter)) {
			const program = path.join(directory, name);
			if (await isProgram(program)) return program;
		}
	}

	throw new Error('fusermount3 is not on PATH');
}

async function isProgram(file: string): Promise<boolean> {
	return access(file, constants.X_OK).then(
		() => true,
		() => false,
	);
}

type Command = [string, ...string[]];

/** Runs a program to its end, with `fd` as its descriptor 3. @throws Error with its first line of complaint. */
function run(
	[program, ...args]: Command,
	{searchPath, fd, env}: {searchPath: string; fd?: number; env?: Record<string, string>},
): Promise<void> {
	const stdio: Stdio[] = ['ignore', 'ignore', 'pipe', ...(fd === undefined ? [] : [fd])];
	const child = spawn(program, args, {
		stdio: cleanStdio(stdio),
		env: {PATH: searchPath, LC_ALL: 'C', ...env},
		timeout: PATIENCE_MS,
		killSignal: 'SIGKILL',
	});
	let complaint = '';
	child.stderr?.setEncoding('utf8').on('data', (text: string) => (complaint += text));
	return new Promise((resolve, reject) => {
		child.once('error', reject);
		child.once('close', (code, signal) => {
			if (code === 0) resolve();
			else reject(new Error(complaint.split('\n')[0] || `${program} ended with ${signal ?? code}`));
		});
	});
}
