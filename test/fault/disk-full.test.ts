import {execFileSync} from 'node:child_process';
import {mkdirSync, rmSync} from 'node:fs';
import path from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {verifyDirectory} from '../../src/library/verify.js';
import {keyOf} from '../../src/store/key.js';
import {RangeLog, RangeLogReader} from '../../src/store/range-log.js';
import {factsOf} from '../helpers/begun.js';
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
	put,
	putPinned,
	recordingLog,
	temporaryDirectory,
} from '../helpers/cache.js';
import {putLikeOriginal} from '../helpers/original.js';
import {fillUp, IS_ROOT, mountTmpfs, NOT_ROOT} from '../helpers/root.js';
import {until} from '../helpers/until.js';

const [A, B, C, D] = ['a', 'b', 'c', 'd'].map(name => `https://a.example/${name}`) as [string, string, string, string];

const onSmallDisk = test.macro({
	async exec(t: ExecutionContext, options: string, run: (t: ExecutionContext, directory: string) => Promise<void>) {
		const disk = temporaryDirectory(t);
		mountTmpfs(t, disk, options);
		const directory = path.join(disk, 'cache');
		mkdirSync(directory);
		await run(t, directory);
	},
	title: title => (IS_ROOT ? title : `${title} ${NOT_ROOT}`) ?? '',
});
const check = IS_ROOT ? test : test.skip;

check('a full disk is met by evicting what is used least', onSmallDisk, 'size=2560k', async (t, directory) => {
	const store = openStore(t, {directory});
	await put(store, A, Buffer.alloc(MIB / 2));
	await put(store, B, Buffer.alloc(MIB));
	await put(store, C, Buffer.alloc(MIB));
	t.is(await get(store, A), undefined);
	t.is((await get(store, C))?.length, MIB);
	t.is(store.usedBytes, allocatedOnDisk(directory));
});

check(
	'room that another program takes before it is used is made again',
	onSmallDisk,
	'size=4m',
	async (t, directory) => {
		let evicted = 0;
		const takeRoom = (message: string) => {
			if (message === 'evicted' && ++evicted === 1) fillUp(path.join(directory, '..', 'ballast'));
		};
		const store = openStore(t, {directory, log: {...recordingLog().log, debug: takeRoom}});
		for (const url of [A, B, C]) await put(store, url, Buffer.alloc(MIB));
		await put(store, D, Buffer.alloc(MIB));
		t.is(evicted, 2);
		t.deepEqual(await Promise.all([A, B].map(url => get(store, url))), [undefined, undefined]);
		t.is((await get(store, D))?.length, MIB);
	},
);

check(
	'with all that is left in use a put fails for want of room and leaves nothing behind',
	onSmallDisk,
	'size=2560k',
	async (t, directory) => {
		const store = openStore(t, {directory});
		const pin = await putPinned(store, A, Buffer.alloc(1.5 * MIB, 'a'));
		await failsWith(t, 'no-space', put(store, B, Buffer.alloc(MIB)));
		t.is((await pin.readAll()).length, 1.5 * MIB);
		t.deepEqual(leftovers(directory), []);
		t.is(store.usedBytes, allocatedOnDisk(directory));
		pin.close();
		await put(store, B, Buffer.alloc(MIB));
		t.is((await get(store, B))?.length, MIB);
	},
);

check(
	'M17: a download that the disk has no room for is returned all the same, and leaves nothing behind',
	onSmallDisk,
	'size=2560k',
	async (t, directory) => {
		const cache = openMediaCache(t, directory);
		const media = {data: Buffer.alloc(3 * MIB, 'x'), mimetype: 'video/mp4', filename: 'a.mp4'};
		t.is((await cache.getOrDownload(A, () => Promise.resolve(media))).data.byteLength, 3 * MIB);
		await until('nothing is left', () => leftovers(directory).length === 0);
		t.deepEqual(entryFiles(directory), []);
		await until('what it took is given back', () => cache.stats().used_bytes === 0);
	},
);

check(
	'a download that fills the disk fails for its readers, who may still have what has arrived',
	onSmallDisk,
	'size=2560k',
	async (t, directory) => {
		const source = new HandSource();
		const cache = openUrlCache(t, {source, directory});
		const opening = cache.open(A);
		const body = await source.body();
		body.begin(3 * MIB);
		body.send(Buffer.alloc(MIB, 'x'));
		const version = await opening;
		await version.read(Buffer.alloc(10), MIB - 10);
		for (let count = 0; count < 2; count++) body.send(Buffer.alloc(MIB, 'y'));
		body.end();
		await failsWith(t, 'no-space', version.whole());
		const buffer = Buffer.alloc(10);
		await version.read(buffer, MIB - 10);
		t.is(String(buffer), 'xxxxxxxxxx');
		version.close();
		await until('nothing is left', () => leftovers(directory).length === 0);
		await until('what it took is given back', () => cache.stats().used_bytes === 0);
	},
);

check(
	'a sidecar that finds no room gets it by evicting, and a draft that cannot have any is refused',
	onSmallDisk,
	'size=2560k',
	async (t, directory) => {
		const store = openStore(t, {directory});
		// More than what the catalogue writes of its going.
		await put(store, A, Buffer.alloc(300_000));
		const draft = await store.draft(keyOf(B));
		await draft.write([Buffer.from('b')], 0);
		fillUp(path.join(directory, '..', 'full'));
		const pin = await store.commit(draft, {url: B, mimetype: 'text/plain', filename: 'b.txt'});
		t.is(await get(store, A), undefined);
		fillUp(path.join(directory, '..', 'full'));
		const stuck = await store.draft(keyOf(C));
		await failsWith(t, 'no-space', stuck.write([Buffer.from('c')], 0));
		await stuck.discard();
		t.is(await get(store, B), 'b');
		pin.close();
		t.deepEqual(leftovers(directory), []);
		t.is(store.usedBytes, allocatedOnDisk(directory));
	},
);

check('a file system without a free inode is a full one', onSmallDisk, 'size=3m,nr_inodes=34', async (t, directory) => {
	const store = openStore(t, {directory});
	for (let index = 0; index < 8; index++) await put(store, `${A}/${index}`, 'x');
	t.is(await get(store, `${A}/7`), 'x');
	t.true(store.evicted['max-size'] + store.evicted['min-free'] > 0);
	t.is(store.usedBytes, allocatedOnDisk(directory));
});

check(
	'what a full disk did not take of a log is told once it has room again, whole',
	onSmallDisk,
	'size=1m',
	(t, directory) => {
		const partial = path.join(directory, 'partial');
		const log = RangeLog.create(partial, {inode: 1n, facts: factsOf(A, MIB)});
		const reader = RangeLogReader.open(partial);
		t.teardown(() => reader?.close());
		fillUp(path.join(directory, 'full'));
		const told = Array.from({length: 1000}, (_, index) => ({start: 2 * index, end: 2 * index + 1}));
		for (const range of told) log.append(range);
		const heard = [...(reader?.news() ?? [])];
		t.true(heard.length < 1000);
		rmSync(path.join(directory, 'full'));
		log.append({start: 5000, end: 5001});
		t.deepEqual([...heard, ...(reader?.news() ?? [])], [...told, {start: 5000, end: 5001}]);
		log.remove();
		return Promise.resolve();
	},
);

check(
	'a store on a disk that is full before it is opened starts, and evicts',
	onSmallDisk,
	'size=2m',
	async (t, directory) => {
		const {log, lines} = recordingLog();
		putLikeOriginal(directory, A, 'x'.repeat(MIB));
		for (const folder of ['downloads', 'quarantine', 'locks'])
			mkdirSync(path.join(directory, '.larder', folder), {recursive: true});
		fillUp(path.join(directory, '..', 'full'));
		const store = openStore(t, {directory, log});
		await store.load();
		t.true(
			lines.some(line => line.startsWith('warn the catalogue cannot be kept in the cache directory')),
			String(lines),
		);
		t.is((await get(store, A))?.length, MIB);
		await put(store, B, 'b');
		t.is(await get(store, A), undefined);
		t.is(await get(store, B), 'b');
		t.is(store.usedBytes, allocatedOnDisk(directory));
	},
);

for (const [what, fill] of Object.entries({
	'by the original': (_t: ExecutionContext, directory: string) => putLikeOriginal(directory, A, 'stored'),
	'by larder, with its catalogue': async (t: ExecutionContext, directory: string) => {
		const before = openStore(t, {directory});
		await put(before, A, 'stored');
		await before.close();
	},
})) {
	check(
		`a store that was filled ${what} is read and sound when its disk is read-only`,
		onSmallDisk,
		'size=2m',
		async (t, directory) => {
			for (const folder of ['downloads', 'quarantine', 'locks'])
				mkdirSync(path.join(directory, '.larder', folder), {recursive: true});
			await fill(t, directory);
			execFileSync('mount', ['-o', 'remount,ro', path.dirname(directory)]);
			const store = openStore(t, {directory});
			await store.load();
			t.is(await get(store, A), 'stored');
			t.is(store.totals.entries, 1);
			await t.throwsAsync(put(store, B, 'b'), {code: 'EROFS'});
			for await (const finding of verifyDirectory(directory, {})) t.fail(JSON.stringify(finding));
		},
	);
}
