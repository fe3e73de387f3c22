/** The process that downloads for all is killed, stopped, or merely slow. */
import {spawn, type ChildProcess} from 'node:child_process';
import {once} from 'node:events';
import {createInterface} from 'node:readline';
import test, {type ExecutionContext} from 'ava';
import type {UrlCache} from '../../src/library/open.js';
import {failsWith, leftovers, MIB, temporaryDirectory} from '../helpers/cache.js';
import {checkedBody, versionOf} from '../helpers/checked-body.js';
import {ORIGIN_VERSION, serveChecked} from '../helpers/checked-origin.js';
import {startOrigin} from '../helpers/drive.js';
import type {Origin} from '../helpers/origin.js';
import {openSizedCache} from '../helpers/sized-cache.js';
import {until} from '../helpers/until.js';

const PROGRAM = new URL('../helpers/fetching-process.js', import.meta.url).pathname;
const LIMIT_BYTES = 64 * MIB;
const LENGTH = 2_000_000;
/** An owner is silent after 5 s. */
const SILENT_DEADLINE_MS = 9000;

/** A process that reads a URL, gone with the test, and what it has said. */
class Reader {
	readonly lines: string[] = [];
	readonly exited: Promise<number | null>;
	readonly #child: ChildProcess;

	constructor(t: ExecutionContext, directory: string, url: string) {
		const child = spawn(process.execPath, [PROGRAM, directory, url], {stdio: ['ignore', 'pipe', 'inherit']});
		createInterface({input: child.stdout}).on('line', line => this.lines.push(line));
		this.#child = child;
		this.exited = once(child, 'exit').then(([code]) => code as number | null);
		t.teardown(() => this.end('SIGKILL'));
	}

	async said(line: string): Promise<void> {
		await until(`it says ${line}`, () => this.lines.includes(line), 20_000);
	}

	signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
		this.#child.kill(signal);
	}

	async end(signal: 'SIGKILL'): Promise<void> {
		if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill(signal);
		await this.exited;
	}
}

async function openBeside(t: ExecutionContext, directory: string): Promise<UrlCache> {
	const cache = openSizedCache(directory, LIMIT_BYTES);
	t.teardown(() => cache.close());
	await cache.load();
	return cache;
}

async function versionIn(cache: UrlCache, url: string): Promise<string | undefined> {
	const version = await cache.open(url);
	try {
		const bytes = Buffer.alloc(version.sizeBytes);
		await version.read(bytes, 0);
		return versionOf(bytes, url);
	} finally {
		version.close();
	}
}

/** Answers the first request with half a body, whose rest the test lets come; the others at once. */
function serveHalf(origin: Origin): {url: string; letRestCome: () => void} {
	const url = origin.url('/half');
	const body = checkedBody(url, ORIGIN_VERSION, LENGTH);
	let letRestCome: () => void = () => undefined;
	const rest = new Promise<void>(resolve => (letRestCome = resolve));
	let requests = 0;
	origin.serve('/half', {
		handle(_request, response) {
			response.writeHead(200, {'content-length': body.length});
			if (++requests > 1) return void response.end(body);
			response.write(body.subarray(0, body.length / 2));
			void rest.then(() => response.end(body.subarray(body.length / 2)));
		},
	});
	return {url, letRestCome};
}

test.serial(
	'when the owner is killed before the first byte who waits for it takes over within two seconds',
	async t => {
		const [directory, origin] = [temporaryDirectory(t), await startOrigin(t)];
		const url = serveChecked(origin, '/hung', LENGTH, {}, [{hang: true}]);
		const owner = new Reader(t, directory, url);
		await origin.received('/hung');
		const cache = await openBeside(t, directory);
		const reading = versionIn(cache, url);
		await until('it follows', () => cache.stats().hits === 1);
		await owner.end('SIGKILL');
		const killedAt = performance.now();
		await origin.received('/hung', 2);
		t.true(performance.now() - killedAt < 2000);
		t.is(await reading, ORIGIN_VERSION);
		t.is(origin.requests.length, 2);
		await until('nothing is left over of it', async () => {
			const beside = await openBeside(t, directory);
			await beside.close();
			return leftovers(directory).length === 0;
		});
	},
);

test.serial('when the owner is killed on the way who has begun to read goes on, and reads all', async t => {
	const [directory, origin] = [temporaryDirectory(t), await startOrigin(t)];
	const {url} = serveHalf(origin);
	const owner = new Reader(t, directory, url);
	await owner.said('begun');
	const cache = await openBeside(t, directory);
	const version = await cache.open(url);
	const bytes = Buffer.alloc(version.sizeBytes);
	await version.read(bytes.subarray(0, LENGTH / 4), 0);
	t.is(origin.requests.length, 1);
	await owner.end('SIGKILL');
	await version.read(bytes.subarray(LENGTH / 4), LENGTH / 4);
	t.is(versionOf(bytes, url), ORIGIN_VERSION);
	t.is(origin.requests.length, 2);
	version.close();
	t.is(await versionIn(cache, url), ORIGIN_VERSION);
	t.is(origin.requests.length, 2);
});

test.serial(
	'when the owner is killed and the origin has other bytes by then, who has begun to read never gets them',
	async t => {
		const [directory, origin] = [temporaryDirectory(t), await startOrigin(t)];
		const url = origin.url('/changed');
		const [before, after] = ['before', 'afters'].map(version => checkedBody(url, version, LENGTH)) as [Buffer, Buffer];
		origin.serve('/changed', {body: after, sequence: [{body: before, stallAt: LENGTH / 2}]});
		const owner = new Reader(t, directory, url);
		await owner.said('begun');
		const cache = await openBeside(t, directory);
		const version = await cache.open(url);
		t.is(version.sizeBytes, after.length);
		const bytes = Buffer.alloc(LENGTH / 4);
		await version.read(bytes, 0);
		await owner.end('SIGKILL');
		await failsWith(t, 'origin-failed', version.read(Buffer.alloc(10), LENGTH - 10));
		const again = Buffer.alloc(LENGTH / 4);
		await version.read(again, 0);
		t.true(again.equals(bytes) && before.subarray(0, LENGTH / 4).equals(bytes));
		version.close();
		t.is(await versionIn(cache, url), 'afters');
	},
);

test.serial('an owner that is stopped is not waited for: who reads goes on, and so does the owner later', async t => {
	const [directory, origin] = [temporaryDirectory(t), await startOrigin(t)];
	const {url, letRestCome} = serveHalf(origin);
	const owner = new Reader(t, directory, url);
	await owner.said('begun');
	const cache = await openBeside(t, directory);
	const version = await cache.open(url);
	const bytes = Buffer.alloc(version.sizeBytes);
	await version.read(bytes.subarray(0, LENGTH / 4), 0);
	owner.signal('SIGSTOP');
	const reading = version.read(bytes.subarray(LENGTH / 4), LENGTH / 4);
	await until('it is fetched anew', () => origin.requests.length === 2, SILENT_DEADLINE_MS);
	await reading;
	t.is(versionOf(bytes, url), ORIGIN_VERSION);
	version.close();
	const later = await openBeside(t, directory);
	t.is(await versionIn(later, url), ORIGIN_VERSION);

	owner.signal('SIGCONT');
	letRestCome();
	await owner.said(`read ${ORIGIN_VERSION}`);
	t.is(await owner.exited, 0);
	t.is(await versionIn(cache, url), ORIGIN_VERSION);
	t.is(origin.requests.length, 2);
	await until('nothing is left over', () => leftovers(directory).length === 0);
});

test.serial(
	'beside an owner that was stopped before its first byte who waits and who comes later fetch for themselves',
	async t => {
		const [directory, origin] = [temporaryDirectory(t), await startOrigin(t)];
		const url = serveChecked(origin, '/hung', LENGTH, {}, [{hang: true}, {hang: true}]);
		const owner = new Reader(t, directory, url);
		await origin.received('/hung');
		const [cache, beside] = [await openBeside(t, directory), await openBeside(t, directory)];
		const leaving = new AbortController();
		const waiting = cache.open(url, leaving.signal);
		await until('it follows', () => cache.stats().hits === 1);
		owner.signal('SIGSTOP');
		await until('it asks for itself', () => origin.requests.length === 2, SILENT_DEADLINE_MS);
		const openedAt = performance.now();
		t.is(await versionIn(beside, url), ORIGIN_VERSION);
		t.true(performance.now() - openedAt < 2000);
		leaving.abort(new Error('enough'));
		await t.throwsAsync(waiting, {message: 'enough'});
		t.is(origin.requests.length, 3);
	},
);

test.serial('an owner whose origin is slow is not silent: it is waited for', async t => {
	const [directory, origin] = [temporaryDirectory(t), await startOrigin(t)];
	const {url, letRestCome} = serveHalf(origin);
	const owner = new Reader(t, directory, url);
	await owner.said('begun');
	const cache = await openBeside(t, directory);
	const reading = versionIn(cache, url);
	const startedAt = performance.now();
	await until('a silent owner would be given up', () => performance.now() - startedAt > 7000, SILENT_DEADLINE_MS);
	letRestCome();
	t.is(await reading, ORIGIN_VERSION);
	t.is(await owner.exited, 0);
	t.is(origin.requests.length, 1);
});

test.serial('a process that does nothing but follow lives until it has all', async t => {
	const [directory, origin] = [temporaryDirectory(t), await startOrigin(t)];
	const {url, letRestCome} = serveHalf(origin);
	const cache = await openBeside(t, directory);
	const reading = versionIn(cache, url);
	await origin.received('/half');
	const follower = new Reader(t, directory, url);
	await follower.said('begun');
	letRestCome();
	await follower.said(`read ${ORIGIN_VERSION}`);
	t.is(await follower.exited, 0);
	t.is(await reading, ORIGIN_VERSION);
	t.is(origin.requests.length, 1);
});
