import test from 'ava';
import path from 'node:path';
import {evaluate, fetchAll, listed, reading, sha256, startDrive, startOrigin, workDirectory} from '../helpers/drive.js';
import {larder, Mount} from '../helpers/mount.js';
import {run, sh} from '../helpers/run.js';
import {until} from '../helpers/until.js';

test('any spelling that decodes to the URL is the same file, fetched once', async t => {
	const {mount, origin} = await startDrive(t);
	const url = origin.serve('/a%20b.txt', {body: 'spelt'});
	const spellings = [
		encodeURIComponent(url),
		encodeURIComponent(url).toLowerCase(),
		url.replaceAll('/', '%2F').replaceAll('%20', '%2520'),
		url.replaceAll('%20', '%2520').replaceAll('/', '%2f').replace('http', '%68ttp').replace('%68', 'h'),
		encodeURIComponent(url).replace('a', '%61'),
	].map(name => path.join(mount.directory, 'by-url', name));
	const inodes = new Set<string>();
	for (const file of spellings) {
		t.is((await run('cat', [file])).stdout, 'spelt', file);
		inodes.add((await run('stat', ['-c', '%i', file])).stdout);
	}

	t.is(inodes.size, 1);
	t.deepEqual(
		origin.requests.map(request => request.path),
		['/a%20b.txt'],
	);
});

test('a listing shows encodeURIComponent of each URL, and each listed name leads back to its bytes', async t => {
	const {mount, origin} = await startDrive(t);
	const paths = [
		'/plain',
		'/a?q=1&r=2',
		'/grüße/日本',
		"/it's(1)!*~",
		'/%2F%2f',
		'/dots/../x',
		'/a:b@c',
		'/x#part',
		'/sp ace',
	];
	for (const each of paths) {
		origin.serve(new URL(each, origin.url('/')).pathname, {body: each});
		await fetchAll(mount, origin.url(each));
	}

	const names = await listed(mount);
	t.deepEqual([...names].sort(), paths.map(each => encodeURIComponent(origin.url(each))).sort());
	const requests = origin.requests.length;
	for (const name of names) {
		const {stdout} = await run('cat', [path.join(mount.directory, 'by-url', name)]);
		t.is(origin.url(stdout), decodeURIComponent(name));
	}

	t.is(origin.requests.length, requests);
});

test('a URL with credentials opens by its name, sends them, and is listed by key alone', async t => {
	const {mount, origin} = await startDrive(t);
	origin.serve('/private', {body: 'private'});
	const url = `http://me:hunter2@${origin.host}/private`;
	t.is((await run('cat', [mount.path(url)])).stdout, 'private');
	await fetchAll(mount, url);
	t.is(origin.requests[0]?.headers.authorization, `Basic ${Buffer.from('me:hunter2').toString('base64')}`);
	t.deepEqual(await listed(mount), []);
	t.deepEqual(await listed(mount, 'by-key'), [sha256(url)]);
	t.is((await run('cat', [path.join(mount.directory, 'by-key', sha256(url))])).stdout, 'private');
	t.is(origin.requests.length, 1);
	t.notRegex(mount.log, /hunter2/);
});

test('a name of 1,023 bytes is listed; a URL whose name is longer is found by its key', async t => {
	const {mount, origin} = await startDrive(t);
	const start = encodeURIComponent(origin.url('/')).length;
	const urlOf = (length: number) => origin.serve(`/${'x'.repeat(length - start)}`, {body: `${length}`});
	const [short, long, longest] = [urlOf(1023), urlOf(1024), urlOf(4096)];
	t.is((await run('cat', [mount.path(short)])).stdout, '1023');
	t.is(await reading(mount.path(longest)), 'ENAMETOOLONG');
	t.is((await larder('get', '--cache-dir', mount.cacheDir, long, longest)).code, 0);
	const keys = [short, long, longest].map(sha256).sort();
	await until('the keys are listed', async () => (await listed(mount, 'by-key')).join() === keys.join(), 2000);
	t.is((await run('cat', [path.join(mount.directory, 'by-key', sha256(longest))])).stdout, '4096');
	t.deepEqual(await listed(mount), [encodeURIComponent(short)]);
	t.is(origin.requests.length, 3);
});

test('a drive for other users too does not list URLs with a query', async t => {
	const directory = await workDirectory(t);
	const {mount, origin} = await startDrive(t, {flags: ['--allow-other', '--networks', 'all'], directory});
	origin.serve('/x', {body: 'x'});
	const [plain, query] = [origin.url('/x'), origin.url('/x?token=1')];
	t.is((await run('cat', [mount.path(plain)], {uid: 65_534})).stdout, 'x');
	await fetchAll(mount, plain, query);
	t.deepEqual(await listed(mount), [encodeURIComponent(plain)]);
	t.deepEqual((await listed(mount, 'by-key')).sort(), [sha256(plain), sha256(query)].sort());
});

test('by-key reads what is stored, under its digest alone, and fetches nothing', async t => {
	const {mount, origin} = await startDrive(t);
	const url = origin.serve('/keyed', {body: 'keyed'});
	const file = path.join(mount.directory, 'by-key', sha256(url));
	t.is(await reading(file), 'ENOENT');
	t.is(origin.connections, 0);
	await fetchAll(mount, url);
	t.is(await reading(file), 'read 5 bytes');
	for (const name of [sha256(url).toUpperCase(), `${sha256(url)}0`, sha256(url).slice(1), encodeURIComponent(url)]) {
		t.is(await reading(path.join(mount.directory, 'by-key', name)), 'ENOENT', name);
	}

	const whileOpen = await sh('exec 3< "$1"; echo other > "$2"', mount.path(url), file);
	t.regex(whileOpen.stderr, /Operation not permitted/);
	t.is(await evaluate('fs.writeFileSync(f, "other")', [file]), 'EPERM');
	t.is((await run('cat', [mount.path(url)])).stdout, 'keyed');
	t.is(origin.requests.length, 1);
});

test('names that are no http or https URL are not there, and no request is made for them', async t => {
	const origin = await startOrigin(t);
	const mount = await Mount.start(t);
	const {host} = origin;
	const names = [
		...['readme.txt', '.Trash', '.Trash-0', '.hidden', '.directory', '.xdg-volume-info', 'autorun.inf', 'Thumbs.db'],
		...['http', 'https', 'http:', 'http%3A', 'http%3A%2F', 'http%3A%2F%2F', 'https%3A%2F%2F', '%', '%2F'],
		...[`ftp://${host}/x`, `ws://${host}/x`, 'file:///etc/passwd', 'data:text/plain,x', `//${host}/x`, `${host}/x`].map(
			encodeURIComponent,
		),
		...['http://a b/', 'http://[::1/', `http://${host}:99999/`, `http:${host}`, ` http://${host}/`].map(
			encodeURIComponent,
		),
		...['%', '%2', '%zz', '%C3', '%E0%A4', '%ED%A0%80'].map(
			broken => `${encodeURIComponent(`http://${host}/`)}${broken}`,
		),
	];
	const results = await evaluate(
		'JSON.stringify(JSON.parse(g).map(name => ["statSync", "readFileSync", "unlinkSync"].map(call => {' +
			'try { fs[call](f + name); return "done" } catch (error) { return error.code }}).join(" ")))',
		[`${mount.directory}/by-url/`, JSON.stringify(names)],
	);
	t.deepEqual(
		(JSON.parse(results) as string[]).map((result, index) => `${names[index]}: ${result}`),
		names.map(name => `${name}: ENOENT ENOENT ENOENT`),
	);
	for (const name of ['nothing', 'by-host', 'STATS.JSON']) {
		t.is(await reading(path.join(mount.directory, name)), 'ENOENT', name);
	}

	t.is(origin.connections, 0);
	t.deepEqual(await listed(mount), []);
});
