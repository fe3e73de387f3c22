/** What the tests of the store and the cache share: a directory that goes with the test, and what is opened on it. */
import {lstatSync, mkdtempSync, readdirSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import type {ExecutionContext} from 'ava';
import {CacheError, type ErrorCode} from '../../src/base/errors.js';
import {NO_LOG, type Log} from '../../src/base/log.js';
import {Bandwidth} from '../../src/cache/bandwidth.js';
import type {FillMode} from '../../src/cache/fill-mode.js';
import {Slots} from '../../src/cache/slots.js';
import type {Source, SourceBody} from '../../src/cache/source.js';
import {UrlCache} from '../../src/cache/url-cache.js';
import type {Version} from '../../src/cache/version.js';
import {FreshnessRules, type FreshnessRule} from '../../src/http/freshness.js';
import {MediaCache, type MediaCacheOptions} from '../../src/library/media-cache.js';
import type {Transform} from '../../src/media/transforms.js';
import {Budget} from '../../src/store/budget.js';
import {keyOf} from '../../src/store/key.js';
import {NO_LIMITS, type Limits} from '../../src/store/limits.js';
import type {Pin} from '../../src/store/pin.js';
import {Store} from '../../src/store/store.js';

export const MIB = 1024 * 1024;
/** What one small entry takes: a block for the bytes and one for the sidecar. */
export const SMALL_ENTRY_BYTES = 2 * 4096;

/** The time of the files' own time stamps, ahead by what it was told. */
export class TestClock {
	#aheadMs = 0;

	now(): number {
		return Date.now() + this.#aheadMs;
	}

	advance(ms: number): void {
		this.#aheadMs += ms;
	}
}

/** A log that can be read: `warn a sentence {"its":"fields"}`. */
export function recordingLog(): {log: Log; lines: string[]} {
	const lines: string[] = [];
	const note = (level: string) => (message: string, fields?: unknown) =>
		void lines.push([level, message, JSON.stringify(fields)].join(' ').trim());
	return {log: {debug: note('debug'), info: note('info'), warn: note('warn'), error: note('error')}, lines};
}

export function temporaryDirectory(t: ExecutionContext): string {
	const directory = mkdtempSync(path.join(tmpdir(), 'larder-test-'));
	t.teardown(() => rmSync(directory, {recursive: true, force: true, maxRetries: 5}));
	return directory;
}

/** A budget over nothing but what is held. */
export function openBudget(maxBytes: number, evictNext = () => Promise.resolve(false)) {
	let limits: Limits = {...NO_LIMITS, maxBytes};
	const budget = new Budget({
		limits: () => limits,
		usage: () => ({entries: 0, allocatedBytes: 0, heldByOthers: 0}),
		diskFreeBytes: () => Infinity,
		evictNext,
		onHeld() {},
	});
	return {budget, setLimit: (bytes: number) => (limits = {...limits, maxBytes: bytes})};
}

export interface StoreSetup {
	readonly directory?: string;
	readonly limitBytes?: number;
	readonly limits?: Partial<Limits>;
	readonly clock?: TestClock;
	readonly log?: Log;
}

/** A store, closed with the test. */
export function openStore(t: ExecutionContext, setup: StoreSetup = {}): Store {
	const {directory = temporaryDirectory(t), limitBytes = 64 * MIB, clock = new TestClock(), log = NO_LOG} = setup;
	const store = new Store({directory, limits: {maxBytes: limitBytes, ...setup.limits}, clock, log});
	t.teardown(() => store.close());
	return store;
}

export interface CacheSetup extends StoreSetup {
	readonly source?: Source;
	readonly transforms?: readonly Transform[];
	readonly maxDownloads?: number;
	readonly fillMode?: FillMode;
	readonly bandwidth?: Bandwidth;
	readonly freshness?: FreshnessRule;
	readonly isStreamed?: (url: string) => boolean;
}

/** A cache over a source of the test's own, closed with the test. */
export function openUrlCache(t: ExecutionContext, setup: CacheSetup = {}): UrlCache {
	const {source = new HandSource(), transforms = [], maxDownloads = 16, bandwidth = new Bandwidth(Infinity)} = setup;
	const {clock = new TestClock(), log = NO_LOG, fillMode = 'auto', freshness: rule = 'forever'} = setup;
	const store = openStore(t, {...setup, clock, log});
	const slots = new Slots({total: maxDownloads, perHost: Infinity});
	const freshness = new FreshnessRules(() => rule);
	const {isStreamed = () => false} = setup;
	const parts = {store, source, transforms, fillMode, slots, bandwidth, freshness, clock, log};
	const cache = new UrlCache({...parts, isStreamed});
	t.teardown(() => cache.close());
	return cache;
}

/** The library's class, closed with the test. */
export function openMediaCache(t: ExecutionContext, directory: string, options: MediaCacheOptions = {}): MediaCache {
	const cache = new MediaCache(directory, {clock: new TestClock(), reencodeGif: false, ...options});
	t.teardown(() => cache.close());
	return cache;
}

/** Stores an entry, and returns it held open. */
export async function putPinned(store: Store, url: string, body: string | Uint8Array, durable = false): Promise<Pin> {
	const draft = await store.draft(keyOf(url));
	const data = Buffer.from(body);
	try {
		draft.expect(data.byteLength);
		await draft.write([data], 0);
		return await store.commit(draft, {url, mimetype: 'text/plain', filename: 'a.txt'}, {durable});
	} finally {
		await draft.discard();
	}
}

export async function put(store: Store, url: string, body: string | Uint8Array): Promise<void> {
	(await putPinned(store, url, body)).close();
}

/** The bytes stored under a URL, or undefined. */
export async function get(store: Store, url: string): Promise<string | undefined> {
	const pin = await store.pin(keyOf(url));
	if (pin === undefined) return undefined;
	try {
		return String(await pin.readAll());
	} finally {
		pin.close();
	}
}

/** All of a version, which is closed then. */
export async function readWhole(version: Version | undefined): Promise<string | undefined> {
	if (version === undefined) return undefined;
	try {
		await version.whole();
		const buffer = Buffer.alloc(version.sizeBytes);
		const length = await version.read(buffer, 0);
		return String(buffer.subarray(0, length));
	} finally {
		version.close();
	}
}

/** What the entry files at the top of a store take on the disk; they may be going while it is asked. */
export function allocatedOnDisk(directory: string): number {
	const blocks = (name: string) => lstatSync(path.join(directory, name), {throwIfNoEntry: false})?.blocks ?? 0;
	return entryFiles(directory).reduce((sum, name) => sum + blocks(name) * 512, 0);
}

/** The names at the top of a store, without `.larder`. */
export function entryFiles(directory: string): string[] {
	return readdirSync(directory)
		.filter(name => name !== '.larder')
		.sort();
}

/** What lies in `.larder/downloads`. */
export function leftovers(directory: string): string[] {
	return readdirSync(path.join(directory, '.larder', 'downloads'));
}

/** What lies in `.larder/partials`: of what is kept of each URL the bytes, and what tells of them. */
export function keptFiles(directory: string): string[] {
	return readdirSync(path.join(directory, '.larder', 'partials'));
}

/** What lies in `.larder/quarantine`, without the time in front. */
export function quarantined(directory: string): string[] {
	return readdirSync(path.join(directory, '.larder', 'quarantine'))
		.map(name => name.slice(name.indexOf('.') + 1))
		.sort();
}

/** Asserts that `work` fails with `code`, and returns the error. */
export async function failsWith(t: ExecutionContext, code: ErrorCode, work: Promise<unknown>): Promise<CacheError> {
	const error: unknown = await work.then(
		value => new Error(`no error, but ${String(value)}`),
		(thrown: unknown) => thrown,
	);
	if (!(error instanceof CacheError)) throw new Error(`expected ${code}`, {cause: error});
	t.is(error.code, code, error.message);
	return error;
}

/** One body of a `HandSource`: nothing arrives before the test lets it. */
export class HandBody {
	readonly #chunks: Uint8Array[] = [];
	#end: 'open' | 'whole' | Error = 'open';
	#wake: () => void = () => undefined;
	isDiscarded = false;

	constructor(
		readonly url: string,
		readonly signal: AbortSignal,
		private readonly announce: (body: SourceBody) => void,
		readonly refuse: (reason: Error) => void,
		/** An attempt has failed, and another one is made. */
		readonly retry: () => void = () => undefined,
	) {
		signal.addEventListener('abort', () => {
			refuse(signal.reason as Error);
			this.#wake();
		});
	}

	/** The headers arrive. Without a length only the end tells it. */
	begin(lengthBytes?: number): void {
		const facts = {mimetype: 'text/plain', filename: 'a.txt', etag: undefined, lastModifiedMs: undefined};
		this.announce({...facts, lengthBytes, body: this.#arrive(), discard: () => (this.isDiscarded = true)});
	}

	/** Bytes arrive. */
	send(data: string | Uint8Array): void {
		this.#chunks.push(Buffer.from(data));
		this.#wake();
	}

	end(): void {
		this.#end = 'whole';
		this.#wake();
	}

	/** The connection breaks. */
	fail(reason: Error): void {
		this.#end = reason;
		this.#wake();
	}

	/** Headers, all of `data` and the end at once. */
	answer(data: string | Uint8Array): void {
		this.begin(Buffer.byteLength(data));
		this.send(data);
		this.end();
	}

	async *#arrive(): AsyncGenerator<Uint8Array> {
		for (;;) {
			this.signal.throwIfAborted();
			const chunk = this.#chunks.shift();
			if (chunk !== undefined) yield chunk;
			else if (this.#end === 'whole') return;
			else if (this.#end !== 'open') throw this.#end;
			else await new Promise<void>(resolve => (this.#wake = resolve));
		}
	}
}

/** A source whose bodies arrive as the test lets them. */
export class HandSource implements Source {
	/** In the order in which they were asked for. */
	readonly bodies: HandBody[] = [];
	isClosed = false;
	#waiting: Array<() => void> = [];

	fetch(url: string, signal: AbortSignal, onRetry?: () => void): Promise<SourceBody> {
		return new Promise((resolve, reject) => {
			this.bodies.push(new HandBody(url, signal, resolve, reject, onRetry));
			for (const wake of this.#waiting.splice(0)) wake();
		});
	}

	close(): void {
		this.isClosed = true;
	}

	/** The body that was asked for as the `count`th, once it was. */
	async body(count = 1): Promise<HandBody> {
		for (;;) {
			const body = this.bodies[count - 1];
			if (body !== undefined) return body;
			await new Promise<void>(resolve => this.#waiting.push(resolve));
		}
	}
}
