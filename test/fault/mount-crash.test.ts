import test from 'ava';
import {mkdir} from 'node:fs/promises';
import path from 'node:path';
import {crash} from '../helpers/crash.js';
import {contentsOf, fetchAll, isMounted, listed, put, reading, startDrive, workDirectory} from '../helpers/drive.js';
import {larderWith, Mount} from '../helpers/mount.js';
import {until} from '../helpers/until.js';

test('after kill -9 a new drive on the same mount point serves what was stored, and clears what was not', async t => {
	const directory = path.join(await workDirectory(t), 'mnt');
	await mkdir(directory);
	const cacheDir = await workDirectory(t);
	const {mount, origin} = await startDrive(t, {directory, cacheDir});
	const kept = origin.serve('/kept', {size: 300_000});
	const written = 'http://a.example/by-hand';
	await fetchAll(mount, kept);
	t.is((await put(mount, written, 'by hand')).code, 0);
	const cut = origin.serve('/cut', {size: 1_000_000, sequence: [{size: 1_000_000, stallAt: 600_000}]});
	const reader = reading(mount.path(cut), {deadlineMs: 20_000});
	await until('a part is on the disk', async () => (await contentsOf(cacheDir)).leftovers.length > 0);
	await crash(mount);
	t.regex(await reader, /^(ENOTCONN|ECONNABORTED|EIO)$/);
	t.true(await isMounted(directory));
	t.is(await reading(mount.path(kept)), 'ENOTCONN');

	const again = await Mount.start(t, {directory, cacheDir});
	t.regex(again.log, /removed a dead mount/);
	await until('the leftovers are swept', async () => (await contentsOf(cacheDir)).leftovers.length === 0);
	t.is(await reading(again.path(kept)), 'read 300000 bytes');
	t.is(await reading(again.path(written)), 'read 7 bytes');
	t.deepEqual((await listed(again)).sort(), [kept, written].map(encodeURIComponent).sort());
	t.is(origin.requestsOf('/kept').length, 1);
	t.is(await reading(again.path(cut)), 'read 1000000 bytes');
	t.is(await again.stop(), 0);
	t.false(await isMounted(directory));
});

test('after kill -9 of the daemon alone the mount goes by itself', async t => {
	const {mount} = await startDrive(t);
	await mount.stop('SIGKILL');
	await until('it is unmounted', async () => !(await isMounted(mount.directory)));
	t.pass();
});

test('larder unmount takes away a dead mount', async t => {
	const {mount} = await startDrive(t);
	await crash(mount);
	t.true(await isMounted(mount.directory));
	t.is((await larderWith({}, 'unmount', mount.directory)).code, 0);
	t.false(await isMounted(mount.directory));
});
