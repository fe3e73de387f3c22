/** Going through the keys of a cache, and what keys come back as. */
import test from 'ava';
import {KeyError} from '../../../../src/ports/disk-cache/index.js';
import {TestClock} from '../../../helpers/cache.js';
import {large, openDiskCache, valueFiles} from '../../../helpers/disk-cache.js';

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
