import {readdirSync, readFileSync} from 'node:fs';
import path from 'node:path';
import {pathToFileURL} from 'node:url';
import test from 'ava';
import {DEFAULT_SETTINGS, Disk, FanoutCache, KeyError, Timeout} from '../../../../src/ports/disk-cache/index.js';
import {temporaryDirectory, TestClock} from '../../../helpers/cache.js';
import {large, openDiskCache, openFanoutCache, openBeside, whileLocked} from '../../../helpers/disk-cache.js';
import {ForkedDiskCache} from '../../../helpers/forked-disk-cache.js';

test('fanout/init, fanout/init_path: eight shards with the default settings, whose limits come to that of one cache', t => {
	const cache = openFanoutCache(t);
	t.deepEqual(cache.settings, DEFAULT_SETTINGS);
	t.deepEqual([cache.shards, cache.timeout], [8, 0.01]);
	t.deepEqual(cache.check(), []);
	t.is(readdirSync(cache.directory).filter(name => /^\d{3}$/.test(name)).length, 8);
	const limitOf = (shard: number) =>
		openBeside(t, path.join(cache.directory, `00${shard}`))
			.prepare("SELECT value FROM Settings WHERE key = 'sizeLimit'")
			.pluck()
			.get();
	t.is(limitOf(7), 2 ** 27);
	cache.reset('sizeLimit', 2 ** 29);
	t.deepEqual([limitOf(0), limitOf(7)], [2 ** 26, 2 ** 26]);
	const url = new FanoutCache(pathToFileURL(cache.directory));
	t.teardown(() => url.close());
	t.is(url.directory, cache.directory);
});

test('fanout/init: a directory is opened with the shards and the limit it was made with', t => {
	const directory = temporaryDirectory(t);
	const made = openFanoutCache(t, {shards: 3, sizeLimit: 30_000_000}, directory);
	for (let key = 0; key < 50; key++) made.set(key, key);
	const again = openFanoutCache(t, {}, directory);
	t.deepEqual([again.shards, again.settings.sizeLimit, again.length], [3, 30_000_000, 50]);
	t.true(Array.from({length: 50}, (_, key) => again.get(key) === key).every(Boolean));
	t.throws(() => new FanoutCache(directory, {shards: 4}), {instanceOf: RangeError});
	t.is(again.reset('sizeLimit', 6000), 6000);
});

test('fanout/set_get_delete, fanout/getsetdel: what is set is found, and spread over all shards', t => {
	const cache = openFanoutCache(t);
	for (let key = 0; key < 200; key++) t.true(cache.set(`key ${key}`, key));
	for (let key = 0; key < 200; key++) {
		t.is(cache.get(`key ${key}`), key);
		t.true(cache.has(`key ${key}`));
	}

	for (let shard = 0; shard < 8; shard++) {
		const beside = openBeside(t, path.join(cache.directory, `00${shard}`));
		t.true((beside.prepare('SELECT count(*) FROM Cache').pluck().get() as number) > 5);
	}

	t.true(cache.delete('key 1'));
	t.false(cache.delete('key 1'));
	t.is(cache.length, 199);
	t.is(cache.clear(), 199);
	t.deepEqual(cache.check(), []);
});

test('fanout/set_timeout, fanout/add_timeout, fanout/incr_timeout, fanout/decr_timeout, fanout/touch_timeout: who gets no lock is told by the result', t => {
	const cache = openFanoutCache(t, {shards: 1});
	cache.set('n', 1);
	whileLocked(t, path.join(cache.directory, '000'), () => {
		t.false(cache.set('a', large(1), {retry: false}));
		t.false(cache.add('a', 1, {retry: false}));
		t.is(cache.incr('n', 1, {retry: false}), undefined);
		t.is(cache.decr('n', 1, {retry: false}), undefined);
		t.false(cache.touch('n', {retry: false}));
	});
	t.deepEqual([...cache], ['n']);
	t.is(cache.incr('n'), 2);
});

test('fanout/get_timeout, fanout/pop_timeout, fanout/delete_timeout: and by the default', t => {
	const cache = openFanoutCache(t, {shards: 1, statistics: true});
	cache.set('n', 1);
	whileLocked(t, path.join(cache.directory, '000'), () => {
		t.is(cache.get('n'), 1);
		t.is(cache.pop('n', {default: 'later', retry: false}), 'later');
		t.deepEqual(cache.pop('n', {expireTime: true, tag: true, retry: false}), [undefined, null, null]);
		t.false(cache.delete('n', {retry: false}));
	});
	t.is(cache.pop('n'), 1);
});

test('fanout/touch, fanout/add, fanout/incr, fanout/decr, fanout/pop: these do what they do in a cache', async t => {
	const clock = new TestClock();
	const cache = openFanoutCache(t, {clock});
	t.true(cache.add('k', 1, {expire: 1}));
	t.false(cache.add('k', 2));
	t.true(cache.touch('k', {expire: 10}));
	clock.advance(5000);
	t.deepEqual([cache.incr('k', 5), cache.decr('k'), cache.pop('k'), cache.has('k')], [6, 5, 5, false]);
	t.true(await cache.set('s', [Buffer.from('stream')], {read: true}));
	t.deepEqual(cache.get('s'), Buffer.from('stream'));
});

test('fanout/read, fanout/read_keyerror, fanout/getitem_keyerror, fanout/delitem, fanout/delitem_keyerror: what is not there cannot be read', async t => {
	const cache = openFanoutCache(t);
	cache.set('a', large(1));
	t.true(Buffer.concat((await cache.read('a').toArray()) as Buffer[]).equals(large(1)));
	t.throws(() => cache.read('b'), {instanceOf: KeyError});
	t.is(cache.get('b'), undefined);
});

test('fanout/expire, fanout/evict, fanout/tag_index, fanout/clear: all shards are gone through', t => {
	const cache = openFanoutCache(t, {cullLimit: 0});
	cache.createTagIndex();
	for (let key = 0; key < 90; key++) {
		cache.set(key, key, {expire: key < 30 ? 0 : null, tag: key % 2 === 0 ? 'even' : 'odd'});
	}

	t.deepEqual([cache.expire(), cache.evict('even'), cache.length, cache.clear(), cache.length], [30, 30, 30, 30, 0]);
	cache.dropTagIndex();
	t.false(cache.settings.tagIndex);
});

test('fanout/size_limit_with_files, fanout/size_limit_with_database: the limit is that of all shards together', t => {
	const cache = openFanoutCache(t, {cullLimit: 0, sizeLimit: 4_000_000});
	for (let key = 0; key < 400; key++) cache.set(key, Buffer.alloc(key % 2 === 0 ? 40_000 : 10_000));
	t.true(cache.volume() > 4_000_000);
	t.true(cache.cull() > 0);
	t.true(cache.volume() / cache.shards <= 4_000_000 / 8);
	t.true(cache.length > 0);
});

test('fanout/stats, fanout/volume: counts and bytes are those of all shards', t => {
	const cache = openFanoutCache(t);
	for (let key = 0; key < 100; key++) cache.set(key, key);
	t.deepEqual(cache.stats({enable: true}), [0, 0]);
	for (let key = 0; key < 110; key++) cache.get(key);
	t.deepEqual(cache.stats({reset: true}), [100, 10]);
	t.deepEqual(cache.stats({enable: false}), [0, 0]);
	t.true(cache.volume() >= 8 * 4096);
});

test('fanout/iter, fanout/iter_expire, fanout/reversed: keys are each once, both ways', t => {
	const cache = openFanoutCache(t, {cullLimit: 0});
	for (let key = 0; key < 100; key++) cache.set(key, key, {expire: key % 2 === 0 ? 0 : null});
	const keys = [...cache] as number[];
	t.deepEqual(
		keys.toSorted((a, b) => a - b),
		Array.from({length: 100}, (_, key) => key),
	);
	t.deepEqual([...cache.reversed()], keys.toReversed());
	t.is(cache.length, 100);
	t.deepEqual([cache.expire(), [...cache].length], [50, 50]);
});

test.serial('fanout/reset_timeout: a setting waits for the lock of each shard', async t => {
	const cache = openFanoutCache(t, {shards: 2});
	await ForkedDiskCache.start(t).tell('hold', path.join(cache.directory, '001'), 300);
	const shard = openDiskCache(t, {timeout: 0.01}, path.join(cache.directory, '001'));
	t.throws(() => shard.reset('cullLimit', 7), {instanceOf: Timeout});
	t.is(cache.reset('cullLimit', 5), 5);
	t.is(openFanoutCache(t, {}, cache.directory).settings.cullLimit, 5);
});

test.serial('fanout/remove_timeout: what was removed before a shard was locked counts', async t => {
	const cache = openFanoutCache(t, {shards: 2, timeout: 0.001});
	for (let key = 0; key < 3000; key++) cache.set(key, key);
	await ForkedDiskCache.start(t).tell('holdOften', path.join(cache.directory, '001'), 5, 40);
	t.is(cache.clear(), 3000);
	t.is(cache.length, 0);
});

test('fanout/pickle: what a cache is as JSON opens it elsewhere', t => {
	const cache = openFanoutCache(t, {shards: 3, timeout: 0.5});
	cache.set('k', 1);
	const {directory, ...options} = JSON.parse(JSON.stringify(cache)) as {directory: string; timeout: number};
	const other = openFanoutCache(t, options, directory);
	t.deepEqual([other.get('k'), other.shards, other.timeout], [1, 3, 0.5]);
});

test('fanout/custom_filename_disk: a shard is three digits, by a hash that is the same everywhere', t => {
	const cache = openFanoutCache(t, {disk: Named, shards: 12});
	const keys = [0, 1, -1.5, '', 'a', 'ä', Buffer.from('a'), null, ['a', {b: 1}], 10n];
	t.deepEqual(
		keys.map(key => cache.disk.hash(key)),
		[4108050209, 2212294583, 184674903, 0, 3904355907, 1890972035, 3904355907, 634125391, 1073004235, 767051331],
	);
	cache.set('a', 'a'.repeat(100_000));
	const shard = String(cache.disk.hash('a') % 12).padStart(3, '0');
	t.is(readFileSync(path.join(cache.directory, shard, 'file-a'), 'utf8'), 'a'.repeat(100_000));
	t.deepEqual(cache.check(), []);
});

class Named extends Disk {
	override filename(key: unknown): string {
		return `file-${String(key)}`;
	}
}

test('fanout/transact: nothing is left of a transaction that fails, in any shard', t => {
	const cache = openFanoutCache(t);
	cache.set('a', 1);
	const failing = () =>
		cache.transact(() => {
			for (let key = 0; key < 50; key++) cache.set(key, key);
			cache.incr('a');
			throw new Error('no');
		});
	t.throws(failing, {message: 'no'});
	t.deepEqual([[...cache], cache.get('a')], [['a'], 1]);
});

test('fanout/memoize: results are kept', t => {
	const cache = openFanoutCache(t);
	let calls = 0;
	const double = cache.memoize({name: 'double'})((n: number) => (calls++, 2 * n));
	t.deepEqual([double(2), double(2), double(3), calls], [4, 4, 6, 2]);
});

test('fanout/cache: caches, deques and indexes by name are within the directory, each by itself', t => {
	const cache = openFanoutCache(t);
	cache.cache('a').set('k', 1);
	cache.cache('a/b').set('k', 2);
	cache.deque('a').append(3);
	cache.index('a').set('k', 4);
	t.deepEqual([cache.cache('a').get('k'), cache.cache('a/b').get('k'), cache.length], [1, 2, 0]);
	t.deepEqual([cache.deque('a').pop(), cache.index('a').get('k')], [3, 4]);
	t.deepEqual(cache.cache('a').check(), []);
	t.is(cache.index('a').cache.settings.evictionPolicy, 'none');
	t.is(cache.deque('a').cache.settings.evictionPolicy, 'none');
	t.is(cache.cache('../../x').directory, path.join(cache.directory, 'cache', '..%2F..%2Fx'));
	for (const name of ['', '.', '..']) t.throws(() => cache.cache(name), {instanceOf: RangeError});
	cache.close();
	t.is(cache.cache('a').get('k'), 1);
});
