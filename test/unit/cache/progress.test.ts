import test from 'ava';
import {Progress} from '../../../src/cache/progress.js';

const upTo = (end: number) => ({start: 0, end});

test('a wait ends once its bytes are there, at the end of all bytes at the latest', async t => {
	const progress = new Progress();
	const order: number[] = [];
	const waits = [100, 10, Infinity].map(end => progress.reached(upTo(end)).then(() => order.push(end)));
	progress.add(upTo(10));
	await waits[1];
	t.deepEqual(order, [10]);
	progress.finish(50);
	await Promise.all(waits);
	t.deepEqual(order, [10, 100, Infinity]);
	await progress.reached(upTo(1000));
	t.is(progress.bytes, 50);
});

test('after a failure what is there is there, and all other waits fail with its reason', async t => {
	const progress = new Progress();
	progress.add(upTo(10));
	const waiting = progress.reached(upTo(11));
	progress.fail(new Error('cut'));
	await t.throwsAsync(waiting, {message: 'cut'});
	await t.throwsAsync(progress.reached(upTo(11)), {message: 'cut'});
	await t.notThrowsAsync(progress.reached(upTo(10)));
});

test("a signal ends one wait with its reason, and the others' go on", async t => {
	const progress = new Progress();
	const controller = new AbortController();
	const [leaving, staying] = [progress.reached(upTo(5), controller.signal), progress.reached(upTo(5))];
	controller.abort(new Error('left'));
	await t.throwsAsync(leaving, {message: 'left'});
	await t.throwsAsync(progress.reached(upTo(5), controller.signal), {message: 'left'});
	progress.add(upTo(5));
	await t.notThrowsAsync(staying);
	await t.notThrowsAsync(progress.reached(upTo(5), controller.signal));
});
