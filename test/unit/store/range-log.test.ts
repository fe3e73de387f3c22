import {appendFileSync, existsSync} from 'node:fs';
import path from 'node:path';
import test from 'ava';
import {RangeLog, RangeLogReader} from '../../../src/store/range-log.js';
import {temporaryDirectory} from '../../helpers/cache.js';

test('what is told is read once, in order, as it is told, beyond 2^32 too', t => {
	const partial = path.join(temporaryDirectory(t), 'partial');
	t.is(RangeLogReader.open(partial), undefined);
	const log = new RangeLog(partial);
	const reader = RangeLogReader.open(partial);
	t.deepEqual([...(reader?.news() ?? [])], []);
	const told = Array.from({length: 1000}, (_, index) => ({start: index * 2 ** 33, end: index * 2 ** 33 + 5}));
	for (const range of told) log.append(range);
	t.deepEqual([...(reader?.news() ?? [])], told);
	log.append({start: 1, end: 2});
	t.deepEqual([...(reader?.news() ?? [])], [{start: 1, end: 2}]);
	log.remove();
	reader?.close();
	reader?.close();
	t.deepEqual([...(reader?.news() ?? [])], []);
});

test('half a record is not read before the rest is there, and what was removed is read on', t => {
	const partial = path.join(temporaryDirectory(t), 'partial');
	const log = new RangeLog(partial);
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

test("a log that is there already is somebody else's", t => {
	const partial = path.join(temporaryDirectory(t), 'partial');
	const log = new RangeLog(partial);
	t.throws(() => new RangeLog(partial), {code: 'EEXIST'});
	log.remove();
});
