import test from 'ava';
import path from 'node:path';
import {contentsOf, evaluate, fetchAll, listed, sha256, startDrive} from '../helpers/drive.js';
import {ASKED_BY_LOOKUP} from '../helpers/mount.js';
import {generatedBody} from '../helpers/origin.js';
import {run, sh} from '../helpers/run.js';
import {until} from '../helpers/until.js';

test('rm evicts: the name and the files are gone, and the next reader downloads again', async t => {
	const {mount, origin} = await startDrive(t);
	const url = origin.serve('/evicted', {body: 'evicted'});
	await fetchAll(mount, url);
	t.is((await run('rm', [mount.path(url)])).code, 0);
	t.deepEqual(await listed(mount), []);
	t.deepEqual(await contentsOf(mount.cacheDir), {entries: [], leftovers: []});
	await fetchAll(mount, url);
	t.is((await run('cat', [mount.path(url)])).stdout, 'evicted');
	t.is(origin.requests.length, 2);
	t.is((await run('rm', [path.join(mount.directory, 'by-key', sha256(url))])).code, 0);
	t.deepEqual(await listed(mount, 'by-key'), []);
	t.deepEqual(await listed(mount), []);
});

test('rm of a URL that is not cached is ENOENT, and removes nothing', async t => {
	const {mount, origin} = await startDrive(t);
	const file = mount.path(origin.serve('/x', {body: 'x'}));
	t.is(await evaluate('fs.unlinkSync(f)', [file]), 'ENOENT');
	const {code, stderr} = await run('rm', [file]);
	t.is(code, 1);
	t.regex(stderr, /No such file/);
	t.is((await run('rm', ['-f', file])).code, 0);
	t.is(origin.requests.length, ASKED_BY_LOOKUP);
});

test('who has a file open when it is removed reads it to its end, and no name is left of it', async t => {
	const {mount, origin} = await startDrive(t);
	const size = 1_300_021;
	const url = origin.serve('/open', {size});
	await fetchAll(mount, url);
	const script =
		'{ head -c 4096; rm "$1"; ls -A "$2" "$3" | grep -v -e "^$2:" -e "^$3:" -e "^$" >&2; cat; } < "$1" | sha256sum';
	const {stdout, stderr} = await sh(
		script,
		mount.path(url),
		path.join(mount.directory, 'by-url'),
		path.join(mount.directory, 'by-key'),
	);
	t.is(stdout.slice(0, 64), sha256(generatedBody(size)));
	t.is(stderr, '');
	t.is(await evaluate('fs.unlinkSync(f)', [mount.path(url)]), 'ENOENT');
	t.is((await run('sha256sum', [mount.path(url)])).stdout.slice(0, 64), sha256(generatedBody(size)));
	t.is(origin.requests.length, 2);
});

test('rm during a download: who reads gets all of it, nothing is stored, the next reader downloads again', async t => {
	const {mount, origin} = await startDrive(t);
	const size = 900_007;
	const url = origin.serve('/filling', {size, rate: 600_000});
	const reader = run('sha256sum', [mount.path(url)]);
	await origin.received('/filling');
	await until('it has begun', async () => (await run('stat', ['-c', '%s', mount.path(url)])).stdout === `${size}\n`);
	t.is((await run('rm', [mount.path(url)])).code, 0);
	t.is((await reader).stdout.slice(0, 64), sha256(generatedBody(size)));
	t.deepEqual(await listed(mount), []);
	await until('nothing is left', async () => {
		const {entries, leftovers} = await contentsOf(mount.cacheDir);
		return entries.length + leftovers.length === 0;
	});
	t.is((await run('sha256sum', [mount.path(url)])).stdout.slice(0, 64), sha256(generatedBody(size)));
	t.is(origin.requests.length, 2);
});
