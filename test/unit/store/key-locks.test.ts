import {mkdtempSync, readdirSync} from 'node:fs';
import {setImmediate} from 'node:timers/promises';
import test, {type ExecutionContext} from 'ava';
import {KeyLocks} from '../../../src/store/key-locks.js';
import {failsWith, temporaryDirectory} from '../../helpers/cache.js';
import {ForkedProcess} from '../../helpers/forked-process.js';
import {until} from '../../helpers/until.js';

/** Two keys that begin with the same digit, and one that does not. */
const [KEY, LIKE_IT, OTHER] = ['a1'.repeat(32), 'a2'.repeat(32), 'b1'.repeat(32)] as const;

function open(t: ExecutionContext, directory = temporaryDirectory(t)): KeyLocks {
	const locks = new KeyLocks(directory);
	t.teardown(() => locks.close());
	return locks;
}

/** Work that lasts until it is told to end. */
function work() {
	let end = () => undefined as void;
	const ended = new Promise<void>(resolve => (end = resolve));
	let hasBegun = false;
	return {
		end: () => end(),
		hasBegun: () => hasBegun,
		run: () => {
			hasBegun = true;
			return ended;
		},
	};
}

async function turns(count: number): Promise<void> {
	for (let turn = 0; turn < count; turn++) await setImmediate();
}

test('the work of one key is done one at a time and in order, that of others beside it', async t => {
	const locks = open(t);
	const [first, like, other] = [work(), work(), work()];
	const order: number[] = [];
	const done = [
		locks.run(KEY, first.run).then(() => order.push(1)),
		locks.run(KEY, () => Promise.resolve(order.push(2))),
		locks.run(LIKE_IT, like.run),
		locks.run(OTHER, other.run),
	];
	await turns(5);
	t.true(like.hasBegun() && other.hasBegun());
	t.deepEqual(order, []);
	for (const one of [first, like, other]) one.end();
	await Promise.all(done);
	t.deepEqual(order, [1, 2]);
});

test('what work brings or throws is what its caller gets, and the next begins in any case', async t => {
	const locks = open(t);
	t.is(await locks.run(KEY, () => Promise.resolve(7)), 7);
	const failing = locks.run(KEY, () => Promise.reject(new RangeError('of its own')));
	const next = locks.run(KEY, () => Promise.resolve(8));
	await t.throwsAsync(failing, {instanceOf: RangeError});
	t.is(await next, 8);
	await locks.idle(KEY);
	t.is(await locks.tryRun(KEY, () => Promise.resolve(9)), 9);
});

test('tryRun runs nothing while the key is at work here, and does so afterwards', async t => {
	const locks = open(t);
	const first = work();
	const running = locks.run(KEY, first.run);
	t.is(
		locks.tryRun(KEY, () => Promise.resolve(1)),
		undefined,
	);
	t.is(await locks.tryRun(LIKE_IT, () => Promise.resolve(2)), 2);
	first.end();
	await running;
	await locks.idle(KEY);
	t.is(await locks.tryRun(KEY, () => Promise.resolve(3)), 3);
});

test('idle waits for the work that is queued, and not for more', async t => {
	const locks = open(t);
	await locks.idle(KEY);
	const [first, later] = [work(), work()];
	void locks.run(KEY, first.run);
	let isIdle = false;
	const idle = locks.idle(KEY).then(() => (isIdle = true));
	const second = locks.run(KEY, later.run);
	await turns(5);
	t.false(isIdle);
	first.end();
	await idle;
	later.end();
	await second;
});

test('two that have the same directory open exclude each other, also within a process', async t => {
	const directory = temporaryDirectory(t);
	const [ours, theirs] = [open(t, directory), open(t, directory)];
	const [first, second] = [work(), work()];
	const running = ours.run(KEY, first.run);
	await turns(2);
	t.is(theirs.tryRun(KEY, second.run), undefined);
	const waiting = theirs.run(KEY, second.run);
	await turns(20);
	t.false(second.hasBegun());
	t.is(await theirs.tryRun(OTHER, () => Promise.resolve(1)), 1);
	first.end();
	await running;
	await until('the other has it', () => second.hasBegun());
	second.end();
	await waiting;
});

test('a digit stays locked for others until the last work of it is done here', async t => {
	const directory = temporaryDirectory(t);
	const [ours, theirs] = [open(t, directory), open(t, directory)];
	const [first, second] = [work(), work()];
	const running = [ours.run(KEY, first.run), ours.run(LIKE_IT, second.run)];
	await turns(5);
	first.end();
	await running[0];
	const nothing = () => Promise.resolve(1);
	t.is(theirs.tryRun(KEY, nothing), undefined);
	second.end();
	await running[1];
	t.is(await theirs.tryRun(KEY, nothing), 1);
});

test('what another process works on waits for it, and not for one that was killed', async t => {
	const [directory, other] = [temporaryDirectory(t), ForkedProcess.start(t)];
	const locks = open(t, directory);
	t.true(await other.tell('holdKey', directory, KEY));
	const nothing = () => Promise.resolve(1);
	t.is(locks.tryRun(KEY, nothing), undefined);
	t.is(await locks.tryRun(OTHER, nothing), 1);
	const mine = work();
	const running = locks.run(KEY, mine.run);
	await turns(20);
	t.false(mine.hasBegun());
	await other.kill();
	await until('it has begun', () => mine.hasBegun(), 1000);
	mine.end();
	await running;
});

test('a key that is worked on here is refused to other processes, though the locks are opened a second time', async t => {
	const [directory, other] = [temporaryDirectory(t), ForkedProcess.start(t)];
	const mine = work();
	const running = open(t, directory).run(KEY, mine.run);
	open(t, directory);
	t.false(await other.tell('holdKey', directory, KEY));
	mine.end();
	await running;
	t.true(await other.tell('holdKey', directory, KEY));
});

test('who waits for a process that does not go on is told so after ten seconds', async t => {
	const directory = temporaryDirectory(t);
	const [ours, theirs] = [open(t, directory), open(t, directory)];
	const mine = work();
	const running = ours.run(KEY, mine.run);
	const startedAt = performance.now();
	await failsWith(
		t,
		'busy',
		theirs.run(KEY, () => Promise.resolve()),
	);
	t.true(performance.now() - startedAt >= 10_000);
	mine.end();
	await running;
	t.is(await theirs.run(KEY, () => Promise.resolve(1)), 1);
});

test('there are sixteen files, and what is no key has none', t => {
	const directory = mkdtempSync(`${temporaryDirectory(t)}/`);
	const locks = open(t, directory);
	t.deepEqual(readdirSync(directory).sort(), [...'0123456789abcdef']);
	t.throws(() => locks.run('xyz', () => Promise.resolve()), {instanceOf: RangeError});
});
