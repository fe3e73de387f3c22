import {appendFileSync, existsSync, readFileSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import test from 'ava';
import {RangeLog, RangeLogReader} from '../../../src/store/range-log.js';
import {factsOf} from '../../helpers/begun.js';
import {temporaryDirectory} from '../../helpers/cache.js';

const HEADER = {inode: 4711n, facts: factsOf('https://a.example/a', 20480)};

test('what is told is read once, in order, as it is told, beyond 2^32 too', t => {
	const partial = path.join(temporaryDirectory(t), 'partial');
	t.is(RangeLogReader.open(partial), undefined);
	const log = RangeLog.create(partial, HEADER);
	const reader = RangeLogReader.open(partial);
	t.deepEqual([...(reader?.news() ?? [])], []);
	t.false(log.hasTold);
	const told = Array.from({length: 1000}, (_, index) => ({start: index * 2 ** 33, end: index * 2 ** 33 + 5}));
	for (const range of told) log.append(range);
	t.true(log.hasTold);
	t.deepEqual([...(reader?.news() ?? [])], told);
	log.append({start: 1, end: 2});
	t.deepEqual([...(reader?.news() ?? [])], [{start: 1, end: 2}]);
	log.remove();
	reader?.close();
	reader?.close();
	t.deepEqual([...(reader?.news() ?? [])], []);
});

test('the first line says of what it tells; as long as it has no end nothing is read', t => {
	const partial = path.join(temporaryDirectory(t), 'partial');
	RangeLog.create(partial, HEADER).append({start: 3, end: 7});
	const whole = readFileSync(`${partial}.ranges`);
	const lineBytes = whole.indexOf('\n') + 1;
	for (const lengthBytes of [0, lineBytes - 1]) {
		writeFileSync(`${partial}.ranges`, whole.subarray(0, lengthBytes));
		const reader = RangeLogReader.open(partial);
		t.is(reader?.header, undefined);
		t.deepEqual([...(reader?.news() ?? [])], []);
		appendFileSync(`${partial}.ranges`, whole.subarray(lengthBytes));
		t.deepEqual([...(reader?.news() ?? [])], [{start: 3, end: 7}]);
		t.deepEqual(reader?.header, HEADER);
		t.is(reader?.readBytes, whole.byteLength);
		reader?.close();
	}
});

test('a URL of 100 KB makes a first line that is read all the same; one without an end is read for a while only', t => {
	const partial = path.join(temporaryDirectory(t), 'partial');
	const header = {inode: 1n, facts: factsOf(`https://a.example/${'x'.repeat(100_000)}`, 5)};
	RangeLog.create(partial, header).append({start: 0, end: 5});
	const reader = RangeLogReader.open(partial);
	t.deepEqual([...(reader?.news() ?? [])], [{start: 0, end: 5}]);
	t.deepEqual(reader?.header, header);
	reader?.close();

	writeFileSync(`${partial}.ranges`, `${' '.repeat(2 ** 21)}\n`);
	const endless = RangeLogReader.open(partial);
	t.is(endless?.header, undefined);
	t.deepEqual([...(endless?.news() ?? [])], []);
	endless?.close();
});

test('half a record is not read before the rest is there, and what was removed is read on', t => {
	const partial = path.join(temporaryDirectory(t), 'partial');
	const log = RangeLog.create(partial, HEADER);
	const reader = RangeLogReader.open(partial);
	const record = Buffer.alloc(16);
	record.writeBigUInt64LE(7n, 8);
	appendFileSync(`${partial}.ranges`, record.subarray(0, 10));
	t.deepEqual([...(reader?.news() ?? [])], []);
	appendFileSync(`${partial}.ranges`, record.subarray(10));
	log.remove();
	t.false(existsSync(`${partial}.ranges`));
	t.deepEqual([...(reader?.news() ?? [])], [{start: 0, end: 7}]);
	reader?.close();
});

test('who goes on with a log cuts off half a record, and what is told then is read after what was', t => {
	const partial = path.join(temporaryDirectory(t), 'partial');
	RangeLog.create(partial, HEADER).append({start: 0, end: 7});
	const {byteLength} = readFileSync(`${partial}.ranges`);
	appendFileSync(`${partial}.ranges`, 'torn');
	const log = RangeLog.goOn(partial, byteLength);
	t.true(log.hasTold);
	log.append({start: 7, end: 9});
	log.close();
	log.close();
	log.append({start: 9, end: 10});
	const reader = RangeLogReader.open(partial);
	t.deepEqual(
		[...(reader?.news() ?? [])],
		[
			{start: 0, end: 7},
			{start: 7, end: 9},
		],
	);
	reader?.close();
	t.throws(() => RangeLog.goOn(`${partial}-missing`, 0), {code: 'ENOENT'});
});

test("a log that is there already is somebody else's", t => {
	const partial = path.join(temporaryDirectory(t), 'partial');
	const log = RangeLog.create(partial, HEADER);
	t.throws(() => RangeLog.create(partial, HEADER), {code: 'EEXIST'});
	log.remove();
});
