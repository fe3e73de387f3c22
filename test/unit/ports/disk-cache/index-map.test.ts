import {rmSync} from 'node:fs';
import path from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {Index, KeyError} from '../../../../src/ports/disk-cache/index.js';
import {temporaryDirectory} from '../../../helpers/cache.js';
import {large, valueFiles} from '../../../helpers/disk-cache.js';

const LETTERS = Object.entries({a: 0, b: 1, c: 2, d: 3, e: 4});

function open<K, V>(t: ExecutionContext, entries: Iterable<readonly [K, V]> = [], directory = temporaryDirectory(t)) {
	const index = new Index<K, V>(directory, entries);
	t.teardown(() => index.close());
	return index;
}

test('index/init, index/state: an index over a directory has the items of before', t => {
	const index = open(t, LETTERS);
	t.deepEqual([...index], LETTERS);
	t.deepEqual([...open(t, [], index.directory)], LETTERS);
	t.is(Index.fromCache(index.cache, [['f', 5]]).size, 6);
	t.deepEqual([...open(t, new Map(LETTERS))], LETTERS);
	const temporary = new Index();
	t.teardown(() => rmSync(temporary.directory, {recursive: true}));
	t.teardown(() => temporary.close());
	t.is(temporary.size, 0);
	const {directory} = JSON.parse(JSON.stringify(index)) as {directory: string};
	t.true(open(t, [], directory).equals(index));
});

test('index/repr: as a text it begins with its class', t => {
	const index = open(t);
	t.is(String(index), `Index("${index.directory}")`);
});

test('index/getsetdel: it is used as a map is', t => {
	t.is(open(t).cache.settings.evictionPolicy, 'none');
	const index = open<unknown, unknown>(t);
	t.is(index.set('a', 1).set(['b'], large(1)).size, 2);
	t.deepEqual(
		[index.get('a'), index.get('x'), index.has(['b']), index.delete('a'), index.delete('a')],
		[...[1, undefined, true, true, false]],
	);
	t.true((index.get(['b']) as Buffer).equals(large(1)));
	index.clear();
	t.is(index.size, 0);
});

test('index/pop, index/pop_keyerror: a value is given once', t => {
	const index = open<string, unknown>(t, LETTERS);
	t.deepEqual(
		[index.pop('c'), index.pop('c', 'none'), index.pop('c', undefined), index.size],
		[2, 'none', undefined, 4],
	);
	t.throws(() => index.pop('c'), {instanceOf: KeyError});
});

test('index/popitem, index/popitem_keyerror, index/peekitem: items leave at either end', t => {
	const index = open(t, LETTERS);
	t.deepEqual(
		[index.peekitem(), index.peekitem({last: false})],
		[
			['e', 4],
			['a', 0],
		],
	);
	t.deepEqual([index.popitem(), index.popitem({last: false}), index.size], [['e', 4], ['a', 0], 3]);
	index.clear();
	t.throws(() => index.popitem(), {instanceOf: KeyError});
	t.throws(() => index.peekitem(), {instanceOf: KeyError});
});

test('index/setdefault: a default is set once', t => {
	const index = open<string, number>(t);
	t.deepEqual([index.setdefault('a', 0), index.setdefault('a', 1)], [0, 0]);
});

test('index/setdefault: a default takes the place of a value whose file is lost', t => {
	const index = open<string, unknown>(t);
	index.set('k', large(1));
	for (const file of valueFiles(index.directory)) rmSync(path.join(index.directory, file));
	t.is(index.setdefault('k', 5), 5);
	t.is(index.get('k'), 5);
});

test('index/iter, index/reversed, index/views: items keep the order in which they came, also when they are set again', t => {
	const index = open<string, number>(t, LETTERS);
	index.set('a', 10);
	t.is([...index.keys()].join(''), 'abcde');
	t.deepEqual([...index.values()], [10, 1, 2, 3, 4]);
	t.deepEqual([...index.entries()], [...index]);
	t.is(Array.from(index.reversed(), ([key]) => key).join(''), 'edcba');
	const seen: unknown[] = [];
	index.forEach((value, key) => seen.push(key, value));
	t.deepEqual(seen, [...index].flat());
});

test('index/equality: an index has the same items in the same order, a map the same items', t => {
	const index = open<string, number>(t, LETTERS);
	t.true(index.equals(open(t, LETTERS)));
	t.false(index.equals(open(t, LETTERS.toReversed())));
	t.true(index.equals(new Map(LETTERS.toReversed())));
	t.false(index.equals(new Map([...LETTERS.slice(1), ['x', 0]])));
	t.false(index.equals(new Map(LETTERS.slice(1))));
});

test('index/push, index/pull: queues are within an index', t => {
	const index = open<unknown, unknown>(t);
	t.is(index.push('a'), 500_000_000_000_000);
	t.is(index.push('b', {prefix: 'q', side: 'front'}), 'q-500000000000000');
	t.deepEqual(
		[index.pull({prefix: 'q'}), index.pull()[1], index.pull()],
		[['q-500000000000000', 'b'], 'a', [undefined, undefined]],
	);
});

test('index/memoize: results are kept, and found by who asks again', t => {
	const index = open<unknown, unknown>(t);
	const fibonacci = index.memoize({name: 'fibonacci'})((n: number): bigint =>
		n < 2 ? BigInt(n) : fibonacci(n - 1) + fibonacci(n - 2),
	);
	index.cache.stats({enable: true});
	t.is(fibonacci(100), 354_224_848_179_261_915_075n);
	const [hits, misses] = index.cache.stats();
	for (let n = 0; n <= 100; n++) fibonacci(n);
	t.deepEqual(index.cache.stats(), [hits + 101, misses]);
});

test('index/transact: many items are set at once, or none', t => {
	const index = open<string, unknown>(t);
	t.throws(() =>
		index.update([
			['a', 1],
			['b', () => 0],
		]),
	);
	t.is(index.size, 0);
	index.transact(() => index.update(LETTERS));
	t.is(index.size, 5);
});
