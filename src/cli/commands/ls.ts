import {formatSize} from '../../base/units.js';
import {commandWith, withCache, type Command, type Surroundings} from '../program.js';
import {parseTag} from './tag.js';

interface Flags {
	readonly tag?: string;
	readonly json?: boolean;
}

export function lsCommand(surroundings: Surroundings): Command {
	const command = commandWith('ls', ['cache-dir', 'log-level'], surroundings)
		.description('list what is stored, and when it was last read; * is pinned, [a, b] are its tags')
		.option('--tag <name>', 'only what has this tag', parseTag)
		.option('--json', 'one JSON object a line');
	return command.action(() =>
		withCache(command, surroundings, async cache => {
			await cache.load();
			const {tag, json} = command.opts<Flags>();
			for (const {key, sidecar, sizeBytes} of cache.entries()) {
				const {url, mimetype, filename, pinned, tags} = sidecar;
				if (tag !== undefined && !tags.includes(tag)) continue;
				const accessed = new Date(cache.accessedAtMs(key)).toISOString();
				const line = {url, key, sizeBytes, mimetype, filename, accessed, pinned, tags};
				console.log(json ? JSON.stringify(line) : readable(line));
			}
		}),
	);
}

interface Line {
	readonly url: string;
	readonly sizeBytes: number;
	readonly mimetype: string;
	readonly accessed: string;
	readonly pinned: boolean;
	readonly tags: readonly string[];
}

/** `   1.2MB  2026-11-20 23:50  video/mp4         https://a.example/x.gif  *  [cats, to watch]` */
function readable({url, sizeBytes, mimetype, accessed, pinned, tags}: Line): string {
	const when = accessed.slice(0, 16).replace('T', ' ');
	const marks = [...(pinned ? ['*'] : []), ...(tags.length > 0 ? [`[${tags.join(', ')}]`] : [])];
	return [formatSize(sizeBytes).padStart(8), when, mimetype.padEnd(16), url, ...marks].join('  ');
}
