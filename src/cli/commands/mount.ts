import path from 'node:path';
import {OPTION_NAMES} from '../../config/options.js';
import {runDaemon} from '../../daemon/lifecycle.js';
import {commandWith, requestOf, type Command, type Surroundings} from '../program.js';

export function mountCommand(surroundings: Surroundings): Command {
	const command = commandWith('mount', OPTION_NAMES, surroundings)
		.description('mount the drive and serve it in the foreground, until ^C, SIGTERM or an unmount')
		.argument('[mountpoint]', 'an empty directory', path.join(surroundings.home, 'larder'));
	return command.action(async (mountpoint: string) => {
		const directory = path.resolve(surroundings.directory, mountpoint);
		await runDaemon(requestOf(command, surroundings), directory, () => undefined);
	});
}
