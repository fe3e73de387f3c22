import test from 'ava';
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {readFile, stat, writeFile} from 'node:fs/promises';
import path from 'node:path';
import {text} from 'node:stream/consumers';
import {
	contentsOf,
	evaluate,
	fetchAll,
	filesOf,
	listed,
	put,
	reading,
	sha256,
	startDrive,
	startOrigin,
	testWith,
	workDirectory,
} from '../helpers/drive.js';
import {ASKED_BY_LOOKUP, Mount} from '../helpers/mount.js';
import {generatedBody, Origin} from '../helpers/origin.js';
import {run, sh} from '../helpers/run.js';
import {until} from '../helpers/until.js';

test('cp into by-url stores the bytes under the URL, and its reader asks no origin, after a restart either', async t => {
	const cacheDir = await workDirectory(t);
	const {mount, origin} = await startDrive(t, {cacheDir});
	const url = origin.serve('/talk.pdf', {body: 'what the origin has'});
	const pdf = Buffer.concat([Buffer.from('%PDF-1.7\n'), generatedBody(2_000_003)]);
	const source = path.join(await workDirectory(t), 'mine');
	await writeFile(source, pdf);
	t.is((await run('cp', [source, mount.path(url)])).code, 0);
	t.is((await run('cmp', [source, mount.path(url)])).stdout, '');
	t.deepEqual(await listed(mount), [encodeURIComponent(url)]);

	const files = filesOf(cacheDir, url);
	t.deepEqual(await readFile(files.data), pdf);
	const sidecar = JSON.parse(await readFile(files.sidecar, 'utf8')) as Record<string, unknown>;
	t.deepEqual(Object.keys(sidecar).slice(0, 5), ['url', 'mimetype', 'filename', 'size', 'ts']);
	t.like(sidecar, {url, mimetype: 'application/pdf', filename: 'talk.pdf', size: pdf.length});
	t.true(Math.abs(Number(sidecar['ts']) - Date.now() / 1000) < 60);
	for (const file of Object.values(files)) t.is((await stat(file)).mode & 0o777, 0o600);

	t.is(await mount.stop(), 0);
	const again = await Mount.start(t, {cacheDir});
	t.is((await run('cmp', [source, again.path(url)])).code, 0);
	t.is(origin.requests.length, ASKED_BY_LOOKUP);
});

test('a second cp replaces the first, longer or shorter, and what was fetched', async t => {
	const {mount, origin} = await startDrive(t);
	const url = origin.serve('/replaced', {body: 'fetched'});
	await fetchAll(mount, url);
	for (const body of [generatedBody(300_001), Buffer.from('short'), generatedBody(150_000)]) {
		t.is((await put(mount, url, body)).code, 0);
		t.is((await run('sha256sum', [mount.path(url)])).stdout.slice(0, 64), sha256(body));
		t.is((await run('stat', ['-c', '%s', mount.path(url)])).stdout, `${body.length}\n`);
	}

	t.is((await contentsOf(mount.cacheDir)).entries.length, 2);
	t.is(origin.requests.length, 1);
});

test('several programs that write through one redirect make one entry', async t => {
	const {mount} = await startDrive(t);
	const file = mount.path('http://a.example/lines');
	t.is((await sh('{ printf one; printf two | cat; sh -c "printf three"; } > "$1"', file)).code, 0);
	t.is((await run('cat', [file])).stdout, 'onetwothree');
});

/** By the program they need, lines of shell that put the file "$1" under the name "$2". */
const SCRIPTS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
	bash: {
		'dd': 'dd if="$1" of="$2" bs=1000 status=none',
		'tee': 'tee "$2" < "$1" > /dev/null',
		'cp -p': 'cp -p "$1" "$2"',
		'> and chmod and touch -d': 'cat "$1" > "$2" && chmod 600 "$2" && touch -d 2020-01-01 "$2"',
	},
	rsync: {'rsync --inplace': 'rsync --inplace "$1" "$2"', 'rsync -a --inplace': 'rsync -a --inplace "$1" "$2"'},
	python3: {
		'python, the end first': `python3 -c '
import sys
with open(sys.argv[2], "wb") as out, open(sys.argv[1], "rb") as source:
    data = source.read()
    out.seek(500000); out.write(data[500000:])
    out.seek(0); out.write(data[:500000])
' "$1" "$2"`,
	},
};

for (const [needed, scripts] of Object.entries(SCRIPTS)) {
	testWith([needed], `store what they write: ${Object.keys(scripts).join(', ')}`, async t => {
		const {mount} = await startDrive(t);
		const source = path.join(await workDirectory(t), 'source');
		await writeFile(source, generatedBody(1_000_003));
		for (const [name, script] of Object.entries(scripts)) {
			const file = mount.path(`http://a.example/${name}`);
			const {code, stderr} = await sh(script, source, file);
			t.is(code, 0, `${name}: ${stderr}`);
			t.is((await run('sha256sum', [file])).stdout.slice(0, 64), sha256(generatedBody(1_000_003)), name);
		}
	});
}

testWith(
	['rsync'],
	'rsync onto an entry, and rsync without --inplace, fail with EPERM and leave things as they were',
	async t => {
		const {mount} = await startDrive(t);
		const source = path.join(await workDirectory(t), 'source');
		await writeFile(source, generatedBody(400_003));
		const [stored, other] = ['http://a.example/stored', 'http://a.example/other'];
		await put(mount, stored, 'what was there');
		for (const args of [
			['--inplace', source, mount.path(stored)],
			[source, mount.path(stored)],
			[source, mount.path(other)],
		]) {
			const {code, stderr} = await run('rsync', args);
			t.not(code, 0);
			t.regex(stderr, /Operation not permitted/);
		}

		t.is((await run('cat', [mount.path(stored)])).stdout, 'what was there');
		t.deepEqual(await listed(mount), [encodeURIComponent(stored)]);
		t.deepEqual((await contentsOf(mount.cacheDir)).leftovers, []);
	},
);

testWith(['python3'], 'what w+ has written it reads back, before it is stored', async t => {
	const {mount} = await startDrive(t);
	const file = mount.path('http://a.example/back');
	const python = 'import sys; f = open(sys.argv[1], "wb+"); f.write(b"abcdef"); f.flush(); f.seek(2); print(f.read())';
	t.is((await run('python3', ['-c', python, file])).stdout, "b'cdef'\n");
	t.is((await run('cat', [file])).stdout, 'abcdef');
});

test('touch of a name that is not cached stores nothing', async t => {
	const {mount, origin} = await startDrive(t);
	const url = origin.serve('/touched', {body: 'touched'});
	t.is((await run('touch', [mount.path(url)])).code, 0);
	t.deepEqual(await listed(mount), []);
	t.deepEqual((await contentsOf(mount.cacheDir)).entries, []);
	t.is(origin.requests.length, ASKED_BY_LOOKUP);
	await until('nothing is left', async () => (await contentsOf(mount.cacheDir)).leftovers.length === 0);
	t.is((await run('cat', [mount.path(url)])).stdout, 'touched');
});

test('writing into the middle or to the end of a file is EPERM, and changes nothing', async t => {
	const {mount, origin} = await startDrive(t);
	const url = origin.serve('/whole', {body: 'whole'});
	const file = mount.path(url);
	await fetchAll(mount, url);
	const before = await readFile(filesOf(mount.cacheDir, url).sidecar, 'utf8');
	t.is(await evaluate('fs.appendFileSync(f, "more")', [file]), 'EPERM');
	t.is(await evaluate('fs.writeSync(fs.openSync(f, "r+"), "W")', [file]), 'EPERM');
	t.is(await evaluate('fs.truncateSync(f, 2)', [file]), 'EPERM');
	t.regex((await sh('echo more >> "$1"', file)).stderr, /Operation not permitted/);
	t.is((await run('cat', [file])).stdout, 'whole');
	t.is(await readFile(filesOf(mount.cacheDir, url).sidecar, 'utf8'), before);
	t.is(origin.requests.length, 1);
});

test('where an inode has one version a put while somebody reads or writes is EBUSY, and nothing gets mixed', async t => {
	const {mount, origin} = await startDrive(t, {transport: 'fuse-native'});
	const url = origin.serve('/busy', {size: 3_000_001});
	const file = mount.path(url);
	await fetchAll(mount, url);
	const {stdout, stderr} = await sh('{ head -c 100; echo new > "$1"; cat; } < "$1" | sha256sum', file);
	t.is(stdout.slice(0, 64), sha256(generatedBody(3_000_001)));
	t.regex(stderr, /Device or resource busy/);
	t.is(await evaluate('fs.writeFileSync(f, "new")', [file]), 'undefined');
	t.is((await run('cat', [file])).stdout, 'new');

	const writers = await sh('{ echo one; echo two > "$1"; cat "$1"; } > "$1"', file);
	t.is(writers.stderr.match(/Device or resource busy/g)?.length, 2, writers.stderr);
	t.is((await run('cat', [file])).stdout, 'one\n');
	t.is(origin.requests.length, 1);
});

testWith(
	['python3'],
	'who opens a URL for reading, and finds it being written once the origin has answered, is told it is busy',
	async t => {
		const {mount, origin} = await startDrive(t, {transport: 'fuse-native'});
		const url = origin.serve('/late', {body: 'from the origin', delayMs: 4000});
		const reader = reading(mount.path(url));
		await origin.received('/late');
		const python = 'import sys; f = open(sys.argv[1], "wb", buffering=0); f.write(b"by hand"); sys.stdin.read()';
		const writer = spawn('python3', ['-c', python, mount.path(url)]);
		t.teardown(() => writer.kill('SIGKILL'));
		t.is(await reader, 'EBUSY');
		writer.stdin.end();
		await once(writer, 'exit');
		t.is((await run('cat', [mount.path(url)])).stdout, 'by hand');
	},
);

test('a put needs no origin, and beats a download that is running', async t => {
	const origin = await startOrigin(t);
	const mount = await Mount.start(t, {flags: ['--open-timeout', '2s', '--headers-timeout', '1s']});
	const offline = `${await Origin.refused()}offline`;
	t.is((await put(mount, offline, 'offline')).code, 0);
	t.is((await run('cat', [mount.path(offline)])).stdout, 'offline');

	const url = origin.serve('/hung', {hang: true});
	const hung = mount.path(url);
	const reader = reading(hung);
	await origin.received('/hung');
	t.is((await put(mount, url, 'by hand')).code, 0);
	t.is((await run('cat', [hung])).stdout, 'by hand');
	t.true(['ETIMEDOUT', 'EINTR', 'read 7 bytes'].includes(await reader));
	t.is((await run('cat', [hung])).stdout, 'by hand');
});

test('a put that ends before the origin answers is what everybody reads, also who has waited for the origin', async t => {
	const {mount, origin} = await startDrive(t);
	const url = origin.serve('/beaten', {body: 'from the origin', delayMs: 4000});
	const script = 'exec 3< "$1"; echo open; read -r; cat <&3';
	const holder = spawn('bash', ['-c', script, 'bash', mount.path(url)], {stdio: ['pipe', 'pipe', 'ignore']});
	t.teardown(() => holder.kill('SIGKILL'));
	const output = text(holder.stdout);
	await origin.received('/beaten');
	t.is((await put(mount, url, 'by hand')).code, 0);
	await once(holder.stdout, 'readable');
	t.is((await run('cat', [mount.path(url)])).stdout, 'by hand');
	holder.stdin.end('\n');
	t.is(await output, 'open\nby hand');
	t.is((await run('cat', [mount.path(url)])).stdout, 'by hand');
});

test('an empty file copied over an entry empties it or fails: it never says done and leaves the old bytes', async t => {
	const {mount} = await startDrive(t);
	const url = 'http://a.example/emptied';
	for (const script of ['cp /dev/null "$1"', ': > "$1"', 'truncate -s 0 "$1"']) {
		await put(mount, url, 'old');
		const {code} = await sh(script, mount.path(url));
		t.true(code !== 0 || (await run('cat', [mount.path(url)])).stdout === '', script);
	}
});

test('a put that does not fit is EFBIG, and leaves what was there', async t => {
	const {mount, origin} = await startDrive(t, {flags: ['--max-size', '1MB']});
	const [url, other] = [origin.serve('/kept', {size: 100_000}), origin.serve('/other', {size: 100_000})];
	await fetchAll(mount, url, other);
	const {code, stderr} = await put(mount, url, generatedBody(3_000_000));
	t.is(code, 1);
	t.regex(stderr, /File too large/);
	t.is(await reading(mount.path(url)), 'read 100000 bytes');
	t.deepEqual((await listed(mount)).sort(), [url, other].map(encodeURIComponent).sort());
	t.deepEqual((await contentsOf(mount.cacheDir)).leftovers, []);
	t.is(origin.requests.length, 2);
});

test('mkdir, rename, ln, ln -s and mknod are EPERM; chmod, chown and touch -d are accepted', async t => {
	const {mount, origin} = await startDrive(t);
	const [url, other] = [origin.serve('/x', {body: 'x'}), origin.serve('/y', {body: 'y'})];
	const file = mount.path(url);
	await fetchAll(mount, url);
	const directory = path.join(mount.directory, 'by-url');
	t.is(await evaluate('fs.mkdirSync(f)', [`${directory}/folder`]), 'EPERM');
	t.is(await evaluate('fs.mkdirSync(f)', [path.join(mount.directory, '.Trash-0')]), 'EPERM');
	t.is(await evaluate('fs.renameSync(f, g)', [file, mount.path(other)]), 'EPERM');
	t.is(await evaluate('fs.renameSync(f, g)', [file, `${directory}/x.bak`]), 'EPERM');
	t.is(await evaluate('fs.linkSync(f, g)', [file, `${directory}/x.bak`]), 'EPERM');
	t.is(await evaluate('fs.symlinkSync(f, g)', [file, `${directory}/x.bak`]), 'EPERM');
	t.is(await evaluate('fs.writeFileSync(f, "")', [`${directory}/.x.swp`]), 'EPERM');
	t.regex((await run('mkfifo', [`${directory}/fifo`])).stderr, /Operation not permitted/);
	for (const command of [
		['chmod', '600'],
		['chown', '0:0'],
		['touch', '-d', '2020-01-01'],
		['touch', '-m'],
	]) {
		const [program = '', ...args] = command;
		const {code, stderr} = await run(program, [...args, file]);
		t.is(code, 0, `${program}: ${stderr}`);
	}

	t.is((await run('cat', [file])).stdout, 'x');
	t.deepEqual(await listed(mount), [encodeURIComponent(url)]);
	t.is(origin.requestsOf('/y').length, ASKED_BY_LOOKUP);
});
