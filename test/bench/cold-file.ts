import {createHash} from 'node:crypto';
import {createReadStream} from 'node:fs';
import {mkdir, rm} from 'node:fs/promises';
import path from 'node:path';
import {pipeline} from 'node:stream/promises';
import {run} from '../helpers/run.js';
import {MIB, startDrive, startWorkers, writeNoise, type Bench, type Findings} from './bench.js';
import {curl} from './curl.js';
import type {BenchDrive} from './drive.js';
import {interleave} from './measure.js';
import {atMost, smallEnough, rowsOf} from './report.js';
import {readTogether, type Worker} from './workers.js';

const WORKLOAD = 'cold 256 MiB';
const SIZE_BYTES = 256 * MIB;

/** A large URL that nobody has read before: through the drive it is read and stored, by the others stored. */
export async function coldFile(bench: Bench): Promise<Findings> {
	const {directory, origin, rounds} = bench;
	const source = path.join(origin.root, 'large');
	await writeNoise(source, SIZE_BYTES);
	const [store, loopbackStore] = [path.join(directory, 'store'), path.join(directory, 'loopback')];
	await mkdir(store);
	const drive = await startDrive(bench, store);
	const [reader, fetcher, bare] = startWorkers(bench, 3) as [Worker, Worker, Worker];
	await check(drive, reader, origin.url('/large?checked'), source);

	const target = path.join(directory, 'target');
	const runs = await interleave(
		{
			'larder': async round => {
				const file = drive.path(origin.url(`/large?${round}`));
				const sample = await drive.watch(() => readTogether([reader], [file], SIZE_BYTES));
				await run('rm', [file]);
				return sample;
			},
			'curl -o': async () => {
				const sample = await curl(origin.url('/large'), target);
				await rm(target);
				return sample;
			},
			'node-fetch into a file': async () => {
				const sample = await fetcher.run({kind: 'fetch', url: origin.url('/large'), file: target});
				await rm(target);
				return sample;
			},
			'larder without a kernel': async () => {
				const urls = [origin.url('/large')];
				const sample = await bare.run({kind: 'loopback', cacheDir: loopbackStore, urls, readers: 1});
				await rm(loopbackStore, {recursive: true});
				return sample;
			},
		},
		rounds,
	);
	const rows = rowsOf(runs, {
		workload: WORKLOAD,
		amount: {bytes: SIZE_BYTES},
		against: {
			'larder': ['node-fetch into a file', 'curl -o'],
			'larder without a kernel': ['node-fetch into a file', 'curl -o'],
		},
		targets: {
			larder: [atMost(1.1, runs, 'larder', 'node-fetch into a file'), smallEnough(runs, 'larder')],
		},
	});
	return {rows, runs: {[WORKLOAD]: runs}};
}

/** A drive that is fast and wrong is no drive. */
async function check(drive: BenchDrive, reader: Worker, url: string, source: string): Promise<void> {
	const {sha256} = await reader.run({kind: 'read', files: [drive.path(url)], hash: true});
	const expected = createHash('sha256');
	await pipeline(createReadStream(source), expected);
	if (sha256 !== expected.digest('hex')) throw new Error(`${url} has other bytes on the drive than at its origin`);
	await run('rm', [drive.path(url)]);
}
