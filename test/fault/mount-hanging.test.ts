import test, {type ExecutionContext} from 'ava';
import {spawn, type ChildProcess} from 'node:child_process';
import {once} from 'node:events';
import {evaluate, fetchAll, listed, put, reading, startDrive} from '../helpers/drive.js';
import type {Mount} from '../helpers/mount.js';
import {run} from '../helpers/run.js';
import {until} from '../helpers/until.js';

/** No answer within this is a drive that hangs; what it is held against takes milliseconds. */
const QUICK = {deadlineMs: 5000};

test('while 50 readers wait for an origin that hangs, everything else answers, and in the end they do too', async t => {
	const {mount, origin} = await startDrive(t, {flags: ['--open-timeout', '4s', '--headers-timeout', '60s']});
	const good = origin.serve('/good', {body: 'good'});
	await fetchAll(mount, good);
	const readers = Array.from({length: 50}, (_, index) =>
		reading(mount.path(origin.serve(`/hung/${index}`, {hang: true})), {deadlineMs: 60_000}),
	);
	await until('the origin was asked', () => origin.requests.length > 10);
	await assertAnswers(t, mount, good);
	t.deepEqual(new Set(await Promise.all(readers)), new Set(['ETIMEDOUT']));
	await assertAnswers(t, mount, good);
});

test('every operation on a URL whose origin hangs answers within its deadline', async t => {
	const {mount, origin} = await startDrive(t, {flags: ['--open-timeout', '1s', '--headers-timeout', '60s']});
	const url = origin.serve('/hung', {hang: true});
	const file = mount.path(url);
	const waiting = reading(file, {deadlineMs: 30_000});
	await origin.received('/hung');
	t.is((await run('stat', ['-c', '%s', file], QUICK)).stdout, '0\n');
	t.is((await run('ls', ['-l', file], QUICK)).code, 0);
	t.is((await run('touch', [file], QUICK)).code, 0);
	t.is((await run('chmod', ['600', file], QUICK)).code, 0);
	t.is(await evaluate('fs.openSync(f, "r+")', [file], {deadlineMs: 30_000}), 'ETIMEDOUT');
	t.is(await waiting, 'ETIMEDOUT');
	t.is(await evaluate('fs.openSync(f, "a") > 0', [file], QUICK), 'true');
	// Nobody waits for it any more, so there is nothing to remove.
	t.is(await evaluate('(fs.unlinkSync(f), "removed")', [file], QUICK), 'ENOENT');
	t.is(await reading(file, {deadlineMs: 30_000}), 'ETIMEDOUT');
	t.is((await put(mount, url, 'by hand')).code, 0);
	t.is(await reading(file, QUICK), 'read 7 bytes');
});

test('a body that stalls ends the read within its deadline, and the open file with it', async t => {
	const {mount, origin} = await startDrive(t, {flags: ['--read-timeout', '1s', '--idle-timeout', '60s']});
	const url = origin.serve('/stalls', {size: 1_000_000, stallAt: 400_000});
	t.is(await reading(mount.path(url), {deadlineMs: 30_000}), 'ETIMEDOUT');
	t.is((await run('head', ['-c', '1000', mount.path(url)], {deadlineMs: 30_000})).stdout.length > 0, true);
	t.is(origin.requests.length, 1);
});

test('readers killed while they wait are gone at once when a page is missing, and by the deadline when an open is', async t => {
	const {mount, origin} = await startDrive(t, {flags: ['--open-timeout', '2s']});
	const urls = [origin.serve('/stalls', {size: 1_000_000, stallAt: 200_000}), origin.serve('/hung', {hang: true})];
	const killed: ChildProcess[] = urls.map(url => spawn('cat', [mount.path(url)], {stdio: 'ignore'}));
	await Promise.all([origin.received('/stalls'), origin.received('/hung')]);
	const ended = killed.map(reader => once(reader, 'exit'));
	for (const reader of killed) reader.kill('SIGKILL');
	await until('both are gone', () => killed.every(reader => reader.signalCode !== null), 10_000);
	await Promise.all(ended);
	t.is(await mount.stop(), 0);
});

async function assertAnswers(t: ExecutionContext, mount: Mount, good: string): Promise<void> {
	const never = mount.path('http://127.0.0.1:1/never');
	const commands: ReadonlyArray<readonly [string, ...string[]]> = [
		['ls', `${mount.directory}/by-url`],
		['ls', '-l', `${mount.directory}/by-key`],
		['find', mount.directory, '-type', 'f'],
		['stat', never],
		['stat', mount.path(good)],
		['cat', mount.path(good)],
		['df', mount.directory],
		['cat', `${mount.directory}/stats.json`],
	];
	for (const [program, ...args] of commands) {
		const {code, stderr} = await run(program, args, QUICK);
		t.is(code, 0, `${program} ${args.join(' ')}: ${stderr}`);
	}

	t.is((await put(mount, 'http://a.example/put', 'put')).code, 0);
	t.is((await run('rm', [mount.path('http://a.example/put')], QUICK)).code, 0);
	t.deepEqual(await listed(mount), [encodeURIComponent(good)]);
}
