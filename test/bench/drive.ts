import {spawn, type ChildProcess} from 'node:child_process';
import {once} from 'node:events';
import {readFileSync} from 'node:fs';
import {mkdir} from 'node:fs/promises';
import path from 'node:path';
import {createInterface} from 'node:readline';
import {LARDER} from '../helpers/mount.js';
import {run} from '../helpers/run.js';
import {until} from '../helpers/until.js';
import type {Cleanup} from './cleanup.js';
import type {Sample} from './measure.js';
import {RunningProcess} from './running-process.js';

const START_DEADLINE_MS = 30_000;
const STOP_DEADLINE_MS = 15_000;

/** How long a scan of a store may take on a slow machine, each entry. */
const LOAD_DEADLINE_MS_PER_ENTRY = 1;

export interface DriveOptions {
	readonly mountpoint: string;
	readonly cacheDir: string;
	readonly cleanup: Cleanup;
	readonly nodeOptions: readonly string[];
	/** Of `larder mount`. */
	readonly flags: readonly string[];
}

/** A mounted drive in a process of its own, whose use of the machine is watched. */
export class BenchDrive {
	readonly #child: ChildProcess;
	readonly #exited: Promise<unknown>;
	/** The daemon, as Linux sees it. */
	readonly daemon: RunningProcess;
	#log = '';

	private constructor(
		private readonly mountpoint: string,
		child: ChildProcess,
	) {
		this.#child = child;
		this.#exited = once(child, 'exit');
		this.daemon = new RunningProcess(child.pid);
	}

	/** Resolves when the drive is mounted. */
	static async start({mountpoint, cacheDir, cleanup, nodeOptions, flags}: DriveOptions): Promise<BenchDrive> {
		await mkdir(mountpoint, {recursive: true});
		const args = [
			'mount',
			mountpoint,
			'--cache-dir',
			cacheDir,
			'--max-size',
			'100GB',
			'--log-format',
			'json',
			...flags,
		];
		const child = spawn(process.execPath, [...nodeOptions, LARDER, ...args], {
			stdio: ['ignore', 'ignore', 'pipe'],
			env: {PATH: process.env['PATH'], HOME: cacheDir, XDG_CONFIG_HOME: path.join(cacheDir, 'no-config')},
		});
		const drive = new BenchDrive(mountpoint, child);
		cleanup.add(() => drive.stop());
		await drive.#mounted();
		const wanted = flags[flags.indexOf('--transport') + 1];
		if (flags.includes('--transport') && !drive.#log.includes(`"transport":"${wanted}"`)) {
			throw new Error(`${wanted} does not work here:\n${drive.#log}`);
		}

		return drive;
	}

	/** The directory of what is stored. */
	get listing(): string {
		return path.join(this.mountpoint, 'by-url');
	}

	path(url: string): string {
		return path.join(this.listing, encodeURIComponent(url));
	}

	/** Waits until everything that is stored is listed. */
	async loaded(entries: number): Promise<void> {
		const stats = path.join(this.mountpoint, 'stats.json');
		await until(
			`${entries} entries are loaded`,
			async () => (await run('cat', [stats])).stdout.includes(`"entries": ${entries},`),
			START_DEADLINE_MS + entries * LOAD_DEADLINE_MS_PER_ENTRY,
		);
	}

	/** Waits until everything that is stored is listed, and the daemon has nothing left to do in the background. */
	async settled(entries: number): Promise<void> {
		await this.loaded(entries);
		await this.daemon.idle(START_DEADLINE_MS + entries * LOAD_DEADLINE_MS_PER_ENTRY);
	}

	/** Waits until it downloads nothing. */
	async quiet(): Promise<void> {
		const stats = path.join(this.mountpoint, 'stats.json');
		await until(
			'no download runs',
			async () => (await run('cat', [stats])).stdout.includes('"downloads_running": 0'),
			START_DEADLINE_MS,
		);
	}

	/** Makes a sample tell of the daemon, what it has spent meanwhile and its memory. */
	async watch(work: () => Promise<Sample>): Promise<Sample> {
		const before = this.daemon.cpu;
		const {seconds} = await work();
		const after = this.daemon.cpu;
		const cpu = {user: after.user - before.user, system: after.system - before.system};
		return {seconds, cpu, peakRssBytes: this.daemon.peakRssBytes};
	}

	/** Unmounts, whatever state it is in. */
	async stop(): Promise<void> {
		if (this.#child.exitCode === null && this.#child.signalCode === null) {
			const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_DEADLINE_MS);
			this.#child.kill('SIGTERM');
			await this.#exited;
			clearTimeout(timer);
		}

		const mounts = readFileSync('/proc/self/mountinfo', 'utf8');
		if (mounts.includes(` ${this.mountpoint} `)) await run('umount', ['-l', this.mountpoint], {deadlineMs: 5000});
	}

	async #mounted(): Promise<void> {
		const {stderr} = this.#child;
		if (stderr === null) throw new Error('the daemon has no log');
		const lines = createInterface({input: stderr});
		lines.on('line', line => (this.#log += `${line}\n`));
		const isMounted = new Promise<void>(resolve => {
			lines.on('line', line => {
				if (line.includes('"msg":"mounted"')) resolve();
			});
		});
		let timer: NodeJS.Timeout | undefined;
		const isLate = new Promise<void>((_, reject) => {
			const fail = () => reject(new Error(`the drive was not mounted:\n${this.#log}`));
			timer = setTimeout(fail, START_DEADLINE_MS);
			void this.#exited.then(fail);
		});
		await Promise.race([isMounted, isLate]);
		clearTimeout(timer);
		isLate.catch(() => undefined);
	}
}
