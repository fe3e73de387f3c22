import test from 'ava';
import {HandleTable} from '../../../src/fs/handle-table.js';

test('a handle has its number until it is removed, and the number is used again', t => {
	const table = new HandleTable<string>();
	const [a, b] = [table.add('a'), table.add('b')];
	t.not(a, b);
	t.true(a > 0);
	t.is(table.get(b), 'b');
	t.is(table.remove(a), 'a');
	t.throws(() => table.get(a), {code: 'corrupt-entry'});
	t.throws(() => table.remove(a), {code: 'corrupt-entry'});
	t.is(table.add('c'), a);
	t.is(table.size, 2);
});
