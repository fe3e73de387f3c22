/** Another process that uses a ttl-cache as it is told: the program, and what starts it. */
import {writeFileSync} from 'node:fs';
import path from 'node:path';
import type {ExecutionContext} from 'ava';
import {ownedName} from '../../src/base/owned-name.js';
import {
	MISSING,
	readCache,
	refreshCache,
	refreshCacheTs,
	sweepCache,
	writeCache,
	type JsonValue,
} from '../../src/ports/ttl-cache/index.js';
import {ownDirectory} from '../../src/ports/ttl-cache/path.js';
import {doAsTold} from './do-as-told.js';
import {ForkedProcess} from './forked-process.js';

const commands = {
	read: (base: string, key: string, ttl: number) => readCache(base, key, ttl) as JsonValue,
	misses: (base: string, key: string, ttl: number) => readCache(base, key, ttl) === MISSING,
	write: (base: string, key: string, body: JsonValue) => writeCache(base, key, body),
	/** Until it is killed. */
	keepRefreshing(base: string, key: string) {
		over(() => refreshCacheTs(base, key));
	},
	/** Writes, refreshes and sweeps, until it is killed; each body tells whether it is whole. */
	keepAtIt(base: string, keys: readonly string[]) {
		let count = 0;
		over(() => {
			const key = keys[count++ % keys.length] as string;
			writeCache(base, key, {key, length: count % 5000, text: 'x'.repeat(count % 5000)});
			refreshCacheTs(base, key);
			if (count % 50 === 0) sweepCache(base, {maxEntries: 5});
		});
	},
	leaveHalfAFile: (base: string) => writeFileSync(path.join(ownDirectory(base, 'incoming'), ownedName()), '{"ts'),
	/** `null` for one that never ends. */
	refresh: (base: string, key: string, ttl: number, body: JsonValue | null) =>
		refreshCache(base, key, ttl, () => (body === null ? new Promise(() => undefined) : Promise.resolve({body}))),
};

/** Again and again, a turn of the event loop between. */
function over(work: () => void): void {
	const again = () => {
		for (let count = 0; count < 20; count++) work();
		setImmediate(again);
	};
	again();
}

/** Ends with the test. */
export function startTtlProcess(t: ExecutionContext): ForkedProcess<typeof commands> {
	const forked = new ForkedProcess<typeof commands>(import.meta.filename);
	t.teardown(() => forked.kill());
	return forked;
}

if (process.argv[1] === import.meta.filename) doAsTold(commands);
