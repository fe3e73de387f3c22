import path from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {openDatabase} from '../../../src/sqlite/open.js';
import {isBusy, retryBusy} from '../../../src/sqlite/retry.js';
import {temporaryDirectory} from '../../helpers/cache.js';

/** A database whose write lock is taken until `letGo`, and a write that wants it. */
function lockedDatabase(t: ExecutionContext) {
	const file = path.join(temporaryDirectory(t), 'a.sqlite');
	const [holder, other] = [openDatabase(file, {timeoutMs: 0}), openDatabase(file, {timeoutMs: 0})];
	t.teardown(() => holder.close());
	t.teardown(() => other.close());
	holder.exec('CREATE TABLE t (x); BEGIN IMMEDIATE');
	const insert = other.prepare('INSERT INTO t VALUES (1)');
	return {write: () => insert.run().changes, letGo: () => holder.exec('COMMIT')};
}

test('a lock is waited out, and the work is done once', async t => {
	const {write, letGo} = lockedDatabase(t);
	let attempts = 0;
	const done = retryBusy(
		() => {
			if (++attempts === 4) letGo();
			return write();
		},
		() => false,
	);
	t.is(await done, 1);
	t.is(attempts, 4);
});

test('what meets no lock is done at once, without a question', async t => {
	t.is(
		await retryBusy(
			() => 'done',
			() => t.fail('it was asked whether to go on'),
		),
		'done',
	);
});

test('while it waits, the event loop turns', async t => {
	const {write, letGo} = lockedDatabase(t);
	const done = retryBusy(write, () => false);
	setImmediate(letGo);
	t.is(await done, 1);
});

test('who gives up gets the error of the lock', async t => {
	const {write} = lockedDatabase(t);
	let asked = 0;
	const error = await t.throwsAsync(
		retryBusy(write, () => ++asked === 3),
		{any: true},
	);
	t.true(isBusy(error));
	t.is(asked, 3);
});

test('any other error passes at once', async t => {
	let attempts = 0;
	const failing = () => {
		attempts++;
		throw new RangeError('of another kind');
	};
	await t.throwsAsync(
		retryBusy(failing, () => false),
		{instanceOf: RangeError},
	);
	t.is(attempts, 1);
});

test('a pause never lasts longer than 50 ms, so that a lock that is free is soon taken', async t => {
	const {write, letGo} = lockedDatabase(t);
	const at: number[] = [];
	const isGivenUp = () => {
		at.push(performance.now());
		if (at.length === 12) letGo();
		return false;
	};
	await retryBusy(write, isGivenUp);
	const pauses = at.slice(1).map((time, index) => time - (at[index] ?? 0));
	// 1, 2, 4 … 32 and then 50 ms each; the machine may be busy, so that only all of them together say something.
	const elapsedMs = pauses.reduce((sum, pause) => sum + pause, 0);
	t.true(elapsedMs >= 250 && elapsedMs < 3000, pauses.map(Math.round).join(' '));
});
