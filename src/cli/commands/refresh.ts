import {messageOf} from '../../base/errors.js';
import {isHttpUrl} from '../../base/http-url.js';
import {OPTION_NAMES} from '../../config/options.js';
import type {UrlCache} from '../../library/open.js';
import {commandWith, UsageError, withAskingCache, type Command, type Surroundings} from '../program.js';
import {OF_THE_DRIVE} from './get.js';

interface Flags {
	readonly all?: boolean;
	readonly json?: boolean;
}

/** Origins are not asked about more files than this at a time. */
const AT_ONCE = 8;

export function refreshCommand(surroundings: Surroundings): Command {
	const settings = OPTION_NAMES.filter(name => !OF_THE_DRIVE.includes(name));
	const command = commandWith('refresh', settings, surroundings)
		.description('ask whether what is stored is still what its origin has, and fetch what has changed')
		.argument('[url...]', 'http or https URLs')
		.option('--all', 'everything that is stored and was not put there by hand, in the place of URLs')
		.option('--json', 'one JSON object a line for each URL');
	return command.action((urls: string[]) => {
		const flags = command.opts<Flags>();
		checkUrls(urls, flags);
		return withAskingCache(command, surroundings, async cache => {
			const asked = (flags.all === true ? await fetched(cache) : urls)[Symbol.iterator]();
			const workers = Array.from({length: AT_ONCE}, async () => {
				for (const url of asked) if (!(await refresh(cache, url, flags))) process.exitCode = 1;
			});
			await Promise.all(workers);
		});
	});
}

function checkUrls(urls: readonly string[], {all = false}: Flags): void {
	if (!all && urls.length === 0) throw new UsageError('there is nothing to refresh; name URLs or say --all');
	if (all && urls.length > 0) throw new UsageError('refresh takes URLs or --all, not both');
	const wrong = urls.find(url => !isHttpUrl(url));
	if (wrong !== undefined) throw new UsageError(`"${wrong}" is not an http or https URL`);
}

async function fetched(cache: UrlCache): Promise<readonly string[]> {
	await cache.load();
	return [...cache.entries()].filter(({sidecar}) => !sidecar.isPut).map(({sidecar}) => sidecar.url);
}

/** Whether it worked; if not, the reason is printed. */
async function refresh(cache: UrlCache, url: string, {json}: Flags): Promise<boolean> {
	try {
		const {outcome, stored} = await cache.refresh(url);
		await stored;
		console.log(json === true ? JSON.stringify({url, outcome}) : `${outcome} ${url}`);
		return true;
	} catch (error) {
		console.error(`larder: ${messageOf(error)}`);
		return false;
	}
}
