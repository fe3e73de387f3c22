/** A process with larder's disk-cache open: what it does is a `DiskCacheJob`. */
import path from 'node:path';
import {Cache, Deque, FanoutCache, Index} from '../../src/ports/disk-cache/index.js';
import {LARGE_BYTES, LRU_KEYS, MIXED_KEYS, SMALL_BYTES, type DiskCacheJob, type Operation} from './disk-cache-jobs.js';
import type {Done} from './jobs.js';
import {serve, timed} from './serve.js';

interface Opened {
	readonly cache: Cache;
	readonly lru: Cache;
	readonly fanout: FanoutCache;
	readonly deque: Deque;
	readonly index: Index;
}

const SMALL = Buffer.alloc(SMALL_BYTES, 1);
const LARGE = Buffer.alloc(LARGE_BYTES, 1);

let opened: Opened | undefined;

serve(run);

function run(job: DiskCacheJob): Promise<Done> {
	if (job.kind === 'open') return timed(() => open(job.directory));
	const caches = opened;
	if (caches === undefined) throw new Error('nothing is open');
	const operation = OPERATE[job.kind];
	return timed(() => {
		for (let call = 0; call < job.calls; call++) operation(caches, call);
		return 0;
	});
}

function open(directory: string): number {
	if (opened !== undefined) for (const one of Object.values(opened) as Cache[]) one.close();
	opened = {
		cache: new Cache(path.join(directory, 'cache')),
		lru: new Cache(path.join(directory, 'lru'), {evictionPolicy: 'least-recently-used'}),
		fanout: new FanoutCache(path.join(directory, 'fanout')),
		deque: new Deque([], {directory: path.join(directory, 'deque')}),
		index: new Index(path.join(directory, 'index')),
	};
	for (let key = 0; key < LRU_KEYS; key++) opened.lru.set(`key ${key}`, SMALL);
	return 0;
}

const OPERATE: Readonly<Record<Operation, (caches: Opened, call: number) => unknown>> = {
	'set': ({cache}, call) => cache.set(`key ${call}`, SMALL),
	'get': ({cache}, call) => cache.get(`key ${call % 10_000}`),
	'miss': ({cache}, call) => cache.get(`none ${call}`),
	'lru-get': ({lru}, call) => lru.get(`key ${call % LRU_KEYS}`),
	'incr': ({cache}) => cache.incr('number'),
	'delete': ({cache}, call) => cache.delete(`key ${call}`),
	'set-large': ({cache}, call) => cache.set(`large ${call}`, LARGE),
	'push-pull'({cache}, call) {
		cache.push(call);
		return cache.pull();
	},
	'deque'({deque}, call) {
		deque.append(call);
		return deque.popLeft();
	},
	'index'({index}, call) {
		index.set(call % 1000, call);
		return index.get(call % 1000);
	},
	'mixed'({fanout}) {
		const key = `key ${Math.floor(Math.random() * MIXED_KEYS)}`;
		const chance = Math.random();
		if (chance < 0.9) return fanout.get(key);
		return chance < 0.99 ? fanout.set(key, SMALL) : fanout.delete(key);
	},
};
