/** What the README promises of the drive: each sentence is the title of a test here, word for word. */
import {readFileSync} from 'node:fs';
import {open, readdir, readFile, stat, unlink, writeFile} from 'node:fs/promises';
import path from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {sha256} from '../helpers/drive.js';
import {gif} from '../helpers/gif.js';
import {Mount, type MountOptions} from '../helpers/mount.js';
import {generatedBody, Origin, type Behaviour} from '../helpers/origin.js';
import {run, sh} from '../helpers/run.js';
import {until} from '../helpers/until.js';

interface Here {
	readonly origin: Origin;
	readonly mount: Mount;
}

const README = path.resolve(import.meta.dirname, '../../../README.md');
const kept = new Set<string>();

function promise(sentence: string, body: (t: ExecutionContext, here: Here) => Promise<void>, options?: MountOptions) {
	kept.add(sentence);
	// Serial: a program that starts children while it writes flushes what it has written so far.
	test.serial(sentence, async t => {
		const origin = await Origin.start();
		t.teardown(() => origin.close());
		await body(t, {origin, mount: await Mount.start(t, options)});
	});
}

test('every promise of the README is a test here, and every test here is one', t => {
	const [, section = ''] = /<!-- semantics -->([^]*)<!-- \/semantics -->/.exec(readFileSync(README, 'utf8')) ?? [];
	const sentences = section
		.split('\n')
		.filter(line => line.startsWith('- '))
		.map(line => line.slice(2));
	t.deepEqual([...kept].sort(), sentences.sort());
});

promise(
	'Reading a URL that is not stored downloads it, once, however many read it at the same time.',
	async (t, {origin, mount}) => {
		const url = origin.serve('/a', {size: 300_000, rate: 1_000_000});
		const file = mount.path(url);
		const bodies = await Promise.all(Array.from({length: 20}, () => readFile(file)));
		t.true(bodies.every(body => body.equals(generatedBody(300_000))));
		t.is(origin.requestsOf('/a').length, 1);
	},
);

promise('Reading a URL that is stored makes no request.', async (t, {origin, mount}) => {
	const file = mount.path(origin.serve('/a', {body: 'hello'}));
	await readFile(file);
	t.is(await readFile(file, 'utf8'), 'hello');
	t.is(origin.requestsOf('/a').length, 1);
});

promise(
	'Bytes are handed out as they arrive: the reader of a slow download need not wait for its end.',
	async (t, {origin, mount}) => {
		// This origin sends a part and then nothing more: the whole never comes.
		const file = await open(mount.path(origin.serve('/a', {size: 1_000_000, stallAt: 400_000})));
		t.teardown(() => file.close());
		const {buffer, bytesRead} = await file.read(Buffer.alloc(100_000), 0, 100_000, 0);
		t.is(bytesRead, 100_000);
		t.true(buffer.equals(generatedBody(100_000)));
	},
);

promise(
	'Over fuse-native, a URL that is not stored has size 0 until it is opened, and looking at it makes no request.',
	async (t, {origin, mount}) => {
		const file = mount.path(origin.serve('/a', {body: 'hello'}));
		t.is((await stat(file)).size, 0);
		t.is(origin.requests.length, 0);
		const handle = await open(file);
		t.is((await handle.stat()).size, 5);
		await handle.close();
	},
	{transport: 'fuse-native'},
);

promise(
	'Over the kernel transport, looking at a URL that is not stored asks its origin: size and time are those that it tells, and what it has not is not there.',
	async (t, {origin, mount}) => {
		const lastModified = new Date('2024-05-06T07:08:09Z');
		const {size, mtimeMs} = await stat(mount.path(origin.serve('/a', {body: 'hello', lastModified})));
		t.deepEqual([size, mtimeMs], [5, lastModified.getTime()]);
		await t.throwsAsync(stat(mount.path(origin.serve('/b', {status: 404}))), {code: 'ENOENT'});
	},
	{transport: 'kernel'},
);

promise(
	'What is only looked at is not stored, and who reads it at once makes no other request.',
	async (t, {origin, mount}) => {
		const file = mount.path(origin.serve('/a', {body: 'hello'}));
		t.is((await stat(file)).size, 5);
		t.deepEqual(await readdir(path.join(mount.directory, 'by-url')), []);
		t.is(await readFile(file, 'utf8'), 'hello');
		t.is(origin.requests.length, 1);
	},
	{transport: 'kernel'},
);

promise(
	'A body whose length the origin does not tell is there when it is complete, not before.',
	async (t, {origin, mount}) => {
		const url = origin.serve('/a', {size: 200_000, chunked: true, rate: 1_000_000});
		t.true((await readFile(mount.path(url))).equals(generatedBody(200_000)));
	},
);

promise('A download that fails gives its readers an error, never a short file.', async (t, {origin, mount}) => {
	const url = origin.serve('/a', {size: 500_000, cutAt: 200_000});
	const {code, stderr} = await run('cat', [mount.path(url)]);
	t.is(code, 1);
	t.regex(stderr, /Input\/output error/);
	t.deepEqual(await readdir(path.join(mount.directory, 'by-key')), []);
	t.deepEqual(
		(await readdir(mount.cacheDir)).filter(name => name !== '.larder'),
		[],
	);
	await until('the download is cleared away', async () => (await downloads(mount)).length === 0);
});

promise(
	'What had come of a download that broke off, was left or was killed is not fetched again.',
	async (t, {origin, mount}) => {
		const film: Behaviour = {size: 30_000_000, ranges: true, etag: '"one"'};
		const url = origin.serve('/film', {...film, sequence: [{...film, stallAt: 6_000_000}]});
		t.is((await run('dd', [`if=${mount.path(url)}`, 'of=/dev/null', 'bs=1M', 'count=5'])).code, 0);
		await until('what has come is put away', async () => (await partials(mount)).length === 2);
		const asked = origin.requestsOf('/film').length;
		t.is((await run('sha256sum', [mount.path(url)])).stdout.slice(0, 64), sha256(generatedBody(30_000_000)));
		const later = origin
			.requestsOf('/film')
			.slice(asked)
			.map(({headers}) => headers.range ?? '');
		t.true(later.length > 0);
		for (const range of later) t.true(Number(/^bytes=(\d+)-/.exec(range)?.[1]) >= 5 * 1024 * 1024, range);
	},
);

promise('Looking into a large file fetches a little of it, and evicts nothing.', async (t, {origin, mount}) => {
	await readFile(mount.path(origin.serve('/small', {body: 'hello'})));
	const film: Behaviour = {size: 5_000_000_000, ranges: true, etag: '"one"'};
	const file = mount.path(origin.serve('/film', {...film, rate: 20_000_000}));
	t.is((await run('head', ['-c', '100', file])).stdout.length > 0, true);
	t.is((await run('tail', ['-c', '100', file])).code, 0);
	const [download] = JSON.parse(await readFile(path.join(mount.directory, 'downloads.json'), 'utf8')) as Download[];
	// What has come until it was closed again: a busy machine takes a second for that, at 20 MB/s.
	t.true((download?.bytes ?? Infinity) < 50_000_000, `${download?.bytes}`);
	t.is((await readdir(path.join(mount.directory, 'by-url'))).length, 1);
});

promise('Any spelling of a name that decodes to the URL opens the same file.', async (t, {origin, mount}) => {
	const url = origin.serve('/a%20b', {body: 'hello'});
	const byUrl = path.join(mount.directory, 'by-url');
	const spellings = [
		encodeURIComponent(url),
		url.replaceAll('%', '%25').replaceAll('/', '%2F'),
		encodeURIComponent(url).toLowerCase(),
	];
	for (const name of spellings) t.is(await readFile(path.join(byUrl, name), 'utf8'), 'hello');
	t.is(origin.requests.length, 1);
});

promise(
	'A name that is no http or https URL is not there, and no request is made for it.',
	async (t, {origin, mount}) => {
		for (const name of [
			'.Trash',
			'ftp%3A%2F%2Fa.example%2F',
			'file%3A%2F%2F%2Fetc%2Fpasswd',
			'http%3A%2F%2F',
			'%E0%A4%A',
		]) {
			await t.throwsAsync(readFile(path.join(mount.directory, 'by-url', name)), {code: 'ENOENT'}, name);
		}

		t.is(origin.requests.length, 0);
	},
);

promise('Listings show what is stored, by names that lead back to it.', async (t, {origin, mount}) => {
	const url = origin.serve('/a?b=c', {body: 'hello'});
	await readFile(mount.path(url));
	const [name = '', ...others] = await readdir(path.join(mount.directory, 'by-url'));
	t.is(decodeURIComponent(name), url);
	t.deepEqual(others, []);
	t.is(await readFile(path.join(mount.directory, 'by-url', name), 'utf8'), 'hello');
});

promise(
	'URLs with credentials and names over 1,023 bytes are listed under by-key only.',
	async (t, {origin, mount}) => {
		const withPassword = origin.serve('/a', {body: 'one'}).replace('http://', 'http://me:secret@');
		t.is(await readFile(mount.path(withPassword), 'utf8'), 'one');
		const long = origin.serve(`/${'x'.repeat(1100)}`, {body: 'two'});
		await run(process.execPath, [
			path.resolve(import.meta.dirname, '../../src/cli/main.js'),
			'get',
			long,
			'--cache-dir',
			mount.cacheDir,
		]);
		await until(
			'both are listed by key',
			async () => (await readdir(path.join(mount.directory, 'by-key'))).length === 2,
		);
		t.deepEqual(await readdir(path.join(mount.directory, 'by-url')), []);
	},
);

promise('Removing a file evicts it: the next reader downloads it again.', async (t, {origin, mount}) => {
	const file = mount.path(origin.serve('/a', {body: 'hello'}));
	await readFile(file);
	await unlink(file);
	t.deepEqual(await readdir(path.join(mount.directory, 'by-url')), []);
	t.is(await readFile(file, 'utf8'), 'hello');
	t.is(origin.requestsOf('/a').length, 2);
});

promise('Who has a file open reads on to its end, whatever becomes of the name.', async (t, {origin, mount}) => {
	const file = mount.path(origin.serve('/a', {size: 1_000_000}));
	const handle = await open(file);
	await handle.read(Buffer.alloc(10), 0, 10, 0);
	await unlink(file);
	t.deepEqual(await readdir(path.join(mount.directory, 'by-url')), []);
	const {buffer} = await handle.read(Buffer.alloc(1_000_000), 0, 1_000_000, 0);
	t.true(buffer.equals(generatedBody(1_000_000)));
	await handle.close();
});

promise(
	'Copying a file into by-url stores it, and what was there is replaced when the copy is closed.',
	async (t, {origin, mount}) => {
		const file = mount.path(origin.serve('/a', {body: 'from the origin'}));
		t.is(await readFile(file, 'utf8'), 'from the origin');
		t.is(
			(await sh('printf %s copied > "$2/source" && cp "$2/source" "$1" && cat "$1"', file, mount.cacheDir)).stdout,
			'copied',
		);
		t.is(origin.requestsOf('/a').length, 1);
	},
);

promise('Writing to a stored file without truncating it is refused.', async (t, {origin, mount}) => {
	const file = mount.path(origin.serve('/a', {body: 'hello'}));
	await readFile(file);
	await t.throwsAsync(writeFile(file, 'more', {flag: 'a'}), {code: 'EPERM'});
	await t.throwsAsync(writeFile(file, 'more', {flag: 'r+'}), {code: 'EPERM'});
	t.is(await readFile(file, 'utf8'), 'hello');
});

promise(
	'A file that is being read is not overwritten, and one that is being written is not read: the second is told it is busy.',
	async (t, {origin, mount}) => {
		const file = mount.path(origin.serve('/a', {body: 'hello'}));
		const reader = await open(file);
		await t.throwsAsync(writeFile(file, 'new'), {code: 'EBUSY'});
		t.is(await reader.readFile('utf8'), 'hello');
		await reader.close();
		const writer = await open(file, 'w');
		await writer.write('new');
		await t.throwsAsync(readFile(file), {code: 'EBUSY'});
		await writer.close();
		t.is(await readFile(file, 'utf8'), 'new');
	},
	// Where a version is an inode of its own nobody is in anybody's way: kernel-versions.test.ts.
	{transport: 'fuse-native'},
);

promise('Touching a name that is not stored stores nothing.', async (t, {origin, mount}) => {
	const file = mount.path(origin.serve('/a', {body: 'hello'}));
	t.is((await run('touch', [file])).code, 0);
	t.deepEqual(await readdir(path.join(mount.directory, 'by-key')), []);
	t.is(await readFile(file, 'utf8'), 'hello');
});

promise(
	'Touching a stored file asks its origin whether it has changed, and fetches what has.',
	async (t, {origin, mount}) => {
		const file = mount.path(origin.serve('/a', {body: 'old', etag: '"1"'}));
		await readFile(file);
		t.is((await run('touch', [file])).code, 0);
		t.is(await readFile(file, 'utf8'), 'old');
		t.deepEqual(
			origin.requestsOf('/a').map(({status}) => status),
			[200, 304],
		);
		origin.serve('/a', {body: 'new', etag: '"2"'});
		t.is((await run('touch', [file])).code, 0);
		await until('the new one is there', async () => (await readFile(file, 'utf8')) === 'new');
	},
);

promise(
	'Who has a file open reads its old bytes to the end when it changes, and the next reader the new ones: never both.',
	async (t, {origin, mount}) => {
		const size = 2 * 1024 * 1024;
		const file = mount.path(origin.serve('/a', {body: 'o'.repeat(size), etag: '"1"'}));
		const old = await open(file);
		const head = Buffer.alloc(size / 2);
		await old.read(head, 0, head.length, 0);
		origin.serve('/a', {body: 'n'.repeat(size), etag: '"2"'});
		t.is((await run('touch', [file])).code, 0);
		await until('it is replaced', () => origin.requestsOf('/a').at(-1)?.status === 200);
		const tail = await old.readFile();
		t.true(Buffer.concat([head, tail]).every(byte => byte === 'o'.charCodeAt(0)));
		await old.close();
		await until('the new one is read', async () => (await readFile(file))[0] === 'n'.charCodeAt(0));
		t.true((await readFile(file)).every(byte => byte === 'n'.charCodeAt(0)));
	},
);

promise('Directories, links and renames are refused.', async (t, {origin, mount}) => {
	const file = mount.path(origin.serve('/a', {body: 'hello'}));
	await readFile(file);
	const script = `
		import os
		def refused(work):
			try: work()
			except OSError as error: print(error.errno)
			else: print('done')
		by_url, file = ${JSON.stringify([path.dirname(file), file])}
		refused(lambda: os.mkdir(by_url + '/d'))
		refused(lambda: os.symlink('x', by_url + '/l'))
		refused(lambda: os.link(file, by_url + '/h'))
		refused(lambda: os.rename(file, file + 'b'))`;
	const {stdout} = await run('python3', ['-c', script.replaceAll('\n\t\t', '\n')]);
	t.is(stdout, '1\n1\n1\n1\n');
});

promise('An animated GIF is stored as an MP4 of the same frames, under the same URL.', async (t, {origin, mount}) => {
	const frames = [
		{delay: 10, color: 0},
		{delay: 50, color: 1},
		{delay: 20, color: 2},
	];
	const url = origin.serve('/a.gif', {body: gif({width: 20, height: 10, frames}), type: 'image/gif'});
	const {stdout} = await run('ffprobe', [
		...['-v', 'error', '-count_frames', '-show_entries', 'stream=codec_name,nb_read_frames', '-of', 'csv=p=0'],
		mount.path(url),
	]);
	t.is(stdout.trim(), 'h264,3');
	t.is(origin.requests.length, 1);
});

promise(
	'What does not fit the budget evicts what was used least recently; what is open stays.',
	async (t, {origin, mount}) => {
		const [a = '', b = '', c = '', d = ''] = ['a', 'b', 'c', 'd'].map(name =>
			mount.path(origin.serve(`/${name}`, {size: 300_000})),
		);
		const open_ = await open(a);
		t.teardown(() => open_.close());
		for (const file of [b, c]) await readFile(file);
		await readFile(b);
		await readFile(d);
		const listed = await readdir(path.join(mount.directory, 'by-url'));
		t.deepEqual(listed.sort(), [a, b, d].map(file => path.basename(file)).sort());
	},
	{flags: ['--max-size', '1MB']},
);

promise(
	'A file larger than the whole budget is read through from its origin, and evicts nothing.',
	async (t, {origin, mount}) => {
		const small = mount.path(origin.serve('/small', {body: 'hello'}));
		await readFile(small);
		const behaviour = {size: 5_000_000, ranges: true, etag: '"one"'} as const;
		const {stdout} = await run('sha256sum', [mount.path(origin.serve('/large', behaviour))]);
		t.is(stdout.slice(0, 64), sha256(generatedBody(5_000_000)));
		t.deepEqual(await readdir(path.join(mount.directory, 'by-url')), [path.basename(small)]);
		await t.throwsAsync(readFile(mount.path(origin.serve('/whole', {size: 2_000_000}))), {code: 'EFBIG'});
	},
	{flags: ['--max-size', '1MB']},
);

interface Download {
	readonly bytes: number;
}

function partials(mount: Mount): Promise<string[]> {
	return readdir(path.join(mount.cacheDir, '.larder', 'partials')).catch(() => []);
}

function downloads(mount: Mount): Promise<string[]> {
	return readdir(path.join(mount.cacheDir, '.larder', 'downloads'));
}
