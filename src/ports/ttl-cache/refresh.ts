import path from 'node:path';
import {setTimeout as delay} from 'node:timers/promises';
import {abortable} from '../../base/abort.js';
import {SingleFlight} from '../../base/single-flight.js';
import type {CacheEntry} from './entry.js';
import type {JsonValue} from './json.js';
import {KeyLock} from './key-lock.js';
import {cachePath, digestOf, ownDirectory} from './path.js';
import {MISSING, readCache, readCacheEntry} from './read.js';
import {refreshCacheTs} from './refresh-ts.js';
import {writeCache} from './write.js';

/** What is there now, or that it is what is cached: a 304. */
export type Loaded = {readonly body: JsonValue; readonly etag?: string | null} | 'unchanged';

export interface RefreshOptions {
	/** `default` unless told. */
	readonly namespace?: string;
	/** How long another process, which lives, is waited for before this one loads as well, in ms; 60,000 unless told. */
	readonly waitMs?: number;
	/** Ends this caller's wait; a load that has begun goes on for the others. */
	readonly signal?: AbortSignal;
}

const WAIT_MS = 60_000;
const LOOK_EVERY_MS = 25;

const flights = new SingleFlight<string, JsonValue>();

/**
 * The cached body, or, where it is older than `ttl` seconds, what `load` brings,
 * which is stored. Of all callers in all processes one loads at a time; the
 * others wait and get what it has stored. Who dies while it loads is noticed
 * within a moment, and another one loads.
 *
 * @param load - gets what is cached, however old, with its `etag`, or `null`.
 * @throws what `load` throws, to all who waited for it in this process; nothing
 *   of it is kept. As `writeCache` for what it brings.
 */
export async function refreshCache(
	baseDir: string,
	key: string,
	ttl: number,
	load: (cached: CacheEntry | null) => Promise<Loaded>,
	options: RefreshOptions = {},
): Promise<JsonValue> {
	const {namespace = 'default', waitMs = WAIT_MS, signal} = options;
	signal?.throwIfAborted();
	const cached = readCache(baseDir, key, ttl, namespace);
	if (cached !== MISSING) return cached;
	const target: Target = {baseDir, key, namespace};
	const file = path.resolve(cachePath(baseDir, key, namespace));
	return abortable(
		flights.run(file, () => loadAlone(target, ttl, load, waitMs)),
		signal,
	);
}

interface Target {
	readonly baseDir: string;
	readonly key: string;
	readonly namespace: string;
}

async function loadAlone(
	target: Target,
	ttl: number,
	load: (cached: CacheEntry | null) => Promise<Loaded>,
	waitMs: number,
): Promise<JsonValue> {
	const {baseDir, key, namespace} = target;
	const lock = new KeyLock(path.join(ownDirectory(baseDir, 'locks'), digestOf(`${namespace}\0${key}`)));
	const givenUpAt = performance.now() + waitMs;
	while (!lock.tryLock() && performance.now() < givenUpAt) {
		await delay(LOOK_EVERY_MS);
		const cached = readCache(baseDir, key, ttl, namespace);
		if (cached !== MISSING) return cached;
	}

	try {
		const cached = readCache(baseDir, key, ttl, namespace);
		return cached === MISSING ? await loadAndStore(target, load) : cached;
	} finally {
		lock.unlock();
	}
}

async function loadAndStore(
	{baseDir, key, namespace}: Target,
	load: (cached: CacheEntry | null) => Promise<Loaded>,
): Promise<JsonValue> {
	const entry = readCacheEntry(baseDir, key, namespace);
	const loaded = await load(entry);
	if (loaded !== 'unchanged') {
		writeCache(baseDir, key, loaded.body, namespace, loaded.etag);
		return loaded.body;
	}

	if (entry === null) throw new TypeError('nothing is cached that could be unchanged');
	refreshCacheTs(baseDir, key, namespace);
	return entry.body;
}
