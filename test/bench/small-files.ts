import {mkdir, rm} from 'node:fs/promises';
import path from 'node:path';
import {startDrive, startWorkers, writeNoise, type Bench, type Findings} from './bench.js';
import {curlMany} from './curl.js';
import type {BenchDrive} from './drive.js';
import {interleave, type Runs, type Sample} from './measure.js';
import {smallEnough, rowsOf} from './report.js';
import {plant} from './store.js';
import {readTogether, type Worker} from './workers.js';

const COUNT = 1000;
const SIZE_BYTES = 10 * 1024;
const AMOUNT = {files: COUNT};
const NAMES = Array.from({length: COUNT}, (_, index) => `${index}`.padStart(4, '0'));

/** A thousand small URLs, each opened, read and closed, by one program and by 16 at once; first unknown, then stored. */
export async function smallFiles(bench: Bench): Promise<Findings> {
	const files = NAMES.map(name => path.join(bench.origin.root, 'small', name));
	await mkdir(path.join(bench.origin.root, 'small'));
	for (const file of files) await writeNoise(file, SIZE_BYTES);
	const store = path.join(bench.directory, 'store');
	for (const name of NAMES) await plant(store, bench.origin.url(`/small/${name}`), SIZE_BYTES);

	const all: Findings[] = [];
	const workers = startWorkers(bench, 16);
	for (const readers of [workers.slice(0, 1), workers]) {
		all.push(await cold(bench, readers), await warm(bench, readers, {store, files}));
	}

	return {
		rows: all.flatMap(({rows}) => rows),
		runs: Object.assign({}, ...all.map(({runs}) => runs)) as Findings['runs'],
	};
}

async function cold(bench: Bench, readers: readonly Worker[]): Promise<Findings> {
	const {directory, origin, rounds} = bench;
	const [empty, target, bareStore] = ['cold', 'target', 'loopback'].map(name => path.join(directory, name)) as [
		...[string, string, string],
	];
	await mkdir(empty);
	const drive = await startDrive(bench, empty);
	const bare = startWorkers(bench, 1)[0] as Worker;
	const urls = (round: number | string) => NAMES.map(name => origin.url(`/small/${name}?${round}`));
	const runs = await interleave(
		{
			'larder': round => {
				const paths = urls(round).map(url => drive.path(url));
				return drive.watch(() => readTogether(readers, paths, COUNT * SIZE_BYTES));
			},
			'curl -o': async round => {
				await mkdir(target);
				const sample = await curlMany(urls(round), target, readers.length);
				await rm(target, {recursive: true});
				return sample;
			},
			'larder without a kernel': async round => {
				const job = {kind: 'loopback', cacheDir: bareStore, urls: urls(round), readers: readers.length} as const;
				const sample = await bare.run(job);
				await rm(bareStore, {recursive: true});
				return sample;
			},
		},
		rounds,
	);
	await drive.stop();
	await rm(empty, {recursive: true});
	const against = {'larder': ['curl -o'], 'larder without a kernel': ['curl -o']};
	return findings(`cold 1,000 x 10 KiB, ${readersOf(readers)}`, runs, against, 'larder');
}

async function warm(
	bench: Bench,
	readers: readonly Worker[],
	{store, files}: {store: string; files: readonly string[]},
): Promise<Findings> {
	const urls = NAMES.map(name => bench.origin.url(`/small/${name}`));
	const bare = startWorkers(bench, 1)[0] as Worker;
	let drive: BenchDrive | undefined;
	const read = (mounted: BenchDrive): Promise<Sample> => {
		const paths = urls.map(url => mounted.path(url));
		return mounted.watch(() => readTogether(readers, paths, COUNT * SIZE_BYTES));
	};

	const runs = await interleave(
		{
			'larder, first read': async () => {
				await drive?.stop();
				drive = await startDrive(bench, store);
				await drive.loaded(COUNT);
				return read(drive);
			},
			'larder, second read': () => {
				if (drive === undefined) throw new Error('no first read');
				return read(drive);
			},
			'plain files': () => readTogether(readers, files, COUNT * SIZE_BYTES),
			'larder without a kernel': () => bare.run({kind: 'loopback', cacheDir: store, urls, readers: readers.length}),
		},
		bench.rounds,
	);
	await drive?.stop();
	const against = {
		'larder, first read': ['plain files'],
		'larder, second read': ['plain files'],
		'larder without a kernel': ['plain files'],
	};
	return findings(`warm 1,000 x 10 KiB, ${readersOf(readers)}`, runs, against, 'larder, first read');
}

function findings(workload: string, runs: Runs, against: Record<string, string[]>, daemon: string): Findings {
	const targets = {[daemon]: [smallEnough(runs, daemon)]};
	return {rows: rowsOf(runs, {workload, amount: AMOUNT, against, targets}), runs: {[workload]: runs}};
}

function readersOf(readers: readonly Worker[]): string {
	return readers.length === 1 ? '1 reader' : `${readers.length} readers`;
}
