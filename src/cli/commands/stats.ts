import {readFile} from 'node:fs/promises';
import path from 'node:path';
import {MountError} from '../../daemon/mount-error.js';
import {commandWith, withCache, type Command, type Surroundings} from '../program.js';

export function statsCommand(surroundings: Surroundings): Command {
	const command = commandWith('stats', ['cache-dir', 'log-level'], surroundings)
		.description('print statistics: of a mounted drive, hits and misses included, or of a cache directory')
		.argument('[mountpoint]', 'a mounted drive')
		.option('--json', 'as JSON');
	return command.action(async (mountpoint: string | undefined) => {
		const stats =
			mountpoint === undefined ? await ofDirectory(command, surroundings) : await ofDrive(mountpoint, surroundings);
		const {json} = command.opts<{json?: boolean}>();
		if (json) console.log(JSON.stringify(stats));
		else for (const [name, value] of lines(stats)) console.log(`${name.padEnd(24)} ${String(value)}`);
	});
}

type Stats = Readonly<Record<string, unknown>>;

/** `evicted_by: {'max-age': 2}` -> `evicted_by max-age  2` */
function lines(stats: Stats): Array<[name: string, value: unknown]> {
	return Object.entries(stats).flatMap(([name, value]) => {
		if (typeof value !== 'object' || value === null) return [[name, value ?? 'none']];
		return Object.entries(value).map(([part, of]): [string, unknown] => [`${name} ${part}`, of]);
	});
}

async function ofDrive(mountpoint: string, {directory}: Surroundings): Promise<Stats> {
	const file = path.join(path.resolve(directory, mountpoint), 'stats.json');
	try {
		return JSON.parse(await readFile(file, 'utf8')) as Stats;
	} catch (cause) {
		throw new MountError(`no larder drive is mounted at ${mountpoint}`, {cause});
	}
}

/** The limit and the counters are a running drive's, so they are left out. */
function ofDirectory(command: Command, surroundings: Surroundings): Promise<Stats> {
	return withCache(command, surroundings, async cache => {
		await cache.load();
		const {entries, total_bytes, total_mb, allocated_bytes} = cache.stats();
		return {entries, total_bytes, total_mb, allocated_bytes};
	});
}
