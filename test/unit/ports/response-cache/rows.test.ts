import {readdirSync, readFileSync} from 'node:fs';
import path from 'node:path';
import test from 'ava';
import {BEHAVIOURS, NOT_APPLICABLE, WEAK_POINTS} from './rows.js';

test('every row is a test of its name, or has a reason why it is none', t => {
	const files = readdirSync(import.meta.dirname).filter(name => name.endsWith('.test.js'));
	const sources = files.map(name => readFileSync(path.join(import.meta.dirname, name), 'utf8')).join('\n');
	const titles = [...sources.matchAll(/test(?:\.serial)?\([`'"]((?:test_\w+\*?|H\d))[:,]/g)].map(([, name]) => name);
	const rows = [...BEHAVIOURS, ...WEAK_POINTS];
	t.is(new Set(rows).size, rows.length);
	const named = new Set([...titles, ...Object.keys(NOT_APPLICABLE)]);
	t.deepEqual(
		rows.filter(row => !named.has(row)),
		[],
		'rows without a test',
	);
	t.deepEqual(
		[...named].filter(name => name !== undefined && !rows.includes(name)),
		[],
		'tests of rows that are none',
	);
	for (const name of Object.keys(NOT_APPLICABLE)) t.false(titles.includes(name), `${name} is a test after all`);
});
