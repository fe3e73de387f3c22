import test from 'ava';
import fc from 'fast-check';
import {RangeSet} from '../../../src/base/range-set.js';

const SEED = Number(process.env['SEED'] ?? Date.now() % 2 ** 31);
const LENGTH = 40;

test('what touches is one range, what does not is not', t => {
	const ranges = new RangeSet();
	ranges.add(10, 20);
	ranges.add(30, 40);
	ranges.add(20, 25);
	t.deepEqual(
		[...ranges],
		[
			{start: 10, end: 25},
			{start: 30, end: 40},
		],
	);
	ranges.add(0, 100);
	t.deepEqual([...ranges], [{start: 0, end: 100}]);
	ranges.add(5, 5);
	t.is(ranges.size, 100);
});

test('a run is told from where it is asked for, also at its edges', t => {
	const ranges = new RangeSet([
		{start: 10, end: 20},
		{start: 30, end: 40},
	]);
	t.deepEqual(
		[9, 10, 19, 20, 29, 30, 40].map(position => ranges.endOf(position)),
		[9, 20, 20, 20, 29, 40, 40],
	);
	t.true(ranges.has(20, 20));
	t.false(ranges.has(19, 21));
});

test('offsets may be beyond 2^32', t => {
	const far = 2 ** 40;
	const ranges = new RangeSet([{start: far, end: far + 10}]);
	t.deepEqual(
		[...ranges.missing(far - 5, far + 15)],
		[
			{start: far - 5, end: far},
			{start: far + 10, end: far + 15},
		],
	);
});

const offset = fc.integer({min: 0, max: LENGTH});
const change = fc.record({
	do: fc.constantFrom('add' as const, 'add' as const, 'add' as const, 'cut' as const),
	a: offset,
	b: offset,
});

test('it is what a set of offsets is, whatever is added and cut', t => {
	t.log(`SEED=${SEED}`);
	const property = fc.property(fc.array(change, {maxLength: 30}), offset, offset, (changes, one, other) => {
		const [ranges, model] = [new RangeSet(), new Set<number>()];
		for (const {do: what, a, b} of changes) {
			const [start, end] = [Math.min(a, b), Math.max(a, b)];
			if (what === 'add') {
				ranges.add(start, end);
				for (let at = start; at < end; at++) model.add(at);
			} else {
				ranges.cut(start);
				for (const at of [...model]) if (at >= start) model.delete(at);
			}
		}

		const members = [...ranges].flatMap(({start, end}) =>
			Array.from({length: end - start}, (_, index) => start + index),
		);
		const [start, end] = [Math.min(one, other), Math.max(one, other)];
		const missing = [...ranges.missing(start, end)].flatMap(range =>
			Array.from({length: range.end - range.start}, (_, index) => range.start + index),
		);
		const within = Array.from({length: end - start}, (_, index) => start + index);
		t.deepEqual(
			members,
			[...model].sort((a, b) => a - b),
		);
		t.is(ranges.size, model.size);
		t.true(
			[...ranges].every((range, index, all) => range.start < range.end && range.start > (all[index - 1]?.end ?? -1)),
		);
		t.deepEqual(
			missing,
			within.filter(at => !model.has(at)),
		);
		t.is(ranges.has(start, end), missing.length === 0);
		let run = start;
		while (model.has(run)) run++;
		t.is(ranges.endOf(start), run);
	});
	fc.assert(property, {seed: SEED, numRuns: 300});
});
