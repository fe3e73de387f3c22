import test from 'ava';
import {Cache, DEFAULT_SETTINGS, Disk, FormatError, JSONDisk} from '../../../../src/ports/disk-cache/index.js';
import {Engine} from '../../../../src/ports/disk-cache/engine.js';
import {temporaryDirectory, TestClock} from '../../../helpers/cache.js';
import {large, openBeside, openDiskCache, valueFiles, whileLocked} from '../../../helpers/disk-cache.js';
import {ForkedDiskCache} from '../../../helpers/forked-disk-cache.js';

/** Of a lock. */
const HELD_MS = 400;

const OTHERS = {
	statistics: true,
	tagIndex: true,
	evictionPolicy: 'least-frequently-used',
	sizeLimit: 12_345,
	cullLimit: 3,
	sqliteAutoVacuum: 0,
	sqliteCacheSize: 100,
	sqliteJournalMode: 'delete',
	sqliteMmapSize: 0,
	sqliteSynchronous: 2,
	diskMinFileSize: 10,
	diskCompressLevel: 9,
} as const;

test('core/init, ground/settings_in_the_database: each setting is kept, and the next who opens the cache has it', t => {
	t.deepEqual(Object.keys(OTHERS), Object.keys(DEFAULT_SETTINGS));
	const cache = openDiskCache(t, OTHERS);
	t.deepEqual(cache.settings, OTHERS);
	cache.close();
	t.deepEqual(openDiskCache(t, {}, cache.directory).settings, OTHERS);
	t.deepEqual(openDiskCache(t, {cullLimit: 5}, cache.directory).settings, {...OTHERS, cullLimit: 5});
});

test('core/pragmas: each connection has the pragmas of the settings, also those that somebody else has set', t => {
	const clock = new TestClock();
	const directory = temporaryDirectory(t);
	const open = () => new Engine({directory, timeout: 60, disk: Disk, settings: {}, clock});
	const [one, other] = [open(), open()];
	const pragmas = (engine: Engine) =>
		['cache_size', 'mmap_size', 'synchronous', 'journal_mode'].map(name =>
			engine.database.pragma(name, {simple: true}),
		);
	t.deepEqual(pragmas(one), [2 ** 13, 2 ** 26, 1, 'wal']);
	one.store('sqliteCacheSize', 100, false);
	one.store('sqliteMmapSize', 0, false);
	one.store('sqliteSynchronous', 2, false);
	clock.advance(1001);
	other.now();
	const third = open();
	for (const engine of [one, other, third]) {
		t.deepEqual(pragmas(engine), [100, 0, 2, 'wal']);
		engine.close();
	}
});

test.serial('core/pragma_error: who opens a cache that is locked waits for it', async t => {
	const cache = openDiskCache(t, {sqliteJournalMode: 'delete'});
	cache.set('k', 1);
	cache.close();
	await ForkedDiskCache.start(t).tell('hold', cache.directory, HELD_MS, 'EXCLUSIVE');
	const begun = performance.now();
	t.is(openDiskCache(t, {}, cache.directory).get('k'), 1);
	t.true(performance.now() - begun > HELD_MS / 2);
});

test('a cache is opened and read while another process writes', t => {
	const cache = openDiskCache(t);
	cache.set('k', 1);
	whileLocked(t, cache.directory, () => t.is(openDiskCache(t, {timeout: 0.01}, cache.directory).get('k'), 1));
});

test('core/pragmas: pragmas are those of the settings, at once and when they are reset', t => {
	const cache = openDiskCache(t, {sqliteAutoVacuum: 2});
	const pragma = (name: string) => openBeside(t, cache.directory).pragma(name, {simple: true});
	t.deepEqual([pragma('auto_vacuum'), pragma('journal_mode')], [2, 'wal']);
	cache.reset('sqliteCacheSize', 77);
	t.is(cache.reset('sqliteCacheSize'), 77);
});

test('core/pragmas: a cache without a write-ahead log is used by several handles', t => {
	const one = openDiskCache(t, {sqliteJournalMode: 'delete'});
	one.set('k', 1);
	const reading = one[Symbol.iterator]();
	reading.next();
	const other = openDiskCache(t, {}, one.directory);
	other.incr('k');
	t.deepEqual([one.incr('k'), other.settings.sqliteJournalMode], [3, 'delete']);
	t.deepEqual(one.check(), []);
});

test('core/disk_reset: what one handle sets, another one knows a second later, or when it asks', t => {
	const clock = new TestClock();
	const one = openDiskCache(t, {clock});
	const other = openDiskCache(t, {clock}, one.directory);
	other.get('x');
	one.reset('diskMinFileSize', 1);
	one.reset('cullLimit', 7);
	t.is(other.reset('diskMinFileSize'), 1);
	clock.advance(1001);
	other.get('x');
	t.is(other.settings.cullLimit, 7);
	t.is(other.disk.options.minFileSize, 1);
	one.reset('diskMinFileSize', 2 ** 20);
	one.set('row', large(1));
	t.deepEqual(valueFiles(one.directory), []);
	one.reset('diskMinFileSize', 1);
	one.set('file', 'text');
	t.is(valueFiles(one.directory).length, 1);
	t.true(one.get<Buffer>('row')?.equals(large(1)), 'what was stored before is read as it was stored');
});

test('core/disk_reset: what others have set is taken up by who does all in transactions, before the next one', t => {
	const clock = new TestClock();
	const cache = openDiskCache(t, {clock});
	openDiskCache(t, {sqliteSynchronous: 2, cullLimit: 3}, cache.directory);
	clock.advance(1001);
	t.true(cache.transact(() => cache.set('k', 1)));
	t.deepEqual([cache.settings.sqliteSynchronous, cache.settings.cullLimit], [2, 3]);
	openDiskCache(t, {sqliteSynchronous: 1}, cache.directory);
	cache.transact(() => {
		clock.advance(1001);
		cache.set('k', 2);
	});
	cache.get('k');
	t.is(cache.settings.sqliteSynchronous, 1);
});

test('core/reset: names and values that are none are refused, and change nothing', t => {
	const cache = openDiskCache(t);
	t.throws(() => cache.reset('nothing' as 'cullLimit', 1), {instanceOf: RangeError});
	t.throws(() => cache.reset('cullLimit', -1), {instanceOf: RangeError});
	t.throws(() => cache.reset('diskCompressLevel', 10), {instanceOf: RangeError});
	t.throws(() => cache.reset('sqliteSynchronous', 4), {instanceOf: RangeError});
	t.throws(() => cache.reset('sqliteAutoVacuum', 3), {instanceOf: RangeError});
	t.throws(() => cache.reset('sqliteJournalMode', 'wal; DROP TABLE Cache'), {instanceOf: RangeError});
	t.throws(() => new Cache(cache.directory, {evictionPolicy: 'random' as 'none'}), {instanceOf: RangeError});
	t.deepEqual(cache.settings, DEFAULT_SETTINGS);
});

test('core/init_disk, core/disk_valueerror: the disk is one, and that of the cache', t => {
	t.throws(() => openDiskCache(t, {disk: Map as unknown as typeof Disk}), {instanceOf: TypeError});
	const withNull = openDiskCache(t, {diskMinFileSize: 5});
	withNull.set([null, 0], 1);
	t.deepEqual([withNull.get([null, 0]), withNull.disk.options.minFileSize], [1, 5]);
	t.throws(() => openDiskCache(t, {disk: new Disk('', {minFileSize: 0, compressLevel: 0}) as never}), {
		instanceOf: TypeError,
	});
	const cache = openDiskCache(t, {disk: JSONDisk});
	t.true(cache.disk instanceof JSONDisk);
	t.throws(() => openDiskCache(t, {}, cache.directory), {instanceOf: FormatError});
});

test('core/custom_disk, json/custom_disk: what JSON has is a key and a value of a JSONDisk, in the order in which it came', t => {
	const cache = openDiskCache(t, {disk: JSONDisk, diskCompressLevel: 6});
	const all = [null, true, 0, 1.23, {}, 'text', Array.from({length: 10_000}, (_, index) => index)];
	for (const one of all) cache.set(one, one);
	for (const one of all) t.deepEqual(cache.get(one), one);
	t.deepEqual([...cache], all);
	t.deepEqual(cache.check(), []);
});

test('core/custom_disk: a JSONDisk counts, and what it has counted is read', t => {
	const cache = openDiskCache(t, {disk: JSONDisk});
	cache.set('set', 5);
	t.deepEqual([cache.incr('n'), cache.incr('n'), cache.incr('set'), cache.get('n'), cache.get('set')], [1, 2, 6, 2, 6]);
	t.deepEqual(
		[1.5, -0, [0]].map(value => cache.set('k', value) && cache.get('k')),
		[1.5, 0, [0]],
	);
});

test('json/compress_level: 0 does not compress, 9 does', t => {
	const sizeAt = (diskCompressLevel: number) => {
		const cache = openDiskCache(t, {disk: JSONDisk, diskCompressLevel, diskMinFileSize: 0});
		cache.set('k', 'a'.repeat(10_000));
		t.is(cache.get('k'), 'a'.repeat(10_000));
		return openBeside(t, cache.directory).prepare('SELECT size FROM Cache').pluck().get() as number;
	};
	t.true(sizeAt(0) > 10_000);
	t.true(sizeAt(9) < 100);
});

test('json/tuples_are_lists: a value is what JSON makes of it', t => {
	const cache = openDiskCache(t, {disk: JSONDisk});
	cache.set('k', [new Date(0), undefined, new Map()]);
	t.deepEqual(cache.get('k'), ['1970-01-01T00:00:00.000Z', null, {}]);
});

test('core/custom_disk: JSON is stored compressed, under keys that do not depend on its level', t => {
	const cache = openDiskCache(t, {disk: JSONDisk, diskCompressLevel: 6, diskMinFileSize: 100});
	const values = [null, true, 0, {a: [1, 'ä'.repeat(1000)]}, Array.from({length: 1000}, (_, i) => i)];
	values.forEach((value, index) => cache.set([index, {b: 1, a: 2}], value));
	cache.reset('diskCompressLevel', 1);
	values.forEach((value, index) => t.deepEqual(cache.get([index, {a: 2, b: 1}]), value));
	t.throws(() => cache.set('k', undefined), {instanceOf: TypeError});
	t.is(cache.get(cache.push('queued')), 'queued');
	const sizes = openBeside(t, cache.directory).prepare('SELECT max(size) FROM Cache').pluck();
	t.true((sizes.get() as number) < 4000);
	t.deepEqual(cache.check(), []);
});

test('json/read_is_raw: what came as a stream is bytes for a JSONDisk too', async t => {
	const cache = openDiskCache(t, {disk: JSONDisk});
	await cache.set('s', [Buffer.from('no JSON')], {read: true});
	t.deepEqual(cache.get('s'), Buffer.from('no JSON'));
	t.is(Buffer.concat((await cache.read('s').toArray()) as Buffer[]).toString(), 'no JSON');
});

test('core/custom_disk: a disk of one’s own says how keys and values are kept', t => {
	class Shouting extends Disk {
		override readonly format = 'shouting';
		override store(value: unknown) {
			return super.store(String(value).toUpperCase());
		}
	}

	const cache = openDiskCache(t, {disk: Shouting});
	cache.set('k', 'quiet');
	t.is(cache.get('k'), 'QUIET');
});
