import {mkdir} from 'node:fs/promises';
import {linkSync} from 'node:fs';
import path from 'node:path';
import {basePath} from '../helpers/original.js';
import {MIB, runSilently, startDrive, startWorkers, type Bench, type Findings} from './bench.js';
import type {BenchDrive} from './drive.js';
import type {Job} from './jobs.js';
import type {Runs, Sample} from './measure.js';
import {rowsOf, timesAsFast, type Amount, type Target} from './report.js';
import {plant, plantMany} from './store.js';
import {AGAINST, MOUNTED, NATIVE} from './subjects.js';
import {together, type Worker} from './workers.js';

const HEAD_BYTES = 4096;
const LARGE_BYTES = 1024 * MIB;
const SCATTERED_BYTES = 256 * MIB;
const SMALL_FILES = 28_000;
const IDLE_DEADLINE_MS = 60_000;

/** Numbers of small files: each is read once while a drive is mounted, so that the kernel has nothing of it. */
const SHARES = {warmUp: [0, 4000], one: [4000, 8000], four: [12_000, 8000], stat: [20_000, 8000]} as const;

/** Where the same files are to be found. */
interface Place {
	readonly directory: string;
	/** The process that serves it, where there is one. */
	readonly drive?: BenchDrive;
}

interface Measured {
	readonly amount: Amount;
	/** In processes of their own, as many as there are. */
	readonly readers: number;
	/** @param forgets - pages of what was read before are to be dropped first. */
	readonly job: (directory: string, reader: number, forgets: boolean) => Job;
	/**
	 * The name of a file that is read once before, uncounted: memory that nobody
	 * has touched lately has to be had from the hypervisor first, which takes a
	 * virtual machine longer than the reading. Its pages are dropped again.
	 */
	readonly before?: string;
	/** How often it is done, of which the fastest counts; once unless told. It goes on taking memory back meanwhile. */
	readonly passes?: number;
	readonly targets: (runs: Runs) => Readonly<Record<string, readonly Target[]>>;
}

/**
 * What the way to the kernel costs: stored files through each transport, beside
 * the same files without a drive. Each drive is mounted anew in each round: its
 * pages are cold, those of the store are warm, and what it has to do after one
 * workload is done before the next one.
 */
export async function transport(bench: Bench): Promise<Findings> {
	const {store, native, measured} = await prepare(bench);
	const workers = startWorkers(bench, 4);
	const runs: Record<string, Record<string, Sample[]>> = {};
	for (let round = 0; round <= bench.rounds; round++) {
		for (const [subject, flags] of [[NATIVE, undefined] as const, ...Object.entries(MOUNTED)]) {
			const drive = flags && (await startDrive(bench, store, {flags}));
			await drive?.settled(SMALL_FILES + 2);
			const place = drive === undefined ? {directory: native} : {directory: drive.listing, drive};
			for (const [workload, what] of Object.entries(measured)) {
				const sample = await measure(place, what, workers);
				// The first round is not counted.
				if (round > 0) ((runs[workload] ??= {})[subject] ??= []).push(sample);
			}

			await drive?.stop();
		}
	}

	const rows = Object.entries(measured).flatMap(([workload, {amount, targets}]) => {
		const own = runs[workload] ?? {};
		return workload === WARM_UP ? [] : rowsOf(own, {workload, amount, against: AGAINST, targets: targets(own)});
	});
	return {rows, runs};
}

const WARM_UP = 'warm-up';
const PASSTHROUGH = 'kernel, passthrough';

/** A store, and the same files under the same names in a plain directory. */
async function prepare(bench: Bench) {
	const [store, native] = ['store', 'native'].map(name => path.join(bench.directory, name)) as [string, string];
	const small = bench.origin.url('/small/');
	const [large, scattered] = [bench.origin.url('/large'), bench.origin.url('/scattered')];
	await mkdir(native);
	await plant(store, large, LARGE_BYTES);
	await plant(store, scattered, SCATTERED_BYTES);
	await plantMany(bench, store, {prefix: small, count: SMALL_FILES, sizeBytes: HEAD_BYTES});
	for (const url of [large, scattered, ...Array.from({length: SMALL_FILES}, (_, index) => `${small}${index}`)]) {
		linkSync(`${basePath(store, url)}.dat`, path.join(native, encodeURIComponent(url)));
	}

	for (const url of [large, scattered]) await runSilently('cat', [path.join(native, encodeURIComponent(url))]);
	return {store, native, measured: measuredOf(...([small, large, scattered].map(encodeURIComponent) as Names))};
}

type Names = [small: string, large: string, scattered: string];

function measuredOf(small: string, large: string, scattered: string): Readonly<Record<string, Measured>> {
	const heads = ([first, count]: readonly [number, number], readers: number) => ({
		...{amount: {operations: count}, readers},
		job: (directory: string, reader: number): Job => ({
			...{kind: 'heads', bytes: HEAD_BYTES, prefix: path.join(directory, small)},
			...{first: first + reader, step: readers, count: count / readers},
		}),
	});
	const none = () => ({});
	const pages = 48_000;
	const [stats, statCount] = SHARES.stat;
	return {
		[WARM_UP]: {...heads(SHARES.warmUp, 1), targets: none},
		'random 4 KiB': {
			...{amount: {operations: pages}, readers: 1, before: scattered},
			targets: runs => ({[PASSTHROUGH]: [timesAsFast(0.8, runs, PASSTHROUGH, NATIVE)]}),
			job: directory => ({kind: 'pages', file: path.join(directory, scattered), count: pages}),
		},
		'lookup, open, read 4 KiB, close, 1 process': {...heads(SHARES.one, 1), targets: none},
		'lookup, open, read 4 KiB, close, 4 processes': {...heads(SHARES.four, 4), targets: none},
		'stat, 4 processes': {
			...{amount: {operations: statCount}, readers: 4, targets: thriceFuseNative},
			job: (directory, reader) => ({
				...{kind: 'stat', prefix: path.join(directory, small), first: stats + reader, step: 4, count: statCount / 4},
			}),
		},
		// Their names have just been looked up, as they are by who lists a directory first.
		'open, read 4 KiB, close, 4 processes': {...heads(SHARES.stat, 4), targets: thriceFuseNative},
		'sequential 1 GiB': {
			...{amount: {bytes: LARGE_BYTES}, readers: 1, before: large, passes: 6},
			job: (directory, _reader, forgets) => ({kind: 'read', forgets, files: [path.join(directory, large)]}),
			targets: runs => ({
				kernel: [timesAsFast(1.5, runs, 'kernel', 'fuse-native')],
				[PASSTHROUGH]: [timesAsFast(0.9, runs, PASSTHROUGH, NATIVE)],
			}),
		},
	};
}

function thriceFuseNative(runs: Runs): Readonly<Record<string, readonly Target[]>> {
	return {kernel: [timesAsFast(3, runs, 'kernel', 'fuse-native')]};
}

async function measure(
	{directory, drive}: Place,
	{readers, job, before, passes = 1}: Measured,
	workers: readonly Worker[],
): Promise<Sample> {
	const work = () => together(workers.slice(0, readers), reader => job(directory, reader, drive !== undefined));
	await drive?.daemon.idle(IDLE_DEADLINE_MS);
	if (before !== undefined) await runSilently('cat', [path.join(directory, before)]);
	if (drive === undefined) return fastest(passes, work);
	// POSIX_FADV_DONTNEED, of all of it.
	if (before !== undefined) await runSilently('dd', [`if=${path.join(directory, before)}`, 'iflag=nocache', 'count=0']);
	return fastest(passes, () => drive.watch(work));
}

async function fastest(passes: number, work: () => Promise<Sample>): Promise<Sample> {
	let best = await work();
	for (let pass = 1; pass < passes; pass++) {
		const sample = await work();
		if (sample.seconds < best.seconds) best = sample;
	}

	return best;
}
