import path from 'node:path';
import {pathOnDrive} from '../../daemon/drive-path.js';
import {thisHost} from '../../daemon/host.js';
import {larderMounts} from '../../daemon/mount-table.js';
import {Command, UsageError, type Surroundings} from '../program.js';

export function pathCommand(surroundings: Surroundings): Command {
	const command = new Command('path')
		.description('print where a URL is on the drive')
		.argument('<url>', 'an http or https URL')
		.option('--mountpoint <directory>', 'the drive, where more than one is mounted, or none yet');
	return command.action(async (url: string) => {
		const {mountpoint} = command.opts<{mountpoint?: string}>();
		const directory = mountpoint ?? (await onlyMount(surroundings));
		console.log(pathOnDrive(path.resolve(surroundings.directory, directory), url));
	});
}

async function onlyMount({env}: Surroundings): Promise<string> {
	const [first, ...others] = await larderMounts(thisHost(env).mountInfo);
	if (first === undefined) throw new UsageError('no drive is mounted; name the directory with --mountpoint');
	if (others.length === 0) return first;
	throw new UsageError(`several drives are mounted (${[first, ...others].join(', ')}); choose one with --mountpoint`);
}
