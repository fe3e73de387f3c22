import test from 'ava';
import path from 'node:path';
import {contentsOf, sha256, startDrive} from '../helpers/drive.js';
import {generatedBody} from '../helpers/origin.js';
import {run} from '../helpers/run.js';
import {until} from '../helpers/until.js';

const CHURN = path.resolve(import.meta.dirname, '../helpers/churn.js');
/** Less than all of the files, more than what the processes can have open at once. */
const BUDGET = '6MB';
const PROCESSES = 6;
const OPERATIONS = 150;

test('processes that read, put, remove and list at random, in too small a budget, see whole versions only', async t => {
	const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 1_000_000));
	t.log(`SEED=${seed}`);
	const {mount, origin} = await startDrive(t, {flags: ['--max-size', BUDGET, '--open-timeout', '10s']});
	const sizes = [1, 4096, 50_001, ...Array.from({length: 16}, (_, index) => 300_007 + index * 20_000)];
	const urls = sizes.map(size => origin.serve(`/${size}`, {size, rate: 20_000_000}));
	const results = await Promise.all(
		Array.from({length: PROCESSES}, (_, index) => {
			const args = [CHURN, path.join(mount.directory, 'by-url'), `${seed + index}`, `${OPERATIONS}`, ...urls];
			return run(process.execPath, args, {deadlineMs: 60_000});
		}),
	);
	t.deepEqual(
		results.map(({code, stdout, stderr}) => ({code, stdout, stderr})),
		results.map(() => ({code: 0, stdout: '', stderr: ''})),
	);

	// What is left is whole, too: each entry has its two files, and nothing else is there.
	await until('no download is left', async () => (await contentsOf(mount.cacheDir)).leftovers.length === 0);
	const {entries} = await contentsOf(mount.cacheDir);
	const keys = new Set(entries.map(name => name.slice(0, 64)));
	t.deepEqual(entries, [...keys].flatMap(key => [`${key}.dat`, `${key}.json`]).sort());
	await until('no more is kept than may be', async () => (await mount.stats())['used_bytes']! <= 6 * 1024 * 1024); // always there
	await run('rm', ['-f', mount.path(urls[2] ?? '')]);
	t.is((await run('sha256sum', [mount.path(urls[2] ?? '')])).stdout.slice(0, 64), sha256(generatedBody(50_001)));
});
