import test from 'ava';
import {createLimit} from '../../../src/base/limit.js';

test('no more than the limit run at once, the others in order, failures included', async t => {
	const limit = createLimit(2);
	let running = 0;
	let most = 0;
	const order: number[] = [];
	const work = Array.from({length: 6}, (_, index) =>
		limit(async () => {
			order.push(index);
			most = Math.max(most, ++running);
			await new Promise(resolve => setImmediate(resolve));
			running--;
			if (index === 1) throw new Error('one of them');
		}),
	);
	await Promise.allSettled(work);
	t.is(most, 2);
	t.deepEqual(order, [0, 1, 2, 3, 4, 5]);
});
