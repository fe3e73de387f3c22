import test from 'ava';
import {
	Averager,
	barrier,
	BoundedSemaphore,
	Lock,
	memoizeStampede,
	RLock,
	throttle,
} from '../../../../src/ports/disk-cache/index.js';
import {TestClock} from '../../../helpers/cache.js';
import {openDiskCache, openFanoutCache} from '../../../helpers/disk-cache.js';
import {ForkedDiskCache} from '../../../helpers/forked-disk-cache.js';
import {until} from '../../../helpers/until.js';

test('recipes/averager: the average is that of all that was added, and begins anew when it is popped', t => {
	const cache = openDiskCache(t);
	const numbers = new Averager(cache, 'numbers');
	t.is(numbers.get(), null);
	for (let i = 0; i < 10; i++) new Averager(cache, 'numbers').add(i);
	t.deepEqual([numbers.get(), numbers.pop(), numbers.pop()], [4.5, 4.5, null]);
});

test('recipes/lock: one at a time holds it, and who waits gets it then', async t => {
	for (const cache of [openDiskCache(t), openFanoutCache(t)]) {
		const [one, other] = [new Lock(cache, 'l'), new Lock(cache, 'l')];
		await one.acquire();
		t.deepEqual([one.tryAcquire(), other.tryAcquire(), other.locked()], [false, false, true]);
		const waiting = other.acquire();
		t.throws(() => other.release(), {message: /not held/});
		one.release();
		{
			using _held = await waiting;
			t.true(one.locked());
		}

		t.false(one.locked());
	}
});

test('recipes/lock: who waits can give up', async t => {
	const cache = openDiskCache(t);
	await new Lock(cache, 'l').acquire();
	const signal = AbortSignal.timeout(20);
	await t.throwsAsync(new Lock(cache, 'l').acquire({signal}), {any: true});
});

test('recipes/lock: a hundred tasks that add one after the other lose nothing', async t => {
	const cache = openDiskCache(t);
	const add = () =>
		new Lock(cache, 'l').run(async () => {
			const n = cache.get<number>('n') ?? 0;
			await Promise.resolve();
			cache.set('n', n + 1);
		});
	await Promise.all(Array.from({length: 100}, add));
	t.is(cache.get('n'), 100);
});

test('recipes/lock: a holder that has expired is gone, and cannot release what another one holds', async t => {
	const clock = new TestClock();
	const cache = openDiskCache(t, {clock});
	const [one, other] = [new Lock(cache, 'l', {expire: 1}), new Lock(cache, 'l', {expire: 60})];
	await one.acquire();
	clock.advance(1001);
	t.true(other.tryAcquire());
	t.throws(() => one.release(), {message: /not held/});
	t.true(other.locked());
});

test('recipes/lock: a lock is free as soon as the process of its holder has been killed', async t => {
	const cache = openDiskCache(t);
	const process = ForkedDiskCache.start(t);
	await process.tell('open', cache.directory);
	await process.tell('acquire', 'l');
	const lock = new Lock(cache, 'l');
	t.false(lock.tryAcquire());
	await process.kill();
	t.true(await until('the lock is free', () => lock.tryAcquire()));
});

test('recipes/lock: who has lost it meanwhile gets what its work came to, be it an error', async t => {
	const cache = openDiskCache(t);
	const lock = new Lock(cache, 'l');
	t.is(await lock.run(() => cache.clear() && 'done'), 'done');
	const failing = () => {
		cache.clear();
		throw new Error('of the work');
	};
	await t.throwsAsync(lock.run(failing), {message: 'of the work'});
	t.is(await lock.run(() => 'held again'), 'held again');
});

test('recipes/rlock: its holder takes it again, and it is free once it was released as often', async t => {
	const cache = openDiskCache(t);
	const [one, other] = [new RLock(cache, 'l'), new RLock(cache, 'l')];
	await one.run(() => one.run(() => t.false(other.tryAcquire())));
	await one.acquire();
	await one.acquire();
	one.release();
	t.false(other.tryAcquire());
	one.release();
	t.true(other.tryAcquire());
	t.throws(() => one.release(), {message: /not held/});
});

test('recipes/semaphore: so many are let in, and one more when one leaves', async t => {
	const clock = new TestClock();
	const cache = openDiskCache(t, {clock});
	const open = (expire?: number) => new BoundedSemaphore(cache, 's', 3, {expire: expire ?? null});
	const [a, b, c, d] = [open(), open(), open(1), open()];
	t.deepEqual(
		[a, b, c, d].map(one => one.tryAcquire()),
		[true, true, true, false],
	);
	const waiting = d.acquire();
	a.release();
	await waiting;
	t.throws(() => a.release(), {message: /not held/});
	clock.advance(1001);
	t.true(a.tryAcquire());
	t.false(open().tryAcquire());
	t.throws(() => new BoundedSemaphore(cache, 's', 0), {instanceOf: RangeError});
});

test('recipes/release_errors: who does not hold it, or not any more, cannot release it', t => {
	const cache = openDiskCache(t);
	for (const one of [new Lock(cache, 'l'), new RLock(cache, 'r'), new BoundedSemaphore(cache, 's', 2)]) {
		t.throws(() => one.release(), {message: /not held/});
		one.tryAcquire();
		one.release();
		t.throws(() => one.release(), {message: /not held/});
	}
});

test('recipes/cache_key_and_wrapped: what a function was made of can be told', t => {
	const cache = openDiskCache(t);
	const work = (n: number) => n;
	const memoized = cache.memoize()(work);
	const stampede = memoizeStampede(cache, 1)(work);
	const throttled = throttle(cache, 1, 1)(work);
	const one = barrier(cache, Lock)(work);
	t.deepEqual(
		[memoized.cacheKey(1), stampede.cacheKey(1)],
		[
			['work', 1],
			['work', 1],
		],
	);
	t.deepEqual([throttled.cacheKey(), one.cacheKey()], ['work', 'work']);
	for (const made of [memoized, stampede, throttled, one]) t.is(made.wrapped, work);
});

test('recipes/parentheses: a function in the place of the options is an error at once', t => {
	const cache = openDiskCache(t);
	const work = () => 0;
	t.throws(() => cache.memoize(work as never), {instanceOf: TypeError});
	t.throws(() => memoizeStampede(cache, 1, work as never), {instanceOf: TypeError});
	t.throws(() => throttle(cache, 1, 1, work as never), {instanceOf: TypeError});
	t.throws(() => barrier(cache, Lock, work as never), {instanceOf: TypeError});
});

test('recipes/throttle: so many calls in so many seconds, by all who share the cache', async t => {
	const clock = new TestClock();
	const cache = openDiskCache(t, {clock});
	let [calls, slept] = [0, 0];
	const sleep = (seconds: number) => {
		slept += seconds;
		clock.advance(seconds * 1000);
		return Promise.resolve();
	};
	const throttled = () => throttle(cache, 2, 1, {name: 'calls', sleep})(() => ++calls);
	const [one, other] = [throttled(), throttled()];
	await one();
	await other();
	t.true(slept < 0.01);
	for (let i = 0; i < 10; i++) await (i % 2 === 0 ? one() : other());
	t.is(calls, 12);
	t.true(Math.abs(slept - 5) < 1, String(slept));
	t.throws(() => throttle(cache, 0, 1), {instanceOf: RangeError});
	let [seconds, waited] = [0, 0];
	const wait = (s: number) => Promise.resolve((seconds += s) && waited++);
	const timed = throttle(cache, 1, 10, {name: 'timed', time: () => seconds, sleep: wait})(() => seconds);
	t.deepEqual([await timed(), await timed(), waited], [0, 10, 1]);
});

test('recipes/throttle: a clock that is set back is not waited for', async t => {
	const cache = openDiskCache(t);
	let [seconds, slept] = [10_000, 0];
	const sleep = (s: number) => Promise.resolve((seconds += s) && (slept += s));
	const throttled = throttle(cache, 2, 1, {name: 'calls', time: () => seconds, sleep})(() => seconds);
	for (let i = 0; i < 2; i++) await throttled();
	seconds -= 3600;
	for (let i = 0; i < 2; i++) await throttled();
	t.true(slept < 1.5, String(slept));
});

test('recipes/barrier: calls go on one after the other, with each kind of lock', async t => {
	for (const kind of [Lock, RLock, BoundedSemaphore]) {
		const cache = openDiskCache(t);
		let [within, most] = [0, 0];
		const factory = kind === BoundedSemaphore ? OneAtATime : kind;
		const work = barrier(cache, factory as typeof Lock, {name: 'work'})(async (result: number) => {
			most = Math.max(most, ++within);
			await Promise.resolve();
			within--;
			return result;
		});
		t.deepEqual(await Promise.all([work(1), work(2), work(3)]), [1, 2, 3]);
		t.is(most, 1);
	}
});

class OneAtATime extends BoundedSemaphore {
	constructor(...[cache, key, options]: ConstructorParameters<typeof Lock>) {
		super(cache, key, 1, options);
	}
}

test('recipes/memoize_stampede: a result is made once by all who ask at the same time, and anew before it expires', async t => {
	const clock = new TestClock();
	const cache = openDiskCache(t, {clock});
	let [calls, chance] = [0, 0];
	// So that a chance above 0 always is one to make it anew.
	const options = {name: 'work', random: () => chance, beta: 1e9};
	const work = memoizeStampede(
		cache,
		10,
		options,
	)(async (n: number) => {
		const result = n + calls++;
		await Promise.resolve();
		return result;
	});
	t.deepEqual(await Promise.all([work(1), work(1), work(1)]), [1, 1, 1]);
	t.is(calls, 1);
	clock.advance(5000);
	chance = 0.5;
	t.is(await work(1), 1, 'who makes it anew does not wait for that');
	await until('it was made anew', () => calls === 2);
	chance = 0;
	t.is(await until('it is kept', async () => (await work(1)) === 2 && 2), 2);
	clock.advance(10_001);
	t.is(await work(1), 3);
});

test('recipes/memoize_stampede: a cache that is cleared while a result is made does no harm', async t => {
	const cache = openDiskCache(t);
	const work = memoizeStampede(cache, 60, {name: 'work'})(() => {
		cache.clear();
		return Promise.resolve('made');
	});
	t.is(await work(), 'made');
});

test('recipes/memoize_stampede: a failure is told to who waits for it, and is not kept', async t => {
	const cache = openDiskCache(t);
	let calls = 0;
	const work = memoizeStampede(cache, 10, {name: 'work'})(() => Promise.reject(new Error(`no ${++calls}`)));
	await t.throwsAsync(work(), {message: 'no 1'});
	await t.throwsAsync(work(), {message: 'no 2'});
});
