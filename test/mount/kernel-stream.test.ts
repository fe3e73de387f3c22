/** `--stream-unknown`: what has no length before its end is read while it comes, past the kernel's pages. */
import test, {type ExecutionContext} from 'ava';
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import type {ServerResponse} from 'node:http';
import {open, readFile, writeFile} from 'node:fs/promises';
import path from 'node:path';
import {evaluate, listed, sha256, startDrive, testWith, workDirectory} from '../helpers/drive.js';
import type {Mount, MountOptions} from '../helpers/mount.js';
import {generatedBody, type Behaviour, type Origin} from '../helpers/origin.js';
import {run, sh, type Result} from '../helpers/run.js';
import {until} from '../helpers/until.js';

const BEGINNING = 'first line\n'.repeat(40_000);
const REST = 'last line\n'.repeat(50_000);

interface Started {
	readonly mount: Mount;
	readonly origin: Origin;
}

function start(t: ExecutionContext, options: MountOptions = {}): Promise<Started> {
	return startDrive(t, {flags: ['--stream-unknown'], ...options, transport: 'kernel'});
}

/** A body without a length, whose rest is held back until it is let go, or broken off; after those that come first. */
function heldBack(origin: Origin, first: readonly Behaviour[] = []) {
	const responses: ServerResponse[] = [];
	const handle = (_request: unknown, response: ServerResponse) => {
		responses.push(response);
		response.write(BEGINNING);
	};
	const url = origin.serve('/held', {sequence: first, handle});
	const toEach = (how: (response: ServerResponse) => void) => () => responses.forEach(how);
	return {url, letGo: toEach(response => response.end(REST)), breakOff: toEach(response => response.destroy())};
}

/** `cat`, which is ended with the test: what it has given so far, and how it ends. */
function cat(t: ExecutionContext, file: string) {
	const child = spawn('cat', [file], {env: {...process.env, LC_ALL: 'C.UTF-8'}});
	t.teardown(() => void child.kill('SIGKILL'));
	const output = {stdout: '', stderr: ''};
	child.stdout.on('data', (chunk: Buffer) => (output.stdout += chunk.toString()));
	child.stderr.on('data', (chunk: Buffer) => (output.stderr += chunk.toString()));
	const ended: Promise<Result> = once(child, 'close').then(([code]) => ({
		...output,
		code: (code as number | null) ?? undefined,
	}));
	const gives = (text: string) => until(`cat gives ${text.length} bytes`, () => output.stdout === text);
	return {child, output, ended, gives};
}

function sizeOf(file: string): Promise<string> {
	return evaluate('fs.statSync(f).size', [file]);
}

test.serial(
	'cat has the first bytes while the origin holds the rest back, then all of them; then stat has the size',
	async t => {
		const {mount, origin} = await start(t);
		const {url, letGo} = heldBack(origin);
		const file = mount.path(url);
		const {gives, ended} = cat(t, file);
		await gives(BEGINNING);
		t.is(await sizeOf(file), '0');
		t.deepEqual(await listed(mount), []);
		letGo();
		const {code, stdout, stderr} = await ended;
		t.deepEqual([code, stdout === BEGINNING + REST, stderr], [0, true, '']);
		t.is(await sizeOf(file), String(BEGINNING.length + REST.length));
		t.is((await run('cat', [file])).stdout, BEGINNING + REST);
		t.deepEqual(await listed(mount), [encodeURIComponent(url)]);
		t.is(origin.requests.length, 1);
	},
);

test.serial('a body that breaks off gives cat what came and then EIO, and nothing is stored', async t => {
	const {mount, origin} = await start(t);
	const {url, breakOff} = heldBack(origin);
	const {gives, ended} = cat(t, mount.path(url));
	await gives(BEGINNING);
	breakOff();
	const {code, stdout, stderr} = await ended;
	t.deepEqual([code, stdout.length], [1, BEGINNING.length]);
	t.regex(stderr, /Input\/output error/);
	t.deepEqual(await listed(mount), []);
});

test.serial('readers at the same time share one request, each with all of the bytes, whenever they come', async t => {
	const {mount, origin} = await start(t);
	const size = 3_000_000;
	const url = origin.serve('/shared', {size, chunked: true, rate: 1_500_000});
	const starts = Array.from({length: 8}, (_, index) =>
		sh('sleep "$1"; sha256sum < "$2"', `0.${index * 3}`, mount.path(url)),
	);
	const sums = (await Promise.all(starts)).map(({stdout}) => stdout.slice(0, 64));
	t.deepEqual([...new Set(sums)], [sha256(generatedBody(size))]);
	t.is(origin.requests.length, 1);
});

test.serial('cp, dd, tail, wc and cmp read a stream to its end', async t => {
	const {mount, origin} = await start(t);
	const size = 1_500_003;
	const scripts = [
		'cp "$1" "$2/cp"; sha256sum < "$2/cp"',
		'dd if="$1" bs=1M status=none | sha256sum',
		'test "$(tail -c 1000 "$1" | sha256sum)" = "$(tail -c 1000 "$2/cp" | sha256sum)" && sha256sum < "$2/cp"',
		'test "$(wc -c < "$1")" = 1500003 && sha256sum < "$2/cp"',
		'cmp "$1" "$2/cp" && sha256sum < "$2/cp"',
	];
	const directory = await workDirectory(t);
	for (const [index, script] of scripts.entries()) {
		const url = origin.serve(`/programs/${index}`, {size, chunked: true, rate: 3_000_000});
		t.is((await sh(script, mount.path(url), directory)).stdout.slice(0, 64), sha256(generatedBody(size)), script);
		t.is(origin.requestsOf(`/programs/${index}`).length, 1, script);
	}
});

test.serial('what was told to have a length, and comes without one, is read while it comes', async t => {
	const {mount, origin} = await start(t);
	const {url, letGo} = heldBack(origin, [{size: 9_000_000}]);
	const file = mount.path(url);
	t.is(await sizeOf(file), '9000000');
	await until('its answer has gone', () => origin.openConnections === 0);
	const {gives, ended} = cat(t, file);
	await gives(BEGINNING);
	t.is(await sizeOf(file), '0');
	letGo();
	t.is((await ended).stdout, BEGINNING + REST);
});

test.serial(
	'what is stored, and has changed into what has no length, is read while it comes, and the old bytes by who has them open',
	async t => {
		const {mount, origin} = await start(t, {flags: ['--stream-unknown', '--freshness', '1s']});
		const {url, letGo} = heldBack(origin, [{body: 'old', etag: '"old"'}]);
		const file = mount.path(url);
		t.is((await run('cat', [file])).stdout, 'old');
		const old = await open(file);
		t.teardown(() => old.close());
		const beginning = async () => (await run('head', ['-c', '5', file])).stdout;
		await until('it is stale', async () => (await beginning()) === 'first');
		const {gives, ended} = cat(t, file);
		await gives(BEGINNING);
		t.is(String((await old.read(Buffer.alloc(10), 0, 10, 0)).buffer.subarray(0, 3)), 'old');
		t.is(await sizeOf(file), '0');
		letGo();
		t.is((await ended).stdout, BEGINNING + REST);
		t.is(await sizeOf(file), String(BEGINNING.length + REST.length));
	},
);

testWith(
	['python3'],
	'while its length is unknown, who goes by the size takes it for empty, and a shared mmap is refused',
	async t => {
		const {mount, origin} = await start(t);
		const {url} = heldBack(origin);
		const {gives} = cat(t, mount.path(url));
		await gives(BEGINNING);
		const copy = path.join(await workDirectory(t), 'copy');
		const copyfile = 'import shutil, sys; shutil.copyfile(*sys.argv[1:])';
		t.deepEqual(await run('python3', ['-c', copyfile, mount.path(url), copy]), {code: 0, stdout: '', stderr: ''});
		t.is(await sizeOf(copy), '0');
		const map = `import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap(None, ctypes.c_size_t(4096), 1, 1, os.open(sys.argv[1], os.O_RDONLY), ctypes.c_long(0))
print(os.strerror(ctypes.get_errno()))`;
		t.is((await run('python3', ['-c', map, mount.path(url)])).stdout, 'No such device\n');
	},
);

test.serial('a reader that is interrupted or killed ends at once, and others read on', async t => {
	const {mount, origin} = await start(t);
	const {url, letGo} = heldBack(origin);
	const [stays, ...leave] = Array.from({length: 3}, () => cat(t, mount.path(url)));
	for (const {gives} of leave) await gives(BEGINNING);
	leave.forEach(({child}, index) => child.kill(index === 0 ? 'SIGINT' : 'SIGKILL'));
	for (const {ended} of leave) t.is((await ended).code, undefined);
	letGo();
	const {code, stdout} = (await stays?.ended) ?? {};
	t.deepEqual([code, stdout === BEGINNING + REST], [0, true]);
	t.is(origin.requests.length, 1);
});

test.serial('a stream that grows larger than max-file-size fails its reader with EFBIG', async t => {
	const {mount, origin} = await start(t, {flags: ['--stream-unknown', '--max-file-size', '1MB']});
	const url = origin.serve('/large', {size: 3_000_000, chunked: true, rate: 3_000_000});
	const {code, stderr} = await sh('cat "$1" > /dev/null', mount.path(url));
	t.is(code, 1);
	t.regex(stderr, /File too large/);
});

for (const [said, isStreamed] of [
	['stream-unknown: true', true],
	['{}', false],
] as const) {
	test.serial(
		`of a host the configuration file says ${said}: its body is ${isStreamed ? '' : 'not '}read while it comes`,
		async t => {
			const config = path.join(await workDirectory(t), 'larder.yaml');
			await writeFile(config, said === '{}' ? said : `hosts:\n  127.0.0.1: {${said}}\n`);
			const {mount, origin} = await start(t, {flags: ['--config', config]});
			const {url, letGo} = heldBack(origin);
			const {output, gives, ended} = cat(t, mount.path(url));
			if (isStreamed) await gives(BEGINNING);
			const downloads = path.join(mount.directory, 'downloads.json');
			await until('it is there', async () => (await readFile(downloads, 'utf8')).includes(String(BEGINNING.length)));
			t.is(output.stdout, isStreamed ? BEGINNING : '');
			letGo();
			t.is((await ended).stdout, BEGINNING + REST);
		},
	);
}

test.serial('over fuse-native the end is waited for, and one line says so', async t => {
	const {mount, origin} = await startDrive(t, {flags: ['--stream-unknown'], transport: 'fuse-native'});
	const url = origin.serve('/a', {size: 1_000_000, chunked: true});
	t.is(await evaluate('fs.readFileSync(f).length', [mount.path(url)]), '1000000');
	t.is(mount.logLines.filter(line => line.includes('files of unknown length are not streamed')).length, 1);
});
