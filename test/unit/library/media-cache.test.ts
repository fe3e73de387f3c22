import {chdir, cwd} from 'node:process';
import {existsSync} from 'node:fs';
import path from 'node:path';
import test from 'ava';
import {CacheError, MediaCache} from '../../../src/index.js';
import type {PolicyName} from '../../../src/store/policies.js';
import {entryFiles, failsWith, MIB, openMediaCache, temporaryDirectory, TestClock} from '../../helpers/cache.js';
import {startOrigin} from '../../helpers/drive.js';
import {Origin} from '../../helpers/origin.js';
import {until} from '../../helpers/until.js';

test('a URL is fetched once, and served from the disk by the next process', async t => {
	const origin = await Origin.start();
	t.teardown(() => origin.close());
	const directory = temporaryDirectory(t);
	const url = origin.serve('/photos/cat.jpg', {body: 'a cat', type: 'image/jpeg'});
	const cache = openMediaCache(t, directory);
	t.is(String((await cache.getOrDownload(url)).data), 'a cat');
	await cache.getOrDownload(url);
	await cache.close();

	const next = openMediaCache(t, directory);
	const {data, mimetype, filename} = await next.getOrDownload(url);
	t.deepEqual([String(data), mimetype, filename], ['a cat', 'image/jpeg', 'cat.jpg']);
	t.is(origin.requests.length, 1);
});

test('what a body is, is known to the one who has just downloaded it, whether its length was announced or not', async t => {
	const origin = await Origin.start();
	t.teardown(() => origin.close());
	const cache = openMediaCache(t, temporaryDirectory(t), {maxMemoryItems: 0});
	for (const behaviour of [{}, {chunked: true}] as const) {
		const url = origin.serve(`/${Object.keys(behaviour).join()}cat.jpg`, {
			body: 'a cat',
			type: 'image/jpeg',
			...behaviour,
		});
		const {mimetype, filename} = await cache.getOrDownload(url);
		t.deepEqual([mimetype, filename], ['image/jpeg', path.basename(url)]);
	}
});

test('an origin that says 404 is an error with that name, and nothing is stored', async t => {
	const origin = await Origin.start();
	t.teardown(() => origin.close());
	const cache = openMediaCache(t, temporaryDirectory(t));
	await failsWith(t, 'not-found', cache.getOrDownload(origin.url('/none')));
	t.is(cache.stats().entries, 0);
});

test('a body that the budget has no room for is fetched past it', async t => {
	const origin = await Origin.start();
	t.teardown(() => origin.close());
	const directory = temporaryDirectory(t);
	const cache = openMediaCache(t, directory, {maxSizeMb: 1});
	for (const chunked of [{}, {chunked: true}] as const) {
		const url = origin.serve('/large', {size: 2 * MIB, ...chunked});
		t.is((await cache.getOrDownload(url)).data.byteLength, 2 * MIB);
	}

	t.deepEqual(entryFiles(directory), []);
});

test('stats has the keys of the original, before anything and after', async t => {
	const cache = openMediaCache(t, temporaryDirectory(t), {maxSizeMb: 2});
	const keys = ['entries', 'entries_in_memory', 'total_bytes', 'total_mb', 'max_mb', 'hits', 'misses', 'hit_rate'];
	t.deepEqual(Object.keys(cache.stats()).slice(0, keys.length), keys);
	t.like(cache.stats(), {entries: 0, total_bytes: 0, total_mb: 0, max_mb: 2, hit_rate: 0});
	await cache.put('https://a.example/a', Buffer.alloc(MIB), 'image/png', 'a.png');
	await cache.get('https://a.example/a');
	t.like(cache.stats(), {entries: 1, total_bytes: MIB, total_mb: 1, hits: 1, misses: 0, hit_rate: 1});
});

test('the bytes that were put may change afterwards, those that are stored do not', async t => {
	const cache = openMediaCache(t, temporaryDirectory(t));
	const data = Buffer.from('as put');
	await cache.put('https://a.example/a', data, 'text/plain', 'a.txt');
	data.fill('x');
	t.is(String((await cache.get('https://a.example/a'))?.data), 'as put');
});

test('limits that are no numbers of 0 or more, or no policy, are a RangeError', t => {
	const directory = temporaryDirectory(t);
	const policy = 'toString' as PolicyName;
	for (const wrong of [{maxSizeMb: -1}, {maxSizeMb: NaN}, {maxMemoryItems: -1}, {maxMemoryBytes: NaN}, {policy}]) {
		t.throws(() => new MediaCache(directory, wrong), {instanceOf: RangeError}, JSON.stringify(wrong));
	}
});

test('a bandwidth of nothing is a RangeError, and no directory is made for it', t => {
	const directory = path.join(temporaryDirectory(t), 'store');
	for (const bytesPerSecond of [0, -1, NaN]) {
		t.throws(() => new MediaCache(directory, {bytesPerSecond}), {instanceOf: RangeError}, `${bytesPerSecond}`);
	}

	t.false(existsSync(directory));
});

test.serial('the directory is media_cache in the working directory unless told otherwise', async t => {
	const [before, directory] = [cwd(), temporaryDirectory(t)];
	chdir(directory);
	t.teardown(() => chdir(before));
	const cache = new MediaCache();
	await cache.close();
	t.true(existsSync(path.join(directory, 'media_cache')));
});

test('closing ends a download under way, twice is once, and no draft is left', async t => {
	const origin = await Origin.start();
	t.teardown(() => origin.close());
	const directory = temporaryDirectory(t);
	const cache = openMediaCache(t, directory);
	const downloading = cache.getOrDownload(origin.serve('/x', {size: MIB, stallAt: 1000}));
	await origin.received('/x');
	await Promise.all([cache.close(), cache.close(), failsWith(t, 'aborted', downloading)]);
	await until('nothing is left', () => entryFiles(directory).length === 0);
	const error: unknown = await cache.getOrDownload(origin.url('/y')).catch((thrown: unknown) => thrown);
	t.true(error instanceof CacheError && error.code === 'aborted');
});

test('what is in memory and stale is asked about, and refresh gets what there is now', async t => {
	const origin = await startOrigin(t);
	const clock = new TestClock();
	const cache = openMediaCache(t, temporaryDirectory(t), {clock, freshness: 60_000});
	const url = origin.serve('/a', {body: 'one', etag: '"1"'});
	const read = async () => String((await cache.getOrDownload(url)).data);
	t.is(await read(), 'one');
	t.is(await read(), 'one');
	t.is(origin.requests.length, 1);
	clock.advance(60_000);
	t.is(await read(), 'one');
	t.is(await read(), 'one');
	t.deepEqual(
		origin.requests.map(({status}) => status),
		[200, 304],
	);
	origin.serve('/a', {body: 'two', etag: '"2"'});
	t.is(await read(), 'one');
	t.is(String((await cache.refresh(url)).data), 'two');
	t.is(await read(), 'two');
	clock.advance(60_000);
	t.is(String((await cache.get(url))?.data), 'two', 'get makes no request');
	t.is(origin.requests.length, 3);
});

test('with a downloader of the caller what is stale is downloaded again', async t => {
	const clock = new TestClock();
	const cache = openMediaCache(t, temporaryDirectory(t), {clock, freshness: 60_000});
	let downloads = 0;
	const read = async () => {
		const media = await cache.getOrDownload('https://a.example/a', () =>
			Promise.resolve({data: Buffer.from(String(++downloads)), mimetype: 'text/plain', filename: 'a'}),
		);
		return String(media.data);
	};

	t.deepEqual([await read(), await read()], ['1', '1']);
	clock.advance(60_000);
	t.deepEqual([await read(), await read()], ['2', '2']);
});

test('what has moved for good is got by the name that it was asked by, and changes with what it has moved to', async t => {
	const origin = await startOrigin(t);
	const target = origin.serve('/new', {body: 'bytes'});
	const url = origin.serve('/old', {status: 301, redirect: '/new'});
	for (const maxMemoryItems of [0, 8]) {
		const cache = openMediaCache(t, temporaryDirectory(t), {maxMemoryItems});
		const read = async (name: string) => String((await cache.get(name))?.data);
		await cache.getOrDownload(url);
		await cache.getOrDownload(target);
		t.deepEqual([await read(url), await read(target)], ['bytes', 'bytes']);
		await cache.put(target, Buffer.from('mine'), 'text/plain', 'a');
		t.deepEqual([await read(url), await read(target)], ['mine', 'mine']);
		t.is(String((await cache.getOrDownload(url)).data), 'mine');
	}
});
