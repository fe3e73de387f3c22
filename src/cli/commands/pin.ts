import {isKey, keyOf} from '../../library/open.js';
import {commandWith, withCache, type Command, type Surroundings} from '../program.js';

export function pinCommand(surroundings: Surroundings): Command {
	const command = commandWith('pin', ['cache-dir', 'log-level'], surroundings)
		.description('keep files that are stored: they do not leave for want of room')
		.argument('<url...>', 'URLs, or keys as by-key/ has them')
		.option('--undo', 'let them leave again');
	return command.action((urls: string[]) =>
		withCache(command, surroundings, cache => {
			const {undo = false} = command.opts<{undo?: boolean}>();
			return eachStored(urls, key => cache.annotate(key, {pinned: !undo}));
		}),
	);
}

/**
 * Does `work` to each of `urls`, which may be keys too. For one that is not
 * stored, `work` resolves with false: it is named, and the exit code is 1.
 */
export async function eachStored(urls: readonly string[], work: (key: string) => Promise<boolean>): Promise<void> {
	for (const url of urls) {
		if (await work(isKey(url) ? url : keyOf(url))) continue;
		console.error(`larder: ${url} is not stored`);
		process.exitCode = 1;
	}
}
