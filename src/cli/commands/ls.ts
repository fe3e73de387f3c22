import {formatSize} from '../../base/units.js';
import {commandWith, withCache, type Command, type Surroundings} from '../program.js';

export function lsCommand(surroundings: Surroundings): Command {
	const command = commandWith('ls', ['cache-dir', 'log-level'], surroundings)
		.description('list what is stored, least recently used first')
		.option('--json', 'one JSON object a line');
	return command.action(() =>
		withCache(command, surroundings, async cache => {
			await cache.load();
			const {json} = command.opts<{json?: boolean}>();
			for (const {key, sidecar, sizeBytes} of cache.entries()) {
				const {url, mimetype, filename} = sidecar;
				const accessed = new Date(cache.accessedAtMs(key)).toISOString();
				const line = {url, key, sizeBytes, mimetype, filename, accessed};
				console.log(json ? JSON.stringify(line) : readable(line));
			}
		}),
	);
}

/** `   1.2MB  2026-11-20 23:50  video/mp4         https://a.example/x.gif` */
function readable(line: {url: string; sizeBytes: number; mimetype: string; accessed: string}): string {
	const when = line.accessed.slice(0, 16).replace('T', ' ');
	return `${formatSize(line.sizeBytes).padStart(8)}  ${when}  ${line.mimetype.padEnd(16)}  ${line.url}`;
}
