import test from 'ava';
import {formatDuration, formatRate, formatSize, parseDuration, parseRate, parseSize} from '../../../src/base/units.js';

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

test('rates are read as people write them, in bytes a second', t => {
	const rates = {'10MB/s': 10_485_760, '500KB/s': 512_000, '10MB': 10_485_760, ' 1.5 kB/s ': 1536, '1B/s': 1};
	for (const [text, bytes] of Object.entries(rates)) t.is(parseRate(text), bytes, text);
});

test('what is no rate is a RangeError that names it: bits, a number without a unit, zero', t => {
	const wrong = [
		'10Mb/s',
		'10mb/s',
		'10Mbit/s',
		'10Mbps',
		'10mbps',
		'10',
		'10/s',
		'0B/s',
		'0.5B/s',
		'-1MB/s',
		'10MB/h',
	];
	for (const text of [...wrong, '10MB /s', 'MB/s', '', 'none', '9999999PB/s']) {
		t.throws(() => parseRate(text), {instanceOf: RangeError, message: new RegExp(`"${text}`.slice(0, 8))}, text);
	}
});

test('sizes, rates and durations are shown short', t => {
	t.is(formatSize(10_737_418_240), '10GB');
	t.is(formatSize(1536), '1.5KB');
	t.is(formatSize(0), '0B');
	t.is(formatRate(10_485_760), '10MB/s');
	t.is(formatRate(Infinity), 'none');
	t.is(formatDuration(30_000), '30s');
});
