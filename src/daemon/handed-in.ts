import {readFile} from 'node:fs/promises';
import type {Config} from '../config/load.js';
import {UsageError} from '../config/usage-error.js';
import type {Host} from './host.js';
import {parseMountInfo} from './mount-table.js';

/** A device that was mounted by who started this process. */
export interface HandedIn {
	readonly descriptor: number;
	/** Where it is mounted; where that cannot be told, what stands for it. */
	readonly directory: string;
}

/**
 * The device that `--fuse-fd` names, or a mount point that is a descriptor:
 * `/dev/fd/3`, as libfuse has it.
 *
 * @throws UsageError where fuse-native was asked for, which takes none.
 */
export async function handedIn(
	{settings, origins}: Config,
	mountpoint: string,
	{mountInfo}: Host,
): Promise<HandedIn | undefined> {
	const named = /^\/dev\/fd\/(\d+)$/.exec(mountpoint)?.[1];
	const descriptor = settings.fuseFd ?? (named === undefined ? undefined : Number(named));
	if (descriptor === undefined) return undefined;
	if (settings.transport === 'fuse-native' && origins.transport !== 'default') {
		throw new UsageError('a device that is handed in needs the transport kernel, not fuse-native');
	}

	return {descriptor, directory: (await whereMounted(descriptor, mountInfo)) ?? `/dev/fd/${descriptor}`};
}

/** Nothing where the kernel does not tell the connection (6.18 does), or it is mounted in another name space alone. */
async function whereMounted(descriptor: number, mountInfo: string): Promise<string | undefined> {
	const about = await readFile(`/proc/self/fdinfo/${descriptor}`, 'utf8').catch(() => '');
	const connection = /^fuse_connection:\s*(\d+)$/m.exec(about)?.[1];
	if (connection === undefined) return undefined;
	const mounts = parseMountInfo(await readFile(mountInfo, 'utf8'));
	return mounts.findLast(({device}) => device === `0:${connection}`)?.mountPoint;
}
