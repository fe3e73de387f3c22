/** A program that uses a cache as the process that forked it says. @see forked-disk-cache.ts, its other end */
import {randomInt} from 'node:crypto';
import {Cache, FanoutCache, Lock} from '../../src/ports/disk-cache/index.js';
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

const commands = {
	open(directory: string) {
		cache = new Cache(directory);
	},
	openFanout(directory: string) {
		cache = new FanoutCache(directory);
	},
	acquire: async (key: string) => void (await new Lock(opened(), key).acquire()),
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
