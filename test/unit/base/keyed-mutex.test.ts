import test from 'ava';
import {KeyedMutex} from '../../../src/base/keyed-mutex.js';

/** Work that goes on until it is told to end. */
function manual() {
	let end: () => void = () => undefined;
	const ended = new Promise<void>(resolve => (end = resolve));
	return {ended, end};
}

test('the work of one key runs in order, one at a time; that of another beside it', async t => {
	const [mutex, first, order] = [new KeyedMutex<string>(), manual(), [] as string[]];
	const work = [
		mutex.run('a', () => first.ended.then(() => order.push('a1'))),
		mutex.run('a', () => Promise.resolve(order.push('a2'))),
		mutex.run('b', () => Promise.resolve(order.push('b'))),
	];
	await work[2];
	t.deepEqual(order, ['b']);
	first.end();
	await Promise.all(work);
	t.deepEqual(order, ['b', 'a1', 'a2']);
});

test('work of a free key starts at once', t => {
	let hasStarted = false;
	void new KeyedMutex<string>().run('a', () => Promise.resolve((hasStarted = true)));
	t.true(hasStarted);
});

test("a failure is its caller's alone", async t => {
	const mutex = new KeyedMutex<string>();
	const failing = mutex.run('a', () => Promise.reject(new Error('mine')));
	const next = mutex.run('a', () => Promise.resolve('next'));
	await t.throwsAsync(failing, {message: 'mine'});
	t.is(await next, 'next');
});

test('a key is busy until the last of its work is done, and idle waits for what is queued by now', async t => {
	const [mutex, first, later] = [new KeyedMutex<string>(), manual(), manual()];
	t.false(mutex.isBusy('a'));
	await mutex.idle('a');
	void mutex.run('a', () => first.ended);
	const idle = mutex.idle('a');
	void mutex.run('a', () => later.ended);
	first.end();
	await idle;
	t.true(mutex.isBusy('a'));
	later.end();
	await mutex.idle('a');
	t.false(mutex.isBusy('a'));
});
