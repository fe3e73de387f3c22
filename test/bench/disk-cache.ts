import path from 'node:path';
import {openDatabase} from '../../src/sqlite/open.js';
import {run} from '../helpers/run.js';
import type {Bench, Findings} from './bench.js';
import {OPERATIONS, type DiskCacheJob, type Operation} from './disk-cache-jobs.js';
import type {Runs, Sample} from './measure.js';
import {atMost, rowsOf, type Target} from './report.js';
import {Worker} from './workers.js';

type DiskCacheWorker = Worker<DiskCacheJob>;
type Name = 'larder' | 'bare' | 'original';

/** Debian's Python, which has Debian's python3-diskcache. */
const PYTHON = '/usr/bin/python3';
const PROCESSES = 8;

const PROGRAMS: Readonly<Record<Name, readonly [program: string, script: string]>> = {
	larder: [process.execPath, path.resolve(import.meta.dirname, 'disk-cache-worker.js')],
	bare: [process.execPath, path.resolve(import.meta.dirname, 'disk-cache-bare.js')],
	original: [PYTHON, path.resolve(import.meta.dirname, '../../../test/bench/disk_cache.py')],
};

/** What they read and write, in the directory of a round. */
const DATABASES: Readonly<Record<Name, string>> = {
	larder: 'cache/cache.db',
	bare: 'bare.db',
	original: 'cache/cache.db',
};

/** Those that are one statement, and so can be done with nothing but that. */
const BARE: ReadonlySet<Operation> = new Set<Operation>(['set', 'get', 'miss', 'incr', 'delete']);
/** Of the time of the bare statement: 0.85 of its rate. */
const MOST_OF_BARE = 1 / 0.85;

/** larder/disk-cache beside the Python original and SQLite's binding alone; without the original, where it is not installed. */
export async function diskCache(bench: Bench): Promise<Findings> {
	const {code} = await run(PYTHON, ['-c', 'import diskcache']).catch(() => ({code: 1}));
	if (code !== 0) console.error('the original is left out: there is no python3-diskcache');
	const names: readonly Name[] = code === 0 ? ['larder', 'bare', 'original'] : ['larder', 'bare'];
	const runs = await runAll(bench, names);
	const rows = Object.entries(runs).flatMap(([operation, of]) => rowsOfOperation(operation as Operation, of));
	return {rows, runs: Object.fromEntries(Object.entries(runs).map(([name, of]) => [`disk-cache ${name}`, of]))};
}

/**
 * Each round begins with an empty directory for each, in which the operations follow one another. The subjects take turns
 * with each operation: what they are compared by lies seconds apart at most.
 */
async function runAll({directory, rounds, cleanup}: Bench, names: readonly Name[]): Promise<Record<string, Runs>> {
	const start = (name: Name): DiskCacheWorker => new Worker(cleanup, PROGRAMS[name][0], [PROGRAMS[name][1]]);
	const all = names.map(name => {
		const count = name === 'bare' ? 0 : PROCESSES;
		return {name, one: start(name), many: Array.from({length: count}, () => start(name))};
	});
	const samples: Record<string, Record<string, Sample[]>> = {};
	for (let round = 0; round <= rounds; round++) {
		const placeOf = (name: Name) => path.join(directory, `${name}-${round}`);
		for (const {name, one} of all) await one.run({kind: 'open', directory: placeOf(name)});
		for (const [operation, {calls}] of Object.entries(OPERATIONS) as [Operation, {calls: number}][]) {
			if (operation === 'get') for (const {name} of all) foldIn(path.join(placeOf(name), DATABASES[name]));
			for (const {name, one, many} of all) {
				if (name === 'bare' && !BARE.has(operation)) continue;
				const sample = await runOne(operation === 'mixed' ? many : [one], operation, calls, placeOf(name));
				// The first round is not counted, as in `interleave`.
				if (round > 0) ((samples[operation] ??= {})[name] ??= []).push(sample);
			}
		}
	}

	return samples;
}

/**
 * What was set last is in the log still, 14 pages of one and 985 of the other by chance, and a read that has to look
 * there takes a tenth longer.
 */
function foldIn(file: string): void {
	const database = openDatabase(file, {timeoutMs: 5000});
	try {
		database.pragma('wal_checkpoint(TRUNCATE)');
	} finally {
		database.close();
	}
}

async function runOne(
	workers: readonly DiskCacheWorker[],
	kind: Operation,
	calls: number,
	directory: string,
): Promise<Sample> {
	if (workers.length > 1) await Promise.all(workers.map(worker => worker.run({kind: 'open', directory})));
	const from = performance.now();
	const done = await Promise.all(workers.map(worker => worker.run({kind, calls})));
	const all = calls * workers.length;
	const seconds = (performance.now() - from) / 1000 / all;
	const cpu = (of: 'user' | 'system') => done.reduce((sum, one) => sum + one.cpu[of], 0) / all;
	return {
		seconds,
		cpu: {user: cpu('user'), system: cpu('system')},
		peakRssBytes: Math.max(...done.map(one => one.peakRssBytes)),
	};
}

function rowsOfOperation(operation: Operation, runs: Runs): Findings['rows'] {
	const references = Object.keys(runs).filter(name => name !== 'larder');
	const targets: Target[] = [];
	if (references.includes('bare')) targets.push(atMost(Number(MOST_OF_BARE.toFixed(2)), runs, 'larder', 'bare'));
	if (references.includes('original'))
		targets.push(atMost(operation === 'lru-get' ? 0.5 : 1, runs, 'larder', 'original'));
	return rowsOf(runs, {
		workload: OPERATIONS[operation].says,
		amount: 'one call',
		against: {larder: references},
		targets: {larder: targets},
	});
}
