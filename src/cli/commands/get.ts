import {createWriteStream} from 'node:fs';
import {readFile, realpath, rename, rm, stat} from 'node:fs/promises';
import {text} from 'node:stream/consumers';
import {pipeline} from 'node:stream/promises';
import {messageOf} from '../../base/errors.js';
import {isHttpUrl} from '../../base/http-url.js';
import {redact} from '../../base/redact.js';
import {OPTION_NAMES} from '../../config/options.js';
import {keyOf, type UrlCache, type Version} from '../../library/open.js';
import {commandWith, UsageError, withAskingCache, type Command, type Surroundings} from '../program.js';
import {createProgress, type Progress} from '../progress.js';

const COPY_BYTES = 1024 * 1024;

/** Settings of a mounted drive alone. */
export const OF_THE_DRIVE: readonly string[] = [
	'allow-other',
	'read-only',
	'open-timeout',
	'read-timeout',
	'log-format',
	'fill',
];

interface Flags {
	readonly inputFile?: string;
	readonly output?: string;
	readonly json?: boolean;
	readonly refresh?: boolean;
}

export function getCommand(surroundings: Surroundings): Command {
	const settings = OPTION_NAMES.filter(name => !OF_THE_DRIVE.includes(name));
	const command = commandWith('get', settings, surroundings)
		.description('fetch URLs into the store, with or without a mounted drive')
		.argument('[url...]', 'http or https URLs')
		.option('-i, --input-file <file>', 'read URLs from a file, one a line; - is standard input')
		.option('-o, --output <file>', 'copy the bytes of the one URL there too; - is standard output')
		.option('--refresh', 'ask whether what is stored is still what its origin has, however fresh it is')
		.option('--json', 'one JSON object a line for each URL stored');
	return command.action(async (arguments_: string[]) => {
		const flags = command.opts<Flags>();
		const urls = [...arguments_, ...(await readList(flags.inputFile))];
		checkUrls(urls, flags);
		const progress = createProgress(process.stderr);
		await withAskingCache(command, surroundings, async cache => {
			const done = await Promise.all(urls.map(url => get(cache, url, flags, progress)));
			progress.stop();
			if (!done.every(Boolean)) process.exitCode = 1;
		});
	});
}

function checkUrls(urls: readonly string[], {output}: Flags): void {
	if (urls.length === 0) throw new UsageError('there is no URL to get; name one, or a file of them with -i');
	if (output !== undefined && urls.length > 1) throw new UsageError('-o takes the bytes of one URL, not of several');
	const wrong = urls.find(url => !isHttpUrl(url));
	if (wrong !== undefined) throw new UsageError(`"${wrong}" is not an http or https URL`);
}

/** Lines that are empty or begin with `#` say nothing. */
async function readList(file: string | undefined): Promise<string[]> {
	if (file === undefined) return [];
	const list = file === '-' ? await text(process.stdin) : await readFile(file, 'utf8');
	return list
		.split('\n')
		.map(line => line.trim())
		.filter(line => line !== '' && !line.startsWith('#'));
}

/** Whether it worked; if not, the reason is printed. */
async function get(cache: UrlCache, url: string, flags: Flags, progress: Progress): Promise<boolean> {
	const {output, json, refresh = false} = flags;
	let version: Version | undefined;
	try {
		version = await (refresh ? cache.openRefreshed(url) : cache.open(url));
		const opened = version;
		const kind = await progress.during(redact(url), opened, () => opened.whole());
		if (output !== undefined) await copy(version, output);
		const {sizeBytes} = version;
		if (json) console.log(JSON.stringify({url, key: keyOf(url), sizeBytes, ...kind}));
		return true;
	} catch (error) {
		progress.print(`larder: ${messageOf(error)}`);
		return false;
	} finally {
		version?.close();
	}
}

/** The file is there when it is whole. What is no file, a device or a pipe, is written to, and never replaced. */
async function copy(version: Version, output: string): Promise<void> {
	if (output === '-') {
		await pipeline(chunksOf(version), process.stdout, {end: false});
		return;
	}

	const target = await realpath(output).catch(() => output);
	const there = await stat(target).catch(() => undefined);
	if (there !== undefined && !there.isFile()) {
		await pipeline(chunksOf(version), createWriteStream(target));
		return;
	}

	const partial = `${target}.part`;
	try {
		await pipeline(chunksOf(version), createWriteStream(partial));
		await rename(partial, target);
	} catch (error) {
		await rm(partial, {force: true});
		throw error;
	}
}

async function* chunksOf(version: Version): AsyncGenerator<Uint8Array> {
	for (let position = 0; position < version.sizeBytes; position += COPY_BYTES) {
		const buffer = Buffer.allocUnsafe(Math.min(COPY_BYTES, version.sizeBytes - position));
		yield buffer.subarray(0, await version.read(buffer, position));
	}
}
