import {existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {deflateSync} from 'node:zlib';
import test, {type ExecutionContext} from 'ava';
import Keyv, {type KeyvStoreAdapter} from 'keyv';
import {Cache, KeyError, KeyvStore, type CacheOptions} from '../../../../src/ports/disk-cache/index.js';
import {temporaryDirectory, TestClock} from '../../../helpers/cache.js';
import {openDiskCache, openFanoutCache} from '../../../helpers/disk-cache.js';
import {testLikeKeyv} from '../../../helpers/keyv-suite.js';

const directory = mkdtempSync(path.join(tmpdir(), 'larder-test-'));
const shared = new Cache(directory);
test.after.always(() => {
	shared.close();
	rmSync(directory, {recursive: true});
});

const count = testLikeKeyv(test, () => new KeyvStore(shared));

test.serial('keyv/suite: all of Keyv’s own tests are run', t => {
	t.true(count >= 40, String(count));
});

test('keyv/types: the store is one of Keyv’s', t => {
	const adapter: KeyvStoreAdapter = new KeyvStore(openDiskCache(t));
	t.is(typeof adapter.get, 'function');
});

test('keyv/ttl: an item that has expired is not in the store any more', async t => {
	const clock = new TestClock();
	const cache = openDiskCache(t, {clock});
	const keyv = new Keyv({store: new KeyvStore(cache)});
	await keyv.set('k', {a: 1}, 60_000);
	t.deepEqual(await keyv.get('k'), {a: 1});
	t.true(cache.has('keyv:k'));
	clock.advance(60_001);
	t.false(cache.has('keyv:k'));
	t.false(await keyv.has('k'));
});

test('keyv/own: a store opens a cache of its own, which is closed with it and kept', async t => {
	const own = temporaryDirectory(t);
	const keyv = new Keyv({store: new KeyvStore({directory: own})});
	await keyv.setMany([
		{key: 'a', value: 1},
		{key: 'b', value: 2, ttl: 60_000},
	]);
	await keyv.disconnect();
	const again = new Keyv({store: new KeyvStore({directory: own})});
	t.deepEqual(await again.get(['a', 'b', 'c']), [1, 2, undefined]);
	t.deepEqual(await again.hasMany(['a', 'c']), [true, false]);
	t.true(await again.delete(['a', 'b']));
	await again.disconnect();
});

/** The store by itself, as Keyv sees it. */
function openStore(t: ExecutionContext, options: CacheOptions = {}, directory = temporaryDirectory(t)) {
	const store = new KeyvStore({...options, directory});
	t.teardown(() => store.disconnect());
	return store;
}

test('django/simple, django/default_used_when_none_is_set, django/non_existent, django/delete, django/delete_nonexistent, django/has_key, django/in: null is a value, and nothing is undefined', async t => {
	const keyv = new Keyv({store: openStore(t)});
	await keyv.set('none', null);
	t.deepEqual([await keyv.get('none'), await keyv.get('missing')], [null, undefined]);
	t.deepEqual([await keyv.has('none'), await keyv.has('missing')], [true, false]);
	t.deepEqual([await keyv.delete('none'), await keyv.delete('none')], [true, false]);
	t.false(await keyv.has('none'));
});

test('django/add, django/incr, django/decr, django/touch, django/pop, django/evict, django/expire, django/read: what Keyv has no words for is said to the cache', async t => {
	const clock = new TestClock();
	const store = openStore(t, {clock, cullLimit: 0});
	const {cache} = store;
	t.deepEqual([cache.add('a', 1), cache.add('a', 2), await store.get('a')], [true, false, 1]);
	t.deepEqual([cache.incr('a', 5), cache.decr('a', 8), cache.decr('a', -10)], [6, -2, 8]);
	t.throws(() => cache.incr('missing', 1, {default: null}), {instanceOf: KeyError});
	await store.set('b', 2, 1000);
	t.true(cache.touch('b', {expire: 60}));
	clock.advance(2000);
	t.is(cache.pop('b'), 2);
	cache.set('tagged', Buffer.from('bytes'), {tag: 'x'});
	t.is(Buffer.concat((await cache.read('tagged').toArray()) as Buffer[]).toString(), 'bytes');
	t.is(cache.evict('x'), 1);
	await store.set('c', 3, 0);
	t.is(cache.expire(), 1);
});

test('django/prefix: stores of two namespaces in one directory do not see each other', async t => {
	const directory = temporaryDirectory(t);
	const [one, other] = ['one', 'other'].map(namespace => new Keyv({store: openStore(t, {}, directory), namespace}));
	await one?.set('k', 1);
	t.deepEqual([await one?.get('k'), await other?.get('k')], [1, undefined]);
	await other?.clear();
	t.is(await one?.get('k'), 1);
});

test('django/get_many, django/set_many, django/set_many_returns_empty_list_on_success, django/set_many_expiration, django/delete_many: many at once, each with its time', async t => {
	const clock = new TestClock();
	const store = openStore(t, {clock});
	t.is(
		await store.setMany([
			{key: 'a', value: 1},
			{key: 'b', value: 2, ttl: 60_000},
		]),
		undefined,
	);
	t.deepEqual(await store.getMany(['a', 'b', 'c']), [1, 2, undefined]);
	clock.advance(60_001);
	t.deepEqual(await store.getMany(['a', 'b']), [1, undefined]);
	t.deepEqual([await store.deleteMany(['a', 'b']), await store.deleteMany(['a'])], [true, false]);
});

test('django/close: a store that is disconnected twice is opened by its next use', async t => {
	const store = openStore(t);
	await store.set('k', 1);
	await store.disconnect();
	await store.disconnect();
	t.is(await store.get('k'), 1);
});

test('django/data_types, django/unicode, django/binary_string: values come back as they were', async t => {
	const store = openStore(t);
	const value = {list: [1, 'ä漢😀'], map: new Map([['a', 1n]]), date: new Date(5), bytes: deflateSync('ä')};
	await store.set('ключ', value);
	t.deepEqual(await store.get('ключ'), value);
	const keyv = new Keyv({store});
	await keyv.set('k', Buffer.from([0xff, 0, 1]));
	t.deepEqual(await keyv.get('k'), Buffer.from([0xff, 0, 1]));
});

test('django/expiration, django/long_timeout, django/forever_timeout, django/zero_timeout, django/float_timeout: a time is in milliseconds, none is forever, 0 is over', async t => {
	const clock = new TestClock();
	const store = openStore(t, {clock});
	await store.set('forever', 1);
	await store.set('long', 1, 60 * 86_400_000);
	await store.set('short', 1, 999.5);
	await store.set('zero', 1, 0);
	t.deepEqual(await store.hasMany(['forever', 'long', 'short', 'zero']), [true, true, true, false]);
	clock.advance(1000);
	t.deepEqual(await store.hasMany(['forever', 'long', 'short']), [true, true, false]);
	clock.advance(61 * 86_400_000);
	t.deepEqual(await store.hasMany(['forever', 'long']), [true, false]);
});

test('django/clear, django/clear_does_not_remove_cache_dir, django/creates_cache_dir_if_nonexistent, django/ignores_non_cache_files, django/directory: the directory is made, and kept with what others have in it', async t => {
	const missing = path.join(temporaryDirectory(t), 'a', 'b');
	const store = openStore(t, {}, missing);
	await store.set('k', Buffer.alloc(100_000));
	writeFileSync(path.join(missing, 'foreign.txt'), 'of others');
	await store.clear();
	t.deepEqual([store.cache.length, store.cache.directory], [0, missing]);
	t.is(readFileSync(path.join(missing, 'foreign.txt'), 'utf8'), 'of others');
});

test('django/cull, django/zero_cull, django/cull_delete_when_store_empty: the cache culls by its own limits', async t => {
	const store = openStore(t, {sizeLimit: 0, cullLimit: 0});
	for (let key = 0; key < 30; key++) await store.set(`${key}`, key);
	t.is(store.cache.length, 30);
	store.cache.reset('cullLimit', 10);
	await store.set('last', 1);
	t.true(store.cache.length <= 21);
	await store.clear();
	t.true(await store.set('k', 1), 'who finds nothing to cull stores all the same');
	t.is(await store.get('k'), 1);
});

test('django/invalid_key_characters, django/invalid_key_length: any text is a key', async t => {
	const store = openStore(t);
	for (const key of ['', 'with spaces\n\t\0', 'x'.repeat(100_000), '\ud800']) {
		await store.set(key, key.length);
		t.is(await store.get(key), key.length);
	}
});

test('django/cache_write_unpicklable_object, django/cache_write_unpicklable_type, django/add_fail_on_pickleerror, django/set_fail_on_pickleerror: what cannot be stored is an error, and nothing of it is stored', async t => {
	const store = openStore(t);
	for (const value of [() => 0, {inner: Symbol('s')}, new WeakMap()]) {
		await t.throwsAsync(store.set('k', value), {any: true});
		t.throws(() => store.cache.add('k', value), {any: true});
	}

	t.deepEqual([await store.has('k'), store.cache.check()], [false, []]);
});

test('django/cache, django/deque, django/index, django/memoize: over a FanoutCache a store has its collections beside it', async t => {
	const cache = openFanoutCache(t);
	const store = new KeyvStore(cache);
	const keyv = new Keyv({store, namespace: 'ns'});
	await keyv.setMany([
		{key: 'a', value: 1},
		{key: 'b', value: 2},
	]);
	t.deepEqual(await keyv.get(['a', 'b']), [1, 2]);
	t.deepEqual([await keyv.delete(['a', 'b']), cache.length], [true, 0]);
	store.cache.cache('c').set('k', 1);
	store.cache.deque('d').append(2);
	store.cache.index('i').set('k', 3);
	for (const kind of ['cache/c', 'deque/d', 'index/i'])
		t.true(existsSync(path.join(cache.directory, kind, 'cache.db')));
	let calls = 0;
	const work = store.cache.memoize({name: 'work'})(() => ++calls);
	t.deepEqual([work(), work()], [1, 1]);
	t.throws(() => store.cache.memoize(work as never), {instanceOf: TypeError});
});
