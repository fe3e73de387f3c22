import test from 'ava';
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {contentsOf, fetchAll, listed, sha256, startDrive} from '../helpers/drive.js';
import {generatedBody} from '../helpers/origin.js';
import {run, sh} from '../helpers/run.js';
import {until} from '../helpers/until.js';

test('64 processes that read one cold URL make one request, and each gets all of it', async t => {
	const {mount, origin} = await startDrive(t);
	const size = 1_500_007;
	const url = origin.serve('/one', {size, rate: 1_000_000});
	const {stdout} = await sh('for reader in $(seq 64); do sha256sum < "$1" & done; wait', mount.path(url));
	const sums = stdout
		.trim()
		.split('\n')
		.map(line => line.slice(0, 64));
	t.deepEqual(
		sums,
		Array.from({length: 64}, () => sha256(generatedBody(size))),
	);
	t.is(origin.requests.length, 1);
});

test('a reader gets the first bytes while the last are still to come', async t => {
	const {mount, origin} = await startDrive(t);
	const url = origin.serve('/slow', {size: 2_000_000, stallAt: 1_000_000});
	const {stdout} = await sh('head -c 1000 "$1" | sha256sum', mount.path(url));
	t.is(stdout.slice(0, 64), sha256(generatedBody(1000)));
	t.is((await mount.stats())['downloads_running'], 1);
});

test('readers that leave, be they killed, do not stop the download for others', async t => {
	const {mount, origin} = await startDrive(t);
	const size = 1_200_011;
	const url = origin.serve('/left', {size, rate: 1_000_000});
	const killed = spawn('cat', [mount.path(url)], {stdio: ['ignore', 'pipe', 'ignore']});
	await once(killed.stdout, 'data');
	const stays = run('sha256sum', [mount.path(url)]);
	await run('head', ['-c', '10', mount.path(url)]);
	killed.kill('SIGKILL');
	t.is((await stays).stdout.slice(0, 64), sha256(generatedBody(size)));
	t.is(origin.requests.length, 1);
});

test('a body of unknown length is read whole by cat, cp, wc, tail and cmp, with one request each', async t => {
	const {mount, origin} = await startDrive(t);
	const size = 700_003;
	const expected = sha256(generatedBody(size));
	const scripts = [
		'cat "$1" | sha256sum',
		'cp "$1" /dev/stdout | sha256sum',
		'test "$(wc -c < "$1")" = 700003 && sha256sum "$1"',
		'tail -c 1000 "$1" > /dev/null; sha256sum "$1"',
		'cmp "$1" "$1" && sha256sum "$1"',
	];
	for (const [index, script] of scripts.entries()) {
		const url = origin.serve(`/chunked/${index}`, {size, chunked: true});
		t.is((await sh(script, mount.path(url))).stdout.slice(0, 64), expected, script);
		t.is(origin.requestsOf(`/chunked/${index}`).length, 1, script);
	}
});

test('redirects are followed, and the bytes lie under the URL that was asked for', async t => {
	const {mount, origin} = await startDrive(t);
	origin.serve('/end', {body: 'the end'});
	origin.serve('/permanent', {status: 301, redirect: 'end'});
	origin.serve('/temporary', {status: 307, redirect: '/permanent'});
	const url = origin.serve('/start', {redirect: origin.url('/temporary')});
	t.is((await run('cat', [mount.path(url)])).stdout, 'the end');
	t.is((await run('cat', [mount.path(url)])).stdout, 'the end');
	await fetchAll(mount, url);
	t.deepEqual(await listed(mount), [encodeURIComponent(url)]);
	t.is(origin.requests.length, 4);
});

test('a download leaves an entry and nothing else in the directory', async t => {
	const {mount, origin} = await startDrive(t);
	const url = origin.serve('/clean', {size: 200_000});
	await run('cat', [mount.path(url)]);
	const key = sha256(url);
	await until('the entry is alone', async () => {
		const {entries, leftovers} = await contentsOf(mount.cacheDir);
		return leftovers.length === 0 && entries.join() === `${key}.dat,${key}.json`;
	});
	t.pass();
});
