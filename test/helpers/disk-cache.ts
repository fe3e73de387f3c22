/** Caches of larder/disk-cache for a test. */
import {readdirSync} from 'node:fs';
import path from 'node:path';
import type {ExecutionContext} from 'ava';
import {Cache, FanoutCache, type CacheOptions, type FanoutOptions} from '../../src/ports/disk-cache/index.js';
import {openDatabase, type Database} from '../../src/sqlite/open.js';
import {temporaryDirectory} from './cache.js';

/** Larger than what goes into a row. */
export const LARGE_BYTES = 100_000;

export function openDiskCache(
	t: ExecutionContext,
	options: CacheOptions = {},
	directory = temporaryDirectory(t),
): Cache {
	const cache = new Cache(directory, options);
	t.teardown(() => cache.close());
	return cache;
}

export function openFanoutCache(
	t: ExecutionContext,
	options: FanoutOptions = {},
	directory = temporaryDirectory(t),
): FanoutCache {
	const cache = new FanoutCache(directory, options);
	t.teardown(() => cache.close());
	return cache;
}

/** Another connection to the database of a cache, for what no cache does. */
export function openBeside(t: ExecutionContext, directory: string): Database {
	const database = openDatabase(path.join(directory, 'cache.db'), {timeoutMs: 0, keepsJournalMode: true});
	t.teardown(() => database.close());
	return database;
}

/** Runs `work` while another connection has the write lock; `EXCLUSIVE` keeps readers out too, where there is no write-ahead log. */
export function whileLocked<T>(
	t: ExecutionContext,
	directory: string,
	work: () => T,
	kind: 'IMMEDIATE' | 'EXCLUSIVE' = 'IMMEDIATE',
): T {
	const database = openBeside(t, directory);
	database.exec(`BEGIN ${kind}`);
	try {
		return work();
	} finally {
		database.exec('ROLLBACK');
	}
}

/** The files of values, relative to the directory. */
export function valueFiles(directory: string): string[] {
	const names = readdirSync(directory, {recursive: true, encoding: 'utf8'});
	return names.filter(name => name.endsWith('.val') && !name.startsWith('writers')).sort();
}

export function large(fill: number): Buffer {
	return Buffer.alloc(LARGE_BYTES, fill);
}
