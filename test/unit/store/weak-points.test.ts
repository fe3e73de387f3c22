/** The original's weak points that concern the directory; the others are in `test/unit/cache/weak-points.test.ts`. */
import {execFileSync, spawnSync} from 'node:child_process';
import {
	mkdirSync,
	readFileSync,
	rmdirSync,
	rmSync,
	symlinkSync,
	truncateSync,
	unlinkSync,
	writeFileSync,
} from 'node:fs';
import path from 'node:path';
import test from 'ava';
import {asError} from '../../../src/base/errors.js';
import {keyOf} from '../../../src/store/key.js';
import {
	allocatedOnDisk,
	entryFiles,
	get,
	leftovers,
	MIB,
	openMediaCache,
	openStore,
	put,
	quarantined,
	recordingLog,
	SMALL_ENTRY_BYTES,
	temporaryDirectory,
	TestClock,
} from '../../helpers/cache.js';
import {ForkedProcess} from '../../helpers/forked-process.js';
import {basePath, deleteLikeOriginal, putLikeOriginal} from '../../helpers/original.js';
import {until} from '../../helpers/until.js';

const [A, B, C] = ['https://a.example/a', 'https://a.example/b', 'https://a.example/c'] as const;
const HOUR_MS = 3_600_000;
/** What is noticed is noticed within this. */
const NOTICED_MS = 10_000;

/** A clock by which all that lies in a directory by now is old enough to be judged. */
function lateClock(): TestClock {
	const clock = new TestClock();
	clock.advance(61_000);
	return clock;
}

test('M1: an access over an hour after the last one written survives a restart, so that the other entry leaves', async t => {
	const [directory, clock] = [temporaryDirectory(t), new TestClock()];
	const limitBytes = 2.5 * SMALL_ENTRY_BYTES;
	const before = openStore(t, {directory, clock, limitBytes});
	await put(before, A, 'a');
	clock.advance(1000);
	await put(before, B, 'b');
	clock.advance(HOUR_MS + 1000);
	t.is(await get(before, A), 'a');
	await before.close();

	const after = openStore(t, {directory, clock, limitBytes});
	await after.load();
	await put(after, C, 'c');
	t.deepEqual([await get(after, A), await get(after, B), await get(after, C)], ['a', undefined, 'c']);
});

for (const how of ['a restart', 'kill -9'] as const) {
	test(`M1: the order of accesses less than an hour apart survives ${how}, though no sidecar tells of them`, async t => {
		const [directory, other] = [temporaryDirectory(t), ForkedProcess.start(t)];
		await other.tell('openStore', directory, {}, 0);
		for (const url of [A, B, C]) await other.tell('put', url, 'x');
		await other.tell('advance', 1000);
		await other.tell('get', B);
		await other.tell('advance', 1000);
		await other.tell('get', A);
		const written = [A, B, C].map(url => readFileSync(`${basePath(directory, url)}.json`, 'utf8'));
		await other.tell('flush');
		await (how === 'a restart' ? other.tell('close') : other.kill());
		t.deepEqual(
			[A, B, C].map(url => readFileSync(`${basePath(directory, url)}.json`, 'utf8')),
			written,
		);

		const store = openStore(t, {directory});
		await store.load();
		for (const left of [[A, B], [A], []]) {
			await store.setLimits({maxEntries: left.length});
			t.deepEqual(Array.from(store.entries(), ({sidecar}) => sidecar.url).sort(), left);
		}
	});
}

test('M2: what a killed writer leaves is cleared at the next start, and none of it is an entry', async t => {
	const [directory, clock] = [temporaryDirectory(t), lateClock()];
	const before = openStore(t, {directory});
	await put(before, A, 'whole');
	await before.close();
	const deadPid = spawnSync('true').pid;
	const downloads = path.join(directory, '.larder', 'downloads');
	writeFileSync(path.join(downloads, `${keyOf(B)}.${deadPid}.0123456789ab`), 'half');
	writeFileSync(path.join(downloads, `${keyOf(B)}.json.${deadPid}.0123456789ab`), '{');
	writeFileSync(`${basePath(directory, B)}.dat`, 'renamed, but no sidecar yet');
	putLikeOriginal(directory, C, 'removed, but for the sidecar');
	unlinkSync(`${basePath(directory, C)}.dat`);

	const after = openStore(t, {directory, clock});
	await after.load();
	t.is(await get(after, A), 'whole');
	t.is(await get(after, B), undefined);
	t.is(await get(after, C), undefined);
	t.is(after.totals.entries, 1);
	t.deepEqual(leftovers(directory), []);
	await until('the remains are gone', () => entryFiles(directory).length === 2, NOTICED_MS);
	t.is(after.usedBytes, allocatedOnDisk(directory));
});

test('M6: what another process stores is found at once, and what it stores anew too', async t => {
	const directory = temporaryDirectory(t);
	const [ours, theirs] = [openMediaCache(t, directory), openMediaCache(t, directory)];
	await theirs.put(A, Buffer.from('one'), 'text/plain', 'a.txt');
	t.is(String((await ours.get(A))?.data), 'one');
	await theirs.put(A, Buffer.from('two'), 'text/plain', 'a.txt');
	await ours.ensureLoaded();
	await until('the new bytes', async () => String((await ours.get(A))?.data) === 'two', NOTICED_MS);
});

test('M6: each process counts what the others store, so that together they keep the budget within two seconds', async t => {
	const directory = temporaryDirectory(t);
	const stores = [openStore(t, {directory, limitBytes: MIB}), openStore(t, {directory, limitBytes: MIB})] as const;
	for (const store of stores) await store.load();
	for (let index = 0; index < 9; index++) {
		await put(stores[0], `https://a.example/ours/${index}`, Buffer.alloc(100_000));
		await put(stores[1], `https://a.example/theirs/${index}`, Buffer.alloc(100_000));
	}

	await until('the budget is kept', () => allocatedOnDisk(directory) <= MIB, NOTICED_MS);
	const agree = () => stores.every(store => store.totals.allocatedBytes === allocatedOnDisk(directory));
	t.true(await until('each counts what is there', agree, NOTICED_MS));
});

test('M6: several processes over the budget evict in one shared order, and no more than they have to', async t => {
	const [directory, count] = [temporaryDirectory(t), 20];
	const others = [ForkedProcess.start(t), ForkedProcess.start(t), ForkedProcess.start(t)];
	for (const other of others) await other.tell('openStore', directory, {maxBytes: count * SMALL_ENTRY_BYTES}, 0);
	const limits = {maxBytes: count * SMALL_ENTRY_BYTES};
	const store = openStore(t, {directory, limits});
	let order: string[] = [];
	for (let index = 0; index < 60; index++) {
		const other = others[index % 3];
		const read = order[index % 7];
		if (read !== undefined) {
			t.is(await other?.tell('get', read), 'x');
			order = [...order.filter(url => url !== read), read];
		}

		const url = `https://a.example/${index}`;
		await other?.tell('put', url, 'x');
		await other?.tell('flush');
		order = [...order, url].slice(-count);
	}

	const stored = () => Array.from(store.entries(), ({sidecar}) => sidecar.url).sort();
	t.deepEqual(stored(), [...order].sort());
	const evicted = await Promise.all(others.map(other => other.tell('evicted')));
	const counts = evicted.map(one => one?.['max-size'] ?? 0);
	t.is(
		counts.reduce((sum, one) => sum + one, 0),
		60 - count,
	);
	t.true(
		counts.every(one => one > 0),
		counts.join(),
	);
});

test('M6: of what several processes store at once as much is kept as there is room for, or nearly', async t => {
	const [directory, count] = [temporaryDirectory(t), 20];
	const limits = {maxBytes: count * SMALL_ENTRY_BYTES};
	const others = [ForkedProcess.start(t), ForkedProcess.start(t), ForkedProcess.start(t)];
	for (const other of others) await other.tell('openStore', directory, limits, 0);
	for (const other of others) await other.tell('load');
	const store = openStore(t, {directory, limits});
	await store.load();
	const work = others.map(async (other, which) => {
		for (let index = 0; index < 60; index++) {
			const put = other.tell('put', `https://a.example/${which}/${index}`, 'x');
			// For a moment the others may be at work on all that could leave.
			await put.catch(
				(error: unknown) => (error as {code?: unknown}).code === 'no-space' || Promise.reject(asError(error)),
			);
		}

		await other.tell('flush');
	});
	await Promise.all(work);
	await until('the budget is kept', () => allocatedOnDisk(directory) <= limits.maxBytes, NOTICED_MS);
	const left = () => entryFiles(directory).length / 2;
	await until('each counts what is there', () => store.usedBytes === allocatedOnDisk(directory), NOTICED_MS);
	for (const other of others) {
		await until('so do the others', async () => (await other.tell('totals'))?.entries === left(), NOTICED_MS);
	}

	// Each may have evicted for what the others held a moment before.
	t.true(left() >= count / 2, `${left()} of ${count}`);
});

const TOO_LONG_A_NUMBER = '9'.repeat(10_000);
const BAD_SIDECARS = {
	'an empty file': '',
	'an object without a url': '{}',
	'an array': '[]',
	'null': 'null',
	'no UTF-8': Buffer.from([0xff, 0xfe, 0x00, 0x7b]),
	'no UTF-8 in one field': (url: string) =>
		Buffer.concat([
			Buffer.from(`{"url":${JSON.stringify(url)},"size":4,"filename":"`),
			Buffer.from([0xff]),
			Buffer.from('"}'),
		]),
	'200,000 brackets': '['.repeat(200_000),
	'a ts of null': (url: string) => JSON.stringify({url, size: 4, ts: null}),
	'a size in quotes': (url: string) => JSON.stringify({url, size: '4', ts: 0}),
	'a url that is an array': JSON.stringify({url: [], size: 4, ts: 0}),
	'an integer of 10,000 digits': (url: string) => `{"url":${JSON.stringify(url)},"size":4,"ts":${TOO_LONG_A_NUMBER}}`,
	'a mimetype that is a number': (url: string) => JSON.stringify({url, size: 4, ts: 0, mimetype: 1}),
	'2 MiB of blanks': ' '.repeat(2 * MIB),
} satisfies Record<string, string | Buffer | ((url: string) => string | Buffer)>;

test('M7: bad sidecars are moved to quarantine one by one, and every other entry loads', async t => {
	const [directory, {log, lines}] = [temporaryDirectory(t), recordingLog()];
	putLikeOriginal(directory, A, 'good');
	const bad = Object.entries(BAD_SIDECARS).map(([what, sidecar]) => {
		const url = `https://a.example/${what}`;
		putLikeOriginal(directory, url, '1234');
		writeFileSync(`${basePath(directory, url)}.json`, typeof sidecar === 'function' ? sidecar(url) : sidecar);
		return {what, url};
	});

	const store = openStore(t, {directory, clock: lateClock(), log});
	await store.load();
	t.is(await get(store, A), 'good');
	t.is(store.totals.entries, 1);
	for (const {what, url} of bad) t.is(await get(store, url), undefined, what);
	const names = bad.flatMap(({url}) => [`${keyOf(url)}.dat`, `${keyOf(url)}.json`]).sort();
	await until('all of them are in quarantine', () => quarantined(directory).length === names.length, NOTICED_MS);
	t.deepEqual(quarantined(directory), names);
	t.is(lines.filter(line => line.startsWith('warn a damaged entry was moved')).length, bad.length);
});

test('M8: bytes that do not have the size of the sidecar are a miss, and go to quarantine', async t => {
	const directory = temporaryDirectory(t);
	putLikeOriginal(directory, A, '1234567890');
	truncateSync(`${basePath(directory, A)}.dat`, 3);
	const store = openStore(t, {directory, clock: lateClock()});
	await store.load();
	t.is(await get(store, A), undefined);
	t.is(store.totals.sizeBytes, 0);
	await until('they are in quarantine', () => quarantined(directory).length === 2, NOTICED_MS);
});

test('M9: a sidecar with a size below 0, of NaN or beyond all numbers is no entry, and the budget is kept', async t => {
	const directory = temporaryDirectory(t);
	for (const size of ['-1e12', 'NaN', '1e400', '-0.5']) {
		const url = `https://a.example/${size}`;
		putLikeOriginal(directory, url, '1234');
		writeFileSync(`${basePath(directory, url)}.json`, `{"url": "${url}", "size": ${size}, "ts": 1.5}`);
	}

	const store = openStore(t, {directory, limitBytes: MIB, clock: lateClock()});
	await store.load();
	t.is(store.totals.entries, 0);
	for (let index = 0; index < 30; index++) await put(store, `https://a.example/${index}`, Buffer.alloc(100_000));
	t.true(store.usedBytes <= MIB);
	t.is(store.totals.entries, 9);
});

test('M10: a symbolic link in the store is no entry, and a put replaces the link, not what it leads to', async t => {
	const [directory, elsewhere] = [temporaryDirectory(t), temporaryDirectory(t)];
	const victim = path.join(elsewhere, 'victim');
	for (const [url, linked] of [
		[A, '.dat'],
		[B, '.json'],
	] as const) {
		putLikeOriginal(directory, url, 'stored');
		const content = readFileSync(basePath(directory, url) + linked);
		writeFileSync(victim + linked, content);
		rmSync(basePath(directory, url) + linked);
		symlinkSync(victim + linked, basePath(directory, url) + linked);

		const store = openStore(t, {directory});
		await store.load();
		t.is(await get(store, url), undefined, linked);
		await put(store, url, 'overwritten');
		t.is(await get(store, url), 'overwritten', linked);
		t.deepEqual(readFileSync(victim + linked), content);
	}
});

test('M11: a sidecar under a foreign name cannot claim a URL', async t => {
	const directory = temporaryDirectory(t);
	putLikeOriginal(directory, A, 'true', {ts: 1000});
	const planted = path.join(directory, 'ab'.repeat(32));
	writeFileSync(`${planted}.dat`, 'planted');
	writeFileSync(
		`${planted}.json`,
		JSON.stringify({url: A, mimetype: 'x/y', filename: 'x', size: 7, ts: 9_999_999_999}),
	);
	const store = openStore(t, {directory, clock: lateClock()});
	await store.load();
	t.is(await get(store, A), 'true');
	t.deepEqual([store.totals.entries, store.totals.sizeBytes], [1, 4]);
	await until('it is in quarantine', () => quarantined(directory).length === 2, NOTICED_MS);
});

test('M19: a store over its budget is brought within it at the start, the least recently used first', async t => {
	const directory = temporaryDirectory(t);
	for (let index = 0; index < 20; index++) {
		putLikeOriginal(directory, `https://a.example/${index}`, Buffer.alloc(100_000), {ts: 1000 + index});
	}

	const store = openStore(t, {directory, limitBytes: MIB});
	await store.load();
	t.true(allocatedOnDisk(directory) <= MIB);
	t.is(store.totals.entries, 9);
	t.is(store.lookup(keyOf('https://a.example/10')), undefined);
	t.not(store.lookup(keyOf('https://a.example/11')), undefined);
});

test('M20: the budget counts the blocks of both files', async t => {
	const directory = temporaryDirectory(t);
	const store = openStore(t, {directory, limitBytes: 50 * SMALL_ENTRY_BYTES});
	for (let index = 0; index < 100; index++) await put(store, `https://a.example/${index}`, 'x');
	t.is(store.totals.sizeBytes, 50);
	t.is(store.usedBytes, 50 * SMALL_ENTRY_BYTES);
	t.is(allocatedOnDisk(directory), 50 * SMALL_ENTRY_BYTES);
});

test('M21: what cannot be removed stays counted, another entry leaves, and later it is tried again', async t => {
	const [directory, clock, {log, lines}] = [temporaryDirectory(t), new TestClock(), recordingLog()];
	const store = openStore(t, {directory, clock, log});
	await put(store, A, 'a');
	await put(store, B, 'b');
	// What is written to the catalogue is compared with the files: before these are tampered with.
	await store.flush();
	const data = `${basePath(directory, A)}.dat`;
	rmSync(data);
	mkdirSync(data);

	await store.setLimits({maxBytes: SMALL_ENTRY_BYTES});
	t.deepEqual(
		Array.from(store.entries(), ({sidecar}) => sidecar.url),
		[A],
	);
	t.is(store.usedBytes, SMALL_ENTRY_BYTES);
	t.is(lines.filter(line => line.startsWith('warn https://a.example/a cannot be removed')).length, 1);

	rmdirSync(data);
	await store.setLimits({maxBytes: 0});
	t.is(store.totals.entries, 1, 'not before a minute has passed');
	clock.advance(61_000);
	await store.setLimits({maxBytes: 0});
	t.is(store.usedBytes, 0);
});

test('M22: FIFOs in the store hang nothing and are no entries', async t => {
	const directory = temporaryDirectory(t);
	for (const [url, extension] of [
		[A, '.json'],
		[B, '.dat'],
	] as const) {
		putLikeOriginal(directory, url, 'stored');
		rmSync(basePath(directory, url) + extension);
		execFileSync('mkfifo', [basePath(directory, url) + extension]);
	}

	const store = openStore(t, {directory, clock: lateClock()});
	await store.load();
	t.is(await get(store, A), undefined);
	t.is(await get(store, B), undefined);
	await until('they are in quarantine', () => quarantined(directory).length === 4, NOTICED_MS);
	await put(store, A, 'a');
	t.is(await get(store, A), 'a');
});

test('M24: files removed by another program are gone from the totals, the listing and the memory tier within two seconds', async t => {
	const directory = temporaryDirectory(t);
	const cache = openMediaCache(t, directory);
	await cache.ensureLoaded();
	await cache.put(A, Buffer.from('a'), 'text/plain', 'a.txt');
	t.is(cache.stats().entries_in_memory, 1);
	deleteLikeOriginal(directory, A);
	await until('it is gone', () => cache.stats().entries === 0, NOTICED_MS);
	t.is(cache.stats().total_bytes, 0);
	t.is(cache.stats().entries_in_memory, 0);
	t.is(await cache.get(A), undefined);
});
