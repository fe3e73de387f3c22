import test from 'ava';
import {parseHttpDate} from '../../../src/http/http-date.js';

const NOW_MS = Date.UTC(2026, 10, 21);

test('the three forms of a date are read', t => {
	const expected = Date.UTC(1994, 10, 6, 8, 49, 37);
	t.is(parseHttpDate('Sun, 06 Nov 1994 08:49:37 GMT', NOW_MS), expected);
	t.is(parseHttpDate('Sunday, 06-Nov-94 08:49:37 GMT', NOW_MS), expected);
	t.is(parseHttpDate('Sun Nov  6 08:49:37 1994', NOW_MS), expected);
	t.is(parseHttpDate('Friday, 06-Nov-76 08:49:37 GMT', NOW_MS), Date.UTC(2076, 10, 6, 8, 49, 37));
	t.is(parseHttpDate('Saturday, 06-Nov-77 08:49:37 GMT', NOW_MS), Date.UTC(1977, 10, 6, 8, 49, 37));
});

test('what is no date is none', t => {
	const wrong = [
		...['', '0', 'tomorrow', '2026-11-21T00:00:00Z', 'Sun, 06 Nov 1994 08:49:37 UTC', 'Sun 06 Nov 1994 08:49:37 GMT'],
		...['Sun, 06-Nov-1994 08:49:37 GMT', 'Sun, 06  Nov 1994 08:49:37 GMT', 'Sun, 06 Nov 1994 8:49:37 GMT'],
		...['Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT'],
	];
	for (const value of wrong) t.is(parseHttpDate(value, NOW_MS), undefined, value);
});
