/** The original's weak points that concern `MediaCache`; the others are in `test/unit/store/weak-points.test.ts`. */
import {createHash} from 'node:crypto';
import test from 'ava';
import {TwoTierCache} from '../../../src/cache/media-cache.js';
import type {Media} from '../../../src/cache/source.js';
import {
	allocatedOnDisk,
	entryFiles,
	failsWith,
	get,
	HandSource,
	leftovers,
	MIB,
	openMediaCache,
	openStore,
	openUrlCache,
	SMALL_ENTRY_BYTES,
	temporaryDirectory,
} from '../../helpers/cache.js';
import {putLikeOriginal, scanLikeOriginal} from '../../helpers/original.js';
import {until} from '../../helpers/until.js';

const [A, B] = ['https://a.example/a', 'https://a.example/b'] as const;

function media(text: string | Uint8Array): Media {
	return {data: Buffer.from(text), mimetype: 'text/plain', filename: 'a.txt'};
}

test('M3: the last put wins on disk, in memory and in the accounting', async t => {
	const directory = temporaryDirectory(t);
	const cache = openMediaCache(t, directory);
	await cache.put(A, Buffer.from('one'), 'text/plain', 'a.txt');
	await cache.put(A, Buffer.from('three'), 'image/png', 'a.png');
	const got = await cache.get(A);
	t.deepEqual([String(got?.data), got?.mimetype, got?.filename], ['three', 'image/png', 'a.png']);
	t.is(String(scanLikeOriginal(directory).get(A)?.data), 'three');
	t.deepEqual([cache.stats().entries, cache.stats().total_bytes, cache.stats().entries_in_memory], [1, 5, 1]);
	t.is(cache.stats().used_bytes, allocatedOnDisk(directory));
});

test('M3: a download that ends after a put changes nothing, and who waited for it gets the put', async t => {
	const source = new HandSource();
	const cache = new TwoTierCache(openUrlCache(t, {source}), {maxMemoryItems: 8, maxMemoryBytes: MIB});
	const downloading = cache.getOrDownload(A);
	const body = await source.body();
	await cache.put(A, Buffer.from('put'), 'text/plain', 'a.txt');
	body.answer('downloaded');
	t.is(String((await downloading).data), 'put');
	t.is(String((await cache.get(A))?.data), 'put');
});

test('M4: a hit in memory does not wait for the disk', async t => {
	const directory = temporaryDirectory(t);
	putLikeOriginal(directory, A, Buffer.alloc(32 * MIB));
	const cache = openMediaCache(t, directory);
	await cache.put(B, Buffer.from('b'), 'text/plain', 'b.txt');
	const order: string[] = [];
	const fromDisk = cache.get(A).then(() => order.push('disk'));
	const fromMemory = cache.get(B).then(() => order.push('memory'));
	await Promise.all([fromDisk, fromMemory]);
	t.deepEqual(order, ['memory', 'disk']);
});

test('M5: a hundred who ask at once share one download, and each counts as a lookup', async t => {
	const cache = openMediaCache(t, temporaryDirectory(t));
	let downloads = 0;
	const answers = await Promise.all(
		Array.from({length: 100}, () =>
			cache.getOrDownload(A, () => {
				downloads++;
				return Promise.resolve(media('once'));
			}),
		),
	);
	t.is(downloads, 1);
	t.true(answers.every(({data}) => String(data) === 'once'));
	t.like(cache.stats(), {misses: 1, hits: 99});
});

test('M5: a failed download is the failure of all who wait for it, and is not remembered', async t => {
	const cache = openMediaCache(t, temporaryDirectory(t));
	const failure = new Error('no luck');
	const outcomes = await Promise.allSettled(
		Array.from({length: 10}, () => cache.getOrDownload(A, () => Promise.reject(failure))),
	);
	t.true(outcomes.every(outcome => outcome.status === 'rejected' && outcome.reason === failure));
	t.is(String((await cache.getOrDownload(A, () => Promise.resolve(media('luck')))).data), 'luck');
});

test('M12: loading twice at once counts once, and get and put need not wait for it', async t => {
	const directory = temporaryDirectory(t);
	putLikeOriginal(directory, A, '1234567890');
	const cache = openMediaCache(t, directory);
	const loading = Promise.all([cache.ensureLoaded(), cache.ensureLoaded()]);
	t.is(String((await cache.get(A))?.data), '1234567890');
	await cache.put(B, Buffer.from('12345'), 'text/plain', 'b.txt');
	await loading;
	t.deepEqual([cache.stats().entries, cache.stats().total_bytes], [2, 15]);
});

test('M12: loading leaves alone what is being downloaded, here and by another cache of this process', async t => {
	const directory = temporaryDirectory(t);
	const [cache, other] = [openMediaCache(t, directory), openMediaCache(t, directory)];
	const store = openStore(t, {directory});
	const draft = await store.draft(createHash('sha256').update(A).digest('hex'));
	await draft.write([Buffer.from('a')], 0);
	await Promise.all([cache.ensureLoaded(), other.ensureLoaded(), store.load()]);
	const pin = await store.commit(draft, {url: A, mimetype: 'text/plain', filename: 'a.txt'});
	pin.close();
	t.is(await get(store, A), 'a');
});

test('M13: an entry larger than the budget is refused or only returned, and evicts nothing', async t => {
	const directory = temporaryDirectory(t);
	const cache = openMediaCache(t, directory, {maxSizeMb: 1});
	for (let index = 0; index < 5; index++) {
		await cache.put(`https://a.example/${index}`, Buffer.alloc(100_000), 'image/png', 'x.png');
	}

	// The last takes the whole budget by itself, without its sidecar.
	for (const sizeBytes of [2 * MIB, MIB + 1, MIB]) {
		await failsWith(t, 'too-large', cache.put(A, Buffer.alloc(sizeBytes), 'image/png', 'a.png'));
		const {data} = await cache.getOrDownload(A, () => Promise.resolve(media(Buffer.alloc(sizeBytes))));
		t.is(data.byteLength, sizeBytes);
	}

	t.is(cache.stats().entries, 5);
	t.is(cache.stats().evicted, 0);
	await until('nothing is left', () => leftovers(directory).length === 0);
});

test('M14: whatever brings bytes into memory keeps to both of its limits', async t => {
	const directory = temporaryDirectory(t);
	for (let index = 0; index < 100; index++)
		putLikeOriginal(directory, `https://a.example/${index}`, Buffer.alloc(1000));
	const few = openMediaCache(t, directory, {maxMemoryItems: 64});
	const small = openMediaCache(t, directory, {maxMemoryBytes: 10_500});
	const none = openMediaCache(t, directory, {maxMemoryItems: 0});
	for (let index = 0; index < 100; index++) {
		for (const cache of [few, small, none]) t.not(await cache.get(`https://a.example/${index}`), undefined);
	}

	t.deepEqual(
		[few, small, none].map(cache => cache.stats().entries_in_memory),
		[64, 10, 0],
	);
});

test('M15: a put and stats cost the same however many entries there are', async t => {
	const [directory, large] = [temporaryDirectory(t), temporaryDirectory(t)];
	for (let index = 0; index < 4000; index++) putLikeOriginal(large, `https://a.example/${index}`, '');
	const caches = [openMediaCache(t, directory), openMediaCache(t, large)] as const;
	for (const cache of caches) await cache.ensureLoaded();
	t.is(caches[1].stats().entries, 4000);

	const fastest = (cache: (typeof caches)[number]) => {
		const times = Array.from({length: 50}, () => {
			const startedAt = performance.now();
			for (let count = 0; count < 100; count++) cache.stats();
			return performance.now() - startedAt;
		});
		return Math.min(...times);
	};
	fastest(caches[0]);
	// Linear would be a thousandfold.
	t.true(fastest(caches[1]) < 20 * fastest(caches[0]) + 1);
});

test('M16: every lookup counts once, whichever way it is made', async t => {
	const cache = openMediaCache(t, temporaryDirectory(t), {maxMemoryItems: 1});
	for (let index = 0; index < 10; index++) t.is(await cache.get(`https://a.example/${index}`), undefined);
	await cache.put(A, Buffer.from('a'), 'text/plain', 'a.txt');
	await cache.get(A);
	t.like(cache.stats(), {hits: 1, misses: 10, hit_rate: 0.091});
	await cache.getOrDownload(B, () => Promise.resolve(media('b')));
	t.like(cache.stats(), {hits: 1, misses: 11});
	await cache.get(A);
	await cache.getOrDownload(A);
	await cache.getOrDownload(B);
	t.like(cache.stats(), {hits: 4, misses: 11});
});

test('M17: a download for which there is no room is returned all the same, and leaves nothing behind', async t => {
	const directory = temporaryDirectory(t);
	const cache = openMediaCache(t, directory, {maxSizeMb: 0});
	const {data} = await cache.getOrDownload(A, () => Promise.resolve(media('a')));
	t.is(String(data), 'a');
	await until('nothing is left', () => leftovers(directory).length === 0);
	t.deepEqual(entryFiles(directory), []);
	t.is(cache.stats().used_bytes, 0);
});

test('M18: a put whose caller no longer waits is stored whole or not at all', async t => {
	const directory = temporaryDirectory(t);
	const cache = openMediaCache(t, directory);
	const putting = cache.put(A, Buffer.alloc(8 * MIB, 'x'), 'text/plain', 'a.txt');
	await cache.close();
	await putting.catch(() => undefined);
	const after = openMediaCache(t, directory);
	await after.ensureLoaded();
	const {entries, used_bytes: usedBytes} = after.stats();
	t.is((await after.get(A))?.data.byteLength, entries === 1 ? 8 * MIB : undefined);
	t.is(usedBytes, allocatedOnDisk(directory));
	t.is(usedBytes, entries * (8 * MIB + SMALL_ENTRY_BYTES / 2));
	t.deepEqual(leftovers(directory), []);
});

test('M23: a URL with a lone surrogate is refused by name, and never stored under another', async t => {
	const directory = temporaryDirectory(t);
	const cache = openMediaCache(t, directory);
	for (const url of ['https://x/\ud800', 'https://x/\udc00y']) {
		await failsWith(t, 'bad-name', cache.put(url, Buffer.from('x'), 'text/plain', 'x'));
		await failsWith(t, 'bad-name', cache.get(url));
		await failsWith(
			t,
			'bad-name',
			cache.getOrDownload(url, () => Promise.resolve(media('x'))),
		);
	}

	t.deepEqual(entryFiles(directory), []);
});
