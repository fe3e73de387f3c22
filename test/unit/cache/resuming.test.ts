/** What is left of a download when its readers go, and who goes on with it, from a real origin. */
import {readdirSync} from 'node:fs';
import path from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {openCache, type CacheOptions, type UrlCache, type Version} from '../../../src/library/open.js';
import {entryFiles, leftovers, MIB, temporaryDirectory} from '../../helpers/cache.js';
import {startOrigin} from '../../helpers/drive.js';
import {generated, type Behaviour, type Origin} from '../../helpers/origin.js';
import {until} from '../../helpers/until.js';

const SIZE = 40 * MIB;
const LARGE: Behaviour = {size: SIZE, ranges: true, etag: '"one"'};

function open(t: ExecutionContext, directory: string, options: Partial<CacheOptions> = {}): UrlCache {
	const cache = openCache({directory, http: {retries: 0}, ...options});
	t.teardown(() => cache.close());
	return cache;
}

async function setUp(t: ExecutionContext, behaviour: Behaviour, options: Partial<CacheOptions> = {}) {
	const [origin, directory] = [await startOrigin(t), temporaryDirectory(t)];
	const cache = open(t, directory, options);
	return {cache, origin, url: origin.serve('/film', behaviour), directory};
}

/** Whether a read brings what the origin has there. */
async function isRight(version: Version, position: number, length: number): Promise<boolean> {
	const buffer = Buffer.alloc(length);
	const count = await version.read(buffer, position);
	const expected = Buffer.alloc(Math.max(0, Math.min(length, version.sizeBytes - position)));
	for (let at = 0; at < expected.byteLength;) {
		at += generated(position + at, position + expected.byteLength).copy(expected, at);
	}

	return buffer.subarray(0, count).equals(expected);
}

async function isWhollyRight(version: Version): Promise<boolean> {
	for (let position = 0; position < version.sizeBytes; position += MIB) {
		if (!(await isRight(version, position, MIB))) return false;
	}

	return true;
}

/** Where each range begins that was asked for; undefined for a plain GET. */
const starts = (origin: Origin) =>
	origin.requests.map(({headers}) => {
		const [, first] = /^bytes=(\d+)-/.exec(headers.range ?? '') ?? [];
		return first === undefined ? undefined : Number(first);
	});

const kept = (directory: string) => readdirSync(path.join(directory, '.larder', 'partials'));

/** Reads the first MiB of a slow body and goes; resolves once what has come is put away. */
async function leaveEarly(cache: UrlCache, url: string, directory: string): Promise<number> {
	const version = await cache.open(url);
	await version.read(Buffer.alloc(MIB), 0);
	version.close();
	await until('it is put away', () => kept(directory).length === 2, 20_000);
	return cache.downloads()[0]?.bytes ?? 0;
}

const SLOW: Behaviour = {...LARGE, sequence: [{...LARGE, rate: 20 * MIB}]};

test('what nobody reads any more is not fetched on, and the next reader goes on where it was', async t => {
	const {cache, origin, url, directory} = await setUp(t, SLOW);
	await leaveEarly(cache, url, directory);
	await origin.disconnected();
	const {bytes = 0, total, readers} = cache.downloads()[0] ?? {};
	t.true(bytes >= MIB && bytes < 20 * MIB, `${bytes}`);
	t.like({total, readers}, {total: SIZE, readers: 0});
	t.deepEqual(leftovers(directory), []);

	const second = await cache.open(url);
	t.true(await isWhollyRight(second));
	second.close();
	const [first, resumed, ...later] = starts(origin);
	t.deepEqual([first, resumed], [undefined, bytes]);
	t.deepEqual(
		later,
		[...new Set(later)].sort((a = 0, b = 0) => a - b),
	);
	t.is(origin.requests[1]?.headers['if-range'], '"one"');
	await until('it is stored', () => entryFiles(directory).length === 2, 20_000);
	t.deepEqual(kept(directory), []);
	t.deepEqual(cache.downloads(), []);
});

test('readers that come and go again and again are served, and no byte is fetched twice', async t => {
	const {cache, origin, url} = await setUp(t, LARGE);
	for (let round = 0; round < 10; round++) {
		const version = await cache.open(url);
		t.true(await isRight(version, round * MIB, MIB));
		version.close();
	}

	const version = await cache.open(url);
	t.true(await isWhollyRight(version));
	version.close();
	t.is(starts(origin).filter(start => start === undefined).length, 1);
	await until('it is over', () => cache.stats().downloads === 1);
	t.is(cache.stats().downloaded_bytes, SIZE);
});

test('what is left when the cache is closed is gone on with by the next, with no byte fetched twice', async t => {
	const {cache, origin, url, directory} = await setUp(t, SLOW);
	const version = await cache.open(url);
	t.true(await isRight(version, 2 * MIB, 1000));
	t.true(await isRight(version, 30 * MIB, 1000));
	await cache.close();
	version.close();
	t.is(kept(directory).length, 2);

	const next = open(t, directory);
	await next.load();
	const [{bytes = 0, state} = {}] = next.downloads();
	t.true(bytes > 2 * MIB);
	t.is(state, 'paused');
	const again = await next.open(url);
	t.true(await isWhollyRight(again));
	again.close();
	await until('it is counted', () => next.stats().downloads === 1);
	t.is(next.stats().downloaded_bytes, SIZE - bytes);
	t.deepEqual(
		starts(origin).filter(start => start === undefined),
		[undefined],
	);
});

test('what was left of another version is dropped, and all of the new one fetched', async t => {
	const {cache, origin, url, directory} = await setUp(t, SLOW);
	await leaveEarly(cache, url, directory);
	origin.serve('/film', {...LARGE, etag: '"two"'});
	const version = await cache.open(url);
	t.true(await isWhollyRight(version));
	version.close();
	t.is(starts(origin)[0], undefined);
	t.is(starts(origin).at(-1), undefined);
	await until('it is stored', () => entryFiles(directory).length === 2, 20_000);
	t.deepEqual([kept(directory), leftovers(directory)], [[], []]);
});

test('what is left of a body stays while its origin does not answer', async t => {
	const {cache, origin, url, directory} = await setUp(t, SLOW);
	const bytes = await leaveEarly(cache, url, directory);
	origin.serve('/film', {status: 503});
	await t.throwsAsync(cache.open(url));
	t.is(kept(directory).length, 2);
	origin.serve('/film', LARGE);
	const version = await cache.open(url);
	t.true(await isWhollyRight(version));
	version.close();
	t.true(starts(origin).includes(bytes));
	t.is(starts(origin).filter(start => start === undefined).length, 1);
});

test('removing a URL removes what was left of it', async t => {
	const {cache, url, directory} = await setUp(t, SLOW);
	await leaveEarly(cache, url, directory);
	const {key = ''} = cache.downloads()[0] ?? {};
	t.true(await cache.evict(key));
	t.deepEqual(kept(directory), []);
	t.deepEqual(cache.downloads(), []);
});

test('a connection that ends for good leaves what has come to the next reader', async t => {
	const {cache, origin, url, directory} = await setUp(t, {...LARGE, cutAt: 0, sequence: [{...LARGE, cutAt: 5 * MIB}]});
	const version = await cache.open(url);
	t.true(await isRight(version, 0, 4 * MIB));
	await t.throwsAsync(version.read(Buffer.alloc(10), 6 * MIB));
	version.close();
	await until('it is put away', () => kept(directory).length === 2, 20_000);
	origin.serve('/film', LARGE);
	const again = await cache.open(url);
	t.true(await isWhollyRight(again));
	again.close();
	t.true((starts(origin).at(-1) ?? 0) > 4 * MIB);
});

test('with fill whole a download goes on to its end, though nobody reads', async t => {
	const {cache, origin, url, directory} = await setUp(t, LARGE, {fill: 'whole'});
	const version = await cache.open(url);
	version.close();
	await until('it is stored', () => entryFiles(directory).length === 2, 20_000);
	t.is(origin.requests.length, 1);
});

test('with fill ranges only what is read is fetched, and a little ahead', async t => {
	const {cache, url, directory} = await setUp(t, LARGE, {fill: 'ranges'});
	const version = await cache.open(url);
	for (const position of [0, 30 * MIB, 20 * MIB, SIZE - 1000]) t.true(await isRight(version, position, 1000));
	version.close();
	await until('it is put away', () => kept(directory).length === 2, 20_000);
	const {bytes = SIZE} = cache.downloads()[0] ?? {};
	t.true(bytes < 7 * MIB, `${bytes}: 4 MiB ahead of the beginning, 512 KiB of each place`);
	t.deepEqual(entryFiles(directory), []);
});

test('with fill ranges who reads all of it gets an entry', async t => {
	const {cache, url, directory} = await setUp(t, LARGE, {fill: 'ranges'});
	const version = await cache.open(url);
	t.true(await isWhollyRight(version));
	version.close();
	await until('it is stored', () => entryFiles(directory).length === 2, 20_000);
	const whole = await cache.open(url);
	await whole.whole();
	whole.close();
});

test('an open that is not read from fetches only the beginning, and one that is sought from no more than that place', async t => {
	const {cache, origin, url} = await setUp(t, {...LARGE, rate: 20 * MIB});
	const version = await cache.open(url);
	t.true(await isRight(version, SIZE - 65_536, 65_536));
	await until('what was begun has ended', () => version.arrivedBytes > 0);
	t.true(version.arrivedBytes < MIB, `${version.arrivedBytes}`);
	t.is(starts(origin).length, 2);
	t.true(await isWhollyRight(version));
	version.close();
});

test('downloads that are held take nobody’s turn', async t => {
	const {cache, origin} = await setUp(t, LARGE, {maxDownloads: 2});
	const versions = [];
	for (let index = 0; index < 6; index++) {
		const version = await cache.open(origin.serve(`/${index}`, LARGE));
		t.true(await isRight(version, 0, 1000));
		versions.push(version);
	}

	for (const version of versions) version.close();
});

test('a reader who pauses over a body of which little is left finds its one request where it was', async t => {
	const {cache, origin, url, directory} = await setUp(t, {
		...{size: 8 * MIB, ranges: true, etag: '"one"'},
		headers: {'accept-ranges': 'bytes'},
	});
	const version = await cache.open(url);
	await until('what comes unasked is there', () => version.arrivedBytes >= MIB / 4);
	const from = performance.now();
	// Longer than a transfer is held that nobody would finish.
	await until('it has paused', () => performance.now() - from > 300);
	t.true(await isWhollyRight(version));
	version.close();
	t.deepEqual(starts(origin), [undefined]);
	t.is(entryFiles(directory).length, 2);
});
