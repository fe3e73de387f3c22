import {mkdir, writeFile} from 'node:fs/promises';
import {availableParallelism} from 'node:os';
import {basePath} from '../helpers/original.js';
import {run} from '../helpers/run.js';
import {startWorkers, writeNoise, type Bench} from './bench.js';
import {Cleanup} from './cleanup.js';
import type {Worker} from './workers.js';

/** Puts an entry into a store that nobody has open, as the Python original would. */
export async function plant(store: string, url: string, sizeBytes: number): Promise<void> {
	const base = basePath(store, url);
	await mkdir(store, {recursive: true});
	await writeNoise(`${base}.dat`, sizeBytes);
	const fields = {
		url,
		mimetype: 'application/octet-stream',
		filename: 'planted',
		size: sizeBytes,
		ts: Date.now() / 1000,
	};
	await writeFile(`${base}.json`, JSON.stringify(fields));
}

/** How many entries a worker plants in one job: few enough for its deadline. */
const BATCH = 20_000;

/** Many entries, whose URLs are a prefix and a number from 0 on. */
export interface ManyEntries {
	readonly prefix: string;
	readonly count: number;
	readonly sizeBytes: number;
}

/** How long they may take to reach the disk, each entry. */
const SYNC_DEADLINE_MS_PER_ENTRY = 1;

/**
 * Puts many entries at once into a store that nobody has open, as the Python
 * original would. They are on the disk in the end, so that writing them back
 * does not disturb what is measured next.
 */
export async function plantMany(bench: Bench, store: string, {prefix, count, sizeBytes}: ManyEntries): Promise<void> {
	await mkdir(store, {recursive: true});
	const own = new Cleanup();
	bench.cleanup.add(() => own.run());
	const planters = startWorkers({...bench, cleanup: own}, availableParallelism());
	let next = 0;
	const plantSome = async (planter: Worker) => {
		while (next < count) {
			const from = next;
			next = Math.min(count, from + BATCH);
			await planter.run({kind: 'plant', store, prefix, from, to: next, sizeBytes});
		}
	};

	await Promise.all(planters.map(plantSome));
	await own.run();
	await run('sync', ['--file-system', store], {deadlineMs: 60_000 + count * SYNC_DEADLINE_MS_PER_ENTRY});
}
