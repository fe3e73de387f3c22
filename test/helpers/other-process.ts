/**
 * A program that does what the process that forked it says, until it is killed
 * or left: `fork('other-process.js')`.
 *
 * @see forked-process.ts, its other end
 */
import {NO_LOG} from '../../src/base/log.js';
import type {Range} from '../../src/base/range-set.js';
import {FileLock} from '../../src/sqlite/file-lock.js';
import {migrate} from '../../src/sqlite/migrate.js';
import {openDatabase} from '../../src/sqlite/open.js';
import {Catalogue} from '../../src/store/catalogue.js';
import {keyOf} from '../../src/store/key.js';
import {KeyLocks} from '../../src/store/key-locks.js';
import {Layout} from '../../src/store/layout.js';
import type {Limits} from '../../src/store/limits.js';
import {Store, type Annotation} from '../../src/store/store.js';
import {begin, hasBytes, keepGoingOn} from './begun.js';
import {get, put, TestClock} from './cache.js';
import {doAsTold} from './do-as-told.js';
import {makeEntry, type MadeEntry} from './made-entry.js';

let locks: KeyLocks | undefined;
let store: Store | undefined;
let catalogue: Catalogue | undefined;
const fileLocks = new Map<string, FileLock>();
let clock = new TestClock();

const commands = {
	tryLock(file: string) {
		const lock = fileLocks.get(file) ?? new FileLock(file);
		fileLocks.set(file, lock);
		return lock.tryLock();
	},
	unlock: (file: string) => fileLocks.get(file)?.unlock(),
	/** Whether the key's lock was to be had. It is kept. */
	async holdKey(directory: string, key: string) {
		locks ??= new KeyLocks(directory);
		return new Promise<boolean>(resolve => {
			const held = locks?.tryRun(key, () => {
				resolve(true);
				return new Promise(() => undefined);
			});
			if (held === undefined) resolve(false);
		});
	},
	/** When all that was told to do so does it, that is at `atMs`. */
	migrateAt(file: string, steps: readonly string[], atMs: number) {
		while (Date.now() < atMs);
		const database = openDatabase(file, {timeoutMs: 5000});
		migrate(database, steps);
		database.close();
	},
	openCatalogue(root: string) {
		catalogue = new Catalogue(new Layout(root), NO_LOG);
	},
	async note(entries: readonly MadeEntry[]) {
		for (const entry of entries) catalogue?.set(makeEntry(entry));
		await catalogue?.flush();
	},
	openStore(directory: string, limits: Partial<Limits>, aheadMs: number) {
		clock = new TestClock();
		clock.advance(aheadMs);
		store = new Store({directory, limits, clock, log: NO_LOG});
		return store.limits.maxBytes;
	},
	load: () => store?.load(),
	advance: (ms: number) => clock.advance(ms),
	put: (url: string, body: string) => store && put(store, url, body),
	get: (url: string) => store && get(store, url),
	/** Begins to bring a URL, and is at it from then on. */
	async begin(url: string, lengthBytes: number, ranges: readonly Range[]) {
		if (store !== undefined) await begin(store, url, lengthBytes, ranges);
	},
	/** Begins, keeps what there is and goes on with it, again and again until it is killed. */
	async beginOverAndOver(url: string, lengthBytes: number) {
		if (store === undefined) return;
		await begin(store, url, lengthBytes, [{start: 0, end: 1}]).then(draft => draft.keep());
		void keepGoingOn(store, url, lengthBytes);
	},
	/** What is there of what was begun, with the right bytes; it is at it from then on. */
	async resume(url: string) {
		const taken = await store?.resume(keyOf(url));
		if (taken === undefined) return undefined;
		if (!(await hasBytes(taken.draft.file, url, taken.ranges))) throw new Error('these are other bytes');
		return [...taken.ranges];
	},
	remove: (url: string) => store?.remove(keyOf(url)),
	annotate: (url: string, annotation: Annotation) => store?.annotate(keyOf(url), annotation),
	setLimits: (limits: Partial<Limits>) => store?.setLimits(limits),
	maxBytes: () => store?.limits.maxBytes,
	totals: () => store?.totals,
	evicted: () => store?.evicted,
	flush: () => store?.flush(),
	close: () => store?.close(),
};

export type Commands = typeof commands;

doAsTold(commands);
