import test from 'ava';
import type {Started} from '../../../../src/transport/dispatch.js';
import {InFlight} from '../../../../src/transport/kernel/in-flight.js';

/** Work that ends when it is told to. */
function work() {
	let end = () => {};
	const outcome = new Promise<{value: undefined}>(resolve => (end = () => resolve({value: undefined})));
	const seen: string[] = [];
	const started: Started<unknown> = {outcome, interrupt: () => seen.push('interrupted')};
	const start = () => (seen.push('started'), started);
	return {seen, end, how: {start, refuse: () => seen.push('refused')}};
}

const FLIGHT = {handle: undefined, pid: 1, isInterruptible: true};

test('a request is there until it is answered, and can be interrupted until then', async t => {
	const inFlight = new InFlight();
	const one = work();
	inFlight.add(2, FLIGHT, one.how);
	inFlight.interrupt(2);
	inFlight.interrupt(4);
	t.deepEqual(one.seen, ['started', 'interrupted']);
	one.end();
	await new Promise(setImmediate);
	t.false(inFlight.has(2));
	t.is(inFlight.size, 0);
});

test('beyond a bound requests wait in line, and one that is interrupted there never begins', async t => {
	const inFlight = new InFlight();
	const begun = Array.from({length: 4096}, work);
	begun.forEach(({how}, index) => inFlight.add(2 * index, FLIGHT, how));
	const [second, third] = [work(), work()];
	inFlight.add(10_000, FLIGHT, second.how);
	inFlight.add(10_002, FLIGHT, third.how);
	t.deepEqual([second.seen, third.seen], [[], []]);
	inFlight.interrupt(10_000);
	begun[5]?.end();
	await new Promise(setImmediate);
	t.deepEqual([second.seen, third.seen], [['refused'], ['started']]);
});

test('what reads a handle is found by it', t => {
	const inFlight = new InFlight();
	inFlight.add(2, {...FLIGHT, handle: 7, pid: 11}, work().how);
	inFlight.add(4, {...FLIGHT, handle: 8, pid: 12}, work().how);
	inFlight.add(6, {...FLIGHT, handle: 7, pid: 13}, work().how);
	t.deepEqual(
		[...inFlight.on(7)].map(({unique, pid}) => [unique, pid]),
		[
			[2, 11],
			[6, 13],
		],
	);
});

test('what is finished in any case is not interrupted', t => {
	const inFlight = new InFlight();
	const one = work();
	inFlight.add(2, {...FLIGHT, isInterruptible: false}, one.how);
	inFlight.interrupt(2);
	t.deepEqual(one.seen, ['started']);
	t.true(inFlight.has(2));
});
