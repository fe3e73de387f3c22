import {
	appendFileSync,
	chmodSync,
	existsSync,
	linkSync,
	lstatSync,
	readFileSync,
	readdirSync,
	renameSync,
} from 'node:fs';
import {mkdirSync, rmSync, statSync, symlinkSync, truncateSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {keyOf} from '../../../src/store/key.js';
import {Layout} from '../../../src/store/layout.js';
import {keepPartial} from '../../../src/store/partial-files.js';
import type {Store} from '../../../src/store/store.js';
import {begin, bring, bytesAt, factsOf, hasBytes, keptFile} from '../../helpers/begun.js';
import {
	allocatedOnDisk,
	failsWith,
	get,
	leftovers,
	MIB,
	openStore,
	put,
	SMALL_ENTRY_BYTES,
	temporaryDirectory,
	TestClock,
} from '../../helpers/cache.js';
import {until} from '../../helpers/until.js';

const [A, B, C] = ['https://a.example/a', 'https://a.example/b', 'https://a.example/c'] as const;
const LENGTH = 100_000;
const RANGES = [
	{start: 0, end: 5000},
	{start: 50_000, end: 90_000},
];
const DAY_MS = 24 * 60 * 60 * 1000;

/** A store, its directory, and what of it is kept. */
function setUp(t: ExecutionContext, limitBytes = 64 * MIB) {
	const [directory, clock] = [temporaryDirectory(t), new TestClock()];
	const store = openStore(t, {directory, clock, limitBytes});
	return {directory, clock, store, kept: () => readdirSync(path.join(directory, '.larder', 'partials')).sort()};
}

async function keep(store: Store, url: string, lengthBytes = LENGTH, ranges = RANGES): Promise<void> {
	const draft = await begin(store, url, lengthBytes, ranges);
	if (!(await draft.keep())) throw new Error('it was not kept');
	draft.close();
}

function allocated(...files: string[]): number {
	return files.reduce((sum, file) => sum + lstatSync(file).blocks * 512, 0);
}

test('what is kept is taken as it was told, written on, and committed', async t => {
	const {directory, store, kept} = setUp(t);
	const draft = await begin(store, A, LENGTH, RANGES);
	t.true(await draft.keep());
	t.deepEqual(kept(), [keyOf(A), `${keyOf(A)}.ranges`]);
	t.deepEqual(leftovers(directory), []);
	t.is(statSync(keptFile(directory, A)).mode & 0o777, 0o400);
	t.true(await hasBytes(draft.file, A, RANGES), 'its readers read on');

	const taken = await store.resume(keyOf(A));
	t.deepEqual(taken?.facts, factsOf(A, LENGTH));
	t.deepEqual([...(taken?.ranges ?? [])], RANGES);
	t.deepEqual(kept(), []);
	t.is(taken?.draft.sizeBytes, 90_000);
	t.is(statSync(taken?.draft.path ?? '').mode & 0o777, 0o600);
	t.is(await store.resume(keyOf(A)), undefined);
	await draft.discard();
	await failsWith(t, 'aborted', draft.file.read(Buffer.alloc(1), 0));
	if (taken === undefined) return;

	taken.draft.expect(LENGTH);
	await bring(taken.draft, A, taken.ranges.missing(0, LENGTH));
	const pin = await store.commit(taken.draft, {url: A, mimetype: 'a/b', filename: 'a'});
	t.true((await pin.readAll()).equals(bytesAt(A, {start: 0, end: LENGTH})));
	pin.close();
	t.deepEqual(leftovers(directory), []);
	t.is(store.usedBytes, allocatedOnDisk(directory));
});

test('what was told after it was taken is there when it is kept and taken once more', async t => {
	const {store} = setUp(t);
	await keep(store, A);
	const first = await store.resume(keyOf(A));
	if (first !== undefined) await bring(first.draft, A, [{start: 5000, end: 50_000}]);
	t.true(await first?.draft.keep());
	t.false(await first?.draft.keep());
	first?.draft.close();
	first?.draft.close();
	const second = await store.resume(keyOf(A));
	t.deepEqual([...(second?.ranges ?? [])], [{start: 0, end: 90_000}]);
	t.true(second !== undefined && (await hasBytes(second.draft.file, A, second.ranges)));
	await second?.draft.discard();
	t.is(store.usedBytes, 0);
});

test('a draft of which nothing was told is not kept, nor one that is no draft any more, and both are as they were', async t => {
	const {directory, store, kept} = setUp(t);
	const untold = await store.draft(keyOf(A));
	await untold.write([Buffer.from('x')], 0);
	t.false(await untold.keep());
	untold.beginTelling(factsOf(A, 1));
	t.false(await untold.keep());
	t.is(leftovers(directory).length, 2);
	(await store.commit(untold, {url: A, mimetype: 'a/b', filename: 'a'})).close();
	t.false(await untold.keep());
	const discarded = await begin(store, B, LENGTH, RANGES);
	await discarded.discard();
	t.false(await discarded.keep());
	t.deepEqual([...kept(), ...leftovers(directory)], []);
});

test('what is kept takes nothing of the budget but what it takes on the disk, and once it is taken what is written', async t => {
	const {directory, store} = setUp(t);
	const other = openStore(t, {directory});
	const draft = await begin(store, A, 10 * MIB, [{start: 0, end: MIB}]);
	t.true(store.usedBytes >= MIB);
	await draft.keep();
	draft.close();
	const file = keptFile(directory, A);
	t.is(store.usedBytes, allocated(file, `${file}.ranges`));
	await until('the other process has heard of it', () => other.usedBytes === store.usedBytes);
	const taken = await store.resume(keyOf(A));
	t.is(store.usedBytes, MIB + 4096);
	await taken?.draft.discard();
	t.is(store.usedBytes, 0);
});

test('of two that are kept of one key the one with more bytes stays', async t => {
	const {directory, store, kept} = setUp(t);
	const [few, more, fewest] = [
		await begin(store, A, LENGTH, [{start: 0, end: 10}]),
		await begin(store, A, LENGTH, [{start: 90, end: 190}]),
		await begin(store, A, LENGTH, [{start: 0, end: 1}]),
	];
	for (const draft of [few, more, fewest]) t.true(await draft.keep());
	t.is(kept().length, 2);
	t.deepEqual(leftovers(directory), []);
	t.true(await hasBytes(fewest.file, A, [{start: 0, end: 1}]), 'who reads the other one reads on');
	for (const draft of [few, more, fewest]) draft.close();
	t.deepEqual([...((await store.resume(keyOf(A)))?.ranges ?? [])], [{start: 90, end: 190}]);
});

test('of many who take what is kept at once one gets it', async t => {
	const {directory, store, kept} = setUp(t);
	const others = [store, openStore(t, {directory}), openStore(t, {directory})];
	for (let round = 0; round < 10; round++) {
		await keep(store, A);
		const takers = [...others, ...others, ...others];
		const taken = (await Promise.all(takers.map(one => one.resume(keyOf(A))))).filter(one => one !== undefined);
		t.is(taken.length, 1);
		t.deepEqual([...(taken[0]?.ranges ?? [])], RANGES);
		t.deepEqual(kept(), []);
		await taken[0]?.draft.discard();
	}

	t.deepEqual(leftovers(directory), []);
});

test('a listing tells what is kept of what, by whomever, and changes with it', async t => {
	const {directory, store} = setUp(t);
	const other = openStore(t, {directory});
	t.deepEqual([...store.partials], []);
	const before = Date.now() - 10;
	await keep(other, A);
	await keep(other, B);
	const byUrl = () => [...store.partials].map(({key, facts, arrivedBytes}) => [key, facts.url, arrivedBytes]).sort();
	const expected = [A, B].map(url => [keyOf(url), url, 45_000]).sort();
	await until('both are listed', () => byUrl().length === 2);
	t.deepEqual(byUrl(), expected);
	for (const {keptAtMs} of store.partials) t.true(keptAtMs >= before && keptAtMs <= Date.now() + 10);

	t.true(store.forgetPartial(keyOf(A)));
	t.false(store.forgetPartial(keyOf(A)));
	t.deepEqual(byUrl(), [[keyOf(B), B, 45_000]]);
	t.is(await store.resume(keyOf(A)), undefined);
	await until('the other one has heard of it', () => [...other.partials].length === 1);
	// The same key again, with more.
	t.true(other.forgetPartial(keyOf(B)));
	await keep(other, B, LENGTH, [{start: 0, end: 99_000}]);
	await until('it is listed anew', () => [...store.partials][0]?.arrivedBytes === 99_000);
});

test('for want of room what was begun leaves before any entry, the longest kept first, whoever kept it', async t => {
	const {directory, store} = setUp(t, MIB);
	const other = openStore(t, {directory, limitBytes: MIB});
	await put(store, 'https://a.example/entry', 'old');
	for (const url of [A, B, C]) await keep(url === B ? other : store, url, LENGTH, [{start: 0, end: LENGTH}]);
	const left = () => [A, B, C].filter(url => existsSync(keptFile(directory, url)));
	t.deepEqual((await store.freeSpace()).freeBytes, MIB);
	await put(store, 'https://a.example/large', Buffer.alloc(750_000));
	t.deepEqual(left(), [B, C]);
	t.is((await get(store, 'https://a.example/entry')) ?? '', 'old');
	await put(store, 'https://a.example/larger', Buffer.alloc(200_000));
	t.deepEqual(left(), []);
	t.is(await get(store, 'https://a.example/entry'), 'old', 'then there was room');
	t.is(store.evicted['max-size'], 0);
	t.true(store.usedBytes <= MIB);
});

test('where there are too many entries an entry leaves, and what was begun stays', async t => {
	const directory = temporaryDirectory(t);
	const store = openStore(t, {directory, limits: {maxEntries: 1}});
	await keep(store, A);
	await put(store, B, 'b');
	await put(store, C, 'c');
	t.is(store.totals.entries, 1);
	t.is(store.evicted['max-entries'], 1);
	t.true(existsSync(keptFile(directory, A)));
});

test('hundreds that are kept leave one after another, until the budget is kept', async t => {
	const {directory, store, kept} = setUp(t);
	for (let index = 0; index < 200; index++) await keep(store, `${A}/${index}`, 10, [{start: 0, end: 10}]);
	t.is(store.usedBytes, 200 * SMALL_ENTRY_BYTES);
	await store.setLimits({maxBytes: 10 * SMALL_ENTRY_BYTES});
	t.is(store.usedBytes, 10 * SMALL_ENTRY_BYTES);
	t.is(kept().length, 20);
	t.true(existsSync(keptFile(directory, `${A}/199`)));
});

test('an entry that is stored or removed takes with it what is kept of its key, and nothing else', async t => {
	const {store, kept} = setUp(t);
	for (const url of [A, B, C]) await keep(store, url);
	await put(store, A, 'whole');
	t.is(kept().length, 4);
	t.false(await store.remove(keyOf(B)), 'there was no entry');
	t.deepEqual(kept(), [keyOf(C), `${keyOf(C)}.ranges`]);
});

test('what is kept for more than seven days is dropped at the start, and where the aged are', async t => {
	const {directory, clock, store, kept} = setUp(t);
	await keep(store, A);
	await keep(store, B);
	clock.advance(6.9 * DAY_MS);
	await store.setLimits({});
	t.is(kept().length, 4);
	clock.advance(0.2 * DAY_MS);
	await store.setLimits({});
	t.deepEqual(kept(), []);
	await keep(store, A);
	await store.close();
	clock.advance(0.1 * DAY_MS);
	await openStore(t, {directory, clock}).load();
	t.deepEqual(kept(), []);
});

test('who starts finds what was kept before', async t => {
	const {directory, store} = setUp(t);
	await keep(store, A);
	await store.close();
	const next = openStore(t, {directory});
	await next.load();
	t.deepEqual([...((await next.resume(keyOf(A)))?.ranges ?? [])], RANGES);
});

/** Changes what is kept of A, so that nobody can tell what is right of it. */
const DAMAGE: Record<string, (file: string, log: string) => void> = {
	'data of another file': file => {
		renameSync(file, `${file}.other`);
		writeFileSync(file, readFileSync(`${file}.other`));
		rmSync(`${file}.other`);
	},
	'data that is gone': file => rmSync(file),
	'data that is shorter than what is told': file => {
		chmodSync(file, 0o600);
		truncateSync(file, 89_999);
	},
	'data that is longer than it can be': file => {
		chmodSync(file, 0o600);
		truncateSync(file, LENGTH + 1);
	},
	'data behind a link': file => {
		renameSync(file, `${file}.other`);
		symlinkSync(`${file}.other`, file);
	},
	'data that is a directory': file => {
		rmSync(file);
		mkdirSync(file);
	},
	'no first line': (_, log) => writeFileSync(log, Buffer.alloc(32)),
	'a first line that says nothing': (_, log) =>
		writeFileSync(log, Buffer.concat([Buffer.from('{}\n'), Buffer.alloc(32)])),
	'an empty log': (_, log) => truncateSync(log, 0),
	'a log that tells nothing': (_, log) => truncateSync(log, readFileSync(log).indexOf('\n') + 1),
	'a log behind a link': (_, log) => {
		renameSync(log, `${log}.other`);
		symlinkSync(`${log}.other`, log);
	},
	'a record that ends before it begins': (_, log) => appendFileSync(log, record(7n, 3n)),
	'a record beyond the end': (_, log) => appendFileSync(log, record(0n, BigInt(LENGTH + 1))),
	'a record beyond all numbers': (_, log) => appendFileSync(log, record(0n, 2n ** 64n - 1n)),
};

function record(start: bigint, end: bigint): Buffer {
	const bytes = Buffer.alloc(16);
	bytes.writeBigUInt64LE(start, 0);
	bytes.writeBigUInt64LE(end, 8);
	return bytes;
}

for (const [what, damage] of Object.entries(DAMAGE)) {
	test(`${what}: it is not taken, and what can be removed of it is gone`, async t => {
		const {directory, store} = setUp(t);
		await keep(store, A);
		const file = keptFile(directory, A);
		damage(file, `${file}.ranges`);
		t.is(await store.resume(keyOf(A)), undefined);
		t.false(existsSync(`${file}.ranges`));
		t.deepEqual(leftovers(directory), []);
		t.is(await store.resume(keyOf(A)), undefined);
	});
}

test("one partial's log beside another one's data is refused, and so is one that lies under another key", async t => {
	const {directory, store} = setUp(t);
	for (const url of [A, B, C]) await keep(store, url);
	const [a, b, c] = [keptFile(directory, A), keptFile(directory, B), keptFile(directory, C)] as const;
	renameSync(`${b}.ranges`, `${a}.ranges`);
	t.is(await store.resume(keyOf(A)), undefined);
	renameSync(c, b);
	renameSync(`${c}.ranges`, `${b}.ranges`);
	t.is(await store.resume(keyOf(B)), undefined);
});

test('a torn record at the end is cut off by who goes on', async t => {
	const {directory, store} = setUp(t);
	await keep(store, A);
	appendFileSync(`${keptFile(directory, A)}.ranges`, 'torn');
	const taken = await store.resume(keyOf(A));
	if (taken !== undefined) await bring(taken.draft, A, [{start: 5000, end: 6000}]);
	await taken?.draft.keep();
	const again = await store.resume(keyOf(A));
	t.deepEqual([...(again?.ranges ?? [])], [{start: 0, end: 6000}, RANGES[1]]);
	await again?.draft.discard();
});

test('where what is begun cannot be moved it stays the draft that it was', async t => {
	const {directory, store} = setUp(t);
	const draft = await begin(store, A, LENGTH, RANGES);
	mkdirSync(path.join(keptFile(directory, A), 'in the way'), {recursive: true});
	t.false(await draft.keep());
	t.is(statSync(draft.path).mode & 0o777, 0o600);
	await bring(draft, A, [{start: 5000, end: 6000}]);
	rmSync(keptFile(directory, A), {recursive: true});
	t.true(await draft.keep());
	draft.close();
	t.deepEqual([...((await store.resume(keyOf(A)))?.ranges ?? [])], [{start: 0, end: 6000}, RANGES[1]]);
});

test('without a directory for it nothing is kept before it can be made', async t => {
	const {directory, store} = setUp(t);
	const folder = path.join(directory, '.larder', 'partials');
	rmSync(folder, {recursive: true});
	t.deepEqual([...store.partials], []);
	t.is(await store.resume(keyOf(A)), undefined);
	t.is(store.usedBytes, 0);
	await keep(store, A);
	t.is([...store.partials].length, 1);
});

test('what a crash left in the way is removed at a start, when it is a minute old; the rest stays', async t => {
	const {directory, clock, store, kept} = setUp(t);
	for (const url of [A, B, C]) await keep(store, url);
	await store.close();
	rmSync(keptFile(directory, A));
	rmSync(`${keptFile(directory, B)}.ranges`);
	writeFileSync(path.join(directory, '.larder', 'partials', 'no-key'), '');
	mkdirSync(path.join(directory, '.larder', 'partials', 'folder', 'in it'), {recursive: true});
	await openStore(t, {directory, clock}).load();
	t.is(kept().length, 6);
	clock.advance(61_000);
	await openStore(t, {directory, clock}).load();
	t.deepEqual(kept(), [keyOf(C), `${keyOf(C)}.ranges`]);
});

test('keeping what is no partial does nothing', t => {
	const layout = new Layout(temporaryDirectory(t));
	layout.create();
	const file = path.join(layout.downloads, 'draft');
	t.false(keepPartial(layout, keyOf(A), file));
	writeFileSync(file, 'data');
	t.false(keepPartial(layout, keyOf(A), file));
	linkSync(file, `${file}.ranges`);
	t.false(keepPartial(layout, keyOf(A), file));
	t.deepEqual(leftovers(layout.root).sort(), ['draft', 'draft.ranges']);
});
