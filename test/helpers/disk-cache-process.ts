/** A program that uses a cache as the process that forked it says. @see forked-disk-cache.ts, its other end */
import {randomInt} from 'node:crypto';
import path from 'node:path';
import {BoundedSemaphore, Cache, Deque, FanoutCache, Index, Lock} from '../../src/ports/disk-cache/index.js';
import {memoizeStampede, RLock, type FanoutOptions} from '../../src/ports/disk-cache/index.js';
import {openDatabase} from '../../src/sqlite/open.js';
import {large} from './disk-cache.js';
import {doAsTold} from './do-as-told.js';

let cache: Cache | FanoutCache | undefined;
/** Whether the process goes on with what it was told to do over and over. */
let isAt = false;

function opened(): Cache | FanoutCache {
	if (cache === undefined) throw new Error('there is no cache yet');
	return cache;
}

/** Adds to a number of its own and to one that all have, in one transaction, beside values in rows and files. */
function work(own: string): void {
	const all = opened();
	all.transact(
		() => {
			all.incr('all', 1, {retry: true});
			all.incr(own, 1, {retry: true});
		},
		{retry: true},
	);
	const key = `value ${randomInt(20)}`;
	const fill = randomInt(256);
	const [action] = [randomInt(4)];
	if (action === 0) all.delete(key, {retry: true});
	else if (action === 1) all.pop(key, {retry: true});
	else all.set(key, action === 2 ? large(fill) : Buffer.alloc(500, fill), {retry: true});
	const value = all.get<Buffer>(`value ${randomInt(20)}`, {retry: true});
	if (value?.every(byte => byte === value[0]) === false) throw new Error('these are bytes of two values');
}

const LOCKS = {
	Lock: (from: Cache | FanoutCache, key: string) => new Lock(from, key),
	RLock: (from: Cache | FanoutCache, key: string) => new RLock(from, key),
	BoundedSemaphore: (from: Cache | FanoutCache, key: string) => new BoundedSemaphore(from, key, 1),
};

const commands = {
	open(directory: string) {
		cache = new Cache(directory);
	},
	openFanout(directory: string, options?: FanoutOptions) {
		cache = new FanoutCache(directory, options);
	},
	acquire: async (key: string, kind: keyof typeof LOCKS = 'Lock') => void (await LOCKS[kind](opened(), key).acquire()),
	/** Asks for a result that takes until so many processes have asked. @returns it. */
	stampede(processes: number) {
		const all = opened();
		const work = memoizeStampede(all, 60, {name: 'work'})(async () => {
			while ((all.get<number>('asked') ?? 0) < processes) await new Promise(setImmediate);
			return all.incr('made');
		});
		all.incr('asked', 1, {retry: true});
		return work();
	},
	/** @returns how many of its sets were said to be done, of keys that begin with `own`. */
	set: (own: string, times: number) =>
		Array.from({length: times}, (_, index) => opened().set(`${own} ${index}`, index)).filter(Boolean).length,
	incr(key: string, times: number) {
		for (let i = 0; i < times; i++) opened().incr(key, 1, {retry: true});
	},
	add: (keys: number) =>
		Array.from({length: keys}, (_, key) => opened().add(key, key, {retry: true})).filter(Boolean).length,
	push(values: number) {
		const queue = opened() as Cache;
		for (let i = 0; i < values; i++) queue.push(`${process.pid} ${i}`, {retry: true});
	},
	pull(values: number) {
		const queue = opened() as Cache;
		return Array.from({length: values}, () => queue.pull({retry: true})[1]);
	},
	get: (key: string) => opened().get(key),
	/** Stores a stream that begins and does not go on. */
	async beginStream(key: string) {
		const source = async function* () {
			yield large(1);
			isAt = true;
			await new Promise(() => undefined);
		};
		void opened().set(key, source(), {read: true});
		while (!isAt) await new Promise(setImmediate);
	},
	/** Takes the database's lock, and gives it back after a while. */
	hold(directory: string, ms: number, kind: 'IMMEDIATE' | 'EXCLUSIVE' = 'IMMEDIATE') {
		const database = openDatabase(path.join(directory, 'cache.db'), {timeoutMs: 10_000, keepsJournalMode: true});
		database.exec(`BEGIN ${kind}`);
		setTimeout(() => database.close(), ms);
	},
	/** The same over and over, with as long in between. */
	holdOften(directory: string, ms: number, times: number) {
		const database = openDatabase(path.join(directory, 'cache.db'), {timeoutMs: 10_000});
		const turn = (left: number) => {
			database.exec(database.inTransaction ? 'ROLLBACK' : 'BEGIN IMMEDIATE');
			if (left > 0) setTimeout(() => turn(left - 1), ms);
			else database.close();
		};
		turn(2 * times);
	},
	/** Several handles on one cache, which take turns. @returns the sum they come to. */
	useMany(directory: string, handles: number, turns: number) {
		const caches = Array.from({length: handles}, () => new Cache(directory));
		for (let turn = 0; turn < turns; turn++) {
			for (const one of caches) {
				one.get('n');
				one.transact(() => one.set('n', (one.get<number>('n') ?? 0) + 1));
			}
		}

		caches.forEach(one => one.close());
	},
	/** Does to a deque that others change what each of its calls does. */
	hammerDeque(directory: string, steps: number) {
		const deque = new Deque<number>([], {directory});
		const calls = [
			() => deque.append(1),
			() => deque.appendLeft(2),
			() => deque.extend([3, 4]),
			() => deque.pop(),
			() => deque.popLeft(),
			() => deque.peek(),
			() => deque.rotate(randomInt(-3, 4)),
			() => deque.remove(3),
			() => deque.at(randomInt(-5, 5)),
			() => [...deque].length,
			() => deque.count(1),
			() => deque.reverse(),
			() => (deque.length > 20 ? deque.clear() : undefined),
		];
		for (let step = 0; step < steps; step++) calls[randomInt(calls.length)]?.();
		deque.close();
	},
	/** Does to an index that others change what each of its calls does. */
	hammerIndex(directory: string, steps: number) {
		const index = new Index<number, number>(directory);
		const calls = [
			() => index.set(randomInt(10), 1),
			() => index.get(randomInt(10)),
			() => index.delete(randomInt(10)),
			() => index.setdefault(randomInt(10), 2),
			() => index.pop(randomInt(10), 0),
			() => index.size > 0 && index.transact(() => index.size > 0 && index.popitem()),
			() => [...index].length,
			() => index.push(3),
			() => index.pull(),
			() =>
				index.update([
					[1, 1],
					[2, 2],
				]),
			() => (index.size > 30 ? index.clear() : undefined),
		];
		for (let step = 0; step < steps; step++) calls[randomInt(calls.length)]?.();
		index.close();
	},
	exit: () => void setImmediate(() => process.exit()),
	/** Until it is told to stop, or killed. */
	async beAt(own: string) {
		isAt = true;
		while (isAt) {
			work(own);
			await new Promise(setImmediate);
		}
	},
	stop() {
		isAt = false;
	},
	close: () => cache?.close(),
};

export type DiskCacheCommands = typeof commands;

doAsTold(commands);
