import {statSync} from 'node:fs';
import test from 'ava';
import {Cache} from '../../../../src/ports/disk-cache/index.js';
import {TestClock} from '../../../helpers/cache.js';
import {large, openDiskCache, valueFiles} from '../../../helpers/disk-cache.js';

const FIRST = 500_000_000_000_000;

test('core/push_pull: what is pushed at one end is pulled at the other in that order', t => {
	const cache = openDiskCache(t);
	t.deepEqual(cache.pull(), [undefined, undefined]);
	const keys = Array.from({length: 10}, (_, value) => cache.push(value));
	t.deepEqual(
		keys,
		Array.from({length: 10}, (_, index) => FIRST + index),
	);
	t.is(cache.push('front', {side: 'front'}), FIRST - 1);
	t.is(cache.get(FIRST), 0);
	t.deepEqual(cache.pull(), [FIRST - 1, 'front']);
	t.deepEqual(cache.pull({side: 'back'}), [FIRST + 9, 9]);
	t.deepEqual(
		Array.from({length: 9}, () => cache.pull()[1]),
		[0, 1, 2, 3, 4, 5, 6, 7, 8],
	);
	t.deepEqual(cache.pull({default: ['none', 0]}), ['none', 0]);
	t.is(cache.push('again'), FIRST);
	t.deepEqual(cache.check(), []);
});

test('core/push_pull_prefix: queues of different prefixes know nothing of each other', t => {
	const cache = openDiskCache(t);
	t.is(cache.push('x', {prefix: 'key'}), 'key-500000000000000');
	t.is(cache.push('y', {prefix: 'key'}), 'key-500000000000001');
	t.is(cache.push('w', {prefix: 'key', side: 'front'}), 'key-499999999999999');
	t.is(cache.push('other', {prefix: 'key-5'}), 'key-5-500000000000000');
	t.is(cache.push('number'), FIRST);
	cache.set('key-7', 'of the user');
	cache.set('key-500000000000000x', 'of the user');
	t.deepEqual(
		Array.from({length: 4}, () => cache.pull({prefix: 'key'})[1]),
		['w', 'x', 'y', undefined],
	);
	t.deepEqual(cache.pull({prefix: 'key-5'}), ['key-5-500000000000000', 'other']);
	t.deepEqual(cache.pull({prefix: 'ke'}), [undefined, undefined]);
	t.is(cache.length, 3);
});

test('core/push_pull_prefix: keys of the user that are no whole numbers are not in the queue of numbers', t => {
	const cache = openDiskCache(t);
	for (const key of [0.5, -3, 'x', Buffer.from('y')]) cache.set(key, 'of the user');
	t.is(cache.push('a'), FIRST);
	t.deepEqual(cache.pull(), [FIRST, 'a']);
	t.deepEqual(cache.pull(), [undefined, undefined]);
	t.is(cache.length, 4);
});

test('core/push_pull_extras: the time it expires and the tag are told', t => {
	const cache = openDiskCache(t);
	cache.push('test', {tag: 'number', expire: 1000});
	const [item, expireTime, tag] = cache.peek({expireTime: true, tag: true});
	t.deepEqual([item, tag], [[FIRST, 'test'], 'number']);
	t.is(typeof expireTime, 'number');
	t.deepEqual(cache.pull({tag: true}), [[FIRST, 'test'], 'number']);
	t.deepEqual(cache.pull({expireTime: true, tag: true}), [[undefined, undefined], null, null]);
});

test('core/push_pull_expire, core/push_peek_expire: what has expired is passed over and removed', t => {
	const clock = new TestClock();
	const cache = openDiskCache(t, {clock, cullLimit: 0});
	for (let i = 0; i < 10; i++) cache.push(large(i), {expire: 1});
	cache.push('stays');
	clock.advance(1001);
	t.like(cache.peek(), {1: 'stays'});
	t.deepEqual([cache.length, valueFiles(cache.directory)], [1, []]);
	for (let i = 0; i < 10; i++) cache.push(i, {expire: 1, side: 'front'});
	clock.advance(1001);
	t.like(cache.pull(), {1: 'stays'});
	t.is(cache.length, 0);
	t.deepEqual(cache.check(), []);
});

test('core/push_pull_large_value, core/push_peek_large_value: a peek at a large value leaves it where it is', t => {
	const cache = openDiskCache(t);
	cache.push(large(5));
	for (let i = 0; i < 2; i++) t.true((cache.peek()[1] as Buffer).equals(large(5)));
	t.is(valueFiles(cache.directory).length, 1);
	t.true((cache.pull()[1] as Buffer).equals(large(5)));
	t.deepEqual([cache.length, valueFiles(cache.directory)], [0, []]);
});

test('core/push_pull: a side that is none is an error', t => {
	const cache = new Cache(openDiskCache(t).directory);
	t.teardown(() => cache.close());
	t.throws(() => cache.push(1, {side: 'middle' as 'front'}), {instanceOf: RangeError});
});

test('core/push_pull_prefix: a prefix that SQLite has another text for is an error, and leaves nothing', t => {
	const cache = openDiskCache(t);
	for (const prefix of ['a\0b', '\ud800']) {
		t.throws(() => cache.push(large(1), {prefix}), {instanceOf: RangeError});
		t.throws(() => cache.pull({prefix}), {instanceOf: RangeError});
		t.throws(() => cache.peek({prefix}), {instanceOf: RangeError});
	}

	t.deepEqual([cache.length, valueFiles(cache.directory)], [0, []]);
	for (const prefix of ['', '%_', 'ä\ufffd', '-1']) {
		cache.push(prefix, {prefix});
		t.is(cache.pull({prefix})[1], prefix);
	}
});

test('the write-ahead log does not grow with what is pushed, pulled, counted and popped', t => {
	const works: Array<(cache: Cache, index: number) => unknown> = [
		(cache, index) => cache.push(index),
		cache => cache.pull(),
		cache => cache.incr('count'),
		(cache, index) => cache.pop(`key ${index}`),
	];
	for (const work of works) {
		const cache = openDiskCache(t);
		for (let index = 0; index < 2000; index++) cache.set(`key ${index}`, index);
		cache.transact(() => {
			for (let index = 0; index < 2000; index++) cache.push(index);
		});
		for (let index = 0; index < 2000; index++) work(cache, index);
		// SQLite writes it back into the database at 1,000 pages of 4 KiB, and begins anew.
		t.true(statSync(`${cache.directory}/cache.db-wal`).size < 8_000_000, String(work));
	}
});
