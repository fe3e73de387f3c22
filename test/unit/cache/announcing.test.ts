/** What a lookup asks: what there is under a URL, of the request that a reader makes use of. */
import {writeFileSync} from 'node:fs';
import {setImmediate as nextTurn} from 'node:timers/promises';
import test, {type ExecutionContext} from 'ava';
import {CacheError} from '../../../src/base/errors.js';
import {keyOf} from '../../../src/cache/url-cache.js';
import type {Transform} from '../../../src/media/transforms.js';
import {
	entryFiles,
	failsWith,
	type HandBody,
	HandSource,
	keptFiles,
	leftovers,
	openUrlCache,
	readWhole,
	temporaryDirectory,
	TestClock,
	type CacheSetup,
} from '../../helpers/cache.js';
import {openFreshCache} from '../../helpers/fresh-cache.js';
import {generatedBody, type Behaviour} from '../../helpers/origin.js';
import {openTwoCaches} from '../../helpers/two-caches.js';
import {until} from '../../helpers/until.js';

const NEVER = new AbortController().signal;
const PATIENT_MS = 60_000;
const A = 'https://a.example/a.txt';
const KEY = keyOf(A);
const KIB = 1024;
const FILM: Behaviour = {size: 50_000_000, etag: '"film"', ranges: true};

function open(t: ExecutionContext, setup: CacheSetup = {}) {
	const [source, clock, directory] = [new HandSource(), new TestClock(), temporaryDirectory(t)];
	const cache = openUrlCache(t, {source, clock, directory, ...setup});
	const announce = (signal = NEVER, patienceMs = PATIENT_MS) => cache.announce(A, patienceMs, signal);
	const size = () => cache.announced(KEY)?.sizeBytes;
	return {cache, source, clock, directory, announce, size};
}

type Announce = (signal?: AbortSignal, patienceMs?: number) => Promise<void>;

/** Asks, and is not answered in time; the request, which was made before. */
async function askInVain(t: ExecutionContext, source: HandSource, announce: Announce): Promise<HandBody> {
	const gone = new AbortController();
	const first = announce(gone.signal);
	const body = await source.body();
	await announce(NEVER, 10);
	gone.abort(new CacheError('aborted', 'killed'));
	await failsWith(t, 'aborted', first);
	return body;
}

test('what was asked about is told for five seconds, and its answer is what a reader gets', async t => {
	const {cache, source, clock, announce, size} = open(t);
	const asking = announce();
	const body = await source.body();
	body.begin(5);
	body.send('hello');
	body.end();
	await asking;
	await announce();
	t.is(size(), 5);
	t.is(await readWhole(await cache.open(A)), 'hello');
	t.is(source.bodies.length, 1);
	t.like(cache.stats(), {hits: 0, misses: 1, downloads: 1});
	await cache.evict(KEY);

	const again = announce();
	(await source.body(2)).answer('another');
	await again;
	await until('nobody has come to read it', () => cache.downloads().length === 0);
	t.is(size(), 7);
	clock.advance(5001);
	t.is(size(), undefined);
});

test('nothing is stored, listed or left of what is only asked about, and its connection ends', async t => {
	const {cache, origin, directory} = await openFreshCache(t);
	const urls = [{body: 'hello'}, {size: 300_000}, FILM].map((what, index) => origin.serve(`/${index}`, what));
	for (const url of urls) await cache.announce(url, PATIENT_MS, NEVER);
	t.deepEqual(
		urls.map(url => cache.announced(keyOf(url))?.sizeBytes),
		[5, 300_000, 50_000_000],
	);
	t.deepEqual(
		urls.map(url => cache.glimpse(keyOf(url))),
		[undefined, undefined, undefined],
	);
	t.false(await cache.evict(keyOf(urls[0] ?? '')));
	await until('nobody has come to read them', () => cache.downloads().length === 0);
	t.deepEqual([entryFiles(directory), keptFiles(directory), leftovers(directory)], [[], [], []]);
	t.like(cache.stats(), {hits: 0, misses: 0, downloads: 0, download_failures: 0});
	t.true(Number(cache.stats().downloaded_bytes) < 1_000_000);
});

test('of what is only asked about there is nothing to be removed, not while it ends either', async t => {
	const {cache, origin} = await openFreshCache(t);
	const bodies: Behaviour[] = [{body: 'hello'}, {size: 300_000}, FILM];
	for (const url of bodies.map((body, index) => origin.serve(`/${index}`, body))) {
		await cache.announce(url, PATIENT_MS, NEVER);
		while (cache.downloads().length > 0) {
			t.false(await cache.evict(keyOf(url)));
			await nextTurn();
		}

		t.not(cache.announced(keyOf(url)), undefined);
		t.false(await cache.evict(keyOf(url)));
	}
});

test('what was left before tells what it is, and nobody is asked', async t => {
	const {cache, origin, directory} = await openFreshCache(t);
	const url = origin.serve('/film', FILM);
	const version = await cache.open(url);
	await version.read(Buffer.alloc(10), 0);
	version.close();
	await until('it is left', () => keptFiles(directory).length > 0);
	await cache.announce(url, PATIENT_MS, NEVER);
	t.is(cache.announced(keyOf(url))?.sizeBytes, 50_000_000);
	t.is(origin.requests.length, 1);
	t.true(await cache.evict(keyOf(url)));
	t.deepEqual(keptFiles(directory), []);
});

test('no more than the beginning comes before somebody reads, however it is filled', async t => {
	for (const fillMode of ['auto', 'ranges', 'whole'] as const) {
		const {cache, source, announce} = open(t, {fillMode});
		const asking = announce();
		const body = await source.body();
		body.begin(1024 * KIB);
		const whole = generatedBody(1024 * KIB);
		for (let at = 0; at < whole.length; at += 64 * KIB) body.send(whole.subarray(at, at + 64 * KIB));
		body.end();
		await asking;
		await until('the beginning is there', () => (cache.downloads()[0]?.bytes ?? 0) >= 256 * KIB);
		t.is(cache.downloads()[0]?.bytes, 256 * KIB, fillMode);
		const version = await cache.open(A);
		const buffer = Buffer.alloc(whole.length);
		t.is(await version.read(buffer, 0), whole.length);
		t.true(buffer.equals(whole));
		version.close();
		t.is(source.bodies.length, 1);
	}
});

test('who is gone ends the request, unless somebody else waits for it', async t => {
	const {source, announce, size} = open(t);
	const [one, other] = [new AbortController(), new AbortController()];
	const asking = [announce(one.signal), announce(other.signal)];
	const body = await source.body();
	one.abort(new CacheError('aborted', 'killed'));
	await failsWith(t, 'aborted', asking[0] ?? Promise.resolve());
	t.false(body.signal.aborted);
	body.answer('hello');
	await asking[1];
	t.is(size(), 5);

	const alone = open(t);
	const killed = new AbortController();
	const last = alone.announce(killed.signal);
	const its = await alone.source.body();
	killed.abort(new CacheError('aborted', 'killed'));
	await failsWith(t, 'aborted', last);
	t.true(its.signal.aborted);
});

test('what is not answered in time is not known for a while, and is answered to who opens it', async t => {
	const {cache, source, announce, size} = open(t);
	const body = await askInVain(t, source, announce);
	t.is(size(), undefined);
	await announce();
	const opening = cache.open(A);
	body.answer('hello');
	t.is(await readWhole(await opening), 'hello');
	t.is(source.bodies.length, 1);
});

test('what is not answered to anybody in another second is given up', async t => {
	const {cache, source, announce} = open(t);
	const body = await askInVain(t, source, announce);
	t.false(body.signal.aborted);
	await until('it is given up', () => body.signal.aborted && cache.downloads().length === 0);
	t.like(cache.stats(), {misses: 0, download_failures: 0});
});

test('who only asks does not wait for another attempt, who opens it does', async t => {
	const {cache, source, announce, size} = open(t);
	const asking = announce();
	const body = await source.body();
	body.retry();
	await asking;
	t.is(size(), undefined);
	const opening = cache.open(A);
	body.answer('hello');
	t.is(await readWhole(await opening), 'hello');
	t.is(source.bodies.length, 1);
});

test('a failure is not known for a while, an absence is what it is', async t => {
	const {cache, source, announce, size} = open(t);
	const asking = announce();
	(await source.body()).refuse(new CacheError('origin-failed', 'it answered 500'));
	await asking;
	t.is(size(), undefined);
	await announce();
	t.is(source.bodies.length, 1);
	const opening = cache.open(A);
	(await source.body(2)).refuse(new CacheError('origin-failed', 'it answered 500'));
	await failsWith(t, 'origin-failed', opening);

	const {cache: fresh, origin} = await openFreshCache(t);
	const gone = origin.serve('/gone', {status: 410});
	for (const _ of [1, 2]) await failsWith(t, 'not-found', fresh.announce(gone, PATIENT_MS, NEVER));
	t.is(origin.requests.length, 1);
});

test('offline nobody is asked', async t => {
	const {cache, source, announce, size} = open(t);
	cache.setOffline(true);
	await announce();
	t.is(size(), undefined);
	t.is(source.bodies.length, 0);
});

test('where only the end tells the length it is known where that has come', async t => {
	const {cache, source, announce, size} = open(t);
	const asking = announce();
	const body = await source.body();
	body.begin();
	body.send('hello');
	body.end();
	await asking;
	t.is(size(), 5);
	t.is(await readWhole(await cache.open(A)), 'hello');

	const long = open(t);
	const waiting = long.announce();
	const endless = await long.source.body();
	endless.begin();
	endless.send(generatedBody(300 * KIB));
	await waiting;
	t.is(long.size(), undefined);
	t.is(source.bodies.length + long.source.bodies.length, 2);
});

test('what is to be transformed has no size, and is not transformed, before somebody reads it', async t => {
	let runs = 0;
	const shout: Transform = {
		name: 'shout',
		appliesTo: () => true,
		run(_input, output) {
			runs++;
			writeFileSync(output, 'SHOUTED');
			return Promise.resolve({mimetype: 'text/loud', extension: '.loud'});
		},
	};
	const {cache, source, announce, size} = open(t, {transforms: [shout]});
	const asking = announce();
	(await source.body()).answer('whispered');
	await asking;
	t.is(size(), undefined);
	t.is(runs, 0);
	t.is(await readWhole(await cache.open(A)), 'SHOUTED');
	t.is(runs, 1);
	t.is(source.bodies.length, 1);
});

test('of 40 that are asked about 16 wait for readers, those that were asked about last', async t => {
	// What an origin has said is known for five seconds, which are not to be over.
	const startedAt = Date.now();
	const {cache, origin} = await openFreshCache(t, {clock: {now: () => startedAt}});
	const urls = Array.from({length: 40}, (_, index) => origin.serve(`/${index}`, FILM));
	for (const url of urls) await cache.announce(url, PATIENT_MS, NEVER);
	await until('the others are gone', () => cache.downloads().length <= 16);
	for (const url of urls) t.is(cache.announced(keyOf(url))?.sizeBytes, 50_000_000);
	const version = await cache.open(urls[39] ?? '');
	version.close();
	t.is(origin.requests.length, 40);
});

test('what is stored or has moved to what is stored is not asked about', async t => {
	const {cache, origin, read} = await openFreshCache(t, {freshness: 'forever'});
	const url = origin.serve('/old', {status: 301, redirect: '/new'});
	origin.serve('/new', {body: 'hello'});
	await cache.announce(url, PATIENT_MS, NEVER);
	t.is(cache.announced(keyOf(url))?.sizeBytes, 5);
	t.is(await read(url), 'hello');
	for (const path of ['/old', '/new']) await cache.announce(origin.url(path), PATIENT_MS, NEVER);
	t.is(origin.requests.length, 2);
});

test('a put takes the place of what was asked about', async t => {
	const {cache, source, announce} = open(t);
	const asking = announce();
	const body = await source.body();
	body.begin(500);
	body.send('hello');
	await cache.store(A, {data: Buffer.from('mine'), mimetype: 'text/plain', filename: 'a.txt'}, {durable: false});
	await asking;
	t.true(body.signal.aborted);
	t.is(await readWhole(await cache.openStored(KEY)), 'mine');
	t.like(cache.glimpse(KEY), {sizeBytes: 4, isStored: true});
});

test('what is asked about in one process is read in another', async t => {
	const {origin} = await openFreshCache(t);
	const {owner, follower} = await openTwoCaches(t);
	for (const [name, what] of Object.entries({small: {size: 5000}, middle: {size: 3_000_000}, film: FILM})) {
		const url = origin.serve(`/${name}`, what);
		await owner.announce(url, PATIENT_MS, NEVER);
		const version = await follower.open(url);
		const buffer = Buffer.alloc(what.size ?? 0);
		t.is(await version.read(buffer, 0), buffer.length, name);
		t.true(buffer.equals(generatedBody(buffer.length)));
		version.close();
	}
});
