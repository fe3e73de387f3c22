import test from 'ava';
import {open, readFile, writeFile} from 'node:fs/promises';
import {fetchAll, filesOf, plant, sha256, startDrive, workDirectory} from '../helpers/drive.js';
import {larder, Mount, TRANSPORT} from '../helpers/mount.js';
import {generatedBody, Origin} from '../helpers/origin.js';
import {run, sh} from '../helpers/run.js';
import {until} from '../helpers/until.js';

test('a URL is read as a file, with one request however often', async t => {
	const origin = await Origin.start();
	t.teardown(() => origin.close());
	const mount = await Mount.start(t);
	const url = origin.serve('/hello.txt', {body: 'hello'});
	t.is((await run('cat', [mount.path(url)])).stdout, 'hello');
	t.is((await run('cat', [mount.path(url)])).stdout, 'hello');
	t.is(origin.requestsOf('/hello.txt').length, 1);
});

test('bodies of 0 bytes, 1 byte and around the sizes of pages and requests are read whole, cold and warm', async t => {
	const {mount, origin} = await startDrive(t);
	for (const size of [0, 1, 4095, 4096, 4097, 131_071, 131_072, 131_073, 1_048_577, 5_000_011]) {
		const url = origin.serve(`/${size}`, {size});
		const expected = sha256(generatedBody(size));
		for (const state of ['cold', 'warm']) {
			const {stdout} = await sh('cat "$1" | sha256sum', mount.path(url));
			t.is(stdout.slice(0, 64), expected, `${size} bytes, ${state}`);
		}

		t.is(origin.requestsOf(`/${size}`).length, 1, `${size} bytes`);
	}
});

// A `stat` asks no origin, so before the first read there is neither a size nor a time to go by (design: fuse-native).
test('of what is cached tar archives the bytes, and cp -p and tar keep the time of Last-Modified', async t => {
	const {mount, origin} = await startDrive(t);
	const directory = await workDirectory(t);
	const url = origin.serve('/dated', {size: 300_003, lastModified: new Date('2020-02-02T20:20:20Z')});
	await fetchAll(mount, url);
	t.is((await run('cp', ['-p', mount.path(url), `${directory}/copy`])).code, 0);
	const tar = await sh('tar -C "$1" -cf - by-url | tar -C "$2" -xf -', mount.directory, directory);
	t.is(tar.code, 0, tar.stderr);
	for (const copy of [`${directory}/copy`, `${directory}/by-url/${encodeURIComponent(url)}`]) {
		t.is((await run('stat', ['-c', '%Y %s', copy])).stdout.trim(), '1580674820 300003');
		t.is((await run('sha256sum', [copy])).stdout.slice(0, 64), sha256(generatedBody(300_003)));
	}
});

test('what one drive has fetched the next one on the same directory serves without a request', async t => {
	const cacheDir = await workDirectory(t);
	const {mount, origin} = await startDrive(t, {cacheDir});
	const url = origin.serve('/kept', {size: 300_001});
	await fetchAll(mount, url);
	const before = await run('stat', ['-c', '%i %s %Y', mount.path(url)]);
	t.is(await mount.stop(), 0);

	const again = await Mount.start(t, {cacheDir});
	const {stdout} = await run('sha256sum', [again.path(url)]);
	t.is(stdout.slice(0, 64), sha256(generatedBody(300_001)));
	t.is((await run('stat', ['-c', '%i %s %Y', again.path(url)])).stdout, before.stdout);
	t.is(origin.requests.length, 1);
});

test('bytes beyond 4 GiB are read from where they are', async t => {
	const cacheDir = await workDirectory(t);
	const url = 'http://a.example/large';
	const size = 5 * 1024 ** 3 + 5;
	await plant(cacheDir, url, '');
	const {data, sidecar} = filesOf(cacheDir, url);
	const [far, end] = [4 * 1024 ** 3 + 4_321, size - 4];
	const file = await open(data, 'r+');
	await file.truncate(size);
	await file.write('far', far);
	await file.write('end!', end);
	await file.close();
	await writeFile(sidecar, (await readFile(sidecar, 'utf8')).replace('"size": 0', `"size": ${size}`));
	const {mount} = await startDrive(t, {cacheDir});
	t.is((await run('stat', ['-c', '%s', mount.path(url)])).stdout, `${size}\n`);
	t.is((await run('tail', ['-c', '4', mount.path(url)])).stdout, 'end!');
	const dd = ['bs=1', 'count=3', `skip=${far}`, 'status=none', `if=${mount.path(url)}`];
	t.is((await run('dd', dd)).stdout, 'far');
});

test('what was evicted by others and fetched again is read anew, though its size and date are the same', async t => {
	const {mount, origin} = await startDrive(t);
	const same = {lastModified: new Date('2020-02-02T20:20:20Z')};
	const url = origin.serve('/same', {body: 'first version', ...same});
	await fetchAll(mount, url);
	t.is((await run('cat', [mount.path(url)])).stdout, 'first version');
	t.is((await larder('rm', '--cache-dir', mount.cacheDir, url)).code, 0);
	await until('it is gone', async () => (await mount.stats())['entries'] === 0);
	origin.serve('/same', {body: 'other version', ...same});
	// libfuse believes a name for a second: within it an open asks for nothing that would show the change.
	t.is((await run('stat', ['-c', '%s', mount.path(url)])).stdout, TRANSPORT === 'kernel' ? '13\n' : '0\n');
	t.is((await run('cat', [mount.path(url)])).stdout, 'other version');
	t.is((await run('cat', [mount.path(url)])).stdout, 'other version');
});
