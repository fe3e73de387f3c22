import test from 'ava';
import {Slots} from '../../../src/media/slots.js';

const NEVER = new AbortController().signal;

/** Work that ends when told, and whether it began. */
function work() {
	const {promise, resolve} = withResolvers();
	const state = {begun: false, end: resolve, run: () => ((state.begun = true), promise)};
	return state;
}

function withResolvers(): {promise: Promise<void>; resolve: () => void} {
	let resolve = () => {};
	const promise = new Promise<void>(settle => (resolve = settle));
	return {promise, resolve};
}

test('as many run at once as there are slots, the next when one ends', async t => {
	const slots = new Slots(2);
	const works = [work(), work(), work()];
	const runs = works.map(each => slots.run(NEVER, each.run));
	await Promise.resolve();
	t.deepEqual(
		works.map(each => each.begun),
		[true, true, false],
	);

	works[1]?.end();
	await runs[1];
	await Promise.resolve();
	t.true(works[2]?.begun);
	for (const each of works) each.end();
	await Promise.all(runs);
});

test('work that fails frees its slot', async t => {
	const slots = new Slots(1);
	await t.throwsAsync(
		slots.run(NEVER, () => Promise.reject(new Error('no'))),
		{message: 'no'},
	);
	t.is(await slots.run(NEVER, () => Promise.resolve(7)), 7);
});

test('work aborted while it waits rejects at once, never begins and takes no slot', async t => {
	const slots = new Slots(1);
	const [first, second, third] = [work(), work(), work()];
	const abort = new AbortController();
	const running = slots.run(NEVER, first.run);
	const waiting = slots.run(abort.signal, second.run);
	const behind = slots.run(NEVER, third.run);

	abort.abort();
	await t.throwsAsync(waiting, {code: 'aborted'});
	first.end();
	third.end();
	await Promise.all([running, behind]);
	t.false(second.begun);
});
