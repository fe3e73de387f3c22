import test from 'ava';
import {plant, sha256, startDrive, workDirectory} from '../helpers/drive.js';
import {LARDER, larderWith} from '../helpers/mount.js';
import {run, sh} from '../helpers/run.js';
import {ANSWER_WAITS_MS, within} from '../helpers/within.js';

test('larder path prints where a URL is, and that is where it reads', async t => {
	const {mount, origin} = await startDrive(t);
	const url = origin.serve('/a b', {body: 'found'}).replace('/a b', '/a%20b?q=1');
	origin.serve('/a%20b', {body: 'found'});
	const printed = await larderWith({}, 'path', '--mountpoint', mount.directory, url);
	t.deepEqual(printed, {code: 0, stdout: `${mount.path(url)}\n`, stderr: ''});
	t.is((await run('cat', [printed.stdout.trim()])).stdout, 'found');
	for (const wrong of ['ftp://a.example/', 'a.example', `http://a.example/${'x'.repeat(1100)}`]) {
		const {code, stdout, stderr} = await larderWith({}, 'path', '--mountpoint', mount.directory, wrong);
		t.is(code, 2);
		t.is(stdout, '');
		t.regex(stderr, /^larder: [^\n]+\n$/);
	}
});

test('larder ls and stats say what is stored, with and without a drive', async t => {
	const cacheDir = await workDirectory(t);
	const urls = ['http://a.example/1', 'http://a.example/2'];
	for (const [index, url] of urls.entries()) await plant(cacheDir, url, 'x'.repeat(1000 * (index + 1)));
	for (const drive of [false, true]) {
		if (drive) await startDrive(t, {cacheDir});
		const {code, stdout, stderr} = await larderWith({}, 'ls', '--cache-dir', cacheDir, '--json');
		t.deepEqual([code, stderr], [0, '']);
		const lines = stdout
			.trim()
			.split('\n')
			.map(line => JSON.parse(line) as Record<string, unknown>);
		t.deepEqual(lines.map(line => line['url']).sort(), urls);
		for (const {url, key} of lines) t.is(key, sha256(String(url)));
		t.is(lines.find(({url}) => url === urls[1])?.['sizeBytes'], 2000);
		const readable = await larderWith({}, 'ls', '--cache-dir', cacheDir);
		t.regex(readable.stdout, /^ +1000B +2026-\d\d-\d\d \d\d:\d\d +application\/octet-stream +http:\/\/a\.example\/1$/m);
		const stats = await larderWith({}, 'stats', '--cache-dir', cacheDir, '--json');
		t.like(JSON.parse(stats.stdout), {entries: 2, total_bytes: 3000});
	}
});

test('larder stats of a mounted drive prints its stats.json', async t => {
	const {mount, origin} = await startDrive(t);
	const isWaiting = within(ANSWER_WAITS_MS);
	await run('cat', [mount.path(origin.serve('/x', {size: 1234}))]);
	// Else what was looked at may have been stored by itself, and then be found.
	const hits = isWaiting() ? {hits: 0} : {};
	const json = await larderWith({}, 'stats', mount.directory, '--json');
	t.like(JSON.parse(json.stdout), {misses: 1, ...hits, max_mb: 10_240});
	const {stdout} = await larderWith({}, 'stats', mount.directory);
	t.regex(stdout, /^misses +1$/m);
	t.regex(stdout, /^evicted_by max-size +0$/m);
	const {code, stderr} = await larderWith({}, 'stats', await workDirectory(t));
	t.is(code, 1);
	t.regex(stderr, /^larder: [^\n]+\n$/);
});

test('larder rm removes by URL and by key; what is not stored is one line and exit 1', async t => {
	const cacheDir = await workDirectory(t);
	const urls = [1, 2, 3].map(index => `http://a.example/${index}`) as [string, string, string];
	for (const url of urls) await plant(cacheDir, url, 'x');
	const rm = (...args: string[]) => larderWith({}, 'rm', '--cache-dir', cacheDir, ...args);
	t.deepEqual(await rm(urls[0], sha256(urls[1])), {code: 0, stdout: '', stderr: ''});
	const {code, stderr} = await rm('http://a.example/none', urls[2]);
	t.is(code, 1);
	t.regex(stderr, /^larder: [^\n]*a\.example\/none is not stored\n$/);
	t.is((await larderWith({}, 'ls', '--cache-dir', cacheDir)).stdout, '');
});

test('a command whose output nobody reads to its end is quiet, and no failure', async t => {
	const cacheDir = await workDirectory(t);
	for (let index = 0; index < 2000; index++) await plant(cacheDir, `http://a.example/${index}`, 'x');
	const script = '"$1" "$2" ls --json --cache-dir "$3" | head -n 1; echo "${PIPESTATUS[0]}"';
	const {stdout, stderr} = await sh(script, process.execPath, LARDER, cacheDir);
	t.is(stderr, '');
	t.regex(stdout, /^\{"url".*\}\n0\n$/);
});
