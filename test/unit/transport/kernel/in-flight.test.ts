import test from 'ava';
import type {Started} from '../../../../src/transport/dispatch.js';
import {InFlight, type Flight} from '../../../../src/transport/kernel/in-flight.js';

interface Work extends Flight {
	readonly seen: string[];
	readonly outcome: Promise<{value: undefined}> | undefined;
	readonly end: () => void;
}

/** Work that ends when it is told to. */
function work(unique: number, flight: Partial<Flight> = {}): Work {
	let end = () => {};
	const outcome = new Promise<{value: undefined}>(resolve => (end = () => resolve({value: undefined})));
	return {...{unique, handle: undefined, pid: 1, isInterruptible: true}, ...flight, seen: [], outcome, end};
}

/** Work that waits for nothing. */
function done(unique: number): Work {
	return {...work(unique), outcome: undefined};
}

function inFlightOf(): InFlight<Work> {
	return new InFlight<Work>({
		start({seen, outcome}) {
			seen.push('started');
			const started: Started<unknown> | undefined = outcome && {outcome, interrupt: () => seen.push('interrupted')};
			return started;
		},
		refuse: ({seen}) => seen.push('refused'),
	});
}

test('a request is there until it is answered, and can be interrupted until then', async t => {
	const inFlight = inFlightOf();
	const one = work(2);
	inFlight.add(one);
	inFlight.interrupt(2);
	inFlight.interrupt(4);
	t.deepEqual(one.seen, ['started', 'interrupted']);
	one.end();
	await new Promise(setImmediate);
	t.false(inFlight.has(2));
	t.is(inFlight.size, 0);
});

test('a request that is answered at once is not there any more', t => {
	const inFlight = inFlightOf();
	const one = done(2);
	inFlight.add(one);
	t.deepEqual(one.seen, ['started']);
	t.is(inFlight.size, 0);
});

test('beyond a bound requests wait in line, and one that is interrupted there never begins', async t => {
	const inFlight = inFlightOf();
	const begun = Array.from({length: 4096}, (_, index) => work(2 * index));
	for (const one of begun) inFlight.add(one);
	const [second, third, fourth, fifth] = [work(10_000), done(10_002), work(10_004), work(10_006)];
	for (const one of [second, third, fourth, fifth]) inFlight.add(one);
	t.deepEqual([second.seen, third.seen, fourth.seen, fifth.seen], [[], [], [], []]);
	inFlight.interrupt(10_000);
	begun[5]?.end();
	await new Promise(setImmediate);
	t.deepEqual([second.seen, third.seen, fourth.seen, fifth.seen], [['refused'], ['started'], ['started'], []]);
	t.is(inFlight.size, 4097);
});

test('what reads a handle is found by it', t => {
	const inFlight = inFlightOf();
	inFlight.add(work(2, {handle: 7, pid: 11}));
	inFlight.add(work(4, {handle: 8, pid: 12}));
	inFlight.add(work(6, {handle: 7, pid: 13}));
	t.deepEqual(
		[...inFlight.on(7)].map(({unique, pid}) => [unique, pid]),
		[
			[2, 11],
			[6, 13],
		],
	);
});

test('what is finished in any case is not interrupted', t => {
	const inFlight = inFlightOf();
	const one = work(2, {isInterruptible: false});
	inFlight.add(one);
	inFlight.interrupt(2);
	t.deepEqual(one.seen, ['started']);
	t.true(inFlight.has(2));
});
