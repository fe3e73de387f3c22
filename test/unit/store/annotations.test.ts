/** Pins and tags: what a user says of an entry. */
import {readFileSync, rmSync, writeFileSync} from 'node:fs';
import test, {type ExecutionContext} from 'ava';
import {keyOf} from '../../../src/store/key.js';
import type {Store} from '../../../src/store/store.js';
import {
	allocatedOnDisk,
	entryFiles,
	get,
	leftovers,
	openStore,
	put,
	putPinned,
	temporaryDirectory,
	TestClock,
	type StoreSetup,
} from '../../helpers/cache.js';
import {ForkedProcess} from '../../helpers/forked-process.js';
import {basePath, putLikeOriginal, scanLikeOriginal} from '../../helpers/original.js';
import {until} from '../../helpers/until.js';

const [A, B, C] = ['https://a.example/a', 'https://a.example/b', 'https://a.example/c'] as const;
const NOTICED_MS = 10_000;

interface Said {
	readonly pinned?: boolean;
	readonly tags?: readonly string[];
}

/** What the sidecar's text says. */
function written(directory: string, url: string): Said {
	const {pinned, tags} = JSON.parse(readFileSync(`${basePath(directory, url)}.json`, 'utf8')) as Said;
	return {...(pinned !== undefined && {pinned}), ...(tags !== undefined && {tags})};
}

/** What the store says. */
function known(store: Store, url: string): Said {
	const {pinned = false, tags = []} = store.lookup(keyOf(url))?.sidecar ?? {};
	return {pinned, tags};
}

/** A store with A pinned and tagged, and B as it was put. */
async function annotated(t: ExecutionContext, setup: StoreSetup = {}) {
	const directory = setup.directory ?? temporaryDirectory(t);
	const store = openStore(t, {...setup, directory});
	await put(store, A, 'a');
	await put(store, B, 'b');
	t.true(await store.annotate(keyOf(A), {pinned: true, addTags: ['talks', 'keep']}));
	return {directory, store};
}

const stored = (store: Store) => Array.from(store.entries(), ({sidecar}) => sidecar.url).sort();

test('what is said is in the sidecar, in order, where the original reads on as before', async t => {
	const {directory, store} = await annotated(t);
	t.deepEqual(written(directory, A), {pinned: true, tags: ['keep', 'talks']});
	t.deepEqual(known(store, A), {pinned: true, tags: ['keep', 'talks']});
	t.deepEqual(written(directory, B), {});
	t.is(String(scanLikeOriginal(directory).get(A)?.data), 'a');
	t.is(await get(store, A), 'a');
	t.deepEqual(leftovers(directory), []);
	await store.flush();
	t.is(store.usedBytes, allocatedOnDisk(directory));
});

test('what is said is added to what was said, and taken back by name', async t => {
	const {directory, store} = await annotated(t);
	await store.annotate(keyOf(A), {addTags: ['keep', 'also'], removeTags: ['talks', 'none of its']});
	t.deepEqual(written(directory, A), {pinned: true, tags: ['also', 'keep']});
	await store.annotate(keyOf(A), {pinned: false});
	t.deepEqual(written(directory, A), {tags: ['also', 'keep']});
	await store.annotate(keyOf(A), {removeTags: ['also', 'keep']});
	t.deepEqual(written(directory, A), {});
	t.deepEqual(known(store, A), {pinned: false, tags: []});
});

test('of what is not stored nothing can be said', async t => {
	const {directory, store} = await annotated(t);
	t.false(await store.annotate(keyOf(C), {pinned: true}));
	t.is(entryFiles(directory).length, 4);
});

test('several who say something at once are all heard', async t => {
	const {directory, store} = await annotated(t);
	const tags = Array.from({length: 20}, (_, index) => `tag ${index}`).sort();
	await Promise.all(tags.map(tag => store.annotate(keyOf(B), {addTags: [tag]})));
	t.deepEqual(written(directory, B), {tags});
});

test('so are several processes', async t => {
	const {directory, store} = await annotated(t);
	await store.flush();
	const others = [ForkedProcess.start(t), ForkedProcess.start(t)];
	await Promise.all(others.map(other => other.tell('openStore', directory, {}, 0)));
	const tags = Array.from({length: 30}, (_, index) => `tag ${index}`).sort();
	const say = (tag: string, index: number) => {
		const other = others[index % 3];
		return other?.tell('annotate', B, {addTags: [tag]}) ?? store.annotate(keyOf(B), {addTags: [tag]});
	};
	await Promise.all(tags.map(say));
	t.deepEqual(written(directory, B), {tags});
});

const LIMITS = {
	'max-size': {maxBytes: 0},
	'max-entries': {maxEntries: 0},
	'max-age': {maxAgeMs: 0},
	'min-free': {minFreeBytes: 2 ** 60},
} as const;

for (const [reason, limits] of Object.entries(LIMITS)) {
	test(`what is pinned does not leave by ${reason}, all else does, and it does once it is pinned no more`, async t => {
		const clock = new TestClock();
		const {store} = await annotated(t, {clock});
		clock.advance(1000);
		await store.flush();
		await store.setLimits(limits);
		t.deepEqual(stored(store), [A]);
		t.is(await get(store, A), 'a');
		await store.annotate(keyOf(A), {pinned: false});
		await store.flush();
		await store.setLimits(limits);
		t.deepEqual(stored(store), []);
	});
}

test('what is pinned while others are leaving stays', async t => {
	const store = openStore(t);
	const urls = Array.from({length: 30}, (_, index) => `https://a.example/${index}`);
	for (const url of urls) await put(store, url, 'x');
	await store.setLimits({maxEntries: 29});
	t.true(await store.annotate(keyOf('https://a.example/1'), {pinned: true}));
	await store.setLimits({maxEntries: 10});
	t.is(store.totals.entries, 10);
	t.is(await get(store, 'https://a.example/1'), 'x');
});

test('free space does not count what is pinned as room', async t => {
	const {store} = await annotated(t, {limitBytes: 1_000_000});
	const {freeBytes} = await store.freeSpace();
	await store.annotate(keyOf(B), {pinned: true});
	t.is((await store.freeSpace()).freeBytes, freeBytes - 8192);
});

test('what is pinned can be removed, and what comes under its URL then is not pinned', async t => {
	const {directory, store} = await annotated(t);
	t.true(await store.remove(keyOf(A)));
	t.is(await get(store, A), undefined);
	t.is(entryFiles(directory).length, 2);
	await put(store, A, 'new');
	t.deepEqual(known(store, A), {pinned: false, tags: []});
	await store.setLimits({maxBytes: 0});
	t.deepEqual(stored(store), []);
});

test('pins and tags survive a replacement', async t => {
	const {directory, store} = await annotated(t);
	await put(store, A, 'replaced');
	t.is(await get(store, A), 'replaced');
	t.deepEqual(written(directory, A), {pinned: true, tags: ['keep', 'talks']});
	await store.setLimits({maxBytes: 0});
	t.deepEqual(stored(store), [A]);
});

test('pins and tags survive a restart, and another process sees them', async t => {
	const {directory, store} = await annotated(t);
	await store.close();
	const after = openStore(t, {directory, limits: {maxEntries: 0}});
	t.deepEqual(known(after, A), {pinned: true, tags: ['keep', 'talks']});
	await after.load();
	t.deepEqual(stored(after), [A]);
});

test('pins and tags survive the loss of the catalogue: the sidecar says them', async t => {
	const {directory, store} = await annotated(t);
	await store.close();
	for (const suffix of ['', '-wal', '-shm']) rmSync(`${directory}/.larder/catalogue.sqlite${suffix}`, {force: true});
	const after = openStore(t, {directory, limits: {maxEntries: 0}});
	await after.load();
	t.deepEqual(stored(after), [A]);
	t.deepEqual(known(after, A), {pinned: true, tags: ['keep', 'talks']});
});

test('what another process pins is not evicted by this one', async t => {
	const {directory, store} = await annotated(t);
	await store.load();
	await store.flush();
	const other = ForkedProcess.start(t);
	await other.tell('openStore', directory, {}, 0);
	t.true(await other.tell('annotate', B, {pinned: true}));
	await other.tell('flush');
	await store.setLimits({maxEntries: 0});
	t.deepEqual(stored(store), [A, B]);
});

test('after the original has put an entry anew, its pin and tags are written again', async t => {
	const {directory, store} = await annotated(t);
	await store.load();
	putLikeOriginal(directory, A, 'theirs, which is longer');
	t.deepEqual(written(directory, A), {});
	await until('they are written', () => written(directory, A).pinned === true, NOTICED_MS);
	t.deepEqual(written(directory, A), {pinned: true, tags: ['keep', 'talks']});
	t.is(await get(store, A), 'theirs, which is longer');
	t.deepEqual(known(store, A), {pinned: true, tags: ['keep', 'talks']});
	t.is(String(scanLikeOriginal(directory).get(A)?.data), 'theirs, which is longer');
	await store.setLimits({maxBytes: 0});
	t.deepEqual(stored(store), [A]);
	t.deepEqual(leftovers(directory), []);
});

test('so are they when somebody looked while it was writing', async t => {
	const directory = temporaryDirectory(t);
	const store = openStore(t, {directory});
	await put(store, A, 'ours');
	await store.annotate(keyOf(A), {pinned: true, addTags: ['kept']});
	writeFileSync(`${basePath(directory, A)}.dat`, 'more than');
	t.is(await get(store, A), undefined);
	t.is(store.lookup(keyOf(A)), undefined);
	putLikeOriginal(directory, A, 'more than before');
	t.is(await get(store, A), 'more than before');
	t.deepEqual(known(store, A), {pinned: true, tags: ['kept']});
	await until('they are written again', () => written(directory, A).pinned === true);
});

test('so are they when it did so while no store was open, once one is loaded', async t => {
	const {directory, store} = await annotated(t);
	await store.close();
	putLikeOriginal(directory, A, 'theirs, which is longer');
	const after = openStore(t, {directory});
	await after.load();
	await until('they are written', () => written(directory, A).pinned === true, NOTICED_MS);
	t.deepEqual(written(directory, A), {pinned: true, tags: ['keep', 'talks']});
	t.is(await get(after, A), 'theirs, which is longer');
	await after.setLimits({maxBytes: 0});
	t.deepEqual(stored(after), [A]);
});

test('so are they if nobody was there but one who asks for that entry, without loading the store', async t => {
	const {directory, store} = await annotated(t);
	await store.close();
	putLikeOriginal(directory, A, 'theirs, which is longer');
	const after = openStore(t, {directory});
	t.is(await get(after, A), 'theirs, which is longer');
	t.deepEqual(known(after, A), {pinned: true, tags: ['keep', 'talks']});
	await until('they are written', () => written(directory, A).pinned === true, NOTICED_MS);
});

test('an entry that is open keeps its bytes while something is said of it, and is counted once', async t => {
	const directory = temporaryDirectory(t);
	const store = openStore(t, {directory});
	const pin = await putPinned(store, A, 'a');
	await store.annotate(keyOf(A), {pinned: true});
	t.is(String(await pin.readAll()), 'a');
	t.is(store.usedBytes, allocatedOnDisk(directory));
	pin.close();
	t.is(store.usedBytes, allocatedOnDisk(directory));
});
