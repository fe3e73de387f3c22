import {realpath} from 'node:fs/promises';
import path from 'node:path';
import {systemCode} from '../base/errors.js';
import type {Log} from '../base/log.js';
import {fusermount, type Host} from './host.js';
import {MountError} from './mount-error.js';
import {isFuse, mountAt, type Mount} from './mount-table.js';
import {run} from './run.js';

/**
 * `live` answers, `dead` lost its daemon (ENOTCONN), `silent` has a daemon that
 * does not answer.
 */
export type MountState = 'live' | 'dead' | 'silent';

export interface LeftMount extends Mount {
	readonly state: Exclude<MountState, 'dead'>;
}

/** Longer than a busy daemon takes for its root directory. */
const ANSWER_MS = 3000;

const UNMOUNT_MS = 10_000;

/** A mount point of more dead mounts than this is someone's doing. */
const MOST_DEAD_MOUNTS = 16;

/**
 * Asks the file system mounted at `mountPoint`. The question is a child's,
 * because a process that waits for a dead daemon's answer cannot even exit.
 */
export async function mountState(mountPoint: string): Promise<MountState> {
	const {code, timedOut} = await run([process.execPath, '-e', STAT, mountPoint], {timeoutMs: ANSWER_MS, env: {}});
	if (timedOut) return 'silent';
	return code === DEAD ? 'dead' : 'live';
}

const DEAD = 3;

/** ECONNABORTED instead of ENOTCONN: aborted through fusectl. Anything else, EACCES included, was an answer. */
const STAT = `
	try {
		fs.statSync(process.argv[1]);
	} catch (error) {
		process.exit(['ENOTCONN', 'ECONNABORTED'].includes(error.code) ? ${DEAD} : 0);
	}
`;

/**
 * The path as the table of mounts has it: absolute, without symbolic links.
 * The last name may be missing, or a dead mount.
 */
export async function canonical(mountPoint: string): Promise<string> {
	try {
		return await realpath(mountPoint);
	} catch (error) {
		const {dir, base} = path.parse(path.resolve(mountPoint));
		if (systemCode(error) === 'ENOENT' || base === '') return path.join(dir, base);
		return path.join(await realpath(dir).catch(() => dir), base);
	}
}

/**
 * Unmounts every dead mount at `mountPoint`, and logs each.
 *
 * @param mountPoint - as `canonical` has it.
 * @returns the mount that is left there, if any.
 */
export async function recoverDeadMounts(mountPoint: string, host: Host, log: Log): Promise<LeftMount | undefined> {
	for (let recovered = 0; recovered < MOST_DEAD_MOUNTS; recovered++) {
		const mount = await mountAt(host.mountInfo, mountPoint);
		if (!mount) return undefined;
		const state = isFuse(mount) ? await mountState(mountPoint) : 'live';
		if (state !== 'dead') return {...mount, state};

		const complaint = await runUnmount(mountPoint, host, {lazy: true});
		if (complaint !== undefined)
			throw new MountError(`the dead mount at ${mountPoint} cannot be removed: ${complaint}`);
		log.warn('removed a dead mount', {mountPoint, fsType: mount.fsType, source: mount.source});
	}

	throw new MountError(`there are more than ${MOST_DEAD_MOUNTS} dead mounts at ${mountPoint}`);
}

/**
 * Unmounts as root or as the user who mounted.
 *
 * @param options.lazy - detach now, also when it is busy or dead.
 * @returns why it failed, in the words of the program that tried.
 */
export async function runUnmount(mountPoint: string, host: Host, {lazy}: {lazy: boolean}): Promise<string | undefined> {
	const command = await unmountCommand(mountPoint, host, {lazy});
	const outcome = await run(command, {timeoutMs: UNMOUNT_MS, env: {PATH: host.searchPath}});
	if (outcome.code === 0) return undefined;
	if (outcome.timedOut) return `${command[0]} did not finish within ${UNMOUNT_MS / 1000} s`;
	return outcome.complaint || `${command[0]} failed`;
}

/** What unmounts, as `runUnmount` runs it. */
export async function unmountCommand(
	mountPoint: string,
	host: Host,
	{lazy}: {lazy: boolean},
): Promise<[string, ...string[]]> {
	const helper = host.uid === 0 ? undefined : await fusermount(host);
	return helper
		? [helper, '-u', ...(lazy ? ['-z'] : []), '--', mountPoint]
		: ['umount', ...(lazy ? ['-l'] : []), '--', mountPoint];
}
