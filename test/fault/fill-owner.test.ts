/** The process that downloads for all is killed, stopped, or merely slow. */
import {spawn, type ChildProcess} from 'node:child_process';
import {once} from 'node:events';
import {createInterface} from 'node:readline';
import test, {type ExecutionContext} from 'ava';
import type {UrlCache, Version} from '../../src/library/open.js';
import {failsWith, leftovers, MIB, temporaryDirectory} from '../helpers/cache.js';
import {checkedBody, versionOf} from '../helpers/checked-body.js';
import {ORIGIN_VERSION, serveChecked} from '../helpers/checked-origin.js';
import {startOrigin, testWith} from '../helpers/drive.js';
import type {Behaviour, Origin} from '../helpers/origin.js';
import {openSizedCache} from '../helpers/sized-cache.js';
import {until} from '../helpers/until.js';
import {holdWriteLock} from '../helpers/write-lock.js';

const PROGRAM = new URL('../helpers/fetching-process.js', import.meta.url).pathname;
const LIMIT_BYTES = 64 * MIB;
const LENGTH = 2_000_000;
/** Longer than other programs write to the catalogue, and less than who asks for an owner waits for them. */
const LOCKED_MS = 100;
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

/** Where an attempt begins. */
interface Place {
	readonly directory: string;
	readonly origin: Origin;
}

/**
 * Begins anew, in another place, as often as `begin` resolves with undefined: who follows another process has a second
 * to hear of it, and on a busy machine fetches for itself, as it should. Five times at most.
 */
async function following<T extends object>(
	t: ExecutionContext,
	begin: (place: Place) => Promise<T | undefined>,
): Promise<Place & T> {
	for (let attempt = 0; attempt < 5; attempt++) {
		const place = {directory: temporaryDirectory(t), origin: await startOrigin(t)};
		const begun = await begin(place);
		if (begun !== undefined) return {...place, ...begun};
	}

	throw new Error('nobody heard in time who fetches it, five times');
}

/** Opens what an owner has begun to read; undefined where it is not followed. */
async function openWhereBegun(t: ExecutionContext, {directory, origin}: Place, url: string) {
	const owner = new Reader(t, directory, url);
	await owner.said('begun');
	const cache = await openBeside(t, directory);
	const version = await cache.open(url);
	return origin.requests.length === 1 ? {url, owner, cache, version} : undefined;
}

/** As `openWhereBegun`, where the origin has said nothing to the owner, so that it is waited for. */
async function openWhereHung(t: ExecutionContext, {directory, origin}: Place, hung: readonly Behaviour[]) {
	const url = serveChecked(origin, '/hung', LENGTH, {}, hung);
	const owner = new Reader(t, directory, url);
	await origin.received('/hung');
	const cache = await openBeside(t, directory);
	const leaving = new AbortController();
	const opening = cache.open(url, leaving.signal);
	void opening.catch(() => undefined);
	await until('it follows, or asks for itself', () => cache.stats().hits === 1 || origin.requests.length === 2);
	return origin.requests.length === 1 ? {url, owner, cache, opening, leaving} : undefined;
}

function versionIn(cache: UrlCache, url: string): Promise<string | undefined> {
	return cache.open(url).then(version => versionOfAll(version, url));
}

/** Reads all, and closes it. */
async function versionOfAll(version: Version, url: string): Promise<string | undefined> {
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

async function openHalf(t: ExecutionContext, place: Place) {
	const {url, letRestCome} = serveHalf(place.origin);
	const begun = await openWhereBegun(t, place, url);
	return begun && {...begun, letRestCome};
}

/** As `openHalf`, while another program holds the catalogue for a moment. */
async function openHalfWhileLocked(t: ExecutionContext, {directory, origin}: Place) {
	const {url, letRestCome} = serveHalf(origin);
	const owner = new Reader(t, directory, url);
	await owner.said('begun');
	const cache = await openBeside(t, directory);
	const letGo = await holdWriteLock(t, directory);
	const openedAt = performance.now();
	const opening = cache.open(url);
	await until('it was held for long enough', () => performance.now() - openedAt > LOCKED_MS);
	await letGo();
	const version = await opening;
	return origin.requests.length === 1 ? {url, letRestCome, version} : undefined;
}

test.serial(
	'when the owner is killed before the first byte who waits for it takes over within two seconds',
	async t => {
		const {directory, origin, url, owner, opening} = await following(t, place =>
			openWhereHung(t, place, [{hang: true}]),
		);
		await owner.end('SIGKILL');
		const killedAt = performance.now();
		await origin.received('/hung', 2);
		t.true(performance.now() - killedAt < 2000);
		t.is(await versionOfAll(await opening, url), ORIGIN_VERSION);
		t.is(origin.requests.length, 2);
		await until('nothing is left over of it', async () => {
			const beside = await openBeside(t, directory);
			await beside.close();
			return leftovers(directory).length === 0;
		});
	},
);

test.serial('when the owner is killed on the way who has begun to read goes on, and reads all', async t => {
	const {origin, url, owner, cache, version} = await following(t, place => openHalf(t, place));
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
		const {url, owner, cache, version} = await following(t, place => {
			const changed = place.origin.url('/changed');
			const [before, after] = ['before', 'afters'].map(one => checkedBody(changed, one, LENGTH)) as [Buffer, Buffer];
			place.origin.serve('/changed', {body: after, sequence: [{body: before, stallAt: LENGTH / 2}]});
			return openWhereBegun(t, place, changed);
		});
		const before = checkedBody(url, 'before', LENGTH);
		t.is(version.sizeBytes, before.length);
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
	const {directory, origin, url, owner, cache, version, letRestCome} = await following(t, place => openHalf(t, place));
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
		const {directory, origin, url, owner, opening, leaving} = await following(t, place =>
			openWhereHung(t, place, [{hang: true}, {hang: true}]),
		);
		const beside = await openBeside(t, directory);
		owner.signal('SIGSTOP');
		await until('it asks for itself', () => origin.requests.length === 2, SILENT_DEADLINE_MS);
		const openedAt = performance.now();
		t.is(await versionIn(beside, url), ORIGIN_VERSION);
		t.true(performance.now() - openedAt < 2000);
		leaving.abort(new Error('enough'));
		await t.throwsAsync(opening, {message: 'enough'});
		t.is(origin.requests.length, 3);
	},
);

test.serial('an owner whose origin is slow is not silent: it is waited for', async t => {
	const {origin, url, owner, version, letRestCome} = await following(t, place => openHalf(t, place));
	const reading = versionOfAll(version, url);
	const startedAt = performance.now();
	await until('a silent owner would be given up', () => performance.now() - startedAt > 7000, SILENT_DEADLINE_MS);
	letRestCome();
	t.is(await reading, ORIGIN_VERSION);
	t.is(await owner.exited, 0);
	t.is(origin.requests.length, 1);
});

test.serial('a process that does nothing but follow lives until it has all', async t => {
	const {origin, url, version, follower, letRestCome} = await following(t, async place => {
		const half = serveHalf(place.origin);
		const cache = await openBeside(t, place.directory);
		const version = await cache.open(half.url);
		const follower = new Reader(t, place.directory, half.url);
		await follower.said('begun');
		return place.origin.requests.length === 1 ? {...half, version, follower} : undefined;
	});
	letRestCome();
	await follower.said(`read ${ORIGIN_VERSION}`);
	t.is(await follower.exited, 0);
	t.is(await versionOfAll(version, url), ORIGIN_VERSION);
	t.is(origin.requests.length, 1);
});

testWith(
	['python3'],
	'who opens what another process fetches while a third writes to the catalogue waits for that, and follows',
	async t => {
		const {origin, url, version, letRestCome} = await following(t, place => openHalfWhileLocked(t, place));
		letRestCome();
		t.is(await versionOfAll(version, url), ORIGIN_VERSION);
		t.is(origin.requests.length, 1);
	},
);
