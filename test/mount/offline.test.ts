import {writeFile} from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import {fetchAll, plant, reading, startDrive, startOrigin, workDirectory} from '../helpers/drive.js';
import {larderWith} from '../helpers/mount.js';
import {run} from '../helpers/run.js';
import {until} from '../helpers/until.js';

test('with --offline what is stored is read; all else is EHOSTUNREACH with one line in the log, and nobody is asked', async t => {
	const cacheDir = await workDirectory(t);
	const stored = 'http://a.example/stored';
	await plant(cacheDir, stored, 'stored');
	const {mount, origin} = await startDrive(t, {cacheDir, flags: ['--offline']});
	const url = origin.serve('/x', {body: 'x'});
	t.is(await reading(mount.path(stored)), 'read 6 bytes');
	t.is(await reading(mount.path(`${url}?token=sesame`)), 'EHOSTUNREACH');
	const lines = mount.logLines.filter(line => line.includes(url));
	t.is(lines.length, 1, mount.log);
	t.true(lines[0]?.includes(`larder is offline (--offline): ${url} is not stored`), lines[0]);
	t.false(mount.log.includes('sesame'));
	t.is(origin.connections, 0);
});

test('offline in a changed configuration file holds at once, and so does its end', async t => {
	const file = path.join(await workDirectory(t), 'larder.yaml');
	await writeFile(file, 'offline: false\n');
	const {mount, origin} = await startDrive(t, {flags: ['--config', file]});
	const [before, after] = ['/before', '/after'].map(name => origin.serve(name, {body: name})) as [string, string];
	const holds = (offline: boolean) => () => mount.logLines.at(-1)?.includes(`"offline":${offline}`);
	await fetchAll(mount, before);
	await writeFile(file, 'offline: true\n');
	await until('it is offline', holds(true));
	t.is(await reading(mount.path(before)), 'read 7 bytes');
	t.is(await reading(mount.path(after)), 'EHOSTUNREACH');
	t.is(origin.requests.length, 1);

	await writeFile(file, 'offline: false\n');
	await until('it is not', holds(false));
	t.is((await run('cat', [mount.path(after)])).stdout, '/after');
	t.notRegex(mount.log, /afterRestart/);
});

test('larder get --offline copies what is stored, and fails in one line with what is not', async t => {
	const [origin, cacheDir] = [await startOrigin(t), await workDirectory(t)];
	const stored = 'http://a.example/stored';
	await plant(cacheDir, stored, 'stored');
	const get = (...args: string[]) => larderWith({}, 'get', '--offline', '--cache-dir', cacheDir, ...args);
	t.deepEqual(await get('-o', '-', stored), {code: 0, stdout: 'stored', stderr: ''});
	const url = origin.serve('/x', {body: 'x'});
	const stderr = `larder: larder is offline (--offline): ${url} is not stored\n`;
	t.deepEqual(await get(url), {code: 1, stdout: '', stderr});
	t.is(origin.connections, 0);
});
