import test from 'ava';
import {Timeout} from '../../../../src/ports/disk-cache/index.js';
import {openDiskCache} from '../../../helpers/disk-cache.js';

test('core/transact: all of a transaction is there at once, or nothing of it', t => {
	const cache = openDiskCache(t);
	const other = openDiskCache(t, {}, cache.directory);
	const result = cache.transact(() => {
		cache.incr('total', 5);
		cache.incr('count');
		t.deepEqual([cache.get('total'), other.get('total')], [5, undefined]);
		return 'done';
	});
	t.deepEqual([result, other.get('total'), other.get('count')], ['done', 5, 1]);
	const failing = () =>
		cache.transact(() => {
			cache.incr('total', 1);
			throw new Error('no');
		});
	t.throws(failing, {message: 'no'});
	t.is(cache.get('total'), 5);
});

test('core/transact: transactions within each other are one', t => {
	const cache = openDiskCache(t);
	const failing = () =>
		cache.transact(() => {
			cache.transact(() => cache.set('inner', 1));
			throw new Error('no');
		});
	t.throws(failing);
	t.false(cache.has('inner'));
	cache.transact(() => {
		t.throws(() =>
			cache.transact(() => {
				cache.set('kept', 1);
				throw new Error('caught');
			}),
		);
	});
	t.true(cache.has('kept'));
});

test('core/transact: nobody else writes meanwhile', t => {
	const cache = openDiskCache(t);
	const other = openDiskCache(t, {timeout: 0.01}, cache.directory);
	cache.transact(() => t.throws(() => other.set('k', 1), {instanceOf: Timeout}));
	t.true(other.set('k', 1));
});

test('core/transact: a function that waits is refused, and nothing of it is left', t => {
	const cache = openDiskCache(t);
	const waiting = () =>
		cache.transact(() => {
			cache.set('k', 1);
			return Promise.resolve();
		});
	t.throws(waiting, {instanceOf: TypeError});
	t.false(cache.has('k'));
});
