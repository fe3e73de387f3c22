/** What a test of the drive needs beside the drive itself. */
import {createHash} from 'node:crypto';
import {existsSync} from 'node:fs';
import {chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import path from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {Mount, type MountOptions} from './mount.js';
import {Origin} from './origin.js';
import {run, type Result, type RunOptions} from './run.js';
import {until} from './until.js';

/** A test that needs these programs; where one is missing it is skipped, and says why. */
export function testWith(
	programs: readonly string[],
	title: string,
	body: (t: ExecutionContext) => Promise<void>,
): void {
	const folders = (process.env['PATH'] ?? '').split(path.delimiter);
	const missing = programs.filter(program => !folders.some(folder => existsSync(path.join(folder, program))));
	if (missing.length === 0) test(title, body);
	else test.skip(`${title} (skipped: no ${missing.join(', ')} here)`, body);
}

/** A drive and an origin, both gone with the test. */
export async function startDrive(
	t: ExecutionContext,
	options: MountOptions = {},
): Promise<{mount: Mount; origin: Origin}> {
	const origin = await startOrigin(t);
	return {origin, mount: await Mount.start(t, options)};
}

export async function startOrigin(t: ExecutionContext): Promise<Origin> {
	const origin = await Origin.start();
	t.teardown(() => origin.close());
	return origin;
}

/** A directory that goes with the test; anyone may write there. */
export async function workDirectory(t: ExecutionContext): Promise<string> {
	const directory = await mkdtemp(path.join(tmpdir(), 'larder-work-'));
	await chmod(directory, 0o777);
	t.teardown(() => rm(directory, {recursive: true, force: true}));
	return directory;
}

export function sha256(data: string | Uint8Array): string {
	return createHash('sha256').update(data).digest('hex');
}

/** The entry's files in a store, by the original's rule. */
export function filesOf(cacheDir: string, url: string): {data: string; sidecar: string} {
	const base = path.join(cacheDir, sha256(url));
	return {data: `${base}.dat`, sidecar: `${base}.json`};
}

/** An entry as the Python original writes it. */
export async function plant(cacheDir: string, url: string, body: string | Uint8Array): Promise<void> {
	const {data, sidecar} = filesOf(cacheDir, url);
	await mkdir(cacheDir, {recursive: true});
	await writeFile(data, body);
	const fields = {
		...{url, mimetype: 'application/octet-stream', filename: 'planted'},
		...{size: Buffer.byteLength(body), ts: 1_790_000_000.25},
	};
	await writeFile(sidecar, JSON.stringify(fields, undefined, 2));
}

/** The names of a store's entry files, and of what is not an entry yet. */
export async function contentsOf(cacheDir: string): Promise<{entries: string[]; leftovers: string[]}> {
	const entries = (await readdir(cacheDir)).filter(name => name !== '.larder');
	return {entries: entries.sort(), leftovers: await readdir(path.join(cacheDir, '.larder', 'downloads'))};
}

/** What `ls` shows in a directory of the drive. */
export async function listed(mount: Mount, directory = 'by-url'): Promise<string[]> {
	const {stdout} = await run('ls', ['-A', path.join(mount.directory, directory)]);
	return stdout.split('\n').filter(name => name !== '');
}

/** Reads URLs through the drive, and waits until they are stored: a reader has all of the bytes a moment before. */
export async function fetchAll(mount: Mount, ...urls: string[]): Promise<void> {
	for (const url of urls) await run('cat', [mount.path(url)]);
	const keys = urls.map(sha256);
	await until('the URLs are stored', async () => {
		const stored = await listed(mount, 'by-key');
		return keys.every(key => stored.includes(key));
	});
}

/** Puts bytes under a URL, as a shell does with `>`. */
export function put(mount: Mount, url: string, body: string | Buffer): Promise<Result> {
	return run('dd', [`of=${mount.path(url)}`, 'bs=64k', 'status=none'], {input: body});
}

/**
 * Evaluates JavaScript in a process of its own, which may hang without harm:
 * `fs` is at hand, and the arguments as `f` and `g`.
 *
 * @returns its value as text, or the code of its error such as `ENOENT`;
 *   `no answer` after the deadline.
 */
export async function evaluate(
	expression: string,
	args: readonly string[] = [],
	options: RunOptions = {},
): Promise<string> {
	const program = `
		const [f, g] = process.argv.slice(1);
		(async () => (${expression}))().then(
			value => console.log(String(value)),
			error => console.log(error.code ?? error.stack),
		);
	`;
	const {code, stdout, stderr} = await run(process.execPath, ['-e', program, ...args], options);
	return code === undefined ? 'no answer' : (stdout + stderr).trim();
}

/** How reading all of a file ends: the code of the error, or `read N bytes`. */
export function reading(file: string, options: RunOptions = {}): Promise<string> {
	return evaluate('`read ${fs.readFileSync(f).length} bytes`', [file], options);
}

/** Whether the kernel's table has a mount at `directory`. */
export async function isMounted(directory: string): Promise<boolean> {
	return (await readFile('/proc/self/mountinfo', 'utf8')).includes(` ${directory} `);
}
