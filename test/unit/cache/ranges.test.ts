/** Reading out of order, and going on where a connection broke, from a real origin. */
import test, {type ExecutionContext} from 'ava';
import {CacheError} from '../../../src/base/errors.js';
import {CircuitOpenError, type Source} from '../../../src/cache/source.js';
import {openCache, type UrlCache, type Version} from '../../../src/library/open.js';
import {failsWith, MIB, openUrlCache, temporaryDirectory, entryFiles, leftovers} from '../../helpers/cache.js';
import {startOrigin} from '../../helpers/drive.js';
import {generatedBody, type Behaviour, type Origin} from '../../helpers/origin.js';
import {until} from '../../helpers/until.js';

const SIZE = 12 * MIB + 12_345;
const BODY = generatedBody(SIZE);
const RANGES: Behaviour = {size: SIZE, ranges: true, etag: '"one"'};

async function setUp(
	t: ExecutionContext,
	behaviour: Behaviour,
): Promise<{cache: UrlCache; origin: Origin; url: string; directory: string}> {
	const [origin, directory] = [await startOrigin(t), temporaryDirectory(t)];
	const cache = openCache({directory, http: {retries: 0, idleTimeoutMs: 60_000}});
	t.teardown(() => cache.close());
	return {cache, origin, url: origin.serve('/film', behaviour), directory};
}

/** Whether a read brings what the origin has there. */
async function isRight(version: Version, position: number, length: number): Promise<boolean> {
	const buffer = Buffer.alloc(length);
	const count = await version.read(buffer, position);
	return buffer.subarray(0, count).equals(BODY.subarray(position, position + length));
}

/** The ranges that were asked for, as pairs of offsets, exclusive; all of the body for a plain GET. */
const asked = (origin: Origin) =>
	origin.requests.map(({headers}) => {
		const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? '') ?? [];
		return first === undefined ? 'all' : `${first}-${last === '' || last === undefined ? '' : Number(last) + 1}`;
	});

test('the end is read while the beginning does not go on, by a request of its own, and what is there is not fetched again', async t => {
	const {cache, origin, url} = await setUp(t, {...RANGES, sequence: [{...RANGES, stallAt: MIB}]});
	const version = await cache.open(url);
	const tail = 64 * 1024;
	t.true(await isRight(version, SIZE - tail, tail));
	t.true(await isRight(version, SIZE - 10, 10));
	t.is(origin.requests.length, 2);
	t.regex(asked(origin)[1] ?? '', new RegExp(`-${SIZE}$`));
	t.is(origin.requests[1]?.headers['if-range'], '"one"');
	t.true(version.arrivedBytes < 2 * MIB);
	version.close();
});

test('a reader in the middle reads on by larger and larger ranges, none of it twice', async t => {
	const {cache, origin, url} = await setUp(t, {...RANGES, sequence: [{...RANGES, stallAt: MIB}]});
	const version = await cache.open(url);
	for (let position = 5 * MIB; position < SIZE; position += 100_000) {
		t.true(await isRight(version, position, 100_000));
	}

	// Who has read to the end has what is before it fetched, by ranges from the beginning.
	const ranges = asked(origin)
		.slice(1)
		.map(range => range.split('-').map(Number) as [start: number, end: number])
		.filter(([start]) => start >= 4 * MIB);
	t.deepEqual(
		ranges.slice(1).map(([start]) => start),
		ranges.slice(0, -1).map(([, end]) => end),
	);
	t.true(ranges.length <= 5, String(ranges));
	version.close();
});

test('a download whose connection breaks goes on where it was, and is whole', async t => {
	const cuts = [500_000, 1, 3_000_000];
	const {cache, origin, url, directory} = await setUp(t, {
		...RANGES,
		sequence: cuts.map(cutAt => ({...RANGES, cutAt})),
	});
	const version = await cache.open(url);
	t.true(await isRight(version, 0, SIZE));
	t.is(version.entry?.sizeBytes, SIZE);
	version.close();
	const starts = asked(origin).map(range => Number(range.split('-')[0]));
	t.true(
		Number.isNaN(starts[0]) && starts.slice(1).every((start, index) => index === 0 || start >= (starts[index] ?? 0)),
		String(starts),
	);
	t.true((starts.at(-1) ?? 0) >= 3_000_000 - 65_536, String(starts));
	t.is(entryFiles(directory).length, 2);
	await until('nothing is left', () => leftovers(directory).length === 0);
});

test('one that breaks again and again without a byte in between fails, and its readers hear of it', async t => {
	const {cache, origin, url, directory} = await setUp(t, {...RANGES, cutAt: 0, sequence: [{...RANGES, cutAt: MIB}]});
	const version = await cache.open(url);
	await failsWith(t, 'origin-failed', version.read(Buffer.alloc(10), 2 * MIB));
	t.true(origin.requests.length > 3);
	version.close();
	t.deepEqual(entryFiles(directory), []);
	await until('nothing is left', () => leftovers(directory).length === 0);
});

for (const [what, behaviour] of Object.entries({
	'another ETag': {...RANGES, etag: '"two"'},
	'another length': {...RANGES, size: SIZE + 1},
})) {
	test(`when the origin has ${what} by then, readers get an error and never a mixture`, async t => {
		const {cache, url, directory} = await setUp(t, {...behaviour, sequence: [{...RANGES, stallAt: MIB}]});
		const version = await cache.open(url);
		await failsWith(t, 'origin-failed', version.read(Buffer.alloc(10), SIZE - 10));
		t.true(await isRight(version, 0, 10));
		version.close();
		t.deepEqual(entryFiles(directory), []);
	});
}

for (const [what, behaviour] of Object.entries({
	'ignores ranges': {size: SIZE, etag: '"one"'},
	'has no strong validator': {size: SIZE, ranges: true},
	'says that it has none': {...RANGES, headers: {'accept-ranges': 'none'}},
} satisfies Record<string, Behaviour>)) {
	test(`an origin that ${what} is read from its first byte to its last`, async t => {
		const {cache, url} = await setUp(t, behaviour);
		const version = await cache.open(url);
		t.true(await isRight(version, SIZE - 10, 10));
		t.true(await isRight(version, 0, SIZE));
		t.is(version.entry?.sizeBytes, SIZE);
		version.close();
	});
}

test('what several readers wait for in several places comes to each of them', async t => {
	const {cache, origin, url} = await setUp(t, {...RANGES, sequence: [{...RANGES, stallAt: MIB}]});
	const version = await cache.open(url);
	const places = [5, 6, 7, 8, 9, 10, 11].map(mib => mib * MIB);
	const read = await Promise.all(places.map(position => isRight(version, position, 1000)));
	t.deepEqual(
		read,
		places.map(() => true),
	);
	t.is(new Set(asked(origin)).size, asked(origin).length);
	version.close();
});

test('the bytes of a stalled beginning and of its seeks become one entry', async t => {
	const {cache, url, directory} = await setUp(t, {...RANGES, sequence: [{...RANGES, rate: 3 * MIB}]});
	const version = await cache.open(url);
	for (const position of [11 * MIB, 5 * MIB, 8 * MIB]) {
		t.true(await isRight(version, position, 200_000));
	}

	await version.whole();
	t.true(await isRight(version, 0, SIZE));
	version.close();
	t.is(entryFiles(directory).length, 2);
});

test.serial(
	'who follows from another process reads what has come, wherever it is, with no request of its own',
	async t => {
		const {cache, origin, url, directory} = await setUp(t, {...RANGES, sequence: [{...RANGES, stallAt: MIB}]});
		const version = await cache.open(url);
		t.true(await isRight(version, SIZE - 1000, 1000));
		const other = openCache({directory, http: {retries: 0}});
		t.teardown(() => other.close());
		// Who cannot be told in time who fetches it fetches for itself: the thread that asks is started first.
		await other.load();
		const followed = await other.open(url);
		t.true(await isRight(followed, SIZE - 1000, 1000));
		t.true(await isRight(followed, 0, 1000));
		t.is(origin.requests.length, 2);
		t.is(other.stats().downloads_running, 0);
		followed.close();
		version.close();
	},
);

const LARGE: Behaviour = {...RANGES, size: 40 * MIB};

test('what nobody reads any more does not go on, and goes on where it was with the next reader', async t => {
	const {cache, origin, url, directory} = await setUp(t, {...LARGE, sequence: [{...LARGE, rate: 20 * MIB}]});
	const first = await cache.open(url);
	await first.read(Buffer.alloc(100), 0);
	first.close();
	await until('it is paused', () => cache.downloads()[0]?.state === 'paused');
	await origin.disconnected();
	t.is(cache.stats().downloads_running, 0);
	const {bytes = 0} = cache.downloads()[0] ?? {};
	t.true(bytes < 10 * MIB, `${bytes}`);

	const second = await cache.open(url);
	t.true(await isRightOf(second, 30 * MIB, 1000));
	await second.whole();
	t.true(await isRightOf(second, 0, 40 * MIB));
	second.close();
	t.is(entryFiles(directory).length, 2);
	t.is(asked(origin).filter(range => range === 'all').length, 1);
});

test('what is left holds no more of the budget than what has come, and gives way to what is read', async t => {
	const [origin, directory] = [await startOrigin(t), temporaryDirectory(t)];
	const cache = openCache({directory, http: {retries: 0}, limits: {maxBytes: 50 * MIB}});
	t.teardown(() => cache.close());
	for (let index = 0; index < 20; index++) {
		const version = await cache.open(origin.serve(`/${index}`, {...LARGE, stallAt: 100_000}));
		version.close();
	}

	await until('all are left', () => cache.stats().downloads_running === 0 && leftovers(directory).length === 0, 20_000);
	t.is(cache.downloads().length, 20);
	const {used_bytes: used} = cache.stats();
	t.true(used > 20 * 60_000 && used < 20 * 200_000, `${used}`);
	const version = await cache.open(origin.serve('/whole', {...LARGE, size: 49 * MIB}));
	await version.whole();
	version.close();
	t.true(cache.downloads().length < 15, `${cache.downloads().length}`);
	t.is(cache.stats().evicted, 0);
});

test('a reader that comes while it pauses finds it going on', async t => {
	const {cache, url} = await setUp(t, LARGE);
	for (let round = 0; round < 20; round++) {
		const version = await cache.open(url);
		t.true(await isRightOf(version, round * MIB, 1000));
		version.close();
		if (round % 3 === 0) await new Promise(setImmediate);
	}

	const last = await cache.open(url);
	t.true(await isRightOf(last, 0, 40 * MIB));
	last.close();
});

test('what is left alone when the cache is closed leaves no draft', async t => {
	const {cache, url, directory} = await setUp(t, {...LARGE, rate: 20 * MIB});
	const version = await cache.open(url);
	version.close();
	await until('it is paused', () => cache.downloads()[0]?.state === 'paused');
	await cache.close();
	t.deepEqual(leftovers(directory), []);
});

test('little that is left is fetched, though nobody waits for it', async t => {
	const {cache, url, directory} = await setUp(t, RANGES);
	const version = await cache.open(url);
	version.close();
	await until('it is stored', () => cache.stats().entries === 1);
	t.is(entryFiles(directory).length, 2);
});

/** As `isRight`, of a body of any length. */
async function isRightOf(version: Version, position: number, length: number): Promise<boolean> {
	const buffer = Buffer.alloc(length);
	const count = await version.read(buffer, position);
	return buffer.subarray(0, count).equals(generatedBody(position + length).subarray(position));
}

test('a download whose origin is not asked for a while goes on when it may be, and not before', async t => {
	const NOT_ASKED_MS = 900;
	const asked: number[] = [];
	const source: Source = {
		fetch: () =>
			Promise.resolve({
				...{lengthBytes: MIB, mimetype: 'text/plain', filename: 'a', etag: '"one"', lastModifiedMs: undefined},
				...{acceptsRanges: true, hasStrongValidator: true, discard() {}},
				// eslint-disable-next-line @typescript-eslint/require-await -- what comes is there already
				body: (async function* () {
					yield BODY.subarray(0, 300_000);
					throw new CacheError('origin-failed', 'it broke off');
				})(),
			}),
		fetchRange() {
			asked.push(performance.now());
			if (asked.length > 1) return Promise.reject(new CacheError('not-found', 'it is gone'));
			return Promise.reject(new CircuitOpenError('origin-unreachable', 'left in peace', NOT_ASKED_MS));
		},
	};
	const version = await openUrlCache(t, {source}).open('http://a.test/x');
	await failsWith(t, 'not-found', version.whole());
	version.close();
	const [first = 0, second = 0] = asked;
	// Half a second is what it would have waited without.
	t.true(second - first >= NOT_ASKED_MS - 5, String(asked));
});
