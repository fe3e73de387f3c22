import test from 'ava';
import {RangeSet} from '../../../src/base/range-set.js';
import {SeekPlan, type Bringing} from '../../../src/cache/seek-plan.js';

const KIB = 1024;
const MIB = 1024 * KIB;
const LENGTH = 100 * MIB;

function situation(there: Array<[start: number, end: number]> = [], bringing: Bringing[] = []) {
	return {lengthBytes: LENGTH, there: new RangeSet(there.map(([start, end]) => ({start, end}))), bringing};
}

const MAIN: Bringing = {written: 2 * MIB, position: 2 * MIB, end: LENGTH};

test('what is there, and what is about to come, is not fetched', t => {
	const plan = new SeekPlan();
	t.is(plan.forWaiting({start: 0, end: MIB}, situation([[0, 2 * MIB]], [MAIN])), undefined);
	t.is(plan.forWaiting({start: 2 * MIB, end: 3 * MIB}, situation([[0, 2 * MIB]], [MAIN])), undefined);
	const unwritten = {written: MIB, position: 2 * MIB, end: LENGTH};
	t.is(plan.forWaiting({start: MIB, end: MIB + 1}, situation([[0, MIB]], [unwritten])), undefined);
	t.is(plan.forWaiting({start: 2.5 * MIB, end: 2.6 * MIB}, situation([[0, 2 * MIB]], [MAIN])), undefined);
});

test('what is far ahead is, from where readers ask, and not beyond the end', t => {
	const plan = new SeekPlan();
	const start = 50 * MIB + 5 * KIB;
	t.like(plan.forWaiting({start, end: start + KIB}, situation([], [MAIN])), {
		start: 50 * MIB,
		end: 50 * MIB + 512 * KIB,
	});
	t.like(plan.forWaiting({start: LENGTH - 64 * KIB, end: LENGTH}, situation([], [MAIN])), {
		start: LENGTH - 128 * KIB,
		end: LENGTH,
	});
});

test('what lies behind the transfer is fetched too', t => {
	const plan = new SeekPlan();
	const main = {written: 10 * MIB, position: 10 * MIB, end: LENGTH};
	t.like(plan.forWaiting({start: MIB, end: MIB + 1}, situation([[2 * MIB, 10 * MIB]], [main])), {
		start: MIB,
		end: MIB + 512 * KIB,
	});
});

test('a range ends where what is there or coming begins', t => {
	const plan = new SeekPlan();
	const there = situation([[50 * MIB + 200 * KIB, 51 * MIB]], [MAIN]);
	t.like(plan.forWaiting({start: 50 * MIB, end: 50 * MIB + 1}, there), {
		start: 50 * MIB,
		end: 50 * MIB + 200 * KIB,
	});
	const coming = situation([], [MAIN, {written: 60 * MIB + 300 * KIB, position: 60 * MIB + 300 * KIB, end: 61 * MIB}]);
	t.like(plan.forWaiting({start: 60 * MIB, end: 60 * MIB + 1}, coming), {
		start: 60 * MIB,
		end: 60 * MIB + 300 * KIB,
	});
	const before = situation([[70 * MIB, 70 * MIB + 10]], [MAIN]);
	t.is(plan.forWaiting({start: 70 * MIB + 20, end: 70 * MIB + 30}, before)?.start, 70 * MIB + 10);
});

test('one read that is longer than a window is fetched whole', t => {
	const plan = new SeekPlan();
	t.like(plan.forWaiting({start: 50 * MIB, end: 53 * MIB}, situation([], [MAIN])), {
		start: 50 * MIB,
		end: 53 * MIB,
	});
});

test('who reads on gets twice as much each time, up to a bound, fetched while half of the last is unread', t => {
	const plan = new SeekPlan();
	const there: Array<[number, number]> = [];
	let range = plan.forWaiting({start: 20 * MIB, end: 20 * MIB + 1}, situation([], [MAIN]));
	const sizes: number[] = [];
	while (range !== undefined && sizes.length < 8) {
		const {start, end} = range;
		sizes.push((end - start) / MIB);
		there.push([start, end]);
		t.is(plan.forReading({start, end: start + 1}, situation(there, [MAIN])), undefined);
		const middle = start + (end - start) / 2;
		range = plan.forReading({start: middle, end: middle + 1}, situation(there, [MAIN]));
		t.is(plan.forReading({start: middle, end: middle + 1}, situation(there, [MAIN])), undefined, 'once');
		t.true(range === undefined || range.start === end);
	}

	t.deepEqual(sizes, [0.5, 1, 2, 4, 8, 16, 16, 16]);
});
