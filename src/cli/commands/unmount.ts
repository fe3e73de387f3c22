import path from 'node:path';
import {createLog} from '../../base/log.js';
import {thisHost} from '../../daemon/host.js';
import {unmount} from '../../daemon/unmount.js';
import {Command, type Surroundings} from '../program.js';

export function unmountCommand({env, directory}: Surroundings): Command {
	return new Command('unmount')
		.description('unmount a drive; its daemon then ends')
		.argument('<mountpoint>', 'where the drive is mounted')
		.action(async (mountpoint: string) => {
			const log = createLog({level: 'error', format: 'json'});
			await unmount(path.resolve(directory, mountpoint), {host: thisHost(env), log});
		});
}
