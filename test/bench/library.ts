import path from 'node:path';
import {run} from '../helpers/run.js';
import type {Bench, Findings} from './bench.js';
import type {CacheJob} from './jobs.js';
import {interleave, type Runs, type Sample} from './measure.js';
import {atMost, rowsOf, within, type RowOptions} from './report.js';
import {plantMany} from './store.js';
import {Worker} from './workers.js';

const MANY = 100_000;
const SIZE_BYTES = 10 * 1024;
const SMALL_BYTES = 100;
const PREFIX = 'https://a.example/';

/** What the original keeps in memory unless told otherwise. */
const MEMORY_ITEMS = 64;

/** About the same, and what one run may differ from another. */
const ALIKE = 1.2;

/** 5 minutes to read 100,000 sidecars. */
const SETTLED_DEADLINE_MS = 300_000;

const PROGRAMS = {
	larder: [process.execPath, path.resolve(import.meta.dirname, 'media-cache.js')],
	original: ['python3', path.resolve(import.meta.dirname, '../../../test/bench/original.py')],
} as const;

type CacheWorker = Worker<CacheJob>;

/** A process of each. */
type Pair = Readonly<Record<keyof typeof PROGRAMS, CacheWorker>>;

/**
 * The cache as a program has it that imports it, beside the Python original's
 * way. A pair of processes has stores of few entries open, another one of
 * 100,000 each.
 */
export async function library(bench: Bench): Promise<Findings> {
	const {code} = await run('python3', ['--version']);
	if (code !== 0) throw new Error('python3 is needed, for the original');
	const [few, many] = [startPair(bench), startPair(bench)];
	for (const [name, worker] of Object.entries(many)) {
		const directory = path.join(bench.directory, `${name}-many`);
		await plantMany(bench, directory, {prefix: `${PREFIX}planted/`, count: MANY, sizeBytes: SMALL_BYTES});
		await worker.run({kind: 'open', directory, maxMemoryItems: MEMORY_ITEMS});
		await worker.process.idle(SETTLED_DEADLINE_MS);
	}

	const all = [
		// First, as long as their number is known.
		await stats(bench, many),
		await put(bench, few, many),
		await diskHit(bench, few),
		await memoryHit(bench, few),
	];
	return {
		rows: all.flatMap(({rows}) => rows),
		runs: Object.assign({}, ...all.map(({runs}) => runs)) as Findings['runs'],
	};
}

function startPair({cleanup}: Bench): Pair {
	const start = ([program, script]: readonly [string, string]) => new Worker<CacheJob>(cleanup, program, [script]);
	return {larder: start(PROGRAMS.larder), original: start(PROGRAMS.original)};
}

async function stats({rounds}: Bench, {larder, original}: Pair): Promise<Findings> {
	const ask = (worker: CacheWorker, calls: number) => () =>
		calling(worker, {kind: 'stats', entries: MANY, calls}, {calls, sizeBytes: 0});
	const runs = await interleave({larder: ask(larder, 100_000), original: ask(original, 20)}, rounds);
	return findings(runs, {
		workload: 'stats() of 100,000 entries',
		amount: 'one call',
		against: {larder: ['original']},
		targets: {larder: [within(100e-6, runs, 'larder')]},
	});
}

/** New URLs each time. The original walks all its entries for each, so that it gets fewer. */
async function put({directory, rounds}: Bench, few: Pair, many: Pair): Promise<Findings> {
	const write = (worker: CacheWorker, round: number, calls: number) => {
		const urls = urlsOf(`put/${round}/`, calls);
		return calling(worker, {kind: 'put', urls, sizeBytes: SIZE_BYTES}, {calls, sizeBytes: SIZE_BYTES});
	};

	const writeIntoEmpty = (name: keyof Pair) => async (round: number) => {
		const empty = path.join(directory, `${name}-${round}`);
		await few[name].run({kind: 'open', directory: empty, maxMemoryItems: MEMORY_ITEMS});
		return write(few[name], round, 1000);
	};

	const runs = await interleave(
		{
			'larder, empty store': writeIntoEmpty('larder'),
			'larder, 100,000 entries': round => write(many.larder, round, 1000),
			'original, empty store': writeIntoEmpty('original'),
			'original, 100,000 entries': round => write(many.original, round, 50),
		},
		rounds,
	);
	return findings(runs, {
		workload: 'put of 10 KiB',
		amount: 'calls',
		against: {
			'larder, empty store': ['original, empty store'],
			'larder, 100,000 entries': ['larder, empty store', 'original, 100,000 entries'],
			'original, 100,000 entries': ['original, empty store'],
		},
		targets: {
			'larder, 100,000 entries': [atMost(ALIKE, runs, 'larder, 100,000 entries', 'larder, empty store')],
		},
	});
}

/** Each URL once after opening: the original keeps in memory what it has read, whatever it was told. */
async function diskHit(bench: Bench, pair: Pair): Promise<Findings> {
	const calls = 2000;
	const directory = path.join(bench.directory, 'hits');
	await plantMany(bench, directory, {prefix: `${PREFIX}hit/`, count: calls, sizeBytes: SIZE_BYTES});
	const read = (worker: CacheWorker) => async () => {
		await worker.run({kind: 'open', directory, maxMemoryItems: 0});
		return calling(worker, {kind: 'get', urls: urlsOf('hit/', calls), calls}, {calls, sizeBytes: SIZE_BYTES});
	};

	const runs = await interleave({larder: read(pair.larder), original: read(pair.original)}, bench.rounds);
	return findings(runs, {
		workload: 'get of 10 KiB from the disk',
		amount: 'calls',
		against: {larder: ['original']},
	});
}

async function memoryHit({directory, rounds}: Bench, pair: Pair): Promise<Findings> {
	const calls = 200_000;
	const urls = urlsOf('remembered/', MEMORY_ITEMS);
	for (const [name, worker] of Object.entries(pair)) {
		const store = path.join(directory, `${name}-remembered`);
		await worker.run({kind: 'open', directory: store, maxMemoryItems: MEMORY_ITEMS});
		await worker.run({kind: 'put', urls, sizeBytes: SMALL_BYTES});
	}

	const read = (worker: CacheWorker) => () =>
		calling(worker, {kind: 'get', urls, calls}, {calls, sizeBytes: SMALL_BYTES});
	const runs = await interleave({larder: read(pair.larder), original: read(pair.original)}, rounds);
	return findings(runs, {
		workload: 'get of 100 bytes from memory',
		amount: 'one call',
		against: {larder: ['original']},
		targets: {larder: [within(2e-6, runs, 'larder')]},
	});
}

function urlsOf(name: string, count: number): string[] {
	return Array.from({length: count}, (_, index) => `${PREFIX}${name}${index}`);
}

/**
 * What one call of a job takes.
 *
 * @throws Error when the calls did not move `sizeBytes` each.
 */
async function calling(
	worker: CacheWorker,
	job: CacheJob,
	{calls, sizeBytes}: {readonly calls: number; readonly sizeBytes: number},
): Promise<Sample> {
	const {seconds, cpu, bytes, peakRssBytes} = await worker.run(job);
	if (bytes !== calls * sizeBytes) throw new Error(`${job.kind} moved ${bytes} bytes, not ${calls * sizeBytes}`);
	return {seconds: seconds / calls, cpu: {user: cpu.user / calls, system: cpu.system / calls}, peakRssBytes};
}

function findings(runs: Runs, options: RowOptions): Findings {
	return {rows: rowsOf(runs, options), runs: {[options.workload]: runs}};
}
