import {mkdir} from 'node:fs/promises';
import path from 'node:path';
import {run} from '../helpers/run.js';
import {runSilently, startDrive, startWorkers, writeNoise, type Bench, type Findings} from './bench.js';
import type {BenchDrive} from './drive.js';
import {firstRead} from './first-read.js';
import {interleave, type Sample} from './measure.js';
import {smallEnough, rowsOf} from './report.js';
import {plant} from './store.js';
import type {Worker} from './workers.js';

const COUNT = 10_000;
const SIZE_BYTES = 100;

/** 10,000 entries: listed by a fresh daemon, and how long it takes to start over them. */
export async function tenThousand(bench: Bench): Promise<Findings> {
	const store = path.join(bench.directory, 'store');
	const native = path.join(bench.directory, 'native');
	const urls = Array.from({length: COUNT}, (_, index) => bench.origin.url(`/listed/${index}`));
	await mkdir(native);
	for (const url of urls) {
		await plant(store, url, SIZE_BYTES);
		await writeNoise(path.join(native, encodeURIComponent(url)), SIZE_BYTES);
	}

	const listing = await list(bench, store, native);
	const start = await startOver(bench, store, urls[0] ?? '');
	return {rows: [...listing.rows, ...start.rows], runs: {...listing.runs, ...start.runs}};
}

async function list(bench: Bench, store: string, native: string): Promise<Findings> {
	let drive: BenchDrive | undefined;
	const ls = async (option: string): Promise<Sample> => {
		if (drive === undefined) throw new Error('no drive');
		const {listing} = drive;
		return drive.watch(() => timed('ls', [option, listing]));
	};

	const runs = await interleave(
		{
			'larder, ls': async round => {
				await drive?.stop();
				drive = await startDrive(bench, store);
				await drive.loaded(COUNT);
				if (round === 0) await checkListing(drive);
				return ls('-A');
			},
			'plain directory, ls': () => timed('ls', ['-A', native]),
			'larder, ls -l': () => ls('-l'),
			'plain directory, ls -l': () => timed('ls', ['-l', native]),
		},
		bench.rounds,
	);
	await drive?.stop();
	const workload = 'ls of 10,000';
	const rows = rowsOf(runs, {
		workload,
		amount: 'time',
		against: {'larder, ls': ['plain directory, ls'], 'larder, ls -l': ['plain directory, ls -l']},
		targets: {
			'larder, ls': [smallEnough(runs, 'larder, ls')],
			'larder, ls -l': [smallEnough(runs, 'larder, ls -l')],
		},
	});
	return {rows, runs: {[workload]: runs}};
}

async function checkListing({listing}: BenchDrive): Promise<void> {
	const {stdout} = await run('ls', ['-A', listing]);
	const listed = stdout.trim().split('\n').length;
	if (listed !== COUNT) throw new Error(`${listed} names are listed, not ${COUNT}`);
}

async function startOver(bench: Bench, full: string, url: string): Promise<Findings> {
	const single = path.join(bench.directory, 'single');
	await plant(single, url, SIZE_BYTES);
	const reader = startWorkers(bench, 1)[0] as Worker;
	const start = (store: string) => async (): Promise<Sample> => {
		const {seconds, drive} = await firstRead(bench, reader, {store, url});
		await drive.stop();
		return {seconds};
	};

	const runs = await interleave({'10,000 entries': start(full), '1 entry': start(single)}, bench.rounds);
	const workload = 'start to first read';
	const rows = rowsOf(runs, {workload, amount: 'time', against: {'10,000 entries': ['1 entry']}});
	return {rows, runs: {[workload]: runs}};
}

async function timed(program: string, args: readonly string[]): Promise<Sample> {
	const from = performance.now();
	const {code, stderr} = await runSilently(program, args);
	if (code !== 0) throw new Error(`${program} failed: ${stderr}`);
	return {seconds: (performance.now() - from) / 1000};
}
