/** The original's weak points, by their numbers: what happens here instead. */
import {readFileSync} from 'node:fs';
import path from 'node:path';
import test from 'ava';
import {
	Averager,
	BoundedSemaphore,
	Disk,
	JSONDisk,
	Lock,
	RLock,
	throttle,
} from '../../../../src/ports/disk-cache/index.js';
import {TestClock} from '../../../helpers/cache.js';
import {openBeside, openDiskCache, openFanoutCache, valueFiles, whileLocked} from '../../../helpers/disk-cache.js';
import {ForkedDiskCache} from '../../../helpers/forked-disk-cache.js';
import {until} from '../../../helpers/until.js';

test('D1: a release after the time is an error and frees nobody else’s lock, and each acquisition has a higher number', async t => {
	for (const open of [openDiskCache, openFanoutCache]) {
		const clock = new TestClock();
		const cache = open(t, {clock});
		const lock = new Lock(cache, 'l', {expire: 60});
		const stalled = await lock.acquire();
		clock.advance(60_001);
		const held = await lock.acquire();
		t.true(held.fence > stalled.fence);
		t.throws(() => stalled.release(), {message: /not held/}, 'though it is the same lock that has it now');
		t.true(lock.locked());
		held.release();
		t.throws(() => held.release(), {message: /not held/});
		t.throws(() => lock.release(), {message: /not held/});
		cache.clear();
		t.true((await new Lock(cache, 'l').acquire()).fence > held.fence, 'also after all was cleared');
	}
});

test('D2: who holds a lock of any kind and is killed holds it no more', async t => {
	for (const kind of ['Lock', 'RLock', 'BoundedSemaphore'] as const) {
		const cache = openDiskCache(t);
		const process = ForkedDiskCache.start(t);
		await process.tell('open', cache.directory);
		await process.tell('acquire', 'l', kind);
		const mine = {
			Lock: new Lock(cache, 'l'),
			RLock: new RLock(cache, 'l'),
			BoundedSemaphore: new BoundedSemaphore(cache, 'l'),
		};
		t.false(mine[kind].tryAcquire());
		await process.kill();
		t.true(await until(`${kind} is free`, () => mine[kind].tryAcquire()));
	}
});

test('D3: of all processes that ask for a result that is not there one makes it', async t => {
	const cache = openDiskCache(t);
	const processes = Array.from({length: 4}, () => ForkedDiskCache.start(t));
	await Promise.all(processes.map(one => one.tell('open', cache.directory)));
	t.deepEqual(await Promise.all(processes.map(one => one.tell('stampede', processes.length))), [1, 1, 1, 1]);
	t.is(cache.get('made'), 1);
});

test('D4: a FanoutCache waits for the lock, so that eight who write lose nothing', async t => {
	const cache = openFanoutCache(t, {shards: 1, timeout: 0.01});
	const processes = Array.from({length: 8}, () => ForkedDiskCache.start(t));
	await Promise.all(processes.map(one => one.tell('openFanout', cache.directory, {timeout: 0.01})));
	const done = await Promise.all(processes.map((one, index) => one.tell('set', `own ${index}`, 200)));
	t.deepEqual(done, new Array(8).fill(200));
	t.is(cache.length, 1600);
	whileLocked(t, path.join(cache.directory, '000'), () => t.false(cache.set('k', 1, {retry: false})));
});

test.serial('D4: a set during which a shard is locked for longer than the timeout is done', async t => {
	const cache = openFanoutCache(t, {shards: 1, timeout: 0.01});
	await ForkedDiskCache.start(t).tell('hold', path.join(cache.directory, '000'), 300);
	t.false(cache.set('k', 0, {retry: false}));
	t.true(cache.set('k', 1));
	t.is(cache.get('k'), 1);
});

test('D5: a file whose process was killed before it had a row is gone when the cache is opened again', async t => {
	const cache = openDiskCache(t);
	const process = ForkedDiskCache.start(t);
	await process.tell('open', cache.directory);
	await process.tell('beginStream', 's');
	await process.kill();
	t.is(valueFiles(cache.directory).length, 1);
	openDiskCache(t, {}, cache.directory);
	t.deepEqual([valueFiles(cache.directory), cache.check()], [[], []]);
});

test('D6: length and iteration count what has expired until it is removed, as the page says', t => {
	const clock = new TestClock();
	const cache = openDiskCache(t, {clock});
	cache.set('k', 1, {expire: 1});
	clock.advance(1001);
	t.deepEqual([cache.length, [...cache], cache.has('k'), cache.expire(), cache.length], [1, ['k'], false, 1, 0]);
	const page = readFileSync(new URL('../../../../../docs/disk-cache.md', import.meta.url), 'utf8');
	t.regex(page, /`length` and iteration count items that have expired/);
});

test('D7: keys of a JSONDisk with the same properties are one', t => {
	const cache = openDiskCache(t, {disk: JSONDisk});
	cache.set({a: 1, b: {c: 2, d: 3}}, 'found');
	t.is(cache.get({b: {d: 3, c: 2}, a: 1}), 'found');
});

test('D8: which keys are one is written down', t => {
	const disk = new Disk('', {minFileSize: 0, compressLevel: 0});
	const written: ReadonlyArray<readonly [unknown, unknown]> = [
		...([
			[1, 1],
			[-0, 0],
			[1.5, 1.5],
			['1', '1'],
			[Buffer.from('1'), Buffer.from('1')],
		] as const),
		...([
			[true, 'true'],
			[null, 'null'],
			[undefined, '{"u":0}'],
			[1n, '{"i":"1"}'],
			[NaN, '{"n":"NaN"}'],
		] as const),
		[['a', {y: 1n, x: undefined}], '["a",{"o":[["x",{"u":0}],["y",{"i":"1"}]]}]'],
		[[-0, 1.5, '1', null], '[0,1.5,"1",null]'],
		[new Date(7), '{"d":7}'],
		[new Map([[1, 'a']]), '{"m":[[1,"a"]]}'],
		[new Set(['a']), '{"s":["a"]}'],
		[[Buffer.from('x')], '[{"b":"eA=="}]'],
		['\ud800', '"\\ud800"'],
	];
	written.forEach(([key, form], index) => {
		const raw = index < 5;
		t.deepEqual(disk.put(key), raw ? {key: form, raw: 1} : {key: Buffer.from(String(form)), raw: 0});
	});
	const cache = openDiskCache(t);
	const different = [1, '1', true, 1n, Buffer.from('1'), [1], ['1'], {1: 1}];
	different.forEach((key, index) => cache.set(key, index));
	t.deepEqual(
		different.map(key => cache.get(key)),
		[...different.keys()],
	);
	// The same text, which V8 holds in two ways.
	t.is(cache.get([`${'x1'.slice(1)}`]), 6);
});

test('D9: a throttled function whose state was cleared has all its turns', async t => {
	const cache = openDiskCache(t);
	let slept = 0;
	const work = throttle(cache, 1, 60, {name: 'work', sleep: () => Promise.resolve(slept++)})(() => 'done');
	t.is(await work(), 'done');
	cache.clear();
	t.deepEqual([await work(), slept], ['done', 0]);
});

test('D10: a lock, a semaphore and an average are not evicted, however full the cache is', t => {
	for (const evictionPolicy of ['least-recently-stored', 'least-recently-used', 'least-frequently-used'] as const) {
		const cache = openDiskCache(t, {evictionPolicy, sizeLimit: 0});
		const held = [new Lock(cache, 'l'), new RLock(cache, 'r'), new BoundedSemaphore(cache, 's')];
		t.true(held.every(one => one.tryAcquire()));
		new Averager(cache, 'a').add(5);
		for (let key = 0; key < 100; key++) cache.set(key, 'x'.repeat(1000));
		t.true(cache.length < 100, 'others are');
		cache.cull();
		t.deepEqual([...cache], ['l', 'r', 's', 'a']);
		t.false(new BoundedSemaphore(cache, 's').tryAcquire());
		t.is(new Averager(cache, 'a').get(), 5);
		held.forEach(one => one.release());
		t.is(cache.length, 1);
	}
});

test('D11: a get under least-recently-used writes nothing by itself', t => {
	const cache = openDiskCache(t, {evictionPolicy: 'least-recently-used'});
	cache.set('k', 1);
	const beside = openBeside(t, cache.directory);
	const version = () => beside.pragma('data_version', {simple: true});
	const before = version();
	for (let i = 0; i < 100; i++) cache.get('k');
	t.is(version(), before);
	cache.close();
	t.is(beside.prepare('SELECT access_count FROM Cache').pluck().get(), 100);
});
