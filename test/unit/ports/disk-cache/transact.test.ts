import test from 'ava';
import {Timeout} from '../../../../src/ports/disk-cache/index.js';
import {large, openBeside, openDiskCache, valueFiles} from '../../../helpers/disk-cache.js';

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

test('core/transact: of a transaction that SQLite itself has ended nothing is there, nor of what is done within it then', t => {
	const cache = openDiskCache(t);
	// As it does on some errors, such as a full disk.
	const sql =
		"CREATE TRIGGER ends BEFORE INSERT ON Cache WHEN NEW.key = 'ends' BEGIN SELECT RAISE(ROLLBACK, 'full'); END";
	openBeside(t, cache.directory).exec(sql);
	const failing = () =>
		cache.transact(() => {
			cache.set('before', large(1));
			t.throws(() => cache.set('ends', 1), {any: true, code: 'SQLITE_CONSTRAINT_TRIGGER'});
			t.throws(() => cache.set('after', large(2)), {message: /rolled back/});
			t.throws(() => cache.incr('n'), {message: /rolled back/});
			t.throws(() => cache.pull(), {message: /rolled back/});
			t.throws(() => cache.clear(), {message: /rolled back/});
		});
	t.throws(failing, {message: /rolled back/});
	t.deepEqual([[...cache], valueFiles(cache.directory), cache.check()], [[], [], []]);
	t.true(cache.set('after', large(2)));
});
