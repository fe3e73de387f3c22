import {statfsSync} from 'node:fs';
import {setImmediate} from 'node:timers/promises';
import test from 'ava';
import {keyOf} from '../../../src/store/key.js';
import {
	allocatedOnDisk,
	entryFiles,
	failsWith,
	get,
	leftovers,
	MIB,
	openStore,
	put,
	putPinned,
	SMALL_ENTRY_BYTES,
	temporaryDirectory,
	TestClock,
} from '../../helpers/cache.js';
import {putLikeOriginal} from '../../helpers/original.js';
import {until} from '../../helpers/until.js';

const [A, B, C] = ['https://a.example/a', 'https://a.example/b', 'https://a.example/c'] as const;

test('an entry outlives its store', async t => {
	const directory = temporaryDirectory(t);
	const before = openStore(t, {directory});
	await put(before, A, 'a');
	await before.close();
	t.is(await get(openStore(t, {directory}), A), 'a');
});

test('an empty entry is an entry', async t => {
	const store = openStore(t);
	await put(store, A, '');
	t.is(await get(store, A), '');
});

test('the least recently used leaves first, and an access counts as use', async t => {
	const store = openStore(t, {limitBytes: 3.5 * SMALL_ENTRY_BYTES});
	for (const url of [A, B, C]) await put(store, url, url);
	await get(store, A);
	store.touch(keyOf(B));
	await put(store, 'https://a.example/d', 'd');
	t.is(store.lookup(keyOf(C)), undefined);
	await put(store, 'https://a.example/e', 'e');
	t.is(store.lookup(keyOf(A)), undefined);
	t.not(store.lookup(keyOf(B)), undefined);
	t.is(store.evicted['max-size'], 2);
});

test('what is open is not evicted, and leaves once it is closed if the budget wants it', async t => {
	const directory = temporaryDirectory(t);
	const store = openStore(t, {directory});
	const pin = await putPinned(store, A, 'a');
	await put(store, B, 'b');
	await store.setLimits({maxBytes: 0});
	t.is(store.totals.entries, 1);
	t.is(String(await pin.readAll()), 'a');
	pin.close();
	await until('it is evicted', () => store.usedBytes === 0);
	t.deepEqual(entryFiles(directory), []);
});

test('who has an entry open keeps its bytes through removal and replacement, and they count until then', async t => {
	const store = openStore(t);
	const first = await putPinned(store, A, 'one');
	const second = await store.pin(keyOf(A));
	await put(store, A, 'two');
	t.is(store.usedBytes, 2 * SMALL_ENTRY_BYTES);
	t.true(await store.remove(keyOf(A)));
	t.is(await get(store, A), undefined);
	t.deepEqual([String(await first.readAll()), String(await second?.readAll())], ['one', 'one']);
	first.close();
	first.close();
	t.is(store.usedBytes, SMALL_ENTRY_BYTES);
	second?.close();
	t.is(store.usedBytes, 0);
	await failsWith(t, 'aborted', first.read(Buffer.alloc(1), 0));
});

test('removing what is not there is no error', async t => {
	t.false(await openStore(t).remove(keyOf(A)));
});

test('a reader in the middle of a replacement gets the old bytes or the new ones, never a miss', async t => {
	const store = openStore(t);
	await put(store, A, 'body 0');
	for (let round = 1; round <= 30; round++) {
		let isStored = false;
		const storing = put(store, A, `body ${round}`).finally(() => (isStored = true));
		while (!isStored) {
			const body = await get(store, A);
			t.true(body === `body ${round - 1}` || body === `body ${round}`, body);
			await setImmediate();
		}

		await storing;
	}

	t.is(store.usedBytes, SMALL_ENTRY_BYTES);
});

test('removing one key over and over while it is stored leaves nothing but what the files say', async t => {
	const directory = temporaryDirectory(t);
	const store = openStore(t, {directory});
	const work: Array<Promise<unknown>> = [];
	for (let round = 0; round < 50; round++) work.push(put(store, A, `${round}`), store.remove(keyOf(A)), get(store, A));
	await Promise.all(work);
	t.is(store.usedBytes, allocatedOnDisk(directory));
	t.is(entryFiles(directory).length, 2 * store.totals.entries);
	t.deepEqual(leftovers(directory), []);
});

test('many puts at once into a budget for few keep it, and do not wait for each other for ever', async t => {
	const directory = temporaryDirectory(t);
	const store = openStore(t, {directory, limitBytes: 4 * SMALL_ENTRY_BYTES});
	const puts = Array.from({length: 60}, (_, index) => put(store, `https://a.example/${index % 12}`, `${index}`));
	const outcomes = await Promise.allSettled(puts);
	t.true(outcomes.some(({status}) => status === 'fulfilled'));
	await until('the budget is kept', () => store.usedBytes <= 4 * SMALL_ENTRY_BYTES);
	t.is(store.usedBytes, allocatedOnDisk(directory));
	t.deepEqual(leftovers(directory), []);
});

test('a commit keeps the budget by itself, with the blocks that the entry really takes', async t => {
	const store = openStore(t, {limitBytes: 4 * SMALL_ENTRY_BYTES});
	for (let index = 0; index < 10; index++) {
		// Its sidecar takes two blocks.
		await put(store, `https://a.example/${index}`.padEnd(5000, 'x'), 'x');
		t.true(store.usedBytes <= 4 * SMALL_ENTRY_BYTES);
	}
});

test('free space is what the budget leaves and what could be evicted, capped by the disk', async t => {
	const directory = temporaryDirectory(t);
	const store = openStore(t, {directory, limitBytes: MIB});
	await put(store, A, Buffer.alloc(100_000));
	t.deepEqual(await store.freeSpace(), {limitBytes: MIB, freeBytes: MIB});
	const pin = await store.pin(keyOf(A));
	t.is((await store.freeSpace()).freeBytes, MIB - allocatedOnDisk(directory));
	pin?.close();
	await store.setLimits({maxBytes: 2 ** 50});
	const {bavail, bsize} = statfsSync(directory);
	t.true((await store.freeSpace()).freeBytes < 2 * bavail * bsize);
});

test('an access over an hour after the last one written is written to the sidecar, once', async t => {
	const [directory, clock] = [temporaryDirectory(t), new TestClock()];
	const store = openStore(t, {directory, clock});
	await put(store, A, 'a');
	const written = store.lookup(keyOf(A))?.sidecar.ts ?? 0;
	clock.advance(3_500_000);
	await get(store, A);
	await store.close();
	t.is(openStore(t, {directory}).lookup(keyOf(A))?.sidecar.ts, written);

	const later = openStore(t, {directory, clock});
	clock.advance(3_700_000);
	await get(later, A);
	await later.close();
	const after = openStore(t, {directory}).lookup(keyOf(A));
	t.true((after?.sidecar.ts ?? 0) > written + 7000);
	t.is(after?.sidecar.stored, later.lookup(keyOf(A))?.sidecar.stored);
});

test('an access time is not written over a sidecar that another program has written meanwhile, nor makes one anew', async t => {
	const [directory, clock] = [temporaryDirectory(t), new TestClock()];
	const store = openStore(t, {directory, clock});
	await put(store, A, 'a');
	await put(store, B, 'b');
	clock.advance(3_700_000);
	await get(store, A);
	await get(store, B);
	putLikeOriginal(directory, A, 'theirs', {ts: 1000});
	const other = openStore(t, {directory});
	await other.remove(keyOf(B));
	await store.close();
	t.is(other.lookup(keyOf(A))?.sidecar.size, 'theirs'.length);
	t.is(await get(other, A), 'theirs');
	t.is(entryFiles(directory).length, 2);
	t.deepEqual(leftovers(directory), []);
});

test('whoever listens is told of each entry that comes, goes or is replaced, and what is there now', async t => {
	const store = openStore(t);
	const told: string[] = [];
	store.onChanged = (key, now) => told.push(`${key === keyOf(A) ? 'A' : 'B'} ${now()?.sizeBytes ?? 'gone'}`);
	await put(store, A, '1');
	await put(store, A, '22');
	await store.remove(keyOf(A));
	await put(store, B, '333');
	await store.setLimits({maxBytes: 0});
	t.deepEqual(told, ['A 1', 'A 2', 'A gone', 'B 3', 'B gone']);
});

test('a store closes twice, and its readers read on', async t => {
	const store = openStore(t);
	const pin = await putPinned(store, A, 'a');
	await Promise.all([store.close(), store.close()]);
	await store.close();
	t.is(String(await pin.readAll()), 'a');
	pin.close();
});
