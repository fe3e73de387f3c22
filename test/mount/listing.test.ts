import test from 'ava';
import path from 'node:path';
import {plant, startDrive, testWith, workDirectory} from '../helpers/drive.js';
import {run, sh} from '../helpers/run.js';
import {until} from '../helpers/until.js';

const ENTRIES = 10_000;
const DEADLINE = {deadlineMs: 90_000};

test('10,000 entries that the original wrote are listed, found, counted and read', async t => {
	const cacheDir = await workDirectory(t);
	for (let index = 0; index < ENTRIES; index++) await plant(cacheDir, `http://a.example/${index}`, `body ${index}`);
	const {mount, origin} = await startDrive(t, {cacheDir});
	const directory = path.join(mount.directory, 'by-url');
	// One that nobody has listed yet is there at once, whether the directory was read to its end or not.
	t.is((await run('cat', [mount.path(`http://a.example/${ENTRIES - 1}`)])).stdout, `body ${ENTRIES - 1}`);
	await until('all are known', async () => (await mount.stats())['entries'] === ENTRIES, 20_000);

	const lines = (text: string) => text.trim().split('\n').length;
	t.is(lines((await run('ls', [directory], DEADLINE)).stdout), ENTRIES);
	t.is(lines((await run('ls', ['-U', path.join(mount.directory, 'by-key')], DEADLINE)).stdout), ENTRIES);
	t.is(lines((await run('find', [directory, '-type', 'f'], DEADLINE)).stdout), ENTRIES);
	t.is(lines((await run('ls', ['-l', directory], {deadlineMs: 60_000})).stdout), ENTRIES + 1);
	t.is((await run('stat', ['-c', '%s', mount.path('http://a.example/777')], DEADLINE)).stdout, '8\n');
	const {stdout} = await sh('ls "$1" | sed -n 5000p | xargs -I{} cat "$1/{}"', directory);
	t.regex(stdout, /^body \d+$/);
	t.is(origin.connections, 0);
});

testWith(
	['python3'],
	'who reads a directory slowly does not bring back the sizes that its files had before they were changed',
	async t => {
		const count = 1000;
		const cacheDir = await workDirectory(t);
		for (let index = 0; index < count; index++) await plant(cacheDir, `http://a.example/${index}`, 'body');
		const {mount} = await startDrive(t, {cacheDir});
		await until('all are known', async () => (await mount.stats())['entries'] === count, 20_000);
		const slowly = `
import os, sys
directory, changed = sys.argv[1], sys.argv[2:]
listing = os.scandir(directory)
next(listing)
for name in changed:
    with open(name, 'wb') as file:
        file.write(b'longer than before')
listed = 1 + len(list(listing))
print(listed, sum(os.stat(name).st_size != 18 for name in changed))`;
		const changed = Array.from({length: count / 2}, (_, index) => mount.path(`http://a.example/${index}`));
		const {stdout, stderr} = await run(
			'python3',
			['-c', slowly, path.join(mount.directory, 'by-url'), ...changed],
			DEADLINE,
		);
		t.is(stdout, `${count} 0\n`, stderr);
	},
);
