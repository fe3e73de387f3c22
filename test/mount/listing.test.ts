import test from 'ava';
import path from 'node:path';
import {plant, startDrive, workDirectory} from '../helpers/drive.js';
import {run, sh} from '../helpers/run.js';
import {until} from '../helpers/until.js';

const ENTRIES = 10_000;
const DEADLINE = {deadlineMs: 30_000};

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
