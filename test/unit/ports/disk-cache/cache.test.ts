import {existsSync, readFileSync, rmSync, type ReadStream} from 'node:fs';
import path from 'node:path';
import {Readable} from 'node:stream';
import {pathToFileURL} from 'node:url';
import {serialize} from 'node:v8';
import test from 'ava';
import {Cache, DEFAULT_SETTINGS, Disk, KeyError, Timeout} from '../../../../src/ports/disk-cache/index.js';
import {temporaryDirectory, TestClock} from '../../../helpers/cache.js';
import {large, LARGE_BYTES, openBeside, openDiskCache, valueFiles, whileLocked} from '../../../helpers/disk-cache.js';

test('core/init, ground/defaults: a new cache has the default settings, is sound, and can be closed twice', t => {
	const cache = openDiskCache(t);
	t.deepEqual(cache.settings, DEFAULT_SETTINGS);
	t.deepEqual(cache.check(), []);
	cache.close();
	cache.close();
	t.is(cache.timeout, 60);
});

test('core/init: without a directory there is a temporary one, and what is missing is made', t => {
	const cache = new Cache();
	t.teardown(() => rmSync(cache.directory, {recursive: true}));
	t.teardown(() => cache.close());
	t.regex(cache.directory, /diskcache-/);
	const nested = path.join(temporaryDirectory(t), 'a', 'b');
	openDiskCache(t, {}, nested);
	t.true(existsSync(path.join(nested, 'cache.db')));
});

test('core/init_path: a directory may be a URL, and is the same as by its name', t => {
	const directory = temporaryDirectory(t);
	const cache = new Cache(pathToFileURL(directory));
	t.teardown(() => cache.close());
	t.is(cache.directory, directory);
	cache.set('k', 1);
	t.is(openDiskCache(t, {}, directory).get('k'), 1);
});

test('core/pickle: what a cache is as JSON opens it elsewhere', t => {
	const cache = openDiskCache(t, {timeout: 5});
	cache.set('k', 1);
	const {directory, ...options} = JSON.parse(JSON.stringify(cache)) as {directory: string; timeout: number};
	const other = openDiskCache(t, options, directory);
	t.deepEqual([other.get('k'), other.timeout, other.directory], [1, 5, cache.directory]);
});

test('core/close_error: what is closed already, or whose directory is gone, is closed without an error', t => {
	const cache = openDiskCache(t, {evictionPolicy: 'least-recently-used'});
	cache.set('k', large(1));
	cache.get('k');
	rmSync(cache.directory, {recursive: true});
	t.notThrows(() => cache.close());
	t.notThrows(() => cache.close());
});

test('core/init_makedirs: a directory that cannot be made is an error of the system', t => {
	const cache = openDiskCache(t);
	t.throws(() => new Cache(path.join(cache.directory, 'cache.db', 'within')), {code: 'ENOTDIR'});
});

test('core/getsetdel, ground/null_is_a_value: values of every kind come back as they were, and leave nothing when they are deleted', t => {
	const cache = openDiskCache(t);
	const values: readonly unknown[] = [
		...[undefined, null, true, 0, -0, 1234, 56.78, NaN, -Infinity, 2n ** 512n],
		...['', 'hello', 'hello'.repeat(10_000), 'a\0b', '\ud800 alone', 'ä€😀', '漢字'.slice(1)],
		...[
			[1, undefined, 'x'],
			new Array(3),
			{a: {b: [undefined]}},
			new Date(5),
			new Map([[{a: 1}, new Set([1])]]),
			/x/gi,
		],
		...[new Float64Array([1, 2]), Array.from({length: 20_000}, (_, i) => i), new RangeError('of its own')],
	];
	values.forEach((value, key) => t.true(cache.set(key, value)));
	t.is(cache.length, values.length);
	t.is(cache.get(1, {default: 'none'}), null, 'null is a value');
	values.forEach((value, key) => t.deepEqual(cache.get(key), value));
	values.forEach((_, key) => t.true(cache.delete(key)));
	t.is(cache.length, 0);
	t.deepEqual(valueFiles(cache.directory), []);
	t.deepEqual(cache.check(), []);
});

test('core/getsetdel: what is large is a key as well', t => {
	const cache = openDiskCache(t);
	const keys = [null, Array.from({length: 2 ** 16}, () => 0), 1234, 2n ** 512n, 56.78, 'a'.repeat(2 ** 16), large(1)];
	keys.forEach((key, index) => cache.set(key, index));
	keys.forEach((key, index) => t.is(cache.get(key), index));
	t.is(cache.length, keys.length);
	keys.forEach(key => t.true(cache.delete(key)));
	t.deepEqual([cache.length, cache.check()], [0, []]);
});

test('core/getsetdel: bytes come back as bytes, small ones and large ones', t => {
	const cache = openDiskCache(t);
	cache.set('small', new Uint8Array([1, 2]));
	cache.set('large', large(7));
	t.deepEqual(cache.get('small'), Buffer.from([1, 2]));
	t.true(cache.get<Buffer>('large')?.equals(large(7)));
	t.is(valueFiles(cache.directory).length, 1);
});

test('core/getsetdel: bytes that begin as what V8 serialises stay bytes', t => {
	const cache = openDiskCache(t);
	for (const bytes of [serialize({a: 1}), Buffer.from([0xff, 0xd8]), Buffer.from([0xff]), Buffer.alloc(0)]) {
		cache.set('k', bytes);
		t.deepEqual(cache.get('k'), bytes);
		t.deepEqual(cache.get('k', {tag: true}), [bytes, null]);
		t.deepEqual(cache.pop('k'), bytes);
	}
});

test('core/set_twice: a value takes the place of another one, whatever either of them is', t => {
	const cache = openDiskCache(t);
	for (const value of [0, 1, large(1), large(2), 2]) {
		cache.set(0, value);
		t.true(Buffer.isBuffer(value) ? cache.get<Buffer>(0)?.equals(value) : cache.get(0) === value);
	}

	cache.set(0, Buffer.from('few'));
	t.deepEqual(cache.get(0, {read: true}), Buffer.from('few'), 'what has no file is no stream');
	cache.set(0, large(3));
	t.true(cache.get(0, {read: true}) instanceof Readable);
	cache.set(0, 2);
	t.is(cache.get(0, {read: true}), 2);
	t.deepEqual([cache.length, valueFiles(cache.directory)], [1, []]);
	t.deepEqual(cache.check(), []);
});

test('core/set_timeout, core/add_timeout: who does not get the lock in time is told by Timeout, and leaves no file', t => {
	const cache = openDiskCache(t, {timeout: 0.01});
	cache.set('n', 1);
	whileLocked(t, cache.directory, () => {
		t.throws(() => cache.set(0, large(1)), {instanceOf: Timeout});
		t.throws(() => cache.add(0, large(1)), {instanceOf: Timeout});
		t.throws(() => cache.incr('n'), {instanceOf: Timeout});
		t.throws(() => cache.push(large(1)), {instanceOf: Timeout});
		t.throws(() => void cache.pop('n'), {instanceOf: Timeout});
		t.throws(() => cache.delete('n'), {instanceOf: Timeout});
		t.throws(() => cache.touch('n'), {instanceOf: Timeout});
		t.throws(() => cache.transact(() => 0), {instanceOf: Timeout});
		t.is(cache.get('n'), 1);
	});
	t.deepEqual(valueFiles(cache.directory), []);
	t.deepEqual([...cache], ['n']);
});

test('core/get, ground/expire_is_relative: what is not there is the default, and the time it expires and its tag are told', t => {
	const clock = new TestClock();
	const cache = openDiskCache(t, {clock});
	t.is(cache.get(0), undefined);
	t.is(cache.get(1, {default: 'dne'}), 'dne');
	t.deepEqual(cache.get(0, {expireTime: true, tag: true}), [undefined, null, null]);
	t.deepEqual(cache.get(0, {tag: true, default: 5}), [5, null]);
	cache.set(0, 'zero', {tag: 'number'});
	t.deepEqual(cache.get(0, {expireTime: true}), ['zero', null]);
	t.deepEqual(cache.get(0, {tag: true}), ['zero', 'number']);
	cache.set(0, 'zero', {expire: 60});
	const [, expireTime] = cache.get(0, {expireTime: true});
	t.true(Math.abs((expireTime ?? 0) - cache.now() - 60) < 0.1, 'seconds since the epoch');
	clock.advance(59_000);
	t.is(cache.get(0), 'zero');
	clock.advance(1100);
	t.is(cache.get(0), undefined);
});

test('core/get_expired_fast_path, core/get_expired_slow_path: what has expired is not there', t => {
	for (const evictionPolicy of ['none', 'least-recently-used'] as const) {
		const clock = new TestClock();
		const cache = openDiskCache(t, {clock, evictionPolicy, statistics: true});
		cache.set(0, 0, {expire: 1});
		t.is(cache.get(0), 0);
		clock.advance(1001);
		t.is(cache.get(0), undefined);
		t.deepEqual(cache.stats(), [1, 1]);
	}
});

test('core/pop: a value is given once, with what is asked for', t => {
	const cache = openDiskCache(t);
	t.is(cache.pop('alpha'), undefined);
	cache.set('alpha', 123, {expire: 60, tag: 'blue'});
	t.like(cache.pop('alpha', {expireTime: true, tag: true}), {0: 123, 2: 'blue'});
	t.is(cache.pop('alpha', {default: 'dne'}), 'dne');
	cache.incr('count');
	t.is(cache.pop('count'), 1);
	cache.set('gone', 1, {expire: 0});
	t.is(cache.pop('gone', {default: 'dne'}), 'dne');
	cache.set('alpha', large(3));
	t.true(cache.pop<Buffer>('alpha')?.equals(large(3)));
	t.deepEqual([cache.has('alpha'), valueFiles(cache.directory)], [false, []]);
});

test('core/delete, core/del, core/del_expired: deleting says whether there was something', t => {
	const clock = new TestClock();
	const cache = openDiskCache(t, {clock});
	cache.set(0, 0);
	t.true(cache.delete(0));
	t.false(cache.delete(0));
	cache.set(0, 0, {expire: 1});
	clock.advance(1001);
	t.false(cache.delete(0));
	t.deepEqual(cache.check(), []);
});

test('core/stats: hits and misses are counted while that is switched on', t => {
	const cache = openDiskCache(t);
	const look = () => {
		for (let i = 0; i < 100; i++) cache.get(0);
		for (let i = 0; i < 10; i++) cache.get(1);
	};
	cache.set(0, 0);
	t.deepEqual(cache.stats({enable: true}), [0, 0]);
	look();
	t.deepEqual(cache.stats({reset: true}), [100, 10]);
	t.deepEqual(cache.stats({enable: false}), [0, 0]);
	look();
	t.deepEqual(cache.stats(), [0, 0]);
});

test('core/clear, core/evict, core/tag_index, ground/check_is_clean: all items leave, or those of a tag, with and without an index', t => {
	for (const tagIndex of [false, true]) {
		const cache = openDiskCache(t, {tagIndex});
		for (let i = 0; i < 450; i++) cache.set(i, i, {tag: ['red', 'blue', 'yellow'][i % 3] ?? null});
		t.is(cache.evict('red'), 150);
		t.is(cache.length, 300);
		t.is(cache.clear(), 300);
		t.is(cache.length, 0);
		t.deepEqual(cache.check(), []);
	}
});

test('core/tag_index: the index is made and dropped by the setting, for all who have the cache open', t => {
	const cache = openDiskCache(t);
	const beside = openBeside(t, cache.directory);
	const count = () => beside.prepare("SELECT count(*) FROM sqlite_schema WHERE name = 'Cache_tag_rowid'").pluck().get();
	cache.createTagIndex();
	t.deepEqual([cache.settings.tagIndex, count()], [true, 1]);
	t.true(openDiskCache(t, {}, cache.directory).settings.tagIndex);
	cache.dropTagIndex();
	t.deepEqual([cache.settings.tagIndex, count()], [false, 0]);
	t.true(openDiskCache(t, {tagIndex: true}).reset('tagIndex'));
});

test('core/clear_timeout, core/cull_timeout: Timeout goes on to the caller', t => {
	const cache = openDiskCache(t, {timeout: 0.01});
	for (let i = 0; i < 5; i++) cache.set(i, i, {tag: 'x', expire: -1});
	whileLocked(t, cache.directory, () => {
		for (const remove of [() => cache.clear(), () => cache.evict('x'), () => cache.expire(), () => cache.cull()]) {
			t.is(t.throws(remove, {instanceOf: Timeout}).removed, 0);
		}
	});
});

test('core/clear_timeout: Timeout tells how many were removed before', t => {
	const directory = temporaryDirectory(t);
	const beside = {lock: () => {}};
	/** Somebody else takes the lock once the first files are removed. */
	class Interrupted extends Disk {
		override remove(filename: string): void {
			super.remove(filename);
			beside.lock();
		}
	}

	const cache = openDiskCache(t, {timeout: 0.01, disk: Interrupted, diskMinFileSize: 1}, directory);
	for (let key = 0; key < 250; key++) cache.set(key, 'text');
	const other = openBeside(t, directory);
	beside.lock = () => void (other.inTransaction || other.exec('BEGIN IMMEDIATE'));
	t.is(t.throws(() => cache.clear(), {instanceOf: Timeout}).removed, 100);
	other.exec('ROLLBACK');
	beside.lock = () => {};
	t.is(cache.clear(), 150);
	t.deepEqual(cache.check(), []);
});

test('core/tag: tags are texts, numbers and bytes', t => {
	const cache = openDiskCache(t);
	for (const tag of ['zero', 1234, 5.67, Buffer.from('three')]) {
		cache.set(0, null, {tag});
		t.deepEqual(cache.get(0, {tag: true}), [null, tag]);
	}
});

test('core/with: a closed cache is opened again by its next use', t => {
	const cache = openDiskCache(t);
	{
		using other = new Cache(cache.directory);
		other.set('a', 0);
	}

	cache.close();
	t.is(cache.get('a'), 0);
});

test('core/contains: what has expired is not there', t => {
	const clock = new TestClock();
	const cache = openDiskCache(t, {clock});
	t.false(cache.has(0));
	cache.set(0, 0, {expire: 1});
	t.true(cache.has(0));
	clock.advance(1001);
	t.false(cache.has(0));
});

test('core/touch: the time it expires is moved, if it has not come', t => {
	const clock = new TestClock();
	const cache = openDiskCache(t, {clock});
	t.false(cache.touch(0));
	cache.set(0, 0, {expire: 1});
	t.true(cache.touch(0, {expire: 10}));
	clock.advance(5000);
	t.true(cache.touch(0));
	clock.advance(1e9);
	t.true(cache.has(0));
	cache.touch(0, {expire: 0});
	t.false(cache.touch(0, {expire: 10}));
});

test('core/add, core/add_large_value: an item is added if there is none that has not expired', t => {
	const clock = new TestClock();
	const cache = openDiskCache(t, {clock});
	t.true(cache.add('k', large(1), {expire: 1}));
	t.false(cache.add('k', large(2)));
	t.true(cache.get<Buffer>('k')?.equals(large(1)));
	t.is(valueFiles(cache.directory).length, 1);
	clock.advance(1001);
	t.true(cache.add('k', large(3)));
	t.true(cache.get<Buffer>('k')?.equals(large(3)));
	t.deepEqual(cache.check(), []);
});

test('core/incr, core/decr: numbers are added as JavaScript adds them, and keep their tag and time', t => {
	const cache = openDiskCache(t);
	t.is(cache.incr('key', 1, {default: 5}), 6);
	t.deepEqual([cache.incr('key'), cache.incr('key', 2), cache.decr('key', 3), cache.get('key')], [7, 9, 6, 6]);
	cache.set('sum', 0.1, {tag: 'x'});
	t.is(cache.incr('sum', 0.2), 0.1 + 0.2);
	t.is(cache.incr('far', Number.MAX_SAFE_INTEGER) + 2, Number.MAX_SAFE_INTEGER + 2);
	t.is(cache.incr('far', 2), Number.MAX_SAFE_INTEGER + 2);
	t.deepEqual(cache.get('sum', {tag: true}), [0.1 + 0.2, 'x']);
});

test('core/incr_insert_keyerror, core/incr_update_keyerror: without a default a missing item is an error', t => {
	const clock = new TestClock();
	const cache = openDiskCache(t, {clock});
	t.throws(() => cache.incr('key', 1, {default: null}), {instanceOf: KeyError});
	cache.set('key', 100, {expire: 1});
	t.is(cache.incr('key', 1, {default: null}), 101);
	clock.advance(1001);
	t.throws(() => cache.incr('key', 1, {default: null}), {instanceOf: KeyError});
	t.is(cache.incr('key'), 1);
	t.deepEqual(cache.get('key', {expireTime: true}), [1, null]);
	t.deepEqual(cache.check(), []);
});

test('core/incr: what is no number stays what it is', t => {
	const cache = openDiskCache(t);
	for (const value of ['5', null, 5n, Buffer.from('5')]) {
		cache.set('key', value);
		t.throws(() => cache.incr('key'), {instanceOf: TypeError});
		t.deepEqual(cache.get('key'), value);
	}

	t.throws(() => cache.incr('n', NaN), {instanceOf: TypeError});
});

test('core/iter, core/reversed: keys come in the order in which they came, while others are written and removed', t => {
	const cache = openDiskCache(t);
	const keys = Array.from({length: 250}, (_, index) => (index * 7919) % 250);
	for (const key of keys) cache.set(key, key);
	t.deepEqual([...cache], keys);
	t.deepEqual([...cache.reversed()], keys.toReversed());
	const walk = cache[Symbol.iterator]();
	t.is(walk.next().value, keys[0]);
	cache.set('new', 1);
	cache.delete(keys[249]);
	t.deepEqual([...walk], keys.slice(1, -1));
	cache.set('newer', 1);
	t.true(walk.next().done, 'it has ended, whatever comes after');
});

test('core/iter_error, core/reversed_error: going through nothing ends at once', t => {
	const cache = openDiskCache(t);
	t.true(cache[Symbol.iterator]().next().done);
	t.true(cache.reversed().next().done);
});

test('core/iter_expire: keys of expired items are among them', t => {
	const cache = openDiskCache(t, {cullLimit: 0});
	for (let key = 0; key < 100; key++) cache.set(key, key, {expire: 0});
	t.deepEqual([[...cache].length, cache.length], [100, 100]);
	t.deepEqual([cache.expire(), cache.length], [100, 0]);
});

test('core/iterkeys: sorted keys are numbers, then texts, then bytes with all others, each once', t => {
	const cache = openDiskCache(t);
	const numbers = Array.from({length: 150}, (_, index) => index - 20.5);
	const sorted = [...numbers, 'a', 'b', 'ä', ['x'], Buffer.from('a'), Buffer.from('b')];
	for (const key of sorted.toReversed()) cache.set(key, 0);
	t.deepEqual([...cache.iterkeys()], sorted);
	t.deepEqual([...cache.iterkeys({reverse: true})], sorted.toReversed());
	t.deepEqual([...openDiskCache(t).iterkeys()], []);
});

test('core/key_roundtrip: keys come back as they were, and equal ones are one', t => {
	const cache = openDiskCache(t);
	const keys = [
		...[0, -1.5, 2 ** 53, Infinity, '', 'a', '0', 'a\ud800', Buffer.from('a')],
		...[null, undefined, true, 10n, NaN, new Date(7), [], ['a', [1n, undefined]], {}, {b: 1, a: {n: NaN}}],
		...[new Map([['a', 1]]), new Set(['a']), [Buffer.from('x')], {u: 0}, [[]]],
	];
	keys.forEach((key, index) => cache.set(key, index));
	t.deepEqual([...cache], keys);
	keys.forEach((key, index) => t.is(cache.get(key), index));
	t.is(cache.get({a: {n: NaN}, b: 1}), cache.get({b: 1, a: {n: NaN}}));
	t.is(cache.get(-0), cache.get(0));
	t.is(cache.get(['漢a'.slice(1), [1n, undefined]]), cache.get(['a', [1n, undefined]]));
	for (const key of [() => 0, Symbol('s'), new Error('e'), [/x/]])
		t.throws(() => cache.set(key, 0), {instanceOf: TypeError});
	const loop: unknown[] = [];
	loop.push(loop);
	t.throws(() => void cache.get(loop), {instanceOf: TypeError});
});

test('core/peekitem_extras: the last item and the first, with what is asked for, but none that has expired', t => {
	const clock = new TestClock();
	const cache = openDiskCache(t, {clock, cullLimit: 0});
	t.throws(() => cache.peekitem(), {instanceOf: KeyError});
	cache.set('a', 0, {tag: 'x'});
	cache.set('b', large(1), {expire: 1});
	t.like(cache.peekitem(), {0: 'b'});
	t.deepEqual(cache.peekitem({last: false}), ['a', 0]);
	clock.advance(1001);
	t.deepEqual(cache.peekitem({expireTime: true, tag: true}), [['a', 0], null, 'x']);
	t.deepEqual([cache.length, valueFiles(cache.directory)], [1, []]);
});

test('core/path, ground/large_values_are_files: a large value is a file that holds its bytes, whose stream tells where', t => {
	const cache = openDiskCache(t);
	cache.set('below', Buffer.alloc(2 ** 15 - 1));
	t.deepEqual(valueFiles(cache.directory), []);
	cache.set('k', Buffer.alloc(2 ** 15, 7));
	const [name = ''] = valueFiles(cache.directory);
	t.regex(name, /^[0-9a-f]{2}\/[0-9a-f]{30}\..*\.val$/);
	const stream = cache.get<ReadStream>('k', {read: true});
	t.is(stream?.path, path.join(cache.directory, name));
	t.true(readFileSync(path.join(cache.directory, name)).equals(Buffer.alloc(2 ** 15, 7)));
	stream?.destroy();
});

test('core/raw, core/read: a stream is stored as bytes, and bytes are read as a stream', async t => {
	const cache = openDiskCache(t);
	const parts = [Buffer.alloc(70_000, 1), Buffer.alloc(50_000, 2)];
	t.true(await cache.set('s', Readable.from(parts), {read: true, tag: 'x'}));
	t.true(cache.get<Buffer>('s')?.equals(Buffer.concat(parts)));
	const stream = cache.read('s');
	cache.delete('s');
	t.true(Buffer.concat((await stream.toArray()) as Buffer[]).equals(Buffer.concat(parts)));
	cache.set('text', 'ä'.repeat(LARGE_BYTES));
	cache.set('small', Buffer.from('few'));
	t.is(Buffer.concat((await cache.read('text').toArray()) as Buffer[]).toString(), 'ä'.repeat(LARGE_BYTES));
	t.is(Buffer.concat((await cache.read('small').toArray()) as Buffer[]).toString(), 'few');
	t.false(await cache.add('text', Readable.from(['other']), {read: true}));
	t.is(typeof (await cache.push(Readable.from(['queued']), {read: true})), 'number');
	t.deepEqual(cache.check(), []);
});

test('core/read_keyerror, core/get_keyerror1: reading what is not there is an error, and of what is no stream too', t => {
	const cache = openDiskCache(t);
	t.throws(() => cache.read(0), {instanceOf: KeyError});
	cache.set(0, {a: 1});
	t.throws(() => cache.read(0), {instanceOf: TypeError});
});

test('core/raw: a stream that fails stores nothing', async t => {
	const cache = openDiskCache(t);
	const failing = async function* () {
		yield await Promise.resolve(Buffer.from('a'));
		throw new Error('broken off');
	};
	await t.throwsAsync(cache.set('s', failing(), {read: true}), {message: 'broken off'});
	t.deepEqual([cache.has('s'), valueFiles(cache.directory)], [false, []]);
});
