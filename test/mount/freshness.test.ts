/** What changes at its origin, as programs see it: freshness, touch, refresh, what is gone, and what has moved. */
import {open, readFile, stat, writeFile} from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import {listed, startDrive, startOrigin, testWith, workDirectory} from '../helpers/drive.js';
import {ASKED_BY_LOOKUP, larderWith, Mount, TRANSPORT} from '../helpers/mount.js';
import type {Behaviour} from '../helpers/origin.js';
import {run, sh} from '../helpers/run.js';
import {until} from '../helpers/until.js';
import {ANSWER_WAITS_MS, within} from '../helpers/within.js';

const MIB = 1024 * 1024;
/** Every open asks. */
const NO_CACHE = {'cache-control': 'no-cache'};

/** A body of one letter: a mixture of two is seen at once. */
function version(letter: string, headers: Behaviour['headers'] = {}): Behaviour {
	const lastModified = new Date(1_700_000_000_000);
	return {body: letter.repeat(2 * MIB), etag: `"${letter}"`, lastModified, ranges: true, headers};
}

/** The letters of a file, each once. */
const lettersOf = (data: Buffer) => [...new Set(data)].map(code => String.fromCharCode(code)).join('');
const letters = async (file: string) => lettersOf(await readFile(file));

test('with --freshness http each open asks as often as its origin wants, and what has not changed is not fetched', async t => {
	const {mount, origin} = await startDrive(t, {flags: ['--freshness', 'http']});
	const file = mount.path(origin.serve('/a', version('a', NO_CACHE)));
	for (let round = 0; round < 3; round++) t.is(await letters(file), 'a');
	const [first, ...later] = origin.requestsOf('/a').map(({status}) => status);
	t.is(first, 200);
	// Who is told to look the name up again, for the file of the reader before is not closed yet, asks twice.
	t.true(later.length >= 2 && later.length <= 2 + 2 * ASKED_BY_LOOKUP, String(later));
	t.true(
		later.every(status => status === 304),
		String(later),
	);
	const kept = mount.path(origin.serve('/kept', {body: 'kept', maxAge: 600}));
	for (let round = 0; round < 3; round++) t.is(await readFile(kept, 'utf8'), 'kept');
	t.is(origin.requestsOf('/kept').length, 1);
});

test('a body that changes under the same length and date is never mixed with the old one', async t => {
	const {mount, origin} = await startDrive(t, {flags: ['--freshness', 'http']});
	const file = mount.path(origin.serve('/a', version('a', NO_CACHE)));
	for (const letter of ['b', 'c', 'd']) {
		const old = await open(file);
		const head = Buffer.alloc(MIB);
		await old.read(head, 0, MIB, 0);
		origin.serve('/a', version(letter, NO_CACHE));
		// Who opens it while it is open gets what the others read, where an inode cannot be told from its name.
		const before = lettersOf(head);
		t.is(await letters(file), TRANSPORT === 'kernel' ? letter : before);
		const tail = Buffer.alloc(MIB);
		await old.read(tail, 0, MIB, MIB);
		t.is(lettersOf(tail), before);
		await old.close();
		await until('the old version is let go', async () => (await letters(file)) === letter);
		t.is(await letters(file), letter);
	}
});

test('an origin that is gone leaves what is stale to read; one that says it has it no more takes it away', async t => {
	const {mount, origin} = await startDrive(t, {flags: ['--freshness', 'http', '--retries', '0']});
	const [stale, gone] = ['/stale', '/gone'].map(path =>
		mount.path(origin.serve(path, {body: path, headers: {'cache-control': 'max-age=0'}})),
	) as [string, string];
	await readFile(stale);
	await readFile(gone);
	origin.serve('/stale', {status: 500});
	origin.serve('/gone', {status: 410});
	t.is(await readFile(stale, 'utf8'), '/stale');
	await t.throwsAsync(readFile(gone), {code: 'ENOENT'});
	await t.throwsAsync(readFile(gone), {code: 'ENOENT'});
	t.is(origin.requestsOf('/gone').length, 2);
	t.is((await listed(mount)).length, 1);
	await origin.close();
	t.is(await readFile(stale, 'utf8'), '/stale');
});

test('touch asks whether a file has changed, whatever the rule, and fails where nobody answers', async t => {
	const {mount, origin} = await startDrive(t, {flags: ['--retries', '0']});
	const file = mount.path(origin.serve('/a', version('a')));
	const touch = () => run('touch', [file]);
	t.is(await letters(file), 'a');
	t.is((await touch()).code, 0);
	t.is(await letters(file), 'a');
	origin.serve('/a', version('b'));
	t.is(await letters(file), 'a');
	t.is((await touch()).code, 0);
	await until('the new one is there', async () => (await letters(file)) === 'b');
	t.deepEqual(
		origin.requestsOf('/a').map(({status}) => status),
		[200, 304, 200],
	);
	await origin.close();
	const {code, stderr} = await touch();
	t.is(code, 1);
	t.regex(stderr, /No route to host/);
	t.is(await letters(file), 'b');
});

test('touch -d, chmod and a copy that keeps its times ask nobody', async t => {
	const {mount, origin} = await startDrive(t);
	const file = mount.path(origin.serve('/a', version('a')));
	await readFile(file);
	t.is((await run('touch', ['-d', '2020-01-01', file])).code, 0);
	t.is((await run('chmod', ['600', file])).code, 0);
	const put = mount.path(origin.serve('/put', {body: 'theirs'}));
	t.is(
		(await sh('echo mine > /tmp/$$.mine && cp -p /tmp/$$.mine "$1"; code=$?; rm /tmp/$$.mine; exit $code', put)).code,
		0,
	);
	t.is(await readFile(put, 'utf8'), 'mine\n');
	t.deepEqual([origin.requestsOf('/a').length, origin.requestsOf('/put').length], [1, ASKED_BY_LOOKUP]);
});

testWith(['python3'], 'shutil.copy2, which sets the times of a file once it is closed, asks nobody', async t => {
	const {mount, origin} = await startDrive(t);
	const put = mount.path(origin.serve('/put', {body: 'theirs'}));
	const python =
		'import shutil, sys, tempfile\nf = tempfile.NamedTemporaryFile()\nf.write(b"mine"); f.flush()\nshutil.copy2(f.name, sys.argv[1])';
	const {code, stderr} = await run('python3', ['-c', python, put]);
	t.is(code, 0, stderr);
	t.is(await readFile(put, 'utf8'), 'mine');
	t.is(origin.requestsOf('/put').length, ASKED_BY_LOOKUP);
});

test('larder refresh beside a mounted drive: its next reader gets the new bytes', async t => {
	const {mount, origin} = await startDrive(t);
	const urls = ['/a', '/b'].map(path => origin.serve(path, version('a')));
	const [url = '', other = ''] = urls;
	for (const one of urls) t.is(await letters(mount.path(one)), 'a');
	const refresh = (...args: string[]) =>
		larderWith({}, 'refresh', '--cache-dir', mount.cacheDir, '--retries', '0', ...args);
	t.deepEqual(await refresh(url), {code: 0, stdout: `unchanged ${url}\n`, stderr: ''});
	origin.serve('/a', version('b'));
	const {code, stdout} = await refresh('--all', '--json');
	t.is(code, 0);
	const told = stdout
		.trim()
		.split('\n')
		.map(line => JSON.parse(line) as {url: string; outcome: string});
	t.deepEqual(
		told.sort((a, b) => a.url.localeCompare(b.url)),
		[
			{url, outcome: 'changed'},
			{url: other, outcome: 'unchanged'},
		],
	);
	await until('the drive has heard of it', async () => (await letters(mount.path(url))) === 'b');
	t.is((await refresh()).code, 2);
	t.is((await refresh('--all', url)).code, 2);
	await origin.close();
	const failed = await refresh(url);
	t.deepEqual([failed.code, failed.stdout, failed.stderr.split('\n').length], [1, '', 2]);
	t.is(await letters(mount.path(url)), 'b');
});

test('larder get --refresh gives what the origin has now', async t => {
	const {mount, origin} = await startDrive(t);
	const url = origin.serve('/a', {body: 'one', etag: '"1"'});
	const get = (...args: string[]) => larderWith({}, 'get', '--cache-dir', mount.cacheDir, '-o', '-', ...args, url);
	t.is((await get()).stdout, 'one');
	origin.serve('/a', {body: 'two', etag: '"2"'});
	t.is((await get()).stdout, 'one');
	t.is((await get('--refresh')).stdout, 'two');
	t.is((await get('--refresh')).stdout, 'two');
	t.deepEqual(
		origin.requestsOf('/a').map(({status}) => status),
		[200, 200, 304],
	);
});

test('a URL that has moved for good is read, and asked about, under its new name', async t => {
	const {mount, origin} = await startDrive(t);
	const target = mount.path(origin.serve('/new', {body: 'bytes'}));
	const file = mount.path(origin.serve('/old', {status: 301, redirect: '/new'}));
	let isWaiting = within(ANSWER_WAITS_MS);
	t.is(await readFile(file, 'utf8'), 'bytes');
	// Who is held up between the lookup and the open asks once more.
	const asked = origin.requests.length;
	t.true(asked === 2 || (asked <= 2 + 2 * ASKED_BY_LOOKUP && !isWaiting()), `${asked} requests`);
	t.is((await stat(file)).size, 5);
	t.is(await readFile(file, 'utf8'), 'bytes');
	t.is(await readFile(target, 'utf8'), 'bytes');
	t.is(origin.requests.length, asked);
	t.is((await listed(mount)).length, 1);
	t.is((await sh('echo mine > "$1"', file)).code, 0);
	t.deepEqual([await readFile(file, 'utf8'), await readFile(target, 'utf8')], ['mine\n', 'bytes']);
	t.is((await run('rm', [file])).code, 0);
	t.is((await run('rm', [target])).code, 0);
	isWaiting = within(ANSWER_WAITS_MS);
	t.is(await readFile(file, 'utf8'), 'bytes');
	const again = origin.requests.slice(asked).map(request => request.path);
	t.deepEqual(again.slice(0, 2), ['/old', '/new']);
	t.true(again.length === 2 || (again.length <= 2 + 2 * ASKED_BY_LOOKUP && !isWaiting()), String(again));
});

test('a file that its origin does not have is asked for once, however many look', async t => {
	const {mount, origin} = await startDrive(t);
	const file = mount.path(origin.serve('/a', {status: 404}));
	for (let round = 0; round < 5; round++) await t.throwsAsync(readFile(file), {code: 'ENOENT'});
	t.is(origin.requestsOf('/a').length, 1);
});

test('the configuration says for one host how long what is stored is used, and for the others what else', async t => {
	const [origin, other, work] = [await startOrigin(t), await startOrigin(t), await workDirectory(t)];
	const config = path.join(work, 'config.yaml');
	await writeFile(config, `hosts:\n  http://${origin.host}: {freshness: http}\n`);
	const mount = await Mount.start(t, {flags: ['--config', config]});
	const files = [origin, other].map(each => mount.path(each.serve('/a', version('a', NO_CACHE))));
	const isWaiting = within(ANSWER_WAITS_MS);
	for (let round = 0; round < 3; round++) for (const file of files) t.is(await letters(file), 'a');
	// Who is held up between the lookup and the open asks once more.
	const asked = origin.requests.length;
	t.true(asked === 3 || (asked > 3 && asked <= 3 + 3 * ASKED_BY_LOOKUP && !isWaiting()), `${asked} requests`);
	t.is(other.requests.length, 1);
});
