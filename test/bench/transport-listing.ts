import {mkdir} from 'node:fs/promises';
import {writeFileSync} from 'node:fs';
import path from 'node:path';
import {runSilently, startDrive, type Bench, type Findings} from './bench.js';
import {interleave, type Sample} from './measure.js';
import {rowsOf, within} from './report.js';
import {plantMany} from './store.js';
import {AGAINST, MOUNTED, NATIVE} from './subjects.js';

const SIZE_BYTES = 10;

/** `ls -l` through each transport, beside a plain directory. The drives stay mounted, and their compiled code warm. */
export async function transportListing(bench: Bench): Promise<Findings> {
	const few = await list(bench, 10_000);
	const many = await list(bench, 100_000);
	return {rows: [...few.rows, ...many.rows], runs: {...few.runs, ...many.runs}};
}

async function list(bench: Bench, count: number): Promise<Findings> {
	const [store, native] = ['store', 'native'].map(name => path.join(bench.directory, `${name}-${count}`)) as [
		...[string, string],
	];
	const prefix = bench.origin.url('/listed/');
	await plantMany(bench, store, {prefix, count, sizeBytes: SIZE_BYTES});
	await mkdir(native);
	for (let index = 0; index < count; index++) {
		writeFileSync(path.join(native, encodeURIComponent(`${prefix}${index}`)), `${index}`.padEnd(SIZE_BYTES));
	}

	const subjects: Record<string, () => Promise<Sample>> = {[NATIVE]: () => timed(native)};
	for (const [subject, flags] of Object.entries(MOUNTED)) {
		const drive = await startDrive(bench, store, {name: `mnt-${count}-${subject}`, flags});
		await drive.settled(count);
		subjects[subject] = () => drive.watch(() => timed(drive.listing));
	}

	const runs = await interleave(subjects, bench.rounds);
	const workload = `ls -l of ${count.toLocaleString('en')}`;
	const targets = count === 100_000 ? {kernel: [within(1.5, runs, 'kernel')]} : {};
	return {rows: rowsOf(runs, {workload, amount: 'time', against: AGAINST, targets}), runs: {[workload]: runs}};
}

async function timed(directory: string): Promise<Sample> {
	const from = performance.now();
	const {code, stderr} = await runSilently('ls', ['-l', directory]);
	if (code !== 0) throw new Error(`ls failed: ${stderr}`);
	return {seconds: (performance.now() - from) / 1000};
}
