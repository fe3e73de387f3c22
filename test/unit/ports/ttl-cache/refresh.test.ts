import {setTimeout as delay} from 'node:timers/promises';
import {readdirSync} from 'node:fs';
import path from 'node:path';
import test from 'ava';
import {
	readCache,
	readCacheEntry,
	refreshCache,
	sweepCache,
	writeCache,
} from '../../../../src/ports/ttl-cache/index.js';
import {temporaryDirectory} from '../../../helpers/cache.js';
import {startTtlProcess} from '../../../helpers/ttl-cache-process.js';
import {until} from '../../../helpers/until.js';

const locksOf = (base: string) => readdirSync(path.join(base, '.larder/locks'));

test('of a hundred callers one loads, and all get what it brings', async t => {
	const base = temporaryDirectory(t);
	let loads = 0;
	const load = async () => {
		loads++;
		await delay(5);
		return {body: {loads}, etag: '"v1"'};
	};
	const bodies = await Promise.all(Array.from({length: 100}, () => refreshCache(base, 'k', 60, load)));
	t.is(loads, 1);
	t.deepEqual(new Set(bodies.map(body => JSON.stringify(body))), new Set(['{"loads":1}']));
	t.deepEqual(await refreshCache(base, 'k', 60, load), {loads: 1});
	t.is(readCacheEntry(base, 'k')?.etag, '"v1"');
	t.deepEqual(locksOf(base), []);
});

test('a load is told what is cached, and may say that it is unchanged', async t => {
	const base = temporaryDirectory(t);
	writeCache(base, 'k', 'body', 'default', '"v1"');
	const before = readCacheEntry(base, 'k');
	const body = await refreshCache(base, 'k', 0, cached => {
		t.is(cached?.etag, '"v1"');
		return Promise.resolve('unchanged' as const);
	});
	t.is(body, 'body');
	t.true((readCacheEntry(base, 'k')?.ts ?? 0) >= (before?.ts ?? Infinity));
	t.is(readCacheEntry(base, 'k')?.etag, '"v1"');
});

test('a load that fails fails for all who waited for it, and the next one loads', async t => {
	const base = temporaryDirectory(t);
	const failing = () => refreshCache(base, 'k', 60, () => Promise.reject(new Error('no answer')));
	const outcomes = await Promise.allSettled([failing(), failing()]);
	t.deepEqual(
		outcomes.map(({status}) => status),
		['rejected', 'rejected'],
	);
	t.is(await refreshCache(base, 'k', 60, () => Promise.resolve({body: 1})), 1);
	t.deepEqual(locksOf(base), []);
});

test('no two processes load at once: the second gets what the first has stored', async t => {
	const base = temporaryDirectory(t);
	const first = withResolvers<{body: string}>();
	const begun = withResolvers<void>();
	const mine = refreshCache(base, 'k', 60, () => {
		begun.resolve();
		return first.promise;
	});
	await begun.promise;
	const other = startTtlProcess(t);
	const theirs = other.tell('refresh', base, 'k', 60, 'theirs');
	// It has tried by the time it answers anything else.
	t.true(await other.tell('misses', base, 'k', 60));
	first.resolve({body: 'mine'});
	t.deepEqual([await mine, await theirs], ['mine', 'mine']);
});

test('a process that is killed while it loads keeps nobody waiting', async t => {
	const base = temporaryDirectory(t);
	const other = startTtlProcess(t);
	void other.tell('refresh', base, 'k', 60, null).catch(() => undefined);
	await until('the other process has the lock', () => {
		try {
			return locksOf(base).some(name => name.length === 64);
		} catch {
			return false;
		}
	});
	const mine = refreshCache(base, 'k', 60, () => Promise.resolve({body: 'mine'}));
	await other.kill();
	t.is(await mine, 'mine');
	t.deepEqual(
		locksOf(base).filter(name => name.length === 64),
		[],
	);
});

test('a process that lives but does not get on is waited for as long as one is told', async t => {
	const base = temporaryDirectory(t);
	const other = startTtlProcess(t);
	void other.tell('refresh', base, 'k', 60, null).catch(() => undefined);
	await until('the other process has the lock', () => {
		try {
			return locksOf(base).length > 0;
		} catch {
			return false;
		}
	});
	t.is(await refreshCache(base, 'k', 60, () => Promise.resolve({body: 'mine'}), {waitMs: 50}), 'mine');
});

test('a signal ends one wait, and the load goes on', async t => {
	const base = temporaryDirectory(t);
	const loading = withResolvers<{body: number}>();
	const left = new AbortController();
	const leaving = refreshCache(base, 'k', 60, () => loading.promise, {signal: left.signal});
	const staying = refreshCache(base, 'k', 60, () => loading.promise);
	left.abort();
	await t.throwsAsync(leaving, {name: 'AbortError', any: true});
	loading.resolve({body: 7});
	t.is(await staying, 7);
	t.is(readCache(base, 'k', 60), 7);
});

function withResolvers<T>(): {promise: Promise<T>; resolve: (value: T) => void} {
	let resolve: (value: T) => void = () => undefined;
	return {promise: new Promise<T>(settle => (resolve = settle)), resolve: value => resolve(value)};
}

test('a sweep removes the locks of the dead, and leaves those of the living', async t => {
	const base = temporaryDirectory(t);
	const [dead, alive] = [startTtlProcess(t), startTtlProcess(t)];
	for (const [other, key] of [
		[dead, 'a'],
		[alive, 'b'],
	] as const) {
		void other.tell('refresh', base, key, 60, null).catch(() => undefined);
		t.true(await other.tell('misses', base, key, 60));
	}

	await dead.kill();
	t.is(locksOf(base).length, 2);
	sweepCache(base, {});
	t.is(locksOf(base).length, 1);
});
