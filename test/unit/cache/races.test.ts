/** Fills, puts, evictions and closes of one URL, in the orders that could hurt. */
import {setImmediate} from 'node:timers/promises';
import test from 'ava';
import {CacheError} from '../../../src/base/errors.js';
import type {UrlCache} from '../../../src/cache/url-cache.js';
import type {Version} from '../../../src/cache/version.js';
import {keyOf} from '../../../src/store/key.js';
import {
	allocatedOnDisk,
	entryFiles,
	failsWith,
	HandSource,
	leftovers,
	MIB,
	openMediaCache,
	openUrlCache,
	readWhole,
	temporaryDirectory,
} from '../../helpers/cache.js';
import {until} from '../../helpers/until.js';

const A = 'https://a.example/a';
const KEY = keyOf(A);
const media = (text: string) => ({data: Buffer.from(text), mimetype: 'text/plain', filename: 'a.txt'});

/** Nothing is held beside the entries, and those are what the disk has. */
async function settled(cache: ReturnType<typeof openUrlCache>, directory: string): Promise<void> {
	const isSettled = () => {
		const {allocated_bytes: allocated, used_bytes: used, downloads_running: running} = cache.stats();
		return (
			running === 0 && used === allocated && used === allocatedOnDisk(directory) && leftovers(directory).length === 0
		);
	};
	await until('the accounting agrees with the disk', isSettled);
}

test('readers who come at any time of a download share it', async t => {
	const source = new HandSource();
	const cache = openUrlCache(t, {source});
	const first = cache.open(A);
	const body = await source.body();
	const second = cache.open(A);
	body.begin(10);
	body.send('12345');
	// The first 4,100 bytes or the end tell what it is.
	body.send('67890');
	body.end();
	const third = cache.open(A);
	t.deepEqual(await Promise.all([first, second, third].map(async version => readWhole(await version))), [
		'1234567890',
		'1234567890',
		'1234567890',
	]);
	t.is(source.bodies.length, 1);
	t.like(cache.stats(), {hits: 2, misses: 1});
});

test('bytes are read as they arrive, in any order of asking', async t => {
	const source = new HandSource();
	const cache = openUrlCache(t, {source});
	const opening = cache.open(A);
	const body = await source.body();
	body.begin(20_000);
	body.send(Buffer.alloc(10_000, 'a'));
	const version = await opening;
	t.is(version.sizeBytes, 20_000);
	const [late, early] = [Buffer.alloc(5000), Buffer.alloc(5000)];
	const order: string[] = [];
	const readingLate = version.read(late, 15_000).then(() => order.push('late'));
	await version.read(early, 5000).then(() => order.push('early'));
	body.send(Buffer.alloc(10_000, 'b'));
	body.end();
	await readingLate;
	t.deepEqual(order, ['early', 'late']);
	t.deepEqual([String(early), String(late)], ['a'.repeat(5000), 'b'.repeat(5000)]);
	await version.whole();
	version.close();
});

test('an eviction during a download: who reads is served to the end, nothing is stored, and who comes next downloads anew', async t => {
	const [source, directory] = [new HandSource(), temporaryDirectory(t)];
	const cache = openUrlCache(t, {source, directory});
	const opening = cache.open(A);
	const body = await source.body();
	body.begin(10_000);
	body.send(Buffer.alloc(5000, 'a'));
	const version = await opening;
	t.true(await cache.evict(KEY));
	t.is(cache.glimpse(KEY), undefined);

	const again = cache.open(A);
	(await source.body(2)).answer('anew');
	t.is(await readWhole(await again), 'anew');
	body.send(Buffer.alloc(5000, 'b'));
	body.end();
	t.is(await readWhole(version), 'a'.repeat(5000) + 'b'.repeat(5000));
	t.is(await readWhole(await cache.openStored(KEY)), 'anew');
	await settled(cache, directory);
});

test('an eviction of a download that nobody reads ends it', async t => {
	const [source, directory] = [new HandSource(), temporaryDirectory(t)];
	const cache = openUrlCache(t, {source, directory});
	const leaving = new AbortController();
	const opening = cache.open(A, leaving.signal);
	const body = await source.body();
	body.begin(10);
	await until('the download has begun', () => cache.downloads()[0]?.state === 'downloading');
	leaving.abort(new CacheError('aborted', 'the reader left'));
	await failsWith(t, 'aborted', opening);
	t.false(body.signal.aborted);
	t.true(await cache.evict(KEY));
	t.true(body.signal.aborted);
	await settled(cache, directory);
	t.deepEqual(entryFiles(directory), []);
});

test('a download that has not been answered ends with the last who waits for it', async t => {
	const source = new HandSource();
	const cache = openUrlCache(t, {source});
	const leaving = [new AbortController(), new AbortController()] as const;
	const openings = [cache.open(A, leaving[0].signal), cache.open(A, leaving[1].signal)] as const;
	const body = await source.body();
	leaving[0].abort(new CacheError('aborted', 'the reader left'));
	await failsWith(t, 'aborted', openings[0]);
	t.false(body.signal.aborted);
	leaving[1].abort(new CacheError('aborted', 'the reader left'));
	await failsWith(t, 'aborted', openings[1]);
	t.true(body.signal.aborted);
});

test('a put over a running download: who has it open reads on, the store keeps the put', async t => {
	const [source, directory] = [new HandSource(), temporaryDirectory(t)];
	const cache = openUrlCache(t, {source, directory});
	const opening = cache.open(A);
	const body = await source.body();
	body.begin(20_000);
	body.send(Buffer.alloc(10_000, 'a'));
	const version = await opening;
	await putByHand(cache, 'put');
	t.is(await readWhole(await cache.open(A)), 'put');
	body.send(Buffer.alloc(10_000, 'a'));
	body.end();
	t.is(await readWhole(version), 'a'.repeat(20_000));
	t.is(await readWhole(await cache.open(A)), 'put');
	t.is(source.bodies.length, 1);
	await settled(cache, directory);
});

test('a put over a running download: who still waits to open it gets the put', async t => {
	const [source, directory] = [new HandSource(), temporaryDirectory(t)];
	const cache = openUrlCache(t, {source, directory});
	const opening = cache.open(A);
	const body = await source.body();
	await putByHand(cache, 'put');
	body.answer('downloaded');
	t.is(await readWhole(await opening), 'put');
	t.is(source.bodies.length, 1);
	await settled(cache, directory);
});

async function putByHand(cache: UrlCache, text: string): Promise<void> {
	const put = cache.put(A);
	await put.write(Buffer.from(text), 0);
	await put.commit();
	await put.close();
}

test('an eviction while a download is being stored leaves nothing stored, and its reader reads on', async t => {
	const [source, directory] = [new HandSource(), temporaryDirectory(t)];
	const cache = openUrlCache(t, {source, directory});
	for (let round = 1; round <= 20; round++) {
		const opening = cache.open(A);
		const body = await source.body(round);
		body.answer(`body ${round}`);
		const version = await opening;
		const evicting = version.whole().then(() => cache.evict(KEY));
		if (round % 2 === 0) await cache.evict(KEY);
		await evicting;
		t.is(await readWhole(version), `body ${round}`);
		t.is(await cache.openStored(KEY), undefined);
	}

	await settled(cache, directory);
});

test('puts, reads, downloads and evictions of one URL at once: every body is one of those given, whole', async t => {
	const directory = temporaryDirectory(t);
	const source = new HandSource();
	const cache = openUrlCache(t, {source, directory, limitBytes: 4 * MIB});
	const repeated = (name: string) => name.repeat(20_000);
	const answering = (async () => {
		for (let count = 1; ; count++) (await source.body(count)).answer(repeated('d'));
	})();
	void answering;
	const work: Array<Promise<unknown>> = [];
	const seen = new Set<string | undefined>();
	for (let round = 0; round < 40; round++) {
		work.push(cache.store(A, media(repeated(round % 2 === 0 ? 'p' : 'q')), {durable: false}));
		work.push(cache.open(A).then(async version => seen.add(await readWhole(version))));
		if (round % 5 === 0) work.push(cache.evict(KEY));
		work.push(cache.openStored(KEY).then(async version => seen.add(await readWhole(version))));
		if (round % 4 === 0) await work.at(-1);
	}

	await Promise.all(work);
	const allowed = [undefined, repeated('p'), repeated('q'), repeated('d')];
	for (const body of seen) t.true(allowed.includes(body), `${body?.length} bytes: ${body?.slice(0, 10)}`);
	await settled(cache, directory);
});

test('a reader that opens while a durable put is being stored does not have its bytes counted twice', async t => {
	const directory = temporaryDirectory(t);
	const cache = openUrlCache(t, {directory});
	let early = 0;
	for (let round = 1; round <= 40; round++) {
		let isStored = false;
		const isOver = () => isStored;
		const storing = cache.store(A, media(`${round}`), {durable: true}).finally(() => (isStored = true));
		const versions = [];
		while (!isOver()) {
			const version = await cache.openStored(KEY);
			if (isOver() || version === undefined) version?.close();
			else versions.push({version, body: await bodyOf(version)});
			await setImmediate();
		}

		await storing;
		for (const {version, body} of versions) if (body !== `${round}`) version.close();
		const ofNew = versions.filter(({body}) => body === `${round}`);
		early += ofNew.length;
		t.is(cache.stats().used_bytes, allocatedOnDisk(directory), `round ${round}, found early: ${ofNew.length}`);
		for (const {version} of ofNew) version.close();
	}

	t.log(`found before it was told: ${early}`);
	await settled(cache, directory);
});

async function bodyOf(version: Version): Promise<string> {
	const buffer = Buffer.alloc(version.sizeBytes);
	await version.read(buffer, 0);
	return String(buffer);
}

test('closing ends downloads, those that wait for their turn too, and their readers are told', async t => {
	const [source, directory] = [new HandSource(), temporaryDirectory(t)];
	const cache = openUrlCache(t, {source, directory, maxDownloads: 1});
	const running = cache.open(A);
	const body = await source.body();
	body.begin(10_000);
	body.send(Buffer.alloc(5000));
	const version = await running;
	const waiting = cache.open(`${A}/waiting`);
	const reading = version.read(Buffer.alloc(10), 9000);
	await Promise.all([cache.close(), failsWith(t, 'aborted', reading), failsWith(t, 'aborted', waiting)]);
	version.close();
	t.true(source.isClosed);
	await cache.close();
	await settled(cache, directory);
	t.deepEqual(entryFiles(directory), []);
	t.is(source.bodies.length, 1);
});

test('closing does not wait for a downloader that never answers', async t => {
	const cache = openMediaCache(t, temporaryDirectory(t));
	const downloading = cache.getOrDownload(A, () => new Promise(() => undefined));
	await cache.close();
	await failsWith(t, 'aborted', downloading);
});

test('a body that breaks off is an error for who waits, nothing is stored, and the next open asks again', async t => {
	const [source, directory] = [new HandSource(), temporaryDirectory(t)];
	const cache = openUrlCache(t, {source, directory});
	const opening = cache.open(A);
	const body = await source.body();
	body.begin(10_000);
	body.send(Buffer.alloc(6000, 'x'));
	const version = await opening;
	await version.read(Buffer.alloc(6000), 0);
	body.fail(new CacheError('origin-failed', 'cut'));
	await failsWith(t, 'origin-failed', version.read(Buffer.alloc(10), 9000));
	t.is(await version.read(Buffer.alloc(10), 0), 10);
	version.close();
	t.true(body.isDiscarded);
	const again = cache.open(A);
	(await source.body(2)).answer('whole');
	t.is(await readWhole(await again), 'whole');
	t.like(cache.stats(), {download_failures: 1});
	await settled(cache, directory);
});

test('a source that refuses is an error for all who wait', async t => {
	const source = new HandSource();
	const cache = openUrlCache(t, {source});
	const opens = [cache.open(A), cache.open(A)];
	(await source.body()).refuse(new CacheError('not-found', '404'));
	for (const open of opens) await failsWith(t, 'not-found', open);
	t.is(cache.stats().downloads_running, 0);
});

test('a body without a length evicts for half the budget at most, and one with a length for the most that fits', async t => {
	const [source, directory] = [new HandSource(), temporaryDirectory(t)];
	const cache = openUrlCache(t, {source, directory, limitBytes: MIB});
	for (let count = 0; count < 3; count++) {
		const other = {data: Buffer.alloc(300_000), mimetype: 'a/b', filename: 'other'};
		await cache.store(`${A}/${count}`, other, {durable: false});
	}

	const opening = cache.open(A);
	const endless = await source.body();
	endless.begin();
	for (let count = 0; count < 16; count++) endless.send(Buffer.alloc(65_536));
	endless.end();
	await failsWith(t, 'too-large', opening);
	t.true(cache.stats().entries >= 1, 'what it pushed out was for its half');
	const fitting = cache.open(A);
	(await source.body(2)).answer(Buffer.alloc(MIB - 65_536));
	t.is((await readWhole(await fitting))?.length, MIB - 65_536);
	await settled(cache, directory);
});

test('two downloads that ask for the last room at once: one gets it', async t => {
	const [source, directory] = [new HandSource(), temporaryDirectory(t)];
	const cache = openUrlCache(t, {source, directory, limitBytes: MIB});
	const opens = ['x', 'y'].map(name => cache.open(`${A}/${name}`).then(readWhole));
	const bodies = [await source.body(1), await source.body(2)];
	for (const body of bodies) body.answer(Buffer.alloc(700_000));
	const outcomes = await Promise.allSettled(opens);
	t.deepEqual(outcomes.map(({status}) => status).sort(), ['fulfilled', 'rejected']);
	await settled(cache, directory);
});

test('a put that cannot be begun anew after a commit leaves nothing behind, and closes', async t => {
	const directory = temporaryDirectory(t);
	const cache = openUrlCache(t, {directory, limitBytes: MIB});
	const put = cache.put(A);
	await put.write(Buffer.alloc(600_000, 'x'), 0);
	await put.commit();
	await failsWith(t, 'too-large', put.write(Buffer.from('y'), 0));
	await put.close();
	await put.close();
	t.is((await readWhole(await cache.openStored(KEY)))?.length, 600_000);
	await settled(cache, directory);
});

test('a put goes on after each commit, and keeps of it what was committed', async t => {
	const directory = temporaryDirectory(t);
	const cache = openUrlCache(t, {directory});
	const put = cache.put(A);
	await put.commit();
	t.is(await cache.openStored(KEY), undefined, 'nothing was written');
	await put.write(Buffer.from('world'), 6);
	await put.write(Buffer.from('hello '), 0);
	await put.commit();
	t.is(await readWhole(await cache.openStored(KEY)), 'hello world');
	t.true(put.isStored);
	const buffer = Buffer.alloc(5);
	await put.read(buffer, 6);
	t.is(String(buffer), 'world');
	await put.truncate(5);
	await put.commit();
	t.is(await readWhole(await cache.openStored(KEY)), 'hello');
	await put.write(Buffer.from('lost'), 0);
	await put.close();
	t.is(await readWhole(await cache.openStored(KEY)), 'hello');
	await settled(cache, directory);
});

test('an open at any moment around the end of a download reads all of it', async t => {
	const source = new HandSource();
	const cache = openUrlCache(t, {source});
	const moments = Array.from({length: 8}, (_, index) => index);
	let count = 0;
	for (const beforeClose of moments) {
		for (const beforeOpen of moments) {
			const url = `${A}/${++count}`;
			const opening = cache.open(url);
			const body = await source.body(count);
			body.begin();
			body.send('body');
			body.end();
			const version = await opening;
			await version.whole();
			for (let turn = 0; turn < beforeClose; turn++) await Promise.resolve();
			version.close();
			for (let turn = 0; turn < beforeOpen; turn++) await Promise.resolve();
			t.is(await readWhole(await cache.open(url)), 'body', `${beforeClose} and ${beforeOpen} turns`);
		}
	}
});
