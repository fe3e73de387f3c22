import test from 'ava';
import {
	acceptsRanges,
	checkRange,
	formatRange,
	parseContentRange,
	parseUnsatisfiedRange,
} from '../../../src/http/range.js';

test('a range is asked for with its last byte, or without one', t => {
	t.is(formatRange({start: 0, end: 1}), 'bytes=0-0');
	t.is(formatRange({start: 5, end: 10}), 'bytes=5-9');
	t.is(formatRange({start: 5}), 'bytes=5-');
});

test('Content-Range is a part of a body of known or unknown length', t => {
	t.deepEqual(parseContentRange('bytes 5-9/100'), {start: 5, end: 10, lengthBytes: 100});
	t.deepEqual(parseContentRange('bytes 0-0/1'), {start: 0, end: 1, lengthBytes: 1});
	t.deepEqual(parseContentRange('Bytes 5-9/*'), {start: 5, end: 10, lengthBytes: undefined});
});

const NO_PARTS = [
	null,
	'',
	'bytes */100',
	'bytes 9-5/100',
	'bytes 5-9/9',
	'bytes 5-9',
	'bytes 5-/100',
	'bytes=5-9/100',
	'bytes: 5-9/100',
	'items 5-9/100',
	'5-9/100',
	'bytes -5-9/100',
	'bytes 5-9/100, bytes 5-9/100',
	'bytes 0-9007199254740991/*',
	'bytes 0-9/9007199254740993',
];

test('a Content-Range that is invalid, of another unit, or said twice names no part', t => {
	for (const value of NO_PARTS) t.is(parseContentRange(value), undefined, String(value));
});

test('a 416 names the length, or nothing', t => {
	t.is(parseUnsatisfiedRange('bytes */100'), 100);
	t.is(parseUnsatisfiedRange('bytes */0'), 0);
	for (const value of [null, 'bytes 0-1/100', 'bytes */*', 'items */100', 'bytes */9007199254740993']) {
		t.is(parseUnsatisfiedRange(value), undefined, String(value));
	}
});

test('Accept-Ranges offers bytes, refuses, or leaves it open', t => {
	for (const value of ['bytes', 'Bytes', 'pages, bytes']) t.true(acceptsRanges(value), value);
	t.false(acceptsRanges('none'));
	for (const value of [null, '', 'pages']) t.is(acceptsRanges(value), undefined, String(value));
});

test('a range that is empty, no pair of offsets, or beyond the body is a RangeError', t => {
	for (const range of [{start: 0}, {start: 99}, {start: 0, end: 100}, {start: 5, end: 6}]) {
		t.notThrows(() => checkRange(range, 100));
	}

	t.notThrows(() => checkRange({start: 1_000}, undefined));
	const wrong = [
		{start: -1},
		{start: 0.5},
		{start: NaN},
		{start: 100},
		{start: 5, end: 5},
		{start: 5, end: 4},
		{start: 0, end: 101},
		{start: 0, end: Infinity},
	];
	for (const range of wrong) t.throws(() => checkRange(range, 100), {instanceOf: RangeError}, JSON.stringify(range));
});
