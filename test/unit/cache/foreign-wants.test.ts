import test from 'ava';
import {RangeSet, type Range} from '../../../src/base/range-set.js';
import {ForeignWants} from '../../../src/cache/foreign-wants.js';

const at = (start: number): Range => ({start, end: start + 10});

test('what is wanted stays in the order in which it was told first, until all of it is there', t => {
	const wants = new ForeignWants();
	for (const start of [300, 100, 200, 300, 100]) wants.add(at(start));
	t.deepEqual(wants.missing(new RangeSet()), [at(300), at(100), at(200)]);
	t.deepEqual(wants.missing(new RangeSet([at(100), {start: 200, end: 209}])), [at(300), at(200)]);
	t.deepEqual(wants.missing(new RangeSet()), [at(300), at(200)]);
});

test('what is not told again for three seconds is forgotten', t => {
	let nowMs = 0;
	const wants = new ForeignWants(() => nowMs);
	wants.add(at(100));
	wants.add(at(200));
	nowMs = 2000;
	wants.add(at(200));
	nowMs = 3001;
	t.deepEqual(wants.missing(new RangeSet()), [at(200)]);
	nowMs = 5001;
	t.deepEqual(wants.missing(new RangeSet()), []);
});

test('no more than 64 are kept, and those that are kept may be told again', t => {
	let nowMs = 0;
	const wants = new ForeignWants(() => nowMs);
	for (let index = 0; index < 100; index++) wants.add(at(100 * index));
	const kept = wants.missing(new RangeSet());
	t.is(kept.length, 64);
	nowMs = 2000;
	for (const range of kept) wants.add(range);
	nowMs = 4000;
	t.is(wants.missing(new RangeSet()).length, 64);
});
