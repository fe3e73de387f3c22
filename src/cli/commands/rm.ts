import type {UrlCache} from '../../library/open.js';
import {commandWith, UsageError, withCache, type Command, type Surroundings} from '../program.js';
import {eachStored} from './pin.js';
import {parseTag} from './tag.js';

export function rmCommand(surroundings: Surroundings): Command {
	const command = commandWith('rm', ['cache-dir', 'log-level'], surroundings)
		.description('remove what is stored, pinned or not; the next reader downloads it anew')
		.argument('[url...]', 'URLs, or keys as by-key/ has them')
		.option('--tag <name>', 'everything that has this tag, in the place of URLs', parseTag);
	return command.action((urls: string[]) => {
		const {tag} = command.opts<{tag?: string}>();
		if (tag === undefined && urls.length === 0)
			throw new UsageError('there is nothing to remove; name URLs or a --tag');
		if (tag !== undefined && urls.length > 0) throw new UsageError('rm takes URLs or a --tag, not both');
		return withCache(command, surroundings, cache =>
			tag === undefined ? eachStored(urls, key => cache.evict(key)) : removeTagged(cache, tag),
		);
	});
}

/** Nothing with this tag is nothing to do, and no failure. */
async function removeTagged(cache: UrlCache, tag: string): Promise<void> {
	await cache.load();
	const tagged = [...cache.entries()].filter(({sidecar}) => sidecar.tags.includes(tag));
	for (const {key} of tagged) await cache.evict(key);
}
