import {spawn, type ChildProcess} from 'node:child_process';
import {once} from 'node:events';
import {chmod, mkdtemp, readdir, readFile, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {createInterface} from 'node:readline';
import {setTimeout as delay} from 'node:timers/promises';
import type {ExecutionContext} from 'ava';
import {run, type Result, type RunOptions} from './run.js';

/** The compiled program. */
export const LARDER = path.resolve(import.meta.dirname, '../../src/cli/main.js');

export type Transport = 'fuse-native' | 'kernel';

/** What the drives of the tests are mounted with: `LARDER_TEST_TRANSPORT=kernel` runs them over that. */
export const TRANSPORT: Transport = process.env['LARDER_TEST_TRANSPORT'] === 'kernel' ? 'kernel' : 'fuse-native';

/** How often an origin is asked when somebody looks at a name of which nothing is stored. */
export const ASKED_BY_LOOKUP = TRANSPORT === 'kernel' ? 1 : 0;

const START_DEADLINE_MS = 60_000;
const STOP_DEADLINE_MS = 15_000;
/** Where a test asks for the end: more than any drive takes, on the busiest machine. */
const ENDED_DEADLINE_MS = 60_000;

export interface MountOptions {
	/** Flags of `larder mount`, such as `--max-size 1MB`. */
	readonly flags?: readonly string[];
	readonly env?: Readonly<Record<string, string>>;
	/** Made if it is not given, and removed in the end with all that is in it. */
	readonly cacheDir?: string;
	/** Made if it is not given. One that was mounted before is as good as an empty one. */
	readonly directory?: string;
	/** What it is mounted with, in the place of what the environment says. */
	readonly transport?: Transport;
	/** The compiled program to run, `LARDER` unless told. */
	readonly program?: string;
	/** What runs the program: it stands before node. */
	readonly by?: readonly string[];
	/** The user who mounts it, root unless told; `cacheDir` and `directory` are then given, and theirs. */
	readonly uid?: number;
}

/** A real drive: `larder mount` in a process of its own, on a mount point of its own. */
export class Mount {
	readonly logLines: string[] = [];
	readonly #child: ChildProcess;
	#exited: Promise<number | null>;

	private constructor(
		readonly directory: string,
		readonly cacheDir: string,
		child: ChildProcess,
	) {
		this.#child = child;
		this.#exited = once(child, 'exit').then(([code]) => code as number | null);
	}

	/** The one that was asked for last. */
	static #starting: Promise<unknown> = Promise.resolve();

	/**
	 * Mounts, and sees to it that the test unmounts, also when it fails. One after
	 * another: the tests of a file begin all at once, and a daemon that starts
	 * takes a core for a second, so each would keep the others from theirs.
	 */
	static start(t: ExecutionContext, options: MountOptions = {}): Promise<Mount> {
		const started = Mount.#starting.then(() => Mount.#start(t, options));
		Mount.#starting = started.catch(() => undefined);
		return started;
	}

	static async #start(t: ExecutionContext, options: MountOptions): Promise<Mount> {
		const base = await mkdtemp(path.join(tmpdir(), 'larder-test-'));
		await chmod(base, 0o755);
		const directory = options.directory ?? path.join(base, 'mnt');
		const cacheDir = options.cacheDir ?? path.join(base, 'cache');
		if (options.directory === undefined) await run('mkdir', [directory]);
		const mount = Mount.#spawn(base, directory, cacheDir, options);
		t.teardown(async () => {
			await mount.end();
			await rm(base, {recursive: true, force: true});
		});
		await mount.#ready();
		return mount;
	}

	static #spawn(home: string, directory: string, cacheDir: string, options: MountOptions): Mount {
		const {flags = [], env = {}, uid, transport = TRANSPORT, program = LARDER, by = []} = options;
		const [command = '', ...words] = [...by, process.execPath, program];
		const args = [...words, 'mount', directory, '--cache-dir', cacheDir, '--log-format', 'json', ...flags];
		const child = spawn(command, args, {
			stdio: ['ignore', 'inherit', 'pipe'],
			// The user's own configuration is none of the test's. Node looks for modules at HOME: never on the drive itself.
			env: {
				PATH: process.env['PATH'],
				HOME: home,
				XDG_CONFIG_HOME: path.join(home, 'config'),
				LARDER_TRANSPORT: transport,
				...env,
			},
			...(uid !== undefined && {uid, gid: uid}),
		});
		const mount = new Mount(directory, cacheDir, child);
		if (child.stderr) createInterface({input: child.stderr}).on('line', line => mount.logLines.push(line));
		return mount;
	}

	get pid(): number {
		return this.#child.pid ?? 0;
	}

	/** Where a URL is, as a user would write it. */
	path(url: string): string {
		return path.join(this.directory, 'by-url', encodeURIComponent(url));
	}

	/** The log, as text. */
	get log(): string {
		return this.logLines.join('\n');
	}

	async stats(): Promise<Record<string, number>> {
		return JSON.parse(await readFile(path.join(this.directory, 'stats.json'), 'utf8')) as Record<string, number>;
	}

	/**
	 * Sends a signal, and resolves with the exit code once the daemon has ended.
	 *
	 * @throws Error that tells what it said, and where it waits, when it does not end.
	 */
	async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
		this.#child.kill(signal);
		if (await this.#exitedWithin(ENDED_DEADLINE_MS)) return this.#exited;
		const threads = await threadsOf(this.pid);
		await this.#abort();
		throw new Error([`larder mount did not end by ${signal}:`, ...this.logLines, ...threads].join('\n'));
	}

	/** Resolves with the exit code once the daemon has ended, for whatever reason. */
	exited(): Promise<number | null> {
		return this.#exited;
	}

	/** Ends the daemon if it is still there, and takes away the mount if that is. */
	async end(): Promise<void> {
		if (this.#child.exitCode === null && this.#child.signalCode === null) {
			this.#child.kill('SIGTERM');
			if (!(await this.#exitedWithin(STOP_DEADLINE_MS))) await this.#abort();
		}

		await run('umount', ['-l', this.directory], {deadlineMs: 5000});
	}

	/** A daemon that waits for its own drive heeds no signal before the connection is aborted, as `umount -f` does. */
	async #abort(): Promise<void> {
		this.#child.kill('SIGKILL');
		await run('umount', ['-f', this.directory], {deadlineMs: 5000});
		if (await this.#exitedWithin(5000)) return;
		this.#child.stderr?.destroy();
		this.#child.unref();
	}

	async #exitedWithin(deadlineMs: number): Promise<boolean> {
		const controller = new AbortController();
		const late = delay(deadlineMs, false, {signal: controller.signal}).catch(() => false);
		const inTime = await Promise.race([this.#exited.then(() => true), late]);
		controller.abort();
		return inTime;
	}

	async #ready(): Promise<void> {
		const failed = this.#exited.then(code => {
			throw new Error(`larder mount ended with ${code} before it was ready:\n${this.log}`);
		});
		await Promise.race([this.#mounted(), failed]);
		failed.catch(() => undefined);
	}

	#mounted(): Promise<void> {
		return new Promise((resolve, reject) => {
			const late = () => reject(new Error(`larder mount was not ready in time:\n${this.log}`));
			const timer = setTimeout(late, START_DEADLINE_MS);
			const look = (line: string) => {
				if (!line.includes('"msg":"mounted"')) return;
				clearTimeout(timer);
				resolve();
			};

			if (this.#child.stderr) createInterface({input: this.#child.stderr}).on('line', look);
		});
	}
}

/** Of each thread its name, and the function of the kernel and the system call in which it waits. */
async function threadsOf(pid: number): Promise<string[]> {
	const tasks = `/proc/${pid}/task`;
	const ids = await readdir(tasks).catch(() => []);
	const facts = (id: string) =>
		['comm', 'wchan', 'syscall'].map(name => readFile(path.join(tasks, id, name), 'utf8').catch(() => '?'));
	return Promise.all(ids.map(async id => (await Promise.all(facts(id))).map(fact => fact.trim()).join(' ')));
}

/** Runs the program: `larder('get', url)`. */
export function larder(...args: string[]): Promise<Result> {
	return larderWith({}, ...args);
}

/** Runs the program as another user, elsewhere, with other variables. The user's own configuration is none of the test's. */
export function larderWith({env, ...options}: RunOptions, ...args: string[]): Promise<Result> {
	const nobodys = {XDG_CONFIG_HOME: '/nonexistent', LARDER_PROXY: 'none', LARDER_NETRC: 'none'};
	return run(process.execPath, [LARDER, ...args], {...options, env: {...nobodys, ...env}});
}
