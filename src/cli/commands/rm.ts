import {isKey, keyOf} from '../../library/open.js';
import {commandWith, withCache, type Command, type Surroundings} from '../program.js';

export function rmCommand(surroundings: Surroundings): Command {
	const command = commandWith('rm', ['cache-dir', 'log-level'], surroundings)
		.description('remove what is stored; the next reader downloads it anew')
		.argument('<url...>', 'URLs, or keys as by-key/ has them');
	return command.action((urls: string[]) =>
		withCache(command, surroundings, async cache => {
			for (const url of urls) {
				if (await cache.evict(isKey(url) ? url : keyOf(url))) continue;
				console.error(`larder: ${url} is not stored`);
				process.exitCode = 1;
			}
		}),
	);
}
