import test from 'ava';
import {formatDuration, formatSize, parseDuration, parseSize} from '../../../src/base/units.js';

test('sizes are read as people write them, in binary units', t => {
	const sizes = {'10GB': 10_737_418_240, '500mb': 524_288_000, '1.5 KB': 1536, '1500': 1500, '7b': 7, ' 0 ': 0};
	for (const [text, bytes] of Object.entries(sizes)) t.is(parseSize(text), bytes, text);
	t.is(parseSize(1500), 1500);
});

test('what is no size is a RangeError that names it', t => {
	for (const text of ['', 'x', '-1', '10 apples', '1e3', '1,5GB', 'GB', '9999999PB', NaN, -1, 1.5, Infinity]) {
		t.throws(
			() => parseSize(text),
			{instanceOf: RangeError, message: new RegExp(`"${text}" is not a size`)},
			String(text),
		);
	}
});

test('durations are read as people write them, a bare number as milliseconds', t => {
	const durations = {'500ms': 500, '30s': 30_000, '2m': 120_000, '1h': 3_600_000, ' 7 ': 7, '1.5s': 1500};
	for (const [text, ms] of Object.entries(durations)) t.is(parseDuration(text), ms, text);
	t.is(parseDuration(0), 0);
});

test('what is no duration is a RangeError that names it', t => {
	for (const text of ['', 'x', '-1s', '1 fortnight', 's', '9'.repeat(101), NaN, -1, Infinity]) {
		t.throws(() => parseDuration(text), {instanceOf: RangeError, message: /is not a duration/}, String(text));
	}
});

test('sizes and durations are shown short', t => {
	t.is(formatSize(10_737_418_240), '10GB');
	t.is(formatSize(1536), '1.5KB');
	t.is(formatSize(0), '0B');
	t.is(formatDuration(30_000), '30s');
});
