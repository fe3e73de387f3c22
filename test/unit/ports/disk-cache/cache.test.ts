import path from 'node:path';
import {Readable} from 'node:stream';
import {serialize} from 'node:v8';
import test from 'ava';
import {Disk, KeyError, Timeout} from '../../../../src/ports/disk-cache/index.js';
import {temporaryDirectory, TestClock} from '../../../helpers/cache.js';
import {
	large,
	openBeside,
	openDiskCache,
	openFanoutCache,
	valueFiles,
	whileLocked,
} from '../../../helpers/disk-cache.js';

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

test('what expires is there until then, and what does not for longer, whichever was got first', t => {
	for (const keys of [
		['lasts', 'expires'],
		['expires', 'lasts'],
	]) {
		const clock = new TestClock();
		const cache = openDiskCache(t, {clock});
		cache.set('lasts', 'l');
		cache.set('expires', 'e', {expire: 1});
		const got = () => Object.fromEntries(keys.map(key => [key, cache.get(key)]));
		for (const _ of [1, 2]) t.deepEqual(got(), {lasts: 'l', expires: 'e'});
		clock.advance(1001);
		for (const _ of [1, 2]) t.deepEqual(got(), {lasts: 'l', expires: undefined});
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

test('core/clear_timeout, core/cull_timeout: Timeout goes on to the caller', t => {
	const cache = openDiskCache(t, {timeout: 0.01});
	for (let i = 0; i < 5; i++) cache.set(i, i, {tag: 'x', expire: -1});
	whileLocked(t, cache.directory, () => {
		for (const remove of [() => cache.clear(), () => cache.evict('x'), () => cache.expire(), () => cache.cull()]) {
			t.is(t.throws(remove, {instanceOf: Timeout}).removed, 0);
		}
	});
});

test('core/get_timeout: without a write-ahead log who reads is told by Timeout as well', t => {
	const cache = openDiskCache(t, {sqliteJournalMode: 'delete', timeout: 0.01});
	cache.push(1);
	const reads: Record<string, () => unknown> = {
		get: () => cache.get('k'),
		has: () => cache.has('k'),
		length: () => cache.length,
		keys: () => [...cache],
		sorted: () => [...cache.iterkeys()],
		peek: () => cache.peek(),
		peekitem: () => cache.peekitem(),
		volume: () => cache.volume(),
		reset: () => cache.reset('cullLimit'),
		check: () => cache.check(),
	};
	for (const [name, read] of Object.entries(reads)) {
		whileLocked(t, cache.directory, () => t.throws(read, {instanceOf: Timeout}, name), 'EXCLUSIVE');
	}

	const fanout = openFanoutCache(t, {sqliteJournalMode: 'delete', shards: 1});
	fanout.set('k', 1);
	const shard = path.join(fanout.directory, '000');
	t.is(
		whileLocked(t, shard, () => fanout.get('k', {default: 'none'}), 'EXCLUSIVE'),
		'none',
	);
	t.is(fanout.get('k'), 1);
});

test('core/check: who wants it repaired while another one writes is told by Timeout', t => {
	const cache = openDiskCache(t, {timeout: 0.01});
	whileLocked(t, cache.directory, () => t.throws(() => cache.check({fix: true}), {instanceOf: Timeout}));
	t.deepEqual(cache.check({fix: true}), []);
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

test('core/contains: what has expired is not there', t => {
	const clock = new TestClock();
	const cache = openDiskCache(t, {clock});
	t.false(cache.has(0));
	cache.set(0, 0, {expire: 1});
	t.true(cache.has(0));
	clock.advance(1001);
	t.false(cache.has(0));
});

test('ground/expire_is_relative: a time or a tag that is none is refused, before anything is written', async t => {
	const cache = openDiskCache(t);
	cache.set('there', 1);
	for (const options of [{expire: NaN}, {expire: '5'}, {tag: ['a']}, {tag: NaN}, {tag: true}] as never[]) {
		t.throws(() => cache.set('k', large(1), options), {instanceOf: TypeError});
		t.throws(() => cache.add('k', large(1), options), {instanceOf: TypeError});
		t.throws(() => cache.push(large(1), options), {instanceOf: TypeError});
		t.throws(() => cache.touch('there', options), {instanceOf: TypeError});
	}

	t.deepEqual(
		[[...cache], valueFiles(cache.directory), cache.get('there', {expireTime: true})],
		[['there'], [], [1, null]],
	);
	await cache.set('stream', Readable.from(['a']), {read: true, expire: Infinity});
	t.true(cache.has('stream'));
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
