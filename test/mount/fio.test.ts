/** What fio has written, with a checksum in each block, it reads through the drive and finds right. */
import type {ExecutionContext} from 'ava';
import path from 'node:path';
import {fetchAll, startDrive, testWith, workDirectory} from '../helpers/drive.js';
import type {Transport} from '../helpers/mount.js';
import {run} from '../helpers/run.js';

const SIZE_BYTES = 6 * 1024 * 1024;
/** Each has a header of its own with a CRC-32C of it, and its place in the file. */
const BLOCK = '4k';
/** fio maps what stat says there is: by fuse-native that is nothing before the first open. */
const MAPPED = 'mapped into memory, at random';

/** How the blocks are read. */
const READS: Readonly<Record<string, readonly string[]>> = {
	'in order': ['--rw=read', '--ioengine=psync'],
	'at random': ['--rw=randread', '--ioengine=psync'],
	'at random, by four at once': ['--rw=randread', '--ioengine=psync', '--numjobs=4', '--thread'],
	[MAPPED]: ['--rw=randread', '--ioengine=mmap'],
	'in order, sixteen at once': ['--rw=read', '--ioengine=libaio', '--iodepth=16'],
};

/** A file that fio wrote. */
async function written(t: ExecutionContext): Promise<string> {
	const file = path.join(await workDirectory(t), 'written');
	const {code, stdout, stderr} = await fio(file, '--rw=write', '--do_verify=0');
	if (code !== 0) throw new Error(`fio wrote nothing: ${stdout}${stderr}`);
	return file;
}

function fio(file: string, ...args: string[]) {
	// Of the name it would make several, as with PATH.
	const filename = `--filename=${file.replaceAll(':', '\\:')}`;
	const job = ['--name=job', filename, `--size=${SIZE_BYTES}`, `--bs=${BLOCK}`, '--verify=crc32c', ...args];
	return run('fio', ['--output-format=terse', '--verify_state_save=0', ...job], {deadlineMs: 60_000});
}

/** How reading ends: nothing where each block was right. */
async function verified(file: string, how: readonly string[]): Promise<string> {
	const {code, stdout, stderr} = await fio(file, '--readonly', '--verify_only', '--invalidate=0', ...how);
	return code === 0 ? '' : `${code}: ${stdout}${stderr}`;
}

/** As `verified`. libfuse opens by a path, and has none for who looked the name up just before its `rm`: who is told so begins anew. */
async function opened(transport: Transport, file: string, how: readonly string[]): Promise<string> {
	for (let attempts = 10; ; attempts--) {
		const failure = await verified(file, how);
		if (attempts === 0 || transport === 'kernel' || !/func=open.*No such file/.test(failure)) return failure;
	}
}

for (const transport of ['fuse-native', 'kernel'] satisfies Transport[]) {
	testWith(
		['fio'],
		`each block is right, cold and warm, over ${transport}: ${Object.keys(READS).join('; ')}`,
		async t => {
			const {mount, origin} = await startDrive(t, {transport});
			const file = await written(t);
			for (const [name, how] of Object.entries(READS)) {
				const url = origin.serve(`/${encodeURIComponent(name)}`, {file, ranges: true, etag: '"1"', rate: 100_000_000});
				if (name === MAPPED && transport === 'fuse-native') await fetchAll(mount, url);
				for (const state of ['cold', 'warm']) t.is(await verified(mount.path(url), how), '', `${name}, ${state}`);
			}
		},
	);

	testWith(
		['fio'],
		`each block is right while the file is evicted, fetched anew and refreshed, over ${transport}`,
		async t => {
			const {mount, origin} = await startDrive(t, {transport});
			const url = origin.serve('/film', {file: await written(t), ranges: true, etag: '"1"', rate: 100_000_000});
			let isOver = false;
			const churn = async () => {
				let rounds = 0;
				for (; !isOver; rounds++) {
					await run('rm', ['-f', mount.path(url)]);
					await run('head', ['-c', '1', mount.path(url)]);
					await run('touch', ['-c', mount.path(url)]);
				}

				return rounds;
			};
			const churning = churn();
			try {
				for (const [name, how] of Object.entries(READS)) {
					if (name !== MAPPED || transport === 'kernel') t.is(await opened(transport, mount.path(url), how), '', name);
				}
			} finally {
				isOver = true;
			}

			t.true((await churning) > 10);
		},
	);
}
