/** Two caches on one directory are two processes to each other: one downloads, the other follows. */
import {mkdirSync, rmdirSync, rmSync, symlinkSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {CacheError} from '../../../src/base/errors.js';
import {NO_LOG} from '../../../src/base/log.js';
import type {Transform} from '../../../src/media/transforms.js';
import {openDatabase} from '../../../src/sqlite/open.js';
import {Catalogue} from '../../../src/store/catalogue.js';
import {keyOf} from '../../../src/store/key.js';
import {Layout} from '../../../src/store/layout.js';
import {
	failsWith,
	HandSource,
	leftovers,
	openStore,
	openUrlCache,
	readWhole,
	temporaryDirectory,
	type CacheSetup,
	type HandBody,
} from '../../helpers/cache.js';
import {until} from '../../helpers/until.js';

const A = 'https://a.example/a';
const KEY = keyOf(A);
const FIRST = 'a'.repeat(6000);
const REST = 'b'.repeat(6000);
const [WHOLE, LENGTH] = [FIRST + REST, 12_000] as const;
const media = (text: string) => ({data: Buffer.from(text), mimetype: 'text/plain', filename: 'put.txt'});

/** A cache and what it downloads from, on a directory that it shares. */
async function open(t: ExecutionContext, directory: string, setup: CacheSetup = {}) {
	const source = new HandSource();
	const cache = openUrlCache(t, {source, directory, ...setup});
	await cache.load();
	return {source, cache};
}

/** One that downloads, with half of it there, and one that follows it. */
async function startHalf(t: ExecutionContext) {
	const directory = temporaryDirectory(t);
	const [owner, follower] = [await open(t, directory), await open(t, directory)];
	const opening = owner.cache.open(A);
	const body = await owner.source.body();
	body.begin(LENGTH);
	body.send(FIRST);
	const [owned, followed] = [await opening, await follower.cache.open(A)];
	t.teardown(() => [owned, followed].forEach(version => version.close()));
	return {directory, owner, follower, body, owned, followed};
}

function endWith(body: HandBody, rest: string): void {
	body.send(rest);
	body.end();
}

async function part(
	version: {read(buffer: Uint8Array, position: number): Promise<number>},
	at: number,
	length: number,
) {
	const buffer = Buffer.alloc(length);
	return String(buffer.subarray(0, await version.read(buffer, at)));
}

test('what another process downloads is read as it arrives, with no request, and counts as a hit', async t => {
	const {owner, follower, body, owned, followed} = await startHalf(t);
	t.is(await part(followed, 1000, 5000), FIRST.slice(1000));
	t.deepEqual([followed.sizeBytes, followed.arrivedBytes, followed.entry], [LENGTH, 6000, undefined]);
	t.like(follower.cache.stats(), {downloads_running: 0});
	const late = part(followed, 5000, 2000);
	endWith(body, REST);
	t.is(await late, WHOLE.slice(5000, 7000));
	t.deepEqual(await followed.whole(), {mimetype: 'text/plain', filename: 'a.txt'});
	t.is(followed.entry?.sizeBytes, LENGTH);
	t.deepEqual([await readWhole(followed), await readWhole(owned)], [WHOLE, WHOLE]);
	t.is(follower.source.bodies.length, 0);
	await until('the owner has counted it', () => owner.cache.stats().downloads === 1);
	t.like(owner.cache.stats(), {hits: 0, misses: 1, downloads: 1, downloaded_bytes: LENGTH});
	t.like(follower.cache.stats(), {hits: 1, misses: 0, downloads: 0, download_failures: 0, downloaded_bytes: 0});
});

test('many that open at once in a process that follows share what comes, and each counts once', async t => {
	const directory = temporaryDirectory(t);
	const [owner, follower] = [await open(t, directory), await open(t, directory)];
	const opening = owner.cache.open(A);
	const body = await owner.source.body();
	const openings = Array.from({length: 5}, () => follower.cache.open(A));
	await until('they are counted', () => follower.cache.stats().hits === 5);
	body.answer(WHOLE);
	t.is(await readWhole(await opening), WHOLE);
	for (const version of await Promise.all(openings)) t.is(await readWhole(version), WHOLE);
	t.is(follower.source.bodies.length, 0);
	t.like(follower.cache.stats(), {hits: 5, misses: 0});
});

test('a wait for what another process downloads ends with the signal, and who comes next follows anew', async t => {
	const {follower, body, followed} = await startHalf(t);
	const leaving = new AbortController();
	const reading = followed.read(Buffer.alloc(10), 9000, leaving.signal);
	leaving.abort(new CacheError('aborted', 'the reader left'));
	await failsWith(t, 'aborted', reading);
	followed.close();
	const again = await follower.cache.open(A);
	endWith(body, REST);
	t.is(await readWhole(again), WHOLE);
	t.is(follower.source.bodies.length, 0);
	t.like(follower.cache.stats(), {hits: 2, download_failures: 0});
});

test('where nothing tells the length who follows has the entry once it is stored', async t => {
	const directory = temporaryDirectory(t);
	const [owner, follower] = [await open(t, directory), await open(t, directory)];
	const opening = owner.cache.open(A);
	const body = await owner.source.body();
	body.begin();
	body.send(FIRST);
	const following = follower.cache.open(A);
	await until('it follows', () => follower.cache.stats().hits === 1);
	endWith(body, REST);
	t.is(await readWhole(await following), WHOLE);
	t.is(await readWhole(await opening), WHOLE);
	t.is(follower.source.bodies.length, 0);
});

test('a body that is transformed is followed as what it becomes', async t => {
	const shout: Transform = {
		name: 'shout',
		appliesTo: () => true,
		run(_input, output) {
			writeFileSync(output, 'SHOUTED');
			return Promise.resolve({mimetype: 'text/loud', extension: '.loud'});
		},
	};
	const directory = temporaryDirectory(t);
	const setup = {transforms: [shout]};
	const [owner, follower] = [await open(t, directory, setup), await open(t, directory, setup)];
	const opening = owner.cache.open(A);
	const body = await owner.source.body();
	const following = follower.cache.open(A);
	await until('it follows', () => follower.cache.stats().hits === 1);
	body.answer(WHOLE);
	const version = await following;
	t.deepEqual(await version.whole(), {mimetype: 'text/loud', filename: 'a.loud'});
	t.is(await readWhole(version), 'SHOUTED');
	(await opening).close();
	t.is(follower.source.bodies.length, 0);
});

test('what is stored while a download waits for its turn is served without a request, and counts as one hit', async t => {
	const directory = temporaryDirectory(t);
	const [one, other] = [await open(t, directory, {maxDownloads: 1}), await open(t, directory)];
	const busy = one.cache.open(`${A}/busy`);
	const body = await one.source.body();
	const waiting = one.cache.open(A);
	await other.cache.store(A, media('stored'), {durable: false});
	body.answer('busy');
	const version = await waiting;
	t.not(version.entry, undefined);
	t.deepEqual([await readWhole(version), await readWhole(await busy)], ['stored', 'busy']);
	t.is(one.source.bodies.length, 1);
	t.like(one.cache.stats(), {hits: 1, misses: 1, downloads: 1});
});

test('when a download fails before its first bytes the next process tries, and another one follows that', async t => {
	const directory = temporaryDirectory(t);
	const [owner, ...followers] = [await open(t, directory), await open(t, directory), await open(t, directory)];
	const opening = owner.cache.open(A);
	const body = await owner.source.body();
	const openings = followers.map(({cache}) => cache.open(A));
	await until('both follow', () => followers.every(({cache}) => cache.stats().hits === 1));
	body.refuse(new CacheError('origin-refused', '403'));
	await failsWith(t, 'origin-refused', opening);
	const next = await Promise.race(followers.map(({source}) => source.body()));
	next.answer(WHOLE);
	for (const version of await Promise.all(openings)) t.is(await readWhole(version), WHOLE);
	t.is(followers.flatMap(({source}) => source.bodies).length, 1);
});

test('when a download breaks off who has begun to read it in another process goes on with a download of its own', async t => {
	const {directory, follower, body, owned, followed} = await startHalf(t);
	t.is(await part(followed, 0, 6000), FIRST);
	body.fail(new CacheError('origin-failed', 'cut'));
	await failsWith(t, 'origin-failed', owned.whole());
	const anew = await follower.source.body();
	anew.begin(LENGTH);
	anew.send(WHOLE.slice(0, 5000));
	t.is(await part(followed, 0, 6000), FIRST, 'the bytes that had come stay readable');
	endWith(anew, WHOLE.slice(5000));
	t.is(await part(followed, 5000, 2000), WHOLE.slice(5000, 7000));
	t.is(await readWhole(followed), WHOLE);
	owned.close();
	await until('it is counted', () => follower.cache.stats().downloads === 1);
	t.like(follower.cache.stats(), {hits: 1, misses: 0});
	await until('nothing is left over', () => leftovers(directory).length === 0);
});

for (const [what, body] of [
	['other bytes', 'c'.repeat(LENGTH)],
	['another length', `${WHOLE}b`],
] as const) {
	test(`who has begun to read a download that breaks off never gets the rest of ${what}`, async t => {
		const {follower, body: first, followed} = await startHalf(t);
		t.is(await part(followed, 0, 6000), FIRST);
		first.fail(new CacheError('origin-failed', 'cut'));
		(await follower.source.body()).answer(body);
		await failsWith(t, 'origin-failed', part(followed, 5000, 2000));
		t.is(await part(followed, 0, 6000), FIRST);
		followed.close();
		const again = follower.cache.open(A);
		(await follower.source.body(2)).answer('anew');
		t.is(await readWhole(await again), 'anew');
	});
}

test('when the cache that downloads is closed who follows it goes on', async t => {
	const {owner, follower, followed, owned} = await startHalf(t);
	owned.close();
	await owner.cache.close();
	const reading = readWhole(followed);
	(await follower.source.body()).answer(WHOLE);
	t.is(await reading, WHOLE);
});

test('a put in the process that downloads: who follows reads on to the end, and who comes next gets the put', async t => {
	const {owner, follower, body, owned, followed} = await startHalf(t);
	await owner.cache.store(A, media('put'), {durable: false});
	t.is(await readWhole(await follower.cache.open(A)), 'put');
	endWith(body, REST);
	t.is(await readWhole(followed), WHOLE);
	t.is(followed.entry, undefined);
	t.is(await readWhole(owned), WHOLE);
	t.is(await readWhole(await owner.cache.open(A)), 'put');
	t.is(follower.source.bodies.length, 0);
});

test('a put in a process that follows: it reads on to the end, and the put stays', async t => {
	const {owner, follower, body, owned, followed} = await startHalf(t);
	await follower.cache.store(A, media('put'), {durable: false});
	t.is(await readWhole(await follower.cache.open(A)), 'put');
	endWith(body, REST);
	t.deepEqual([await readWhole(followed), await readWhole(owned)], [WHOLE, WHOLE]);
	for (const {cache} of [owner, follower]) t.is(await readWhole(await cache.open(A)), 'put');
	t.is(follower.source.bodies.length, 0);
});

test('a put in the process that downloads is what a process gets that still waits to open', async t => {
	const directory = temporaryDirectory(t);
	const [owner, follower] = [await open(t, directory), await open(t, directory)];
	const opening = owner.cache.open(A);
	const body = await owner.source.body();
	const following = follower.cache.open(A);
	await until('it follows', () => follower.cache.stats().hits === 1);
	await owner.cache.store(A, media('put'), {durable: false});
	t.is(await readWhole(await following), 'put');
	body.answer(WHOLE);
	t.is(await readWhole(await opening), 'put');
	t.is(follower.source.bodies.length, 0);
});

test('an eviction in the process that downloads: who follows reads on to the end, and who comes next downloads anew', async t => {
	const directory = temporaryDirectory(t);
	const [owner, follower, third] = [await open(t, directory), await open(t, directory), await open(t, directory)];
	const opening = owner.cache.open(A);
	const body = await owner.source.body();
	body.begin(LENGTH);
	body.send(FIRST);
	const [owned, followed] = [await opening, await follower.cache.open(A)];
	t.true(await owner.cache.evict(KEY));
	await until('it is not owned any more', () => fillsOf(directory) === 0);
	const anew = third.cache.open(A);
	(await third.source.body()).answer('anew');
	t.is(await readWhole(await anew), 'anew');
	endWith(body, REST);
	t.deepEqual([await readWhole(followed), await readWhole(owned)], [WHOLE, WHOLE]);
	t.is(await readWhole(await follower.cache.openStored(KEY)), 'anew');
	t.is(follower.source.bodies.length, 0);
});

test('a download that was disowned and given up is gone on with by who still reads it elsewhere', async t => {
	const {owner, follower, body, owned, followed} = await startHalf(t);
	owned.close();
	await owner.cache.store(A, media('put'), {durable: false});
	t.true(body.signal.aborted);
	const reading = readWhole(followed);
	(await follower.source.body()).answer(WHOLE);
	t.is(await reading, WHOLE);
	t.is(await readWhole(await follower.cache.open(A)), 'put', 'the first commit wins');
});

test('an open does not wait for a catalogue that another program has locked', async t => {
	const directory = temporaryDirectory(t);
	const {cache, source} = await open(t, directory);
	const database = openDatabase(new Layout(directory).catalogue, {timeoutMs: 5000});
	t.teardown(() => database.close());
	database.exec('BEGIN IMMEDIATE');
	const opening = cache.open(A);
	(await source.body()).answer(WHOLE);
	t.is(await readWhole(await opening), WHOLE);
	t.true(database.inTransaction);
	database.exec('ROLLBACK');
});

test('what a row names is followed only if it is a regular file among the downloads, and a draft of that key', async t => {
	const directory = temporaryDirectory(t);
	const layout = new Layout(directory);
	const {fills} = openStore(t, {directory});
	const owner = new Catalogue(layout, NO_LOG);
	t.teardown(() => owner.close());
	await until('it owns the fill', async () => (await owner.claim(KEY)) === 'mine');
	const announced = async (partial: unknown, sizeBytes: unknown = 5) => {
		await owner.tell([KEY], JSON.stringify({partial, sizeBytes, modifiedAtMs: 0, filename: 'a.txt'}));
		return fills.look(KEY)?.announced;
	};
	const name = `${KEY}.1.${'0'.repeat(24)}`;
	const file = path.join(layout.downloads, name);
	const bad = [`../../${KEY}.dat`, `../${name}`, file, `${keyOf('https://a.example/b')}${name.slice(64)}`, 7, null];
	for (const partial of bad) t.is(await announced(partial), undefined);
	for (const sizeBytes of [-1, 0.5, '5', null]) t.is(await announced(name, sizeBytes), undefined);
	await owner.tell([KEY], 'no JSON');
	t.is(fills.look(KEY)?.announced, undefined);

	const announcement = await announced(name);
	if (announcement === undefined) return t.fail();
	t.is(fills.openPartial(announcement), undefined, 'there is none');
	writeFileSync(`${file}.else`, 'other');
	symlinkSync(`${file}.else`, file);
	t.is(fills.openPartial(announcement), undefined, 'a link');
	rmSync(file);
	mkdirSync(file);
	t.is(fills.openPartial(announcement), undefined, 'a directory');
	rmdirSync(file);
	writeFileSync(file, 'right');
	const partial = fills.openPartial(announcement);
	t.is(partial && (await part(partial, 0, 5)), 'right');
	partial?.close();
});

/** How many downloads some process owns. */
function fillsOf(directory: string): number {
	const database = openDatabase(new Layout(directory).catalogue, {timeoutMs: 5000});
	try {
		return (database.prepare('SELECT count(*) AS fills FROM fills').get() as {fills: number}).fills;
	} finally {
		database.close();
	}
}
