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
