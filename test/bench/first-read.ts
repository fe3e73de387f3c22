import {startDrive, type Bench} from './bench.js';
import type {BenchDrive} from './drive.js';
import type {Worker} from './workers.js';

/** Starts a daemon over a store and reads an entry of it: how long until its last byte, and the drive, still mounted. */
export async function firstRead(
	bench: Bench,
	reader: Worker,
	{store, url}: {readonly store: string; readonly url: string},
): Promise<{seconds: number; drive: BenchDrive}> {
	const from = performance.now();
	const drive = await startDrive(bench, store);
	await reader.run({kind: 'read', files: [drive.path(url)]});
	return {seconds: (performance.now() - from) / 1000, drive};
}
