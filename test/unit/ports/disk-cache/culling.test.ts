/** What leaves when a cache is full, and when. */
import test from 'ava';
import {EVICTION_POLICY} from '../../../../src/ports/disk-cache/index.js';
import {TestClock} from '../../../helpers/cache.js';
import {openBeside, openDiskCache} from '../../../helpers/disk-cache.js';

const MILLION = Buffer.alloc(1_000_000, 'x');
/** Ten of them, with the database. */
const LIMIT = 10_200_000;

test('core/expire_rows: a write removes what has expired, as many as the cull limit', t => {
	const cache = openDiskCache(t, {cullLimit: 0});
	for (let key = 0; key < 10; key++) cache.set(key, key, {expire: 0});
	for (let key = 10; key < 15; key++) cache.set(key, key);
	t.is(cache.length, 15);
	cache.reset('cullLimit', 4);
	cache.set(15, 15);
	t.is(cache.length, 12);
	cache.set(15, 15);
	cache.set(15, 15);
	t.is(cache.length, 6);
});

test('core/expire_rows: of what has expired as much as there is leaves with one write', t => {
	const cache = openDiskCache(t, {cullLimit: 0});
	for (let key = 0; key < 10; key++) cache.set(key, key, {expire: 0});
	for (let key = 10; key < 15; key++) cache.set(key, key);
	cache.reset('cullLimit', 10);
	cache.set(15, 15);
	t.deepEqual([...cache], [10, 11, 12, 13, 14, 15]);
});

test('core/expire: what has expired by then leaves', t => {
	const clock = new TestClock();
	const cache = openDiskCache(t, {clock, cullLimit: 0});
	const now = cache.now();
	for (let key = 0; key < 300; key++) cache.set(key, key, {expire: 1000 + key});
	t.is(cache.expire(), 0);
	t.is(cache.expire({now: now + 1250}), 250);
	t.is(cache.length, 50);
});

test('core/least_recently_stored: what was stored first leaves first', t => {
	const cache = openDiskCache(t, {sizeLimit: LIMIT, cullLimit: 2});
	for (let key = 0; key < 10; key++) cache.set(key, MILLION);
	t.is(cache.length, 10);
	for (let key = 0; key < 10; key++) t.true(cache.has(key));
	for (let key = 10; key < 20; key++) cache.set(key, MILLION);
	t.true(cache.volume() < LIMIT);
	t.deepEqual(
		[...cache],
		Array.from({length: cache.length}, (_, index) => 20 - cache.length + index),
	);
	t.deepEqual(cache.check(), []);
	const before = cache.length;
	for (let key = 20; key < 24; key++) cache.set(key, Buffer.alloc(2_000_000));
	t.true(before - (cache.length - 4) >= 6, 'larger ones push out more');
	t.true(cache.volume() < LIMIT);
});

test('core/least_recently_used, core/lru_incr: what was not used for the longest time leaves first', t => {
	const cache = openDiskCache(t, {evictionPolicy: 'least-recently-used', sizeLimit: LIMIT, cullLimit: 5});
	cache.set('n', 0);
	for (let key = 0; key < 10; key++) cache.set(key, MILLION);
	for (const key of [0, 1, 7, 8, 9]) cache.get(key);
	cache.incr('n');
	cache.set(10, MILLION);
	t.deepEqual([...cache], ['n', 0, 1, 7, 8, 9, 10]);
});

test('core/least_frequently_used: what was used least often leaves first, but not what has just come', t => {
	const cache = openDiskCache(t, {evictionPolicy: 'least-frequently-used', sizeLimit: LIMIT, cullLimit: 5});
	for (let key = 0; key < 10; key++) cache.set(key, MILLION);
	for (const [key, times] of [
		[0, 5],
		[1, 4],
		[7, 3],
		[8, 2],
		[9, 1],
	] as const) {
		for (let i = 0; i < times; i++) cache.get(key);
	}

	cache.set(10, MILLION);
	t.deepEqual([...cache], [0, 1, 7, 8, 9, 10]);
	for (let i = 0; i < 10; i++) for (const key of cache) cache.get(key);
	for (let key = 11; key < 15; key++) cache.set(key, MILLION);
	cache.set(15, MILLION);
	t.true(cache.has(15));
});

test('core/least_recently_used: uses are written together, when the handle is closed at the latest', t => {
	const cache = openDiskCache(t, {evictionPolicy: 'least-recently-used'});
	for (let key = 0; key < 10; key++) cache.set(key, key);
	const times = openBeside(t, cache.directory).prepare('SELECT max(access_count) FROM Cache').pluck();
	for (let i = 0; i < 100; i++) cache.get(3);
	t.is(times.get(), 0);
	cache.close();
	t.is(times.get(), 100);
});

test('core/least_recently_used: the uses of an item do not count for one that took its place', t => {
	const cache = openDiskCache(t, {evictionPolicy: 'least-frequently-used'});
	cache.set('a', 1);
	for (let i = 0; i < 5; i++) cache.get('a');
	cache.delete('a');
	cache.set('b', 1);
	cache.get('b');
	cache.close();
	t.is(openBeside(t, cache.directory).prepare('SELECT access_count FROM Cache').pluck().get(), 1);
});

test('core/size_limit_with_files: files count', t => {
	const cache = openDiskCache(t, {cullLimit: 0});
	for (let key = 0; key < 40; key++) cache.set(key, Buffer.alloc(64_000));
	t.true(cache.volume() > 40 * 64_000);
	cache.reset('sizeLimit', 1_000_000);
	const before = cache.length;
	t.is(cache.cull(), before - cache.length);
	t.true(cache.volume() <= 1_000_000);
	t.true(cache.length > 0);
});

test('core/size_limit_with_database: what is in the database counts, and what is free in it does not', t => {
	const cache = openDiskCache(t, {cullLimit: 0, sqliteAutoVacuum: 0});
	for (let key = 0; key < 1000; key++) cache.set(key, Buffer.alloc(2000));
	const volume = cache.volume();
	cache.reset('sizeLimit', volume / 2);
	cache.cull();
	t.true(cache.volume() <= volume / 2);
	t.true(cache.length > 300);
});

test('core/cull_eviction_policy_none, core/cull_size_limit_0: without a policy only what has expired leaves', t => {
	const cache = openDiskCache(t, {evictionPolicy: 'none', sizeLimit: 0, cullLimit: 0});
	for (let key = 0; key < 100; key++) cache.set(key, key, {expire: key < 10 ? 0 : null});
	t.is(cache.cull(), 10);
	t.is(cache.length, 90);
	cache.reset('evictionPolicy', 'least-recently-stored');
	t.is(cache.cull(), 90);
	t.is(cache.length, 0);
});

test('core/cull: who writes far below the limit does not look each time, and who is near it does', t => {
	const cache = openDiskCache(t, {sizeLimit: 2_000_000});
	for (let key = 0; key < 3000; key++) {
		cache.set(key, Buffer.alloc(1000));
		if (key % 100 === 0) t.true(cache.volume() <= 2_100_000, `after ${key}`);
	}

	t.true(cache.has(2999));
});

test('core/custom_eviction_policy: a policy of one’s own is a row, which may let items leave only after a time', t => {
	EVICTION_POLICY['unused-for-a-minute'] = {
		init: 'CREATE INDEX IF NOT EXISTS Cache_access_time ON Cache (access_time)',
		get: 'access_time',
		where: 'access_time < @now - 60',
		cull: 'access_time',
	};
	const clock = new TestClock();
	const cache = openDiskCache(t, {clock, evictionPolicy: 'unused-for-a-minute', sizeLimit: LIMIT, cullLimit: 2});
	for (let key = 0; key < 12; key++) cache.set(key, MILLION);
	t.deepEqual([cache.length, cache.cull()], [12, 0]);
	clock.advance(61_000);
	cache.get(0);
	cache.set(12, MILLION);
	t.deepEqual([...cache].slice(0, 2), [0, 3]);
	delete EVICTION_POLICY['unused-for-a-minute'];
	t.true(cache.set(13, MILLION), 'who does not know the policy goes by the default');
	t.deepEqual([...cache].slice(0, 2), [4, 5]);
	t.throws(() => cache.reset('evictionPolicy', 'nonsense'), {instanceOf: RangeError});
});

test('the policies are data', t => {
	t.deepEqual(Object.keys(EVICTION_POLICY), [
		...['none', 'least-recently-stored', 'least-recently-used', 'least-frequently-used'],
	]);
});
