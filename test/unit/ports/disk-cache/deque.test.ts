import {rmSync} from 'node:fs';
import path from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {Deque, type DequeOptions} from '../../../../src/ports/disk-cache/index.js';
import {temporaryDirectory} from '../../../helpers/cache.js';
import {large, openBeside, openDiskCache, valueFiles} from '../../../helpers/disk-cache.js';

function open<T>(t: ExecutionContext, items: Iterable<T> = [], options: DequeOptions = {}): Deque<T> {
	const deque = new Deque(items, {directory: temporaryDirectory(t), ...options});
	t.teardown(() => deque.close());
	return deque;
}

test('deque/init: a deque over a directory has the items of before', t => {
	const deque = open(t, 'abcde');
	t.deepEqual([...deque], [...'abcde']);
	const other = open<string>(t, [], {directory: deque.directory});
	t.true(other.equals(deque));
	const over = Deque.fromCache(deque.cache, 'f');
	t.deepEqual([[...over].join(''), over.cache === deque.cache], ['abcdef', true]);
});

test('deque/getsetdel: items are read, set and deleted by their places', t => {
	const deque = open<unknown>(t, 'abcde');
	t.deepEqual(
		[0, 4, -1, -5, 2].map(index => deque.at(index)),
		['a', 'e', 'e', 'a', 'c'],
	);
	for (let index = 0; index < 5; index++) deque.setAt(index, index);
	t.deepEqual([...deque], [0, 1, 2, 3, 4]);
	deque.deleteAt(-1);
	deque.deleteAt(1);
	t.deepEqual([...deque], [0, 2, 3]);
});

test('deque/index_out_of_range, deque/indexerror, deque/indexerror_negative: there is nothing beyond the ends', t => {
	const deque = open(t, 'ab');
	t.deepEqual([deque.at(2), deque.at(-3), deque.at(0.5), open(t).at(0)], [undefined, undefined, undefined, undefined]);
	t.throws(() => deque.setAt(2, 'x'), {instanceOf: RangeError});
	t.throws(() => deque.deleteAt(-3), {instanceOf: RangeError});
});

test('deque/index_positive, deque/index_negative, deque/iter_keyerror, deque/reversed_keyerror, deque/remove_keyerror: an item whose file is gone is passed over', t => {
	const deque = open<unknown>(t, ['a', large(1), 'b']);
	for (const name of valueFiles(deque.directory)) rmSync(path.join(deque.directory, name));
	t.deepEqual(
		[[...deque], [...deque.reversed()]],
		[
			['a', 'b'],
			['b', 'a'],
		],
	);
	t.deepEqual([deque.at(1), deque.at(-2), deque.at(-1)], ['b', 'a', 'b']);
	t.true(deque.remove('b'));
});

test('deque/reversed: items come from the back', t => {
	t.deepEqual([...open(t, 'abcde').reversed()], [...'edcba']);
});

test('deque/state: a deque is opened elsewhere by its directory', t => {
	const deque = open(t, 'abc');
	t.deepEqual([...open(t, [], {directory: deque.directory})], [...'abc']);
});

test('deque/compare: sequences are compared item by item', t => {
	const deque = open(t, [1, 2, 3]);
	t.true(deque.equals([1, 2, 3]));
	t.false(deque.equals([1, 2]));
	t.false(deque.equals(new Map() as never));
	t.false(open(t).equals(new Map() as never));
	t.deepEqual(
		[
			[1, 2, 3],
			[1, 2],
			[1, 2, 3, 4],
			[1, 3],
			[0, 9, 9],
		].map(other => Math.sign(deque.compare(other))),
		[...[0, 1, -1, -1, 1]],
	);
});

test('deque/count: equal items are counted, objects too', t => {
	const deque = open<unknown>(t, [1, {a: 1}, 2, {a: 1}]);
	t.deepEqual([deque.count({a: 1}), deque.count(1), deque.count(3)], [2, 1, 0]);
	t.deepEqual([deque.indexOf(2), deque.indexOf(9), deque.includes({a: 1})], [2, -1, true]);
});

test('deque/extend, deque/extendleft: items are added at either end', t => {
	const deque = open(t, 'c');
	deque.extend('de');
	deque.extendLeft('ba');
	t.is([...deque].join(''), 'abcde');
});

test('deque/extend, deque/extendleft: a deque is added to itself as it was', t => {
	const deque = open(t, 'ab');
	deque.extend(deque);
	t.is([...deque].join(''), 'abab');
	deque.extendLeft(deque);
	t.is([...deque].join(''), 'babaabab');
});

test('deque/pop, deque/popleft, deque/peek: items leave at either end', t => {
	const deque = open(t, 'abc');
	t.deepEqual([deque.peek(), deque.peekLeft(), deque.pop(), deque.popLeft(), deque.length], ['c', 'a', 'c', 'a', 1]);
	const largest = open<Buffer>(t, [large(1), large(2)]);
	for (let i = 0; i < 2; i++) t.true(largest.peek()?.equals(large(2)));
	t.is(largest.length, 2);
});

test('deque/pop_indexerror, deque/popleft_indexerror: from an empty deque nothing comes, as from an array', t => {
	const deque = open(t);
	t.deepEqual(
		[deque.pop(), deque.popLeft(), deque.peek(), deque.peekLeft()],
		[undefined, undefined, undefined, undefined],
	);
});

test('deque/remove, deque/remove_valueerror: the first item that is equal leaves', t => {
	const deque = open(t, 'abaca');
	t.true(deque.remove('a'));
	t.is([...deque].join(''), 'baca');
	t.false(deque.remove('x'));
});

test('deque/reverse: items change places, large ones too', t => {
	const deque = open<unknown>(t, ['a', large(1), 'b', 'c']);
	deque.reverse();
	t.deepEqual([deque.at(0), deque.at(1), deque.at(3)], ['c', 'b', 'a']);
	t.true((deque.at(2) as Buffer).equals(large(1)));
	t.deepEqual([deque.cache.check(), valueFiles(deque.directory).length], [[], 1]);
});

test('deque/rotate, deque/rotate_negative: items go round', t => {
	const deque = open<unknown>(t);
	deque.rotate(1);
	deque.rotate(-1);
	deque.extend('abcde');
	deque.rotate(3);
	t.is([...deque].join(''), 'cdeab');
	deque.rotate(-8);
	t.is([...deque].join(''), 'abcde');
	deque.rotate();
	t.is([...deque].join(''), 'eabcd');
});

test('deque/rotate_typeerror: steps are whole', t => {
	t.throws(() => open(t, 'ab').rotate(0.5), {instanceOf: TypeError});
});

test('deque/append, deque/appendleft, deque/state: what is too much leaves at the other end', t => {
	const deque = open(t, 'abcde', {maxlen: 3});
	t.is([...deque].join(''), 'cde');
	deque.appendLeft('b');
	t.is([...deque].join(''), 'bcd');
	deque.maxlen = 1;
	t.deepEqual([[...deque], deque.maxlen], [['d'], 1]);
	const state = JSON.parse(JSON.stringify(deque)) as DequeOptions;
	t.deepEqual(state, {directory: deque.directory, maxlen: 1});
	t.is(open(t, 'e', state).length, 1);
	t.deepEqual(JSON.parse(JSON.stringify(open(t, [], {directory: deque.directory}))), {directory: deque.directory});
	t.throws(() => (deque.maxlen = -1), {instanceOf: RangeError});
	t.is(open(t, 'ab', {maxlen: 0}).length, 0);
});

test('the length of a deque that may be long is kept, and is right whoever changes it and with whatever is rolled back', t => {
	const deque = open<unknown>(t, 'abc', {maxlen: 100_000});
	const {cache} = deque;
	const database = openBeside(t, deque.directory);
	const kept = () => database.prepare("SELECT value FROM Settings WHERE key = 'count'").pluck().get();
	const isRight = (length: number) => t.deepEqual([deque.length, kept(), [...cache].length], [length, length, length]);
	isRight(3);
	const copy = open<unknown>(t, [], {directory: deque.directory, maxlen: 50_000});
	copy.extend(['d', large(1)]);
	deque.popLeft();
	cache.set(1, 'set');
	cache.set(1, 'set again');
	t.false(cache.add(1, 'added'));
	cache.incr('number');
	isRight(6);
	const failing = () => {
		deque.extend('xyz');
		cache.delete(1);
		throw new Error('it fails');
	};
	t.throws(() => deque.transact(failing), {message: 'it fails'});
	isRight(6);
	t.deepEqual([cache.delete('none'), cache.delete('number')], [false, true]);
	cache.set(2, 'short', {expire: -1});
	cache.expire();
	isRight(5);
	database.prepare("UPDATE Settings SET value = 7 WHERE key = 'count'").run();
	t.deepEqual(
		cache.check({fix: true}).map(({message}) => message),
		['there are 5 items, and 7 are noted'],
	);
	t.deepEqual(cache.check(), []);
	deque.clear();
	isRight(0);
});

test('deque/copy: a copy is another handle on the same items', t => {
	const deque = open(t, 'abc', {maxlen: 3});
	const copy = deque.copy();
	t.teardown(() => copy.close());
	t.true(copy.equals(deque));
	t.deepEqual([copy.directory, copy.maxlen], [deque.directory, 3]);
	copy.append('d');
	t.is([...deque].join(''), 'bcd');
	deque.close();
	t.is([...copy].join(''), 'bcd', 'it has a connection of its own');
});

test('deque/repr: as a text it tells its directory', t => {
	const deque = open(t);
	t.is(String(deque), `Deque("${deque.directory}")`);
});

test('deque/rotate_indexerror, deque/rotate_indexerror_negative: a deque whose items are lost on the way is empty then', t => {
	for (const steps of [1, -1, 3]) {
		const deque = open<unknown>(t, [large(1), large(2)]);
		for (const name of valueFiles(deque.directory)) rmSync(path.join(deque.directory, name));
		deque.rotate(steps);
		t.deepEqual([[...deque], deque.length], [[], 0]);
	}

	const deque = open<unknown>(t, ['a', large(1), 'b']);
	for (const name of valueFiles(deque.directory)) rmSync(path.join(deque.directory, name));
	deque.reverse();
	t.deepEqual([...deque], ['b', 'a']);
});

test('deque/transact: nothing is left of what fails', t => {
	const deque = open(t, 'abc');
	const failing = () =>
		deque.transact(() => {
			deque.pop();
			deque.append('x');
			throw new Error('no');
		});
	t.throws(failing, {message: 'no'});
	t.is([...deque].join(''), 'abc');
});

test('deque/init: a deque over a cache with other keys has those of its queue at its ends', t => {
	const cache = openDiskCache(t, {evictionPolicy: 'none'});
	const deque = Deque.fromCache(cache, [1, 2]);
	t.deepEqual([deque.pop(), deque.popLeft()], [2, 1]);
});
