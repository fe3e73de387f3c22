import path from 'node:path';
import {run} from '../helpers/run.js';
import {startDrive, startWorkers, type Bench, type Findings} from './bench.js';
import {firstRead} from './first-read.js';
import {interleave, type Sample} from './measure.js';
import {rowsOf, smallEnough, within} from './report.js';
import {plantMany} from './store.js';
import type {Worker} from './workers.js';

/** What is promised of a store with so many entries. */
interface Promised {
	readonly count: number;
	readonly firstReadSeconds: number;
	readonly rssBytes: number;
}

/** Small: a block on the disk is taken all the same, and another for the sidecar. */
const SIZE_BYTES = 10;

/** How long `rm` may take, each entry. */
const REMOVAL_DEADLINE_MS_PER_ENTRY = 1;

export function hundredThousand(bench: Bench): Promise<Findings> {
	return manyEntries(bench, {count: 100_000, firstReadSeconds: 0.5, rssBytes: 150e6});
}

export function million(bench: Bench): Promise<Findings> {
	return manyEntries(bench, {count: 1_000_000, firstReadSeconds: 1, rssBytes: 200e6});
}

/**
 * Starting over a store of many entries, and the memory of the daemon once it
 * has looked at them all. The first start over each store, which finds nothing
 * but the two files an entry, is a row of its own.
 */
async function manyEntries(bench: Bench, {count, firstReadSeconds, rssBytes}: Promised): Promise<Findings> {
	const prefix = bench.origin.url('/many/');
	const url = `${prefix}0`;
	const [full, single] = ['full', 'single'].map(name => path.join(bench.directory, name)) as [string, string];
	bench.cleanup.add(() => run('rm', ['-rf', full], {deadlineMs: 60_000 + count * REMOVAL_DEADLINE_MS_PER_ENTRY}));
	await plantMany(bench, full, {prefix, count, sizeBytes: SIZE_BYTES});
	await plantMany(bench, single, {prefix, count: 1, sizeBytes: SIZE_BYTES});

	const name = `${count.toLocaleString('en')} entries`;
	const firstStart = `first start until ${name} are listed`;
	const once = {[name]: [await start(bench, full, count)], '1 entry': [await start(bench, single, 1)]};
	const reader = startWorkers(bench, 1)[0] as Worker;
	const later = `start to first read, ${name}`;
	const runs = await interleave(
		{
			[name]: () => startAndSettle(bench, reader, {store: full, url, entries: count}),
			'1 entry': () => startAndSettle(bench, reader, {store: single, url, entries: 1}),
		},
		bench.rounds,
	);
	const against = {[name]: ['1 entry']};
	const targets = {[name]: [within(firstReadSeconds, runs, name), smallEnough(runs, name, rssBytes)]};
	return {
		rows: [
			...rowsOf(once, {workload: firstStart, amount: 'time', against}),
			...rowsOf(runs, {workload: later, amount: 'time', against, targets}),
		],
		runs: {[firstStart]: once, [later]: runs},
	};
}

/** Until everything is listed. Processor and memory are of the time until nothing is left to do. */
async function start(bench: Bench, store: string, entries: number): Promise<Sample> {
	const from = performance.now();
	const drive = await startDrive(bench, store);
	await drive.loaded(entries);
	const seconds = (performance.now() - from) / 1000;
	await drive.settled(entries);
	const {cpu, peakRssBytes} = drive.daemon;
	await drive.stop();
	return {seconds, cpu, peakRssBytes};
}

/** Until an entry is read. Processor and memory are of the time until nothing is left to do. */
async function startAndSettle(
	bench: Bench,
	reader: Worker,
	{store, url, entries}: {readonly store: string; readonly url: string; readonly entries: number},
): Promise<Sample> {
	const {seconds, drive} = await firstRead(bench, reader, {store, url});
	await drive.settled(entries);
	const {cpu, peakRssBytes} = drive.daemon;
	await drive.stop();
	return {seconds, cpu, peakRssBytes};
}
