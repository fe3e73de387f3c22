import test from 'ava';
import {Cache, DEFAULT_SETTINGS, Disk, FormatError, JSONDisk} from '../../../../src/ports/disk-cache/index.js';
import {TestClock} from '../../../helpers/cache.js';
import {openBeside, openDiskCache} from '../../../helpers/disk-cache.js';

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

test('core/init: each setting is kept, and the next who opens the cache has it', t => {
	t.deepEqual(Object.keys(OTHERS), Object.keys(DEFAULT_SETTINGS));
	const cache = openDiskCache(t, OTHERS);
	t.deepEqual(cache.settings, OTHERS);
	cache.close();
	t.deepEqual(openDiskCache(t, {}, cache.directory).settings, OTHERS);
	t.deepEqual(openDiskCache(t, {cullLimit: 5}, cache.directory).settings, {...OTHERS, cullLimit: 5});
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
	other.set('k', 'text');
	t.is(other.disk.options.minFileSize, 1);
	t.true(other.volume() > 0);
});

test('core/reset: names and values that are none are refused, and change nothing', t => {
	const cache = openDiskCache(t);
	t.throws(() => cache.reset('nothing' as 'cullLimit', 1), {instanceOf: RangeError});
	t.throws(() => cache.reset('cullLimit', -1), {instanceOf: RangeError});
	t.throws(() => cache.reset('sqliteJournalMode', 'wal; DROP TABLE Cache'), {instanceOf: RangeError});
	t.throws(() => new Cache(cache.directory, {evictionPolicy: 'random' as 'none'}), {instanceOf: RangeError});
	t.deepEqual(cache.settings, DEFAULT_SETTINGS);
});

test('core/init_disk, core/disk_valueerror: the disk is one, and that of the cache', t => {
	t.throws(() => openDiskCache(t, {disk: Map as unknown as typeof Disk}), {instanceOf: TypeError});
	const cache = openDiskCache(t, {disk: JSONDisk});
	t.true(cache.disk instanceof JSONDisk);
	t.throws(() => openDiskCache(t, {}, cache.directory), {instanceOf: FormatError});
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

test('core/custom_disk: what came as a stream is bytes for a JSONDisk too', async t => {
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
