import test from 'ava';
import {readdir, readFile, readlink, symlink, writeFile} from 'node:fs/promises';
import path from 'node:path';
import {contentsOf, filesOf, listed, sha256, startDrive, startOrigin, workDirectory} from '../helpers/drive.js';
import {LARDER, larderWith} from '../helpers/mount.js';
import {generatedBody, Origin} from '../helpers/origin.js';
import {run, sh} from '../helpers/run.js';
import {until} from '../helpers/until.js';

test('larder get stores a URL, says nothing, and fetches it once', async t => {
	const origin = await startOrigin(t);
	const cacheDir = await workDirectory(t);
	const url = origin.serve('/x.txt', {size: 300_001, type: 'text/plain'});
	for (let round = 0; round < 2; round++) {
		t.deepEqual(await larderWith({}, 'get', '--cache-dir', cacheDir, url), {code: 0, stdout: '', stderr: ''});
	}

	t.deepEqual(await readFile(filesOf(cacheDir, url).data), generatedBody(300_001));
	t.like(JSON.parse(await readFile(filesOf(cacheDir, url).sidecar, 'utf8')), {
		url,
		mimetype: 'text/plain',
		filename: 'x.txt',
	});
	t.is(origin.requests.length, 1);
});

test('larder get -o writes a file or standard output, byte for byte, and no file where it fails', async t => {
	const origin = await startOrigin(t);
	const [cacheDir, work] = [await workDirectory(t), await workDirectory(t)];
	const url = origin.serve('/out', {size: 2_500_003});
	const get = (...args: string[]) => larderWith({cwd: work}, 'get', '--cache-dir', cacheDir, ...args);
	t.is((await get('-o', 'copy', url)).code, 0);
	t.is(sha256(await readFile(path.join(work, 'copy'))), sha256(generatedBody(2_500_003)));
	const script = '"$1" "$2" get --cache-dir "$3" -o - "$4" | sha256sum; exit ${PIPESTATUS[0]}';
	const piped = await sh(script, process.execPath, LARDER, cacheDir, url);
	t.deepEqual([piped.code, piped.stdout.slice(0, 64)], [0, sha256(generatedBody(2_500_003))]);

	t.is((await get('-o', 'missing', origin.url('/missing'))).code, 1);
	t.is((await get('-o', 'nowhere/copy', url)).code, 1);
	t.deepEqual(await readdir(work), ['copy']);
	t.is((await get('-o', 'both', url, origin.url('/other'))).code, 2);
	t.is(origin.requests.length, 2);
});

test('larder get -o writes into a pipe or a device and leaves it what it is, and follows a link', async t => {
	const origin = await startOrigin(t);
	const [cacheDir, work] = [await workDirectory(t), await workDirectory(t)];
	const url = origin.serve('/out', {size: 300_003});
	const expected = sha256(generatedBody(300_003));
	const script =
		'mkfifo pipe && { sha256sum < pipe & } && "$1" "$2" get --cache-dir "$3" -o pipe "$4" && wait && test -p pipe';
	const piped = await run('bash', ['-c', script, 'bash', process.execPath, LARDER, cacheDir, url], {cwd: work});
	t.deepEqual([piped.code, piped.stdout.slice(0, 64)], [0, expected], piped.stderr);

	await writeFile(path.join(work, 'file'), 'old');
	await symlink('file', path.join(work, 'link'));
	t.is((await larderWith({cwd: work}, 'get', '--cache-dir', cacheDir, '-o', 'link', url)).code, 0);
	t.is(sha256(await readFile(path.join(work, 'file'))), expected);
	t.is(await readlink(path.join(work, 'link')), 'file');

	const {code, stderr} = await larderWith({cwd: work}, 'get', '--cache-dir', cacheDir, '-o', work, url);
	t.is(code, 1);
	t.regex(stderr, /^larder: [^\n]+\n$/);
});

test('larder get of several URLs stores all that can be had: the others are one line each, and exit 1', async t => {
	const origin = await startOrigin(t);
	const cacheDir = await workDirectory(t);
	const urls = [1, 2, 3].map(index => origin.serve(`/${index}`, {body: `body ${index}`}));
	const secret = `http://me:sesame@${origin.host}/missing?token=sesame`;
	const refused = `${await Origin.refused()}x`;
	const args = ['get', '--retries', '0', '--cache-dir', cacheDir, ...urls, secret, refused];
	const {code, stdout, stderr} = await larderWith({}, ...args);
	t.is(code, 1);
	t.is(stdout, '');
	const lines = stderr.trim().split('\n');
	t.is(lines.length, 2, stderr);
	t.true(
		lines.every(line => line.startsWith('larder: ')),
		stderr,
	);
	t.regex(stderr, /\/missing was answered with status 404/);
	t.false(stderr.includes('sesame'));
	const {entries, leftovers} = await contentsOf(cacheDir);
	t.deepEqual([entries.length, leftovers.length], [6, 0]);
});

test('larder get reads URLs from a file or standard input, and with --json says what it stored', async t => {
	const origin = await startOrigin(t);
	const cacheDir = await workDirectory(t);
	const [one, two, three] = [1, 2, 3].map(index =>
		origin.serve(`/${index}.txt`, {size: index, type: 'text/plain'}),
	) as [string, string, string];
	const list = path.join(cacheDir, '..', `${path.basename(cacheDir)}.list`);
	await writeFile(list, `# a list\n\n  ${one}  \r\n${two}\n`);
	t.teardown(() => run('rm', ['-f', list]));
	const fromFile = await larderWith({}, 'get', '--json', '--cache-dir', cacheDir, '-i', list);
	t.is(fromFile.code, 0, fromFile.stderr);
	const said = fromFile.stdout
		.trim()
		.split('\n')
		.map(line => JSON.parse(line) as Record<string, unknown>);
	t.deepEqual(
		said.sort((a, b) => Number(a['sizeBytes']) - Number(b['sizeBytes'])),
		[one, two].map((url, index) => ({
			...{url, key: sha256(url), sizeBytes: index + 1},
			...{mimetype: 'text/plain', filename: `${index + 1}.txt`},
		})),
	);
	const fromInput = await larderWith({input: `${three}\n`}, 'get', '--cache-dir', cacheDir, '-i', '-');
	t.deepEqual(fromInput, {code: 0, stdout: '', stderr: ''});
	t.is((await contentsOf(cacheDir)).entries.length, 6);

	for (const args of [[], ['ftp://a.example/x'], ['/etc/passwd'], ['-i', '/nonexistent']]) {
		const {code, stderr} = await larderWith({}, 'get', '--cache-dir', cacheDir, ...args);
		t.true(code === 2 || args[0] === '-i', args.join(' '));
		t.regex(stderr, /^larder: [^\n]+\n$/);
	}
});

test('what larder get stores beside a running drive is there within 2 s, and what larder rm removes is gone', async t => {
	const {mount, origin} = await startDrive(t);
	const url = origin.serve('/beside', {body: 'beside'});
	t.is((await larderWith({}, 'get', '--cache-dir', mount.cacheDir, url)).code, 0);
	await until('it is listed', async () => (await listed(mount)).includes(encodeURIComponent(url)), 2000);
	t.is((await run('cat', [mount.path(url)])).stdout, 'beside');
	t.is(origin.requests.length, 1);
	t.deepEqual(await larderWith({}, 'rm', '--cache-dir', mount.cacheDir, url), {code: 0, stdout: '', stderr: ''});
	await until('it is not listed', async () => (await listed(mount)).length === 0, 2000);
	await until('it is not counted', async () => (await mount.stats())['entries'] === 0, 2000);
	t.is((await run('cat', [mount.path(url)])).stdout, 'beside');
	t.is(origin.requests.length, 2);
});
