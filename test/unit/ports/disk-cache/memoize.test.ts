import test from 'ava';
import {TestClock} from '../../../helpers/cache.js';
import {openDiskCache} from '../../../helpers/disk-cache.js';

test('core/memoize: a result is made once for each arguments', t => {
	const cache = openDiskCache(t);
	let calls = 0;
	function add(a: number, b: number) {
		calls++;
		return a + b;
	}

	const adding = cache.memoize()(add);
	t.deepEqual([adding(1, 2), adding(1, 2), adding(2, 1), calls], [3, 3, 3, 2]);
	t.deepEqual([...cache], [adding.cacheKey(1, 2), adding.cacheKey(2, 1)]);
	t.is(adding.wrapped, add);
	cache.clear();
	t.deepEqual([adding(1, 2), calls], [3, 3]);
});

test('core/memoize: a function that calls itself has each result made once, and found after', t => {
	const cache = openDiskCache(t, {statistics: true});
	const fibonacci = cache.memoize({name: 'fibonacci'})((n: number): number =>
		n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2),
	);
	t.is(fibonacci(50), 12_586_269_025);
	const [hits, misses] = cache.stats();
	t.deepEqual([hits, misses], [48, 51]);
	for (let n = 0; n <= 50; n++) fibonacci(n);
	t.deepEqual(cache.stats(), [hits + 51, misses]);
});

test('core/memoize_kwargs: arguments of different types differ, and the order of an object’s properties does not matter', t => {
	const cache = openDiskCache(t);
	let calls = 0;
	const typed = cache.memoize({name: 'typed'})((_: unknown, _options?: object) => ++calls);
	t.deepEqual([typed(1), typed('1'), typed(true), typed(1n), typed([1]), typed(1)], [1, 2, 3, 4, 5, 1]);
	t.is(typed(1, {a: 1, b: 2}), typed(1, {b: 2, a: 1}));
});

test('core/memoize_iter: each way to call has a key of its own, which is found by going through the cache', t => {
	const cache = openDiskCache(t);
	let calls = 0;
	const work = cache.memoize({name: 'work'})((..._all: unknown[]) => ++calls);
	const ways: unknown[][] = [[1, 2], [{a: 1, b: 2}], [1, {b: 2}], [], [[1, 2]]];
	ways.forEach(way => work(...way));
	t.deepEqual(
		[...cache],
		ways.map(way => work.cacheKey(...way)),
	);
	for (const key of cache) t.true(cache.delete(key));
	t.deepEqual([cache.length, work(1, 2)], [0, 6]);
});

test('core/memoize: what is undefined or null is a result too', t => {
	const cache = openDiskCache(t);
	let calls = 0;
	const nothing = cache.memoize({name: 'nothing'})((what: null | undefined) => (calls++, what));
	t.deepEqual(
		[nothing(undefined), nothing(undefined), nothing(null), nothing(null), calls],
		[...[undefined, undefined, null, null, 2]],
	);
});

test('core/memoize_ignore: arguments that make no difference are left out', t => {
	const cache = openDiskCache(t);
	let calls = 0;
	const first = cache.memoize({name: 'first', ignore: [1]})((a: number, _verbose: boolean) => (calls++, a));
	t.deepEqual([first(1, true), first(1, false), calls], [1, 1, 1]);
	const named = cache.memoize({name: 'named', ignore: ['verbose']})(
		(a: number, _options: {verbose?: boolean; b: number}) => (calls++, a),
	);
	t.deepEqual([named(1, {b: 2, verbose: true}), named(1, {b: 2}), calls], [1, 1, 2]);
	t.deepEqual([named(1, {b: 3}), calls], [1, 3]);
});

test('core/memoize: a result is kept as long as told, and with 0 not at all', t => {
	const clock = new TestClock();
	const cache = openDiskCache(t, {clock});
	let calls = 0;
	const kept = cache.memoize({name: 'kept', expire: 1, tag: 'x'})(() => ++calls);
	t.deepEqual([kept(), kept()], [1, 1]);
	clock.advance(1001);
	t.is(kept(), 2);
	t.is(cache.evict('x'), 1);
	const never = cache.memoize({name: 'never', expire: 0})(() => ++calls);
	t.deepEqual([never(), never(), cache.length], [3, 4, 0]);
});

test('core/memoize: a promise stays one, and what it rejects with is not kept', async t => {
	const cache = openDiskCache(t);
	let calls = 0;
	const later = cache.memoize({name: 'later'})((fails: boolean) => {
		calls++;
		return fails ? Promise.reject(new Error('no')) : Promise.resolve(calls);
	});
	await t.throwsAsync(later(true), {message: 'no'});
	t.is(await later(false), 2);
	const hit = later(false);
	t.true(hit instanceof Promise);
	t.deepEqual([await hit, calls], [2, 2]);
});

test('core/memoize: a function without a name needs one, and one that is none is an error', t => {
	const cache = openDiskCache(t);
	t.throws(() => cache.memoize()(() => 0), {instanceOf: TypeError});
	t.throws(() => cache.memoize()(5 as never), {instanceOf: TypeError});
});
