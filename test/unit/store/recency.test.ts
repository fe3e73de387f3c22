/** When a sidecar is told of accesses. */
import {readFileSync, statSync} from 'node:fs';
import test from 'ava';
import {keyOf} from '../../../src/store/key.js';
import {get, openStore, put, temporaryDirectory, TestClock} from '../../helpers/cache.js';
import {basePath} from '../../helpers/original.js';

const [A, B] = ['https://a.example/a', 'https://a.example/b'] as const;
const HOUR_MS = 60 * 60 * 1000;
const MINUTE_MS = 60 * 1000;

function accessedAtMs(directory: string, url: string): number {
	return (JSON.parse(readFileSync(`${basePath(directory, url)}.json`, 'utf8')) as {ts: number}).ts * 1000;
}

test('an access over an hour after the time in the sidecar is written there, an earlier one is not', async t => {
	const [directory, clock] = [temporaryDirectory(t), new TestClock()];
	const store = openStore(t, {directory, clock});
	await put(store, A, 'a');
	await put(store, B, 'b');
	const [putA, putB] = [A, B].map(url => accessedAtMs(directory, url)) as [number, number];
	clock.advance(HOUR_MS - MINUTE_MS);
	t.is(await get(store, A), 'a');
	clock.advance(2 * MINUTE_MS);
	t.is(await get(store, B), 'b');
	await store.close();
	t.is(accessedAtMs(directory, A), putA);
	const lateMs = accessedAtMs(directory, B) - putB;
	t.true(lateMs >= HOUR_MS + MINUTE_MS && lateMs < HOUR_MS + 2 * MINUTE_MS, `${lateMs} ms later`);
	t.is(await get(openStore(t, {directory, clock}), B), 'b');
});

test('who accesses what is in memory is heard too; what was written since is not written again', async t => {
	const [directory, clock] = [temporaryDirectory(t), new TestClock()];
	const store = openStore(t, {directory, clock});
	await put(store, A, 'a');
	const before = store.lookup(keyOf(A));
	const putMs = accessedAtMs(directory, A);
	clock.advance(HOUR_MS + MINUTE_MS);
	store.touch(keyOf(A), before);
	await store.close();
	t.true(accessedAtMs(directory, A) >= putMs + HOUR_MS + MINUTE_MS);
	const written = statSync(`${basePath(directory, A)}.json`).ino;

	const again = openStore(t, {directory, clock});
	t.is(await get(again, A), 'a');
	again.touch(keyOf(A), before);
	await again.close();
	t.is(statSync(`${basePath(directory, A)}.json`).ino, written);
});
