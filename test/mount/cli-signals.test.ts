import test from 'ava';
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {contentsOf, fetchAll, isMounted, reading, startDrive, workDirectory} from '../helpers/drive.js';
import {Mount} from '../helpers/mount.js';
import {run} from '../helpers/run.js';
import {until} from '../helpers/until.js';

for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
	test(`${signal} unmounts and ends the daemon with 0, and leaves an empty directory`, async t => {
		const {mount, origin} = await startDrive(t);
		await fetchAll(mount, origin.serve('/x', {body: 'x'}));
		t.is(await mount.stop(signal), 0);
		t.false(await isMounted(mount.directory));
		t.is((await run('ls', ['-A', mount.directory])).stdout, '');
		t.true(
			mount.logLines.every(line => line.startsWith('{')),
			mount.log,
		);
	});
}

test('SIGTERM during downloads ends them: their readers get an error, and nothing half done is left', async t => {
	const cacheDir = await workDirectory(t);
	const {mount, origin} = await startDrive(t, {cacheDir});
	const kept = origin.serve('/kept', {size: 100_000});
	await fetchAll(mount, kept);
	const stalls = mount.path(origin.serve('/stalls', {size: 1_000_000, stallAt: 300_000}));
	const hangs = mount.path(origin.serve('/hangs', {hang: true}));
	const readers = [stalls, hangs].map(file => reading(file, {deadlineMs: 15_000}));
	await Promise.all([origin.received('/stalls'), origin.received('/hangs')]);
	t.is(await mount.stop('SIGTERM'), 0);
	for (const outcome of await Promise.all(readers)) {
		// ENOENT: an open that was interrupted is made again, on the empty directory below.
		t.regex(outcome, /^(EINTR|EIO|ENOTCONN|ECONNABORTED|ENOENT)$/);
	}

	const {entries, leftovers} = await contentsOf(cacheDir);
	t.deepEqual([entries.length, leftovers.length], [2, 0]);
	const again = await Mount.start(t, {cacheDir});
	t.is(await reading(again.path(kept)), 'read 100000 bytes');
	t.is(origin.requestsOf('/kept').length, 1);
});

test('SIGTERM while a program has a file open does not wait for it', async t => {
	const {mount, origin} = await startDrive(t);
	const url = origin.serve('/open', {size: 200_000});
	await fetchAll(mount, url);
	const holder = spawn('bash', ['-c', 'exec 3< "$1"; echo open; read -r', 'bash', mount.path(url)]);
	t.teardown(() => holder.kill('SIGKILL'));
	await once(holder.stdout, 'data');
	t.is(await mount.stop('SIGTERM'), 0);
	t.false(await isMounted(mount.directory));
	holder.stdin.end('\n');
	await until('its holder ends', () => holder.exitCode !== null);
	t.pass();
});

test('a second SIGTERM while it ends changes nothing', async t => {
	const {mount, origin} = await startDrive(t);
	await fetchAll(mount, origin.serve('/x', {body: 'x'}));
	void mount.stop('SIGTERM');
	void mount.stop('SIGINT');
	t.is(await mount.exited(), 0);
	t.false(await isMounted(mount.directory));
});
