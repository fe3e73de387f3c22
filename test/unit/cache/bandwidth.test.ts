import {getEventListeners} from 'node:events';
import {setImmediate} from 'node:timers/promises';
import test from 'ava';
import type {Timers} from '../../../src/base/timers.js';
import {Bandwidth} from '../../../src/cache/bandwidth.js';
import type {PriorityNow} from '../../../src/cache/waiting-line.js';

const KIB = 1024;
/** With it 1 ms brings 1,024 bytes, and 100 ms fill the bucket. */
const RATE = 1000 * KIB;
const BUCKET = 100 * KIB;

/** Time that passes when it is told to. */
class HandTimers implements Timers {
	#nowMs = 5000;
	readonly #due = new Set<{readonly atMs: number; readonly work: () => void}>();

	now(): number {
		return this.#nowMs;
	}

	after(ms: number, work: () => void): () => void {
		if (ms > 2 ** 31 - 1) throw new RangeError(`setTimeout would fire at once for ${ms}`);
		const timer = {atMs: this.#nowMs + ms, work};
		this.#due.add(timer);
		return () => this.#due.delete(timer);
	}

	get running(): number {
		return this.#due.size;
	}

	async pass(ms: number): Promise<void> {
		const endMs = this.#nowMs + ms;
		await setImmediate();
		for (;;) {
			const [next] = [...this.#due].filter(({atMs}) => atMs <= endMs).sort((one, other) => one.atMs - other.atMs);
			if (next === undefined) break;
			this.#due.delete(next);
			this.#nowMs = next.atMs;
			next.work();
			await setImmediate();
		}

		this.#nowMs = endMs;
		await setImmediate();
	}
}

/** Takes by name, and who was let through, when, in milliseconds. */
function setUp(bytesPerSecond: number) {
	const timers = new HandTimers();
	const bandwidth = new Bandwidth(bytesPerSecond, timers);
	const startMs = timers.now();
	const passed: string[] = [];
	const take = (name: string, bytes: number, priority: PriorityNow = 'reader', signal?: AbortSignal) => {
		const note = (how = '') => passed.push(`${name}${how} ${timers.now() - startMs}`);
		const waited = bandwidth.take(bytes, priority, signal);
		if (waited === undefined) note();
		else
			waited.then(
				() => note(),
				(reason: unknown) => note(`: ${String(reason)}`),
			);
	};
	return {timers, bandwidth, passed, take};
}

test('without a limit nobody waits, and the clock is not asked', t => {
	const bandwidth = new Bandwidth(Infinity, {now: () => 0, after: () => t.fail()});
	for (let count = 0; count < 1000; count++) t.is(bandwidth.take(1024 * KIB, 'ahead'), undefined);
});

test('100 ms of the rate may come at once, then it is kept to', async t => {
	const {timers, passed, take} = setUp(RATE);
	for (const name of ['a', 'b', 'c', 'd', 'e']) take(name, 50 * KIB);
	await timers.pass(1000);
	t.deepEqual(passed, ['a 0', 'b 0', 'c 50', 'd 100', 'e 150']);
});

test('a while without bytes is made good by 100 ms of the rate at most', async t => {
	const {timers, passed, take} = setUp(RATE);
	take('a', BUCKET);
	await timers.pass(60_000);
	take('b', BUCKET);
	take('c', 10 * KIB);
	await timers.pass(100);
	t.deepEqual(passed, ['a 0', 'b 60000', 'c 60010']);
});

test('the bandwidth is short as long as somebody waits for it', async t => {
	const timers = new HandTimers();
	const bandwidth = new Bandwidth(RATE, timers);
	await bandwidth.take(BUCKET, 'reader');
	t.false(bandwidth.isShort);
	void bandwidth.take(10 * KIB, 'ahead');
	t.true(bandwidth.isShort);
	await timers.pass(10);
	t.false(bandwidth.isShort);
});

test('64 KiB may come at once, however low the rate is', async t => {
	const {timers, passed, take} = setUp(KIB);
	take('a', 64 * KIB);
	take('b', 2 * KIB);
	await timers.pass(10_000);
	t.deepEqual(passed, ['a 0', 'b 2000']);
});

test('what a chunk is larger than the bucket is owed, and waited for by who comes next', async t => {
	const {timers, passed, take} = setUp(RATE);
	take('large', 4 * BUCKET);
	take('small', KIB);
	take('large again', 2 * BUCKET);
	take('last', KIB);
	await timers.pass(10_000);
	// The bucket is 3 buckets below 0; then again full when the large one comes, and 1 bucket below 0 after it.
	t.deepEqual(passed, ['large 0', 'small 301', 'large again 401', 'last 502']);
});

test('a reader goes before all who fetch ahead, and each among its equals in order', async t => {
	const {timers, passed, take} = setUp(RATE);
	take('first', BUCKET);
	take('ahead 1', 10 * KIB, 'ahead');
	take('reader 1', 10 * KIB, 'reader');
	take('ahead 2', 10 * KIB, 'ahead');
	take('reader 2', 10 * KIB, 'reader');
	await timers.pass(1000);
	t.deepEqual(passed, ['first 0', 'reader 1 10', 'reader 2 20', 'ahead 1 30', 'ahead 2 40']);
});

test('a reader takes at once what is there, past who waits for more to fetch ahead; nobody else does', async t => {
	const {timers, passed, take} = setUp(RATE);
	take('first', BUCKET);
	take('ahead', 50 * KIB, 'ahead');
	await timers.pass(40);
	take('small ahead', KIB, 'ahead');
	take('reader', 20 * KIB, 'reader');
	t.deepEqual(passed, ['first 0', 'reader 40']);
	await timers.pass(100);
	t.deepEqual(passed.slice(2), ['ahead 70', 'small ahead 71']);
});

test('a small reader does not wait for the time that a large chunk before it in time needs', async t => {
	const {timers, passed, take} = setUp(RATE);
	take('first', BUCKET);
	take('ahead', BUCKET, 'ahead');
	take('reader', KIB, 'reader');
	await timers.pass(1000);
	t.deepEqual(passed, ['first 0', 'reader 1', 'ahead 101']);
});

test('who gets a reader while it waits goes before who has none', async t => {
	const {timers, passed, take} = setUp(RATE);
	let hasReader = false;
	take('first', BUCKET);
	take('ahead', 10 * KIB, 'ahead');
	take('wanted later', 10 * KIB, () => (hasReader ? 'reader' : 'ahead'));
	hasReader = true;
	await timers.pass(1000);
	t.deepEqual(passed, ['first 0', 'wanted later 10', 'ahead 20']);
});

test('a signal ends a wait with its reason and leaves nothing behind, but its bytes have come', async t => {
	const {timers, passed, take} = setUp(RATE);
	const abort = new AbortController();
	take('first', BUCKET);
	take('gone', 50 * KIB, 'reader', abort.signal);
	take('next', 10 * KIB);
	await timers.pass(20);
	abort.abort('enough');
	await timers.pass(1000);
	t.deepEqual(passed, ['first 0', 'gone: enough 20', 'next 60']);
	t.is(getEventListeners(abort.signal, 'abort').length, 0);

	take('full again', BUCKET);
	take('never begun', KIB, 'reader', AbortSignal.abort('over'));
	take('let through', KIB, 'reader', abort.signal);
	await timers.pass(1000);
	t.deepEqual(passed.slice(3), ['full again 1020', 'never begun: over 1020', 'let through: enough 1020']);
	t.is(timers.running, 0);
});

test('no timer runs while nobody waits, and one while anybody does', async t => {
	const {timers, take} = setUp(RATE);
	const abort = new AbortController();
	take('a', BUCKET);
	t.is(timers.running, 0);
	for (let count = 0; count < 5; count++) take('waits', 10 * KIB, 'ahead', abort.signal);
	t.is(timers.running, 1);
	await timers.pass(30);
	t.is(timers.running, 1);
	abort.abort();
	t.is(timers.running, 0);
	take('b', 100 * KIB);
	await timers.pass(1000);
	t.is(timers.running, 0);
});

test('another rate holds at once, also for who waits', async t => {
	const {timers, bandwidth, passed, take} = setUp(RATE);
	take('first', BUCKET);
	take('waits', 100 * KIB);
	await timers.pass(50);
	bandwidth.setLimit(RATE / 10);
	await timers.pass(100);
	t.deepEqual(passed, ['first 0']);
	// 10 ms brought 50 KiB, 100 ms then 10 KiB. At the lower rate the bucket is 64 KiB, which is enough for 100 KiB.
	await timers.pass(40);
	t.deepEqual(passed.slice(1), ['waits 190']);

	take('waits too', KIB, 'ahead');
	bandwidth.setLimit(Infinity);
	await timers.pass(0);
	t.deepEqual(passed.slice(2), ['waits too 190']);
	t.is(timers.running, 0);
	take('free', 1024 ** 3);
	bandwidth.setLimit(RATE);
	take('limited', BUCKET);
	take('limited', KIB);
	await timers.pass(1);
	t.deepEqual(passed.slice(3), ['free 190', 'limited 190', 'limited 191']);
});

test('a wait that is longer than a timer can take ends all the same', async t => {
	const {timers, passed, take} = setUp(1);
	take('large', 4e6);
	take('next', 1);
	await timers.pass(5e9);
	t.deepEqual(passed, ['large 0', `next ${(4e6 - 64 * KIB + 1) * 1000}`]);
});

test('a rate that is not above 0 is a RangeError', t => {
	const bandwidth = new Bandwidth(1);
	for (const wrong of [0, -1, NaN]) {
		t.throws(() => new Bandwidth(wrong), {instanceOf: RangeError});
		t.throws(() => bandwidth.setLimit(wrong), {instanceOf: RangeError});
	}
});

test('in real time, 2 MB from four transfers at 4 MB/s take 0.4 s and more, and all of them come', async t => {
	const bandwidth = new Bandwidth(4_000_000);
	const started = performance.now();
	let [came, waits] = [0, 0];
	const transfer = async (bytes: number, chunkBytes: number) => {
		for (let left = bytes; left > 0; left -= chunkBytes) {
			const waited = bandwidth.take(Math.min(left, chunkBytes), left % 2 === 0 ? 'reader' : 'ahead');
			if (waited !== undefined) waits++;
			await waited;
			came += Math.min(left, chunkBytes);
		}
	};
	await Promise.all([16_384, 65_536, 1000, 16_383].map(chunkBytes => transfer(500_000, chunkBytes)));
	const tookMs = performance.now() - started;
	t.is(came, 2_000_000);
	t.true(tookMs >= 399.9, `${tookMs} ms`);
	t.true(waits > 0);
});
