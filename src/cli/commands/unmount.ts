import path from 'node:path';
import {createLog} from '../../base/log.js';
import {thisHost} from '../../daemon/host.js';
import {forceUnmount, unmount} from '../../daemon/unmount.js';
import {Command, type Surroundings} from '../program.js';

export function unmountCommand({env, directory}: Surroundings): Command {
	return new Command('unmount')
		.description('unmount a drive; its daemon then ends')
		.argument('<mountpoint>', 'where the drive is mounted')
		.option('--force', 'even if its daemon hangs or programs use it: they get errors')
		.action(async (mountpoint: string, {force}: {force?: boolean}) => {
			const [place, host] = [path.resolve(directory, mountpoint), thisHost(env)];
			if (force) await forceUnmount(place, host);
			else await unmount(place, {host, log: createLog({level: 'error', format: 'json'})});
		});
}
