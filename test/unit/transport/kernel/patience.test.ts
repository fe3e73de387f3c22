import test from 'ava';
import {Patience} from '../../../../src/transport/kernel/patience.js';

const tries = (patience: Patience, count: number, hasSucceeded: boolean): number => {
	let tried = 0;
	for (let index = 0; index < count; index++) {
		if (!patience.isWorthIt()) continue;
		tried++;
		patience.note(hasSucceeded);
	}

	return tried;
};

test('what succeeds is tried each time', t => {
	t.is(tries(new Patience(), 1000, true), 1000);
});

test('what is in vain is tried rarely before long, and often again once it has succeeded', t => {
	const patience = new Patience();
	t.is(tries(patience, 1000, false), 8 + 62);
	t.is(tries(patience, 16, true), 1);
	t.is(tries(patience, 100, true), 100);
});

test('what succeeds every other time goes on being tried, what succeeds every third time does not', t => {
	for (const [every, isOften] of [
		[2, true],
		[3, false],
	] as const) {
		const patience = new Patience();
		let tried = 0;
		for (let index = 0; index < 3000; index++) {
			if (!patience.isWorthIt()) continue;
			patience.note(++tried % every === 0);
		}

		t.is(tried > 2900, isOften, `${every}: ${tried}`);
	}
});
