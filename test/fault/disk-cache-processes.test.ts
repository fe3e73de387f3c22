/** Several processes at work on one cache of larder/disk-cache, some of them killed. */
import {cpSync, rmSync} from 'node:fs';
import test, {type ExecutionContext} from 'ava';
import {Cache, FanoutCache} from '../../src/ports/disk-cache/index.js';
import {temporaryDirectory} from '../helpers/cache.js';
import {openBeside, openDiskCache, openFanoutCache, valueFiles} from '../helpers/disk-cache.js';
import {ForkedDiskCache} from '../helpers/forked-disk-cache.js';
import {until} from '../helpers/until.js';

const PROCESSES = 4;
const KILLS = 6;
/** Each process gets as far as this before one is killed, and once more at the end. */
const PROGRESS = 20;

async function startProcesses(t: ExecutionContext, open: 'open' | 'openFanout', directory: string, count = PROCESSES) {
	const processes = Array.from({length: count}, () => ForkedDiskCache.start(t));
	await Promise.all(processes.map(one => one.tell(open, directory)));
	return processes;
}

/** Processes that add to one number and to one of their own, in one transaction each; all but the last are killed on the way. */
async function churn(t: ExecutionContext, open: 'open' | 'openFanout', cache: Cache | FanoutCache) {
	const failures: unknown[] = [];
	const killed = new Set<unknown>();
	let started = 0;
	const begin = async () => {
		const [one] = await startProcesses(t, open, cache.directory, 1);
		const own = ownName(cache, started++);
		one?.tell('beAt', own).catch((error: unknown) => killed.has(one) || failures.push(error));
		return {one, own};
	};
	const count = (own: string) => cache.get<number>(own, {retry: true}) ?? 0;
	const progress = (own: string) => {
		const before = count(own);
		return until(`${own} gets on`, () => failures.length > 0 || count(own) >= before + PROGRESS);
	};
	const running = await Promise.all(Array.from({length: PROCESSES}, begin));
	for (let kill = 0; kill < KILLS; kill++) {
		await Promise.all(running.map(({own}) => progress(own)));
		const victim = running.shift();
		killed.add(victim?.one);
		await victim?.one?.kill();
		running.push(await begin());
	}

	await Promise.all(running.map(({own}) => progress(own)));
	await Promise.all(running.map(async ({one}) => one?.tell('stop')));
	t.deepEqual(failures, []);
	return Array.from({length: started}, (_, index) => count(ownName(cache, index)));
}

/** One that is in the same shard as what all add to: who is killed between the commits of two would have added to one of them. */
function ownName(cache: Cache | FanoutCache, index: number): string {
	if (cache instanceof Cache) return `own ${index}`;
	const shardOf = (name: string) => cache.disk.hash(name) % cache.shards;
	for (let attempt = 0; ; attempt++) {
		const name = `own ${index} ${attempt}`;
		if (shardOf(name) === shardOf('all')) return name;
	}
}

test.serial('stress/core: four processes at one Cache, some killed: nothing is lost, torn or left over', async t => {
	const cache = openDiskCache(t);
	const counts = await churn(t, 'open', cache);
	t.is(
		cache.get('all'),
		counts.reduce((sum, count) => sum + count),
	);
	t.deepEqual(cache.check({retry: true}), []);
	const items = [...cache].filter(key => String(key).startsWith('value'));
	const large = items.filter(key => (cache.get<Buffer>(key)?.length ?? 0) > 500);
	t.is(valueFiles(cache.directory).length, large.length);
});

test.serial(
	'stress/fanout: four processes at one FanoutCache, some killed: nothing is lost, torn or left over',
	async t => {
		const cache = openFanoutCache(t);
		const counts = await churn(t, 'openFanout', cache);
		t.is(
			cache.get('all'),
			counts.reduce((sum, count) => sum + count),
		);
		t.deepEqual(cache.check({retry: true}), []);
	},
);

test.serial('what a killed process was writing is removed by who opens the cache next', async t => {
	const cache = openDiskCache(t);
	const [one] = await startProcesses(t, 'open', cache.directory, 1);
	await one?.tell('beginStream', 's');
	t.is(valueFiles(cache.directory).length, 1);
	t.deepEqual(cache.check({fix: true}), []);
	t.is(valueFiles(cache.directory).length, 1, 'a living process is still writing it');
	await one?.kill();
	openDiskCache(t, {}, cache.directory);
	t.deepEqual(valueFiles(cache.directory), []);
	t.deepEqual([cache.has('s'), cache.check()], [false, []]);
});

test.serial('uses are written when a process ends, closed or not', async t => {
	const cache = openDiskCache(t, {evictionPolicy: 'least-frequently-used'});
	cache.set('k', 1);
	const [one] = await startProcesses(t, 'open', cache.directory, 1);
	for (let i = 0; i < 5; i++) await one?.tell('get', 'k');
	await one?.tell('exit');
	const uses = openBeside(t, cache.directory).prepare('SELECT access_count FROM Cache').pluck();
	t.is(await until('the uses are written', () => uses.get() === 5 && 5), 5);
});

test.serial('each increment of several processes counts', async t => {
	const cache = openDiskCache(t);
	const processes = await startProcesses(t, 'open', cache.directory);
	await Promise.all(processes.map(one => one.tell('incr', 'n', 500)));
	t.is(cache.get('n'), PROCESSES * 500);
});

test.serial('fanout/incr_concurrent, fanout/add_concurrent: of all who add a key one has added it', async t => {
	for (const [open, cache] of [
		['open', openDiskCache(t)],
		['openFanout', openFanoutCache(t)],
	] as const) {
		const processes = await startProcesses(t, open, cache.directory);
		const added = await Promise.all(processes.map(one => one.tell('add', 1000)));
		t.is(
			added.reduce((sum, count) => sum + count),
			1000,
		);
		await Promise.all(processes.map(one => one.tell('incr', 'n', 200)));
		t.is(cache.get('n'), PROCESSES * 200);
	}
});

test.serial('core/push_pull: what several processes push, several pull, each once', async t => {
	const cache = openDiskCache(t);
	const processes = await startProcesses(t, 'open', cache.directory);
	await Promise.all(processes.map(one => one.tell('push', 100)));
	t.is(cache.length, PROCESSES * 100);
	const pulled = (await Promise.all(processes.map(one => one.tell('pull', 100)))).flat();
	t.deepEqual([new Set(pulled).size, cache.length], [PROCESSES * 100, 0]);
});

test.serial('stress/issue_85: fifty handles that make one cache and take turns never find it locked', async t => {
	const directory = temporaryDirectory(t);
	const processes = Array.from({length: 5}, () => ForkedDiskCache.start(t));
	await Promise.all(processes.map(one => one.tell('useMany', directory, 10, 5)));
	const cache = openDiskCache(t, {}, directory);
	t.deepEqual([cache.get('n'), cache.check()], [250, []]);
});

test.serial(
	'stress/deque_mp, stress/index_mp: whatever several processes do with one deque or index, none fails',
	async t => {
		for (const kind of ['hammerDeque', 'hammerIndex'] as const) {
			const directory = temporaryDirectory(t);
			const processes = Array.from({length: PROCESSES}, () => ForkedDiskCache.start(t));
			await Promise.all(processes.map(one => one.tell(kind, directory, 300)));
			t.deepEqual(openDiskCache(t, {}, directory).check(), [], kind);
		}
	},
);

test.serial('core/init: processes that make the same cache at the same moment make one', async t => {
	for (const open of ['open', 'openFanout'] as const) {
		const directory = temporaryDirectory(t);
		const processes = await startProcesses(t, open, directory, 6);
		await Promise.all(processes.map(one => one.tell('incr', 'n', 20)));
		const cache = open === 'open' ? new Cache(directory) : new FanoutCache(directory);
		t.deepEqual([cache.get('n'), cache.check()], [120, []]);
		cache.close();
	}
});

test.serial(
	'core/copy, core/rsync, fanout/copy, fanout/rsync: a copy of the directory of a closed cache is a cache',
	async t => {
		for (const [open, cache] of [
			['open', openDiskCache(t)],
			['openFanout', openFanoutCache(t)],
		] as const) {
			const [one] = await startProcesses(t, open, cache.directory, 1);
			await one?.tell('incr', 'n', 5);
			await one?.tell('close');
			cache.set('large', Buffer.alloc(100_000, 1));
			cache.close();
			const directory = temporaryDirectory(t);
			cpSync(cache.directory, directory, {recursive: true});
			const copy = open === 'open' ? openDiskCache(t, {}, directory) : openFanoutCache(t, {}, directory);
			t.deepEqual([copy.get('n'), copy.get<Buffer>('large')?.length, copy.check()], [5, 100_000, []]);
			copy.set('larger', Buffer.alloc(200_000, 2));
			copy.delete('large');
			copy.close();
			// The way back, as rsync goes it: what is gone there goes here.
			rmSync(cache.directory, {recursive: true});
			cpSync(directory, cache.directory, {recursive: true});
			t.deepEqual([cache.get('n'), cache.get<Buffer>('larger')?.length, cache.length], [5, 200_000, 2]);
			t.deepEqual(cache.check(), []);
		}
	},
);
