/** What looking a name up does over a transport that can wait for an origin there: `stat` is honest. */
import test, {type ExecutionContext} from 'ava';
import {spawn, type ChildProcess} from 'node:child_process';
import {once} from 'node:events';
import type {ServerResponse} from 'node:http';
import {readFile, writeFile} from 'node:fs/promises';
import path from 'node:path';
import {evaluate, fetchAll, listed, put, reading, startDrive, startOrigin, workDirectory} from '../helpers/drive.js';
import {larder, type Mount, type MountOptions} from '../helpers/mount.js';
import {Origin} from '../helpers/origin.js';
import {run, sh} from '../helpers/run.js';
import {until} from '../helpers/until.js';
import {ANSWER_WAITS_MS, SIZE_KNOWN_MS, within} from '../helpers/within.js';

/** What has waited for an origin takes a second; what has not is done before. */
const AT_ONCE_MS = 800;
/** A second, and a busy machine. */
const LATE_MS = 2500;
/** So long a lookup waits for an origin. */
const LOOKUP_MS = 1000;
const PATIENT = ['--open-timeout', '60s', '--read-timeout', '60s', '--headers-timeout', '60s', '--idle-timeout', '60s'];
const MODIFIED = new Date('2024-05-06T07:08:09Z');
const FILM = {size: 100_000_000, etag: '"film"', ranges: true} as const;

function start(t: ExecutionContext, options: MountOptions = {}): Promise<{mount: Mount; origin: Origin}> {
	return startDrive(t, {...options, transport: 'kernel'});
}

/** What stat(2) says: size, mode and mtime; or the code of the error. */
function statOf(file: string): Promise<string> {
	const facts = '`${s.size} ${(s.mode & 0o777).toString(8)} ${s.mtimeMs / 1000}`';
	return evaluate(`(s => ${facts})(fs.statSync(f))`, [file]);
}

function sizeOf(file: string): Promise<string> {
	return evaluate('fs.statSync(f).size', [file]);
}

/** What an expression gives, and how many milliseconds it took. */
async function timed(expression: string, file: string): Promise<{value: string; ms: number}> {
	const body = `let value; const from = performance.now();
		try { value = ${expression}; } catch (error) { value = error.code; }
		return [value, performance.now() - from].join(' ');`;
	const [value = '', ms] = (await evaluate(`(() => { ${body} })()`, [file])).split(' ');
	return {value, ms: Number(ms)};
}

/** Holds answers back until it is told to give them. */
function gate() {
	const waiting: ServerResponse[] = [];
	let isOpen = false;
	const answer = (response: ServerResponse) => response.setHeader('Content-Length', 5).end('hello');
	return {
		waiting,
		handle: (_request: unknown, response: ServerResponse) => {
			if (isOpen) answer(response);
			else waiting.push(response);
		},
		open: () => {
			isOpen = true;
			waiting.forEach(answer);
		},
	};
}

/** The function of the kernel in which a process waits. */
function waitsIn({pid}: ChildProcess): Promise<string> {
	return readFile(`/proc/${pid}/wchan`, 'utf8').catch(() => '');
}

async function asksTheDrive(child: ChildProcess): Promise<boolean> {
	return (await waitsIn(child)) === 'request_wait_answer' || child.exitCode !== null;
}

interface Download {
	readonly readers: number;
	readonly bytes: number;
	readonly state: string;
}

async function downloads(mount: Mount): Promise<Download[]> {
	return JSON.parse(await readFile(path.join(mount.directory, 'downloads.json'), 'utf8')) as Download[];
}

for (const size of [5, 300_000, 3_000_000, 100_000_000]) {
	test.serial(
		`${size} bytes that are not stored: stat tells size and time, and cat makes no other request`,
		async t => {
			const {mount, origin} = await start(t);
			const url = origin.serve('/a', {size, lastModified: MODIFIED, etag: '"a"', ranges: true});
			const {stdout, stderr} = await sh('stat -c "%s %a %Y" "$1" && cat "$1" | wc -c', mount.path(url));
			t.deepEqual(stdout.split('\n'), [`${size} 644 ${MODIFIED.getTime() / 1000}`, String(size), ''], stderr);
			t.deepEqual(
				origin.requests.map(({method}) => method),
				['GET'],
			);
			t.is((await mount.stats())['misses'], 1);
		},
	);
}

test.serial('what is only looked at is fetched no further than its beginning, and its connection ends', async t => {
	const {mount, origin} = await start(t);
	const urls = [{...FILM}, {size: 3_000_000}, {size: 100_000_000}].map((what, index) =>
		origin.serve(`/${index}`, what),
	);
	let isKnown = within(SIZE_KNOWN_MS);
	for (const url of urls) {
		isKnown = within(SIZE_KNOWN_MS);
		t.not(await sizeOf(mount.path(url)), '0');
	}

	await origin.disconnected();
	const {downloaded_bytes: bytes = Infinity} = await mount.stats();
	t.true(bytes < 3 * 600_000, `${bytes} bytes`);
	await until('none goes on', async () => (await downloads(mount)).length === 0);
	t.deepEqual(await listed(mount), []);
	const size = await sizeOf(mount.path(urls.at(-1) ?? ''));
	if (isKnown()) t.deepEqual([size, origin.requests.length], ['100000000', 3]);
});

test.serial('what an origin has not is not there, and is asked for once; a put is, at once', async t => {
	const {mount, origin} = await start(t);
	for (const status of [404, 410]) {
		const url = origin.serve(`/${status}`, {status});
		for (const _ of [1, 2]) t.is(await statOf(mount.path(url)), 'ENOENT');
		t.is(await reading(mount.path(url)), 'ENOENT');
		t.is(origin.requestsOf(`/${status}`).length, 1);
		t.is((await put(mount, url, 'mine')).code, 0);
		t.is(await sizeOf(mount.path(url)), '4');
		t.is(origin.requestsOf(`/${status}`).length, 1);
	}
});

test.serial('where an origin says nothing of use a file has 0 bytes, its open says why, and a put works', async t => {
	const {mount, origin} = await start(t);
	const refused = `${await Origin.refused()}x`;
	const cases = [
		[origin.serve('/500', {status: 500}), 'EIO'],
		[origin.serve('/403', {status: 403}), 'EACCES'],
		[refused, 'EHOSTUNREACH'],
	] as const;
	const source = path.join(await workDirectory(t), 'mine');
	await writeFile(source, 'mine');
	for (const [url, code] of cases) {
		t.is(await sizeOf(mount.path(url)), '0');
		t.is(await reading(mount.path(url)), code);
		t.is((await run('cp', [source, mount.path(url)])).stderr, '');
		t.is(await reading(mount.path(url)), 'read 4 bytes');
	}
});

test.serial('offline nothing is asked: what is not stored has 0 bytes, and a put works', async t => {
	const {mount, origin} = await start(t, {flags: ['--offline']});
	const url = origin.serve('/a', {body: 'hello'});
	t.is(await sizeOf(mount.path(url)), '0');
	t.is((await put(mount, url, 'mine')).code, 0);
	t.is(await sizeOf(mount.path(url)), '4');
	t.is(origin.connections, 0);
});

test.serial('a lookup waits a second for an origin, and the open that follows has its answer', async t => {
	const {mount, origin} = await start(t, {flags: PATIENT});
	const {handle, open} = gate();
	const url = origin.serve('/late', {handle});
	const cat = run('cat', [mount.path(url)]);
	await until('cat waits in its open', async () => (await downloads(mount)).some(({readers}) => readers === 1));
	open();
	t.is((await cat).stdout, 'hello');
	t.is(origin.requests.length, 1);
});

test.serial('an origin that hangs makes stat wait a second, and a put no longer', async t => {
	const {mount, origin} = await start(t, {flags: PATIENT});
	const url = origin.serve('/hung', {hang: true});
	const first = await timed('fs.statSync(f).size', mount.path(url));
	t.is(first.value, '0');
	t.true(first.ms > 900 && first.ms < LATE_MS, `${first.ms} ms`);
	const again = await timed('fs.statSync(f).size', mount.path(url));
	t.true(again.ms < AT_ONCE_MS, `${again.ms} ms`);
	const other = origin.serve('/hung/too', {hang: true});
	const {value, ms} = await timed('(fs.writeFileSync(f, "mine"), fs.readFileSync(f, "utf8"))', mount.path(other));
	t.is(value, 'mine');
	t.true(ms < LATE_MS, `${ms} ms`);
});

for (const signal of ['SIGINT', 'SIGKILL'] as const) {
	test.serial(`${signal} ends a stat that waits for an origin, and its request`, async t => {
		const {mount, origin} = await start(t, {flags: PATIENT});
		const child = spawn('stat', [mount.path(origin.serve('/hung', {hang: true}))], {stdio: 'ignore'});
		const exited = once(child, 'exit');
		await origin.received('/hung');
		const from = performance.now();
		child.kill(signal);
		t.deepEqual(await exited, [null, signal]);
		t.log(`after ${(performance.now() - from).toFixed()} ms`);
		t.true(performance.now() - from < AT_ONCE_MS);
		await origin.disconnected();
		t.deepEqual(await downloads(mount), []);
	});
}

test.serial('of two who ask the same the one that is killed does not take the answer from the other', async t => {
	const {mount, origin} = await start(t);
	const {handle, open} = gate();
	const file = mount.path(origin.serve('/a', {handle}));
	const stat = (name: string) => spawn('stat', ['-c', '%s', name], {stdio: ['ignore', 'pipe', 'ignore']});
	// By two names: of those who ask for the same one the kernel lets one through.
	const [killed, other] = [stat(file), stat(file.replace('%3A', ':'))];
	const said = once(other.stdout, 'data');
	const exited = once(killed, 'exit');
	await until('both wait', async () => (await asksTheDrive(killed)) && (await asksTheDrive(other)));
	await origin.received('/a');
	killed.kill('SIGKILL');
	await exited;
	open();
	// 0 where this machine was so busy that the second was over.
	t.regex(String(await said), /^[05]\n$/);
	t.is(origin.requests.length, 1);
});

test.serial('16 that are looked at together are asked for together', async t => {
	const {mount, origin} = await start(t);
	// Answers none before it was asked for all, so that one after another they would all be late.
	const {handle, open, waiting} = gate();
	const gated = (request: unknown, response: ServerResponse) => {
		handle(request, response);
		if (waiting.length === 16) open();
	};
	const files = Array.from({length: 16}, (_, index) => mount.path(origin.serve(`/${index}`, {handle: gated})));
	const all = 'Promise.all(JSON.parse(f).map(async name => (await fs.promises.stat(name)).size))';
	const sizes = await evaluate(all, [JSON.stringify(files)], {env: {UV_THREADPOOL_SIZE: '16'}});
	t.is(sizes, Array.from(files, () => 5).join());
	t.is(origin.requests.length, 16);
});

test.serial('a lookup that waits for an origin and an rm keep ls waiting for a second at most', async t => {
	const {mount, origin} = await start(t, {flags: PATIENT});
	const stored = origin.serve('/stored', {body: 'hello'});
	await fetchAll(mount, stored);
	const looking = statOf(mount.path(origin.serve('/hung', {hang: true})));
	await origin.received('/hung');
	const removing = spawn('rm', [mount.path(stored)], {stdio: 'ignore'});
	const removed = once(removing, 'exit');
	await until('rm waits', async () => (await waitsIn(removing)).startsWith('rwsem') || removing.exitCode !== null);
	const {ms} = await timed('fs.readdirSync(f).length', path.join(mount.directory, 'by-url'));
	t.log(`${ms.toFixed()} ms`);
	t.true(ms < LATE_MS, `${ms} ms`);
	t.deepEqual(await removed, [0, null]);
	t.is((await looking).split(' ')[0], '0');
});

test.serial('listing, finding and completing ask for nothing, nor do names that are no URL', async t => {
	const {mount, origin} = await start(t);
	const urls = ['/a', '/b'].map(name => origin.serve(name, {body: 'hello'}));
	await fetchAll(mount, ...urls);
	const {requests} = origin;
	const before = requests.length;
	for (const url of urls) await run('rm', [mount.path(url)]);
	await fetchAll(mount, ...urls);
	t.is(requests.length, before + 2);
	const script = `cd "$1"; ls -la . by-url by-key; find . -type f -size +1c; compgen -f by-url/; echo by-url/http*
		for name in .Trash .hidden autorun.inf .xdg-volume-info http:/x https%3A ftp:%2F%2Fa.example%2Fx; do ls by-url/$name; done`;
	const {stderr} = await sh(script, mount.directory);
	t.is(stderr.match(/No such file/g)?.length, 7, stderr);
	t.is(requests.length, before + 2);
});

test.serial('a download that has all the slots of its host keeps no stat waiting', async t => {
	const {mount, origin} = await start(t, {flags: [...PATIENT, '--max-downloads-per-host', '1']});
	const slow = origin.serve('/slow', {...FILM, stallAt: 1_000_000});
	const reader = spawn('cat', [mount.path(slow)], {stdio: 'ignore'});
	t.teardown(() => reader.kill('SIGKILL'));
	await until('it has the slot', async () => (await downloads(mount)).some(({bytes}) => bytes >= 1_000_000));
	const films = ['/1', '/2', '/3', '/4'].map(name => origin.serve(name, FILM));
	const sizes = [];
	for (const url of films) sizes.push(await sizeOf(mount.path(url)));
	// Who had to wait for the slot would be late each time; on a busy machine one may be.
	t.true(sizes.includes('100000000'), String(sizes));
});

test.serial('what was looked at and waits for a reader keeps no reader of its host waiting', async t => {
	const {mount, origin} = await start(t, {flags: [...PATIENT, '--max-downloads-per-host', '1']});
	const look = 'JSON.parse(f).forEach(name => fs.statSync(name))';
	const read = 'fs.readSync(fs.openSync(g), Buffer.alloc(9), 0, 9, 50000000)';
	const body = `(() => { ${look}; const from = performance.now(); return [${read}, performance.now() - from]; })()`;
	// Who had to wait would do so each time; a busy machine does not.
	const times: number[] = [];
	for (const attempt of ['a', 'b', 'c']) {
		const [film, ...looked] = ['1', '2', '3'].map(name => mount.path(origin.serve(`/${attempt}${name}`, FILM)));
		const [bytes, ms] = (await evaluate(body, [JSON.stringify(looked), film ?? ''])).split(',');
		t.is(bytes, '9');
		times.push(Number(ms));
	}

	t.true(Math.min(...times) < AT_ONCE_MS, `${times.join()} ms`);
});

test.serial('what is looked at and not read keeps 16 connections to its host at most', async t => {
	const {mount, origin} = await start(t);
	const files = Array.from({length: 40}, (_, index) => mount.path(origin.serve(`/${index}`, {size: 50_000_000})));
	let most = 0;
	const watching = setInterval(() => {
		most = Math.max(most, origin.openConnections);
	}, 1);
	t.teardown(() => clearInterval(watching));
	const sizes = await evaluate('JSON.parse(f).map(name => fs.statSync(name).size)', [JSON.stringify(files)]);
	t.is(sizes, Array.from(files, () => 50_000_000).join());
	t.log(`${most} connections`);
	t.true(most <= 18, `${most} connections`);
});

for (const size of [300_000, 3_000_001, 7_000_000]) {
	test.serial(`what has changed to ${size} bytes since it was looked at is read as it is now`, async t => {
		const {mount, origin} = await start(t);
		const read = '(fd => [fs.fstatSync(fd).size, fs.readFileSync(fd).length])(fs.openSync(f))';
		const afterChange = async (name: string, how: string) => {
			const url = origin.serve(`/${name}`, {size: 5_000_000, etag: '"1"', ranges: true});
			t.is(await sizeOf(mount.path(url)), '5000000');
			await origin.disconnected();
			origin.serve(`/${name}`, {size, etag: '"2"', ranges: true});
			const result = await evaluate(how, [mount.path(url)]);
			t.is(await sizeOf(mount.path(url)), String(size));
			return result;
		};
		// Without asking for its size before.
		const blindly = `(fd => { let sum = 0, n; const some = Buffer.alloc(100_000);
			while ((n = fs.readSync(fd, some)) > 0) sum += n; return [sum, fs.fstatSync(fd).size]; })(fs.openSync(f))`;
		// Its end as it was, its end as it is; and the size.
		const places = `(fd => [4_900_000, ${size - 50_001}]
			.map(at => fs.readSync(fd, Buffer.alloc(100_000), 0, 100_000, at) - 50_000)
			.concat(fs.fstatSync(fd).size))(fs.openSync(f))`;
		t.is(await afterChange('places', places), `${size < 4_900_000 ? -50_000 : 50_000},1,${size}`);
		for (const [name, how] of Object.entries({read, blindly})) {
			t.is(await afterChange(name, how), `${size},${size}`, name);
		}
	});
}

test.serial('where only the end tells the length, a short body has it, a long one 0 until it was read', async t => {
	const {mount, origin} = await start(t);
	const [short, long] = [
		origin.serve('/short', {body: 'hello', chunked: true}),
		origin.serve('/long', {size: 2_000_000, chunked: true}),
	];
	t.is(await sizeOf(mount.path(short)), '5');
	const isWaiting = within(ANSWER_WAITS_MS);
	const {value, ms} = await timed('fs.statSync(f).size', mount.path(long));
	t.is(value, '0');
	t.true(ms < AT_ONCE_MS, `${ms} ms`);
	t.is(await reading(mount.path(long)), 'read 2000000 bytes');
	const requests = origin.requestsOf('/long').length;
	t.true(requests === 1 || (requests === 2 && !isWaiting()), `${requests} requests`);
	t.is(await sizeOf(mount.path(long)), '2000000');
	t.is(origin.requestsOf('/long').length, requests);
});

test.serial('what has moved for good is asked for once, and once where it has moved to', async t => {
	const {mount, origin} = await start(t);
	const url = origin.serve('/old', {status: 301, redirect: '/new'});
	origin.serve('/new', {size: 400_000});
	// Node would take a second to start on a busy machine, and the answer waits no longer.
	const isInTime = within(LOOKUP_MS);
	const {stdout} = await sh('stat -c %s "$1" && wc -c <"$1"', mount.path(url));
	t.regex(stdout, isInTime() ? /^400000\n400000\n$/ : /^(400000|0)\n400000\n$/);
	t.deepEqual(
		origin.requests.map(request => request.path),
		['/old', '/new'],
	);
});

test.serial('what is only looked at is neither stored nor listed, and cannot be removed', async t => {
	const {mount, origin} = await start(t);
	for (const what of [{body: 'hello'}, {body: 'hello', chunked: true}, FILM] as const) {
		const url = origin.serve('/a', what);
		t.not(await sizeOf(mount.path(url)), '0');
		t.is((await run('touch', [mount.path(url)])).stderr, '');
		t.deepEqual([await listed(mount), await listed(mount, 'by-key')], [[], []]);
		t.regex((await run('rm', [mount.path(url)])).stderr, /No such file/);
	}
});

test.serial('rsync --inplace puts a file in the place of one that is not stored', async t => {
	const {mount, origin} = await start(t);
	const url = origin.serve('/a', {size: 300_000, lastModified: MODIFIED});
	const source = path.join(await workDirectory(t), 'mine');
	await writeFile(source, 'mine');
	// As rsync writes: without truncating first.
	const {code, stderr} = await run('dd', [`if=${source}`, `of=${mount.path(url)}`, 'conv=notrunc', 'status=none']);
	t.is(code, 0, stderr);
	t.is((await run('cat', [mount.path(url)])).stdout, 'mine');
});

test.serial('the kernel remembers what is no name, and asks the drive no more', async t => {
	const {mount} = await start(t);
	t.teardown(() => process.kill(mount.pid, 'SIGCONT'));
	const look = '(() => { try { fs.statSync(f) } catch (error) { return error.code } })()';
	const whileStopped = `[${look}, process.kill(+g, 'SIGSTOP'), ${look}, process.kill(+g, 'SIGCONT')]`;
	const name = path.join(mount.directory, 'by-url', '.hidden');
	t.is(await evaluate(whileStopped, [name, String(mount.pid)]), 'ENOENT,true,ENOENT,true');
	t.is(await evaluate('fs.writeFileSync(f, "x")', [name]), 'EPERM');
});

test.serial('over fuse-native a lookup asks nobody', async t => {
	const origin = await startOrigin(t);
	const {mount} = await startDrive(t, {transport: 'fuse-native'});
	t.is(await sizeOf(mount.path(origin.serve('/a', {body: 'hello'}))), '0');
	t.is(origin.connections, 0);
});

test('who looks again at what others have evicted is told what its origin has now', async t => {
	const {mount, origin} = await start(t);
	const [url, gone] = [origin.serve('/a', {body: 'first'}), origin.serve('/gone', {body: 'first'})];
	for (const each of [url, gone]) {
		await fetchAll(mount, each);
		t.is(await sizeOf(mount.path(each)), '5');
	}

	origin.serve('/a', {body: 'second'});
	origin.serve('/gone', {status: 404});
	t.is((await larder('rm', '--cache-dir', mount.cacheDir, url, gone)).code, 0);
	await until('it is told', async () => (await sizeOf(mount.path(url))) === '6', 5000);
	await until('it is not there', async () => (await sizeOf(mount.path(gone))) === 'ENOENT', 5000);
	t.is(origin.requestsOf('/a').length, 2);
	t.is(await readFile(mount.path(url), 'utf8'), 'second');
	t.is(origin.requestsOf('/a').length, 2);
});
