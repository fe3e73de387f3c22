import path from 'node:path';
import {basePath} from '../helpers/original.js';
import {MIB, runSilently, startDrive, startWorkers, type Bench, type Findings} from './bench.js';
import type {BenchDrive} from './drive.js';
import {interleave} from './measure.js';
import {atLeast, atMost, smallEnough, rowsOf} from './report.js';
import {plant} from './store.js';
import {readTogether, type Worker} from './workers.js';

const WORKLOAD = 'warm 1 GiB';
const SIZE_BYTES = 1024 * MIB;

/**
 * A large entry that is stored. The first read finds the drive's pages cold and
 * those of the `.dat` warm; the second finds its own from the first.
 */
export async function warmFile(bench: Bench): Promise<Findings> {
	const store = path.join(bench.directory, 'store');
	const url = bench.origin.url('/stored');
	await plant(store, url, SIZE_BYTES);
	const data = `${basePath(store, url)}.dat`;
	const [reader, bare] = startWorkers(bench, 2) as [Worker, Worker];
	let drive: BenchDrive | undefined;
	const read = (mounted: BenchDrive) => mounted.watch(() => readTogether([reader], [mounted.path(url)], SIZE_BYTES));

	const runs = await interleave(
		{
			'larder, first read': async () => {
				await drive?.stop();
				drive = await startDrive(bench, store);
				await drive.loaded(1);
				await runSilently('cat', [data]);
				return read(drive);
			},
			'larder, second read': () => {
				if (drive === undefined) throw new Error('no first read');
				return read(drive);
			},
			'the .dat itself': () => reader.run({kind: 'read', files: [data]}),
			'larder without a kernel': () => bare.run({kind: 'loopback', cacheDir: store, urls: [url], readers: 1}),
		},
		bench.rounds,
	);
	await drive?.stop();
	const native = 'the .dat itself';
	const rows = rowsOf(runs, {
		workload: WORKLOAD,
		amount: {bytes: SIZE_BYTES},
		against: {
			'larder, first read': [native],
			'larder, second read': [native],
			'larder without a kernel': [native],
		},
		targets: {
			'larder, first read': [
				atLeast(1e9, runs, 'larder, first read', SIZE_BYTES),
				smallEnough(runs, 'larder, first read'),
			],
			'larder, second read': [atMost(2, runs, 'larder, second read', native)],
		},
	});
	return {rows, runs: {[WORKLOAD]: runs}};
}
