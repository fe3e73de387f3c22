import test from 'ava';
import {Budget} from '../../../src/store/budget.js';
import {NO_LIMITS} from '../../../src/store/limits.js';
import {failsWith, openBudget} from '../../helpers/cache.js';

/** A budget of 100 over entries of 30 each that it may evict, one a turn. */
function budgetWith(entries: number) {
	const {budget, setLimit} = openBudget(100, async () => {
		await Promise.resolve();
		if (entries === 0) return false;
		entries--;
		budget.giveBack(30);
		return true;
	});
	budget.hold(30 * entries);
	return {budget, setLimit, left: () => entries};
}

test('room is taken at once where there is some', async t => {
	const {budget, left} = budgetWith(1);
	await budget.take(70);
	t.is(budget.usedBytes, 100);
	t.is(left(), 1);
});

test('for more than there is, as little as possible is evicted', async t => {
	const {budget, left} = budgetWith(3);
	await budget.take(40);
	t.is(left(), 2);
	t.is(budget.usedBytes, 100);
});

test('two who ask for the same room do not both evict for it', async t => {
	const {budget, left} = budgetWith(3);
	await Promise.all([budget.take(20), budget.take(20)]);
	t.is(left(), 2);
});

test('of two who ask for more than both can have, the first gets it', async t => {
	const {budget} = budgetWith(2);
	const [first, second] = [budget.take(80), budget.take(80)];
	await first;
	await failsWith(t, 'no-space', second);
	t.is(budget.usedBytes, 80);
});

test('who finds room at one look is not refused for what others have taken by the next', async t => {
	const looks = [100, 50, 100];
	const budget = new Budget({
		limits: () => ({...NO_LIMITS, maxBytes: 100}),
		usage: () => ({entries: 1, allocatedBytes: looks.shift() ?? 50, heldByOthers: 0}),
		diskFreeBytes: () => Infinity,
		evictNext: () => Promise.resolve(false),
		onHeld() {},
	});
	await budget.take(50);
	t.is(budget.heldBytes, 50);
});

test('a refusal takes nothing', async t => {
	const {budget} = budgetWith(0);
	await failsWith(t, 'no-space', budget.take(101));
	t.is(budget.heldBytes, 0);
	await budget.take(100);
	t.is(budget.heldBytes, 100);
});

test('freeing up evicts by as much as was asked for, or all there is', async t => {
	const {budget, left} = budgetWith(3);
	await budget.freeUp(31);
	t.is(left(), 1);
	await budget.freeUp(1000);
	t.is(left(), 0);
});

test('a lower limit is kept from then on', async t => {
	const {budget, setLimit, left} = budgetWith(3);
	setLimit(35);
	await budget.keep();
	t.is(left(), 1);
});

test('a closed budget evicts nothing more', async t => {
	const {budget, setLimit, left} = budgetWith(3);
	setLimit(0);
	const keeping = budget.keep();
	await budget.close();
	await keeping;
	const before = left();
	await budget.keep();
	t.is(left(), before);
	t.true(before > 0);
});
