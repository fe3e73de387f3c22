/** An origin that sends what is no file: through the kernel each has its errno and one line in the log, and nothing of it is kept. */
import {readFile} from 'node:fs/promises';
import path from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {keptFiles} from '../helpers/cache.js';
import {contentsOf, evaluate, filesOf, listed, sha256} from '../helpers/drive.js';
import {hostileAnswers, ODD_ANSWERS} from '../helpers/hostile-answers.js';
import {Mount} from '../helpers/mount.js';
import {RawOrigin} from '../helpers/raw-origin.js';
import {until} from '../helpers/until.js';

const FLAGS = ['--deny-hosts', '127.0.0.2/32', '--max-size', '8MB', '--retries', '0'];
/** Long enough for a busy machine, and short enough for what runs into them. */
const DEADLINES = ['--headers-timeout', '1s', '--idle-timeout', '1s'];
/** What all of it may cost a daemon that was just started. A bomb holds four times as much. */
const MAX_GROWTH_BYTES = 128 * 1024 * 1024;
/** A drive that is held up by one origin would take a deadline. */
const AT_ONCE_MS = 5000;

/** Reads each file in turn: its first bytes, or the code of the error; and how long each took. */
const READ_EACH = `JSON.stringify(JSON.parse(f).map(file => {
	const began = performance.now();
	let outcome;
	try { outcome = fs.readFileSync(file).toString('latin1', 0, 100); } catch (error) { outcome = error.code; }
	return {outcome, tookMs: performance.now() - began};
}))`;

interface Outcome {
	readonly outcome: string;
	readonly tookMs: number;
}

test('each hostile answer has its errno and one line, and leaves neither bytes nor a daemon that is slower or larger', async t => {
	const {mount, origin, rows, denied} = await start(t);
	const before = await residentPeak(mount);
	const pairs = rows.map(
		([, {path}]) => [secret(origin, path), origin.serve(`/good${path}`, good(`/good${path}`))] as const,
	);
	const outcomes = await readAll(mount, pairs.flat());

	const seen = rows.map(([what], index) => `${what}: ${outcomes[2 * index]?.outcome}`);
	t.deepEqual(
		seen,
		rows.map(([what, {errno}]) => `${what}: ${errno}`),
	);
	for (const [index, [what, {path}]] of rows.entries()) {
		const after = outcomes[2 * index + 1];
		t.is(after?.outcome, `/good${path}`, `after ${what}`);
		t.true((after?.tookMs ?? Infinity) < AT_ONCE_MS, `${after?.tookMs} ms after ${what}`);
	}

	assertLines(t, mount, origin, rows);
	await assertKept(
		t,
		mount,
		pairs.map(([, url]) => url),
	);
	t.is(denied.connections, 0);
	t.true((await residentPeak(mount)) - before < MAX_GROWTH_BYTES);
	t.is(await mount.stop(), 0);
});

test('an odd answer is stored as it came, and unpacks nothing', async t => {
	const origin = await RawOrigin.start(t);
	const mount = await Mount.start(t, {flags: FLAGS});
	const before = await residentPeak(mount);
	const rows = Object.entries(ODD_ANSWERS).map(([what, row], index) => ({
		what,
		...row,
		url: origin.serve(`/${index}`, row.answer),
	}));
	const sizes = await evaluate(
		'JSON.stringify(JSON.parse(f).map(file => [fs.readFileSync(file).length, fs.statSync(file).size]))',
		[JSON.stringify(rows.map(({url}) => mount.path(url)))],
	);
	t.deepEqual(
		JSON.parse(sizes),
		rows.map(({body}) => [body.byteLength, body.byteLength]),
	);
	for (const {what, url, body} of rows) t.true(body.equals(await readFile(filesOf(mount.cacheDir, url).data)), what);
	t.true((await residentPeak(mount)) - before < MAX_GROWTH_BYTES);
	t.notRegex(mount.log, CONTROL);
	t.deepEqual((await listed(mount)).sort(), rows.map(({url}) => encodeURIComponent(url)).sort());
});

// eslint-disable-next-line no-control-regex -- they are what must not be there
const CONTROL = /[\x00-\x09\x0b-\x1f\x7f-\x9f]/;

/** The rows, served; each path is that of its row. */
async function start(t: ExecutionContext) {
	const origin = await RawOrigin.start(t);
	const denied = await RawOrigin.start(t, '127.0.0.2');
	const mount = await Mount.start(t, {flags: [...FLAGS, ...DEADLINES]});
	for (let hop = 0; hop < 20; hop++) {
		origin.serve(`/hop/${hop}`, `HTTP/1.1 302 Found\r\nLocation: /hop/${hop + 1}\r\nContent-Length: 0\r\n\r\n`);
	}

	const targets = {denied: denied.url('/x'), endless: '/hop/0', missing: origin.url('/missing')};
	const names = Object.keys(hostileAnswers({denied: '', endless: '', missing: '', self: ''}));
	const rows = names.flatMap((what, index) => {
		const path = `/row/${index}`;
		const row = hostileAnswers({...targets, self: path})[what];
		if (row === undefined) return [];
		origin.serve(path, row.answer);
		return [[what, {path, ...row}] as const];
	});
	return {mount, origin, denied, rows};
}

function good(body: string): string {
	return `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

function secret(origin: RawOrigin, path: string): string {
	return `http://me:sesame@${origin.host}${path}?token=sesame`;
}

async function readAll(mount: Mount, urls: readonly string[]): Promise<Outcome[]> {
	const files = JSON.stringify(urls.map(url => mount.path(url)));
	return JSON.parse(await evaluate(READ_EACH, [files], {deadlineMs: 60_000})) as Outcome[];
}

type Rows = Awaited<ReturnType<typeof start>>['rows'];

function assertLines(t: ExecutionContext, mount: Mount, origin: RawOrigin, rows: Rows): void {
	const lines = mount.logLines.map(line => JSON.parse(line) as {level: string; msg: string; subject?: string});
	for (const [what, {path, line}] of rows) {
		const url = origin.url(path);
		const about = lines.filter(({level, subject}) => level === 'warn' && subject?.endsWith(url));
		t.is(about.length, 1, what);
		t.true(about[0]?.msg.includes(line.replace('URL', url)), `${what}: ${about[0]?.msg}`);
	}

	t.notRegex(mount.log, /sesame|me:/);
	t.notRegex(mount.log, CONTROL);
}

/** The good ones alone are there, and nothing that a next reader would go on with. */
async function assertKept(t: ExecutionContext, mount: Mount, urls: readonly string[]): Promise<void> {
	const keys = urls.map(sha256).sort();
	await until('nothing is on its way', async () => (await contentsOf(mount.cacheDir)).leftovers.length === 0);
	t.deepEqual(keptFiles(mount.cacheDir), []);
	t.deepEqual((await listed(mount, 'by-key')).sort(), keys);
	const files = keys.flatMap(key => [`${key}.dat`, `${key}.json`]);
	t.deepEqual((await contentsOf(mount.cacheDir)).entries, files.sort());
}

/** The most memory that the daemon had so far. */
async function residentPeak(mount: Mount): Promise<number> {
	const status = await readFile(path.join('/proc', String(mount.pid), 'status'), 'utf8');
	return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}
