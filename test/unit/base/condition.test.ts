import test from 'ava';
import {Condition} from '../../../src/base/condition.js';

test('who waits goes on once what it waits for holds, and not before', async t => {
	const condition = new Condition();
	let count = 0;
	let isOver = false;
	const waiting = condition.until(() => count >= 2, new AbortController().signal).then(() => (isOver = true));
	for (count = 1; count < 2; count++) {
		condition.notify();
		await Promise.resolve();
		t.false(isOver);
	}

	condition.notify();
	await waiting;
	t.true(isOver);
});

test('what holds already is not waited for', async t => {
	await t.notThrowsAsync(new Condition().until(() => true, new AbortController().signal));
});

test('a signal ends the wait of who gave it, and of nobody else', async t => {
	const condition = new Condition();
	const [mine, other] = [new AbortController(), new AbortController()];
	let holds = false;
	const waits = [mine, other].map(({signal}) => condition.until(() => holds, signal));
	const reason = new Error('enough');
	mine.abort(reason);
	t.is(await t.throwsAsync(waits[0] as Promise<void>), reason);
	t.is(await t.throwsAsync(condition.until(() => true, mine.signal)), reason);
	holds = true;
	condition.notify();
	await t.notThrowsAsync(waits[1] as Promise<void>);
});
