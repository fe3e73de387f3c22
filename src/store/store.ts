import {closeSync, constants, fstatSync, openSync} from 'node:fs';
import {statfs} from 'node:fs/promises';
import type {Clock} from '../base/clock.js';
import {CacheError, messageOf, systemCode} from '../base/errors.js';
import {KeyedMutex} from '../base/keyed-mutex.js';
import type {Log} from '../base/log.js';
import {redact} from '../base/redact.js';
import {Budget} from './budget.js';
import type {Catalogue, Totals} from './catalogue.js';
import {Draft, retryOnFullDisk} from './draft.js';
import {sameFile, type Entry} from './entry.js';
import {assertLocal} from './file-system.js';
import type {Key} from './key.js';
import {Layout} from './layout.js';
import {OpenFile} from './open-file.js';
import type {Pin} from './pin.js';
import {Pinned} from './pinned.js';
import {publish, unpublish} from './publish.js';
import {quarantine} from './quarantine.js';
import {Recency} from './recency.js';
import {Reconciler} from './reconciler.js';
import type {OriginFacts} from './sidecar.js';

export interface StoreOptions {
	/** Absolute path. */
	readonly directory: string;
	readonly limitBytes: number;
	readonly clock: Clock;
	readonly log: Log;
}

/** What is said of an entry when it is stored. */
export interface Description {
	readonly url: string;
	readonly mimetype: string;
	readonly filename: string;
	readonly origin?: OriginFacts;
}

export interface FreeSpace {
	readonly limitBytes: number;
	/** What could be stored now: the budget less what is open, capped by the disk. */
	readonly freeBytes: number;
}

/** How long files that could not be removed are left alone. */
const RETRY_REMOVAL_MS = 60_000;

/**
 * Entries in a directory, kept within a budget. Answers at once by key; `load`
 * finds out what else is there. The sidecars are the truth, the catalogue an
 * index over them.
 */
export class Store {
	readonly #layout: Layout;
	readonly #budget: Budget;
	readonly #pinned: Pinned;
	readonly #recency: Recency;
	readonly #reconciler: Reconciler;
	readonly #locks = new KeyedMutex<Key>();
	readonly #clock: Clock;
	readonly #log: Log;
	/** Entries that could not be removed, and when to try again. They stay counted. */
	readonly #unremovable = new Map<Key, number>();
	#evicted = 0;

	/**
	 * Creates the directory if it is missing.
	 *
	 * @throws CacheError `unsupported` where a store cannot be; the system's error
	 *   where the directory cannot be made.
	 */
	constructor(
		options: StoreOptions,
		private readonly catalogue: Catalogue,
	) {
		this.#layout = new Layout(options.directory);
		this.#layout.create();
		assertLocal(options.directory);
		this.#clock = options.clock;
		this.#log = options.log;
		this.#budget = new Budget(options.limitBytes, catalogue, () => this.#evictNext());
		this.#pinned = new Pinned(this.#budget);
		this.#recency = new Recency(this.#layout, catalogue, this.#locks, options.clock);
		this.#reconciler = new Reconciler(this.#layout, catalogue, this.#locks, options, {
			onGone: key => this.#forget(key),
			onChanged: () => void this.#budget.keep(),
		});
	}

	/** Called with each entry that has gone or has been replaced, by whomever. */
	onGone: (entry: Entry) => void = () => undefined;

	/** Finds what is in the directory, watches it from now on, and evicts what is over the budget. Runs once. */
	async load(): Promise<void> {
		await this.#reconciler.load();
		await this.#budget.keep();
	}

	/** What is there under `key`, also if another program has just put it there. */
	lookup(key: Key): Entry | undefined {
		return this.catalogue.get(key) ?? this.#reconciler.check(key);
	}

	/** Opens the entry and counts an access; undefined when there is none. */
	async pin(key: Key): Promise<Pin | undefined> {
		const pin = this.#pinNow(key);
		if (pin !== undefined) return pin;
		// It may be in the middle of a replacement.
		await this.#locks.idle(key);
		return this.#pinNow(key);
	}

	/** Starts an entry that replaces what is there when it is committed. */
	draft(key: Key): Promise<Draft> {
		return Draft.create(this.#layout, key, this.#budget);
	}

	/**
	 * Makes `draft` the entry of its key; it is opened, as its writer may be read from.
	 *
	 * @param durable - it survives a power cut: for what cannot be fetched again.
	 * @throws CacheError `no-space`; the draft is then as it was.
	 */
	async commit(draft: Draft, description: Description, {durable = false} = {}): Promise<Pin> {
		const {key} = draft;
		const nowSeconds = this.#clock.now() / 1000;
		const {url, mimetype, filename, origin = {}} = description;
		const sidecar = {
			...{url, mimetype, filename, size: draft.sizeBytes, ts: nowSeconds},
			...{stored: nowSeconds, origin, others: {}},
		};
		const pin = await this.#locks.run(key, async () => {
			const write = () => publish(this.#layout, draft, sidecar, durable);
			const entry = await this.#orAsItIs(key, () =>
				retryOnFullDisk(this.#budget, 1, () => this.#inClearPlace(key, write)),
			);
			// A reader may have found the new entry before this one has.
			if (!this.#isOf(entry)) this.#forget(key);
			this.catalogue.set(entry);
			this.catalogue.touch(key, this.#clock.now());
			draft.settle();
			return this.#pinned.pin(entry, draft.file);
		});
		// How many blocks it takes only the disk knows.
		await this.#budget.keep();
		return pin;
	}

	/**
	 * Removes an entry. Who has it open keeps it.
	 *
	 * @returns whether there was one.
	 * @throws CacheError `not-permitted` when its files cannot be removed.
	 */
	remove(key: Key): Promise<boolean> {
		return this.#locks.run(key, async () => {
			const entry = this.lookup(key);
			if (entry === undefined) return false;
			try {
				await unpublish(this.#layout, key);
			} catch (cause) {
				const url = redact(entry.sidecar.url);
				throw new CacheError('not-permitted', `${url} cannot be removed: ${messageOf(cause)}`, {cause});
			}

			this.#forget(key);
			return true;
		});
	}

	/** Each entry known by now, in no order that matters. */
	entries(): Iterable<Entry> {
		return this.catalogue.inOrderOfLeaving();
	}

	/** Counts an access that needed no file. */
	touch(key: Key): void {
		const entry = this.catalogue.get(key);
		if (entry !== undefined) this.#recency.touch(entry);
	}

	/** When an entry was last opened, epoch milliseconds. */
	accessedAtMs(key: Key): number {
		return this.catalogue.accessedAtMs(key);
	}

	async freeSpace(): Promise<FreeSpace> {
		const {bavail, bsize} = await statfs(this.#layout.root);
		const {limitBytes, usedBytes} = this.#budget;
		const evictableBytes = this.catalogue.totals.allocatedBytes - this.#pinned.allocatedBytes;
		const freeBytes = evictableBytes + Math.min(limitBytes - usedBytes, bavail * bsize);
		return {limitBytes, freeBytes: Math.max(0, freeBytes)};
	}

	/** What counts against the limit: entries, drafts, and what was removed while it was open. */
	get usedBytes(): number {
		return this.#budget.usedBytes;
	}

	/** Entries that have left for want of room, since the start. */
	get evicted(): number {
		return this.#evicted;
	}

	get totals(): Totals {
		return this.catalogue.totals;
	}

	get limitBytes(): number {
		return this.#budget.limitBytes;
	}

	/** Changes the budget; what is over it is evicted. */
	setLimit(limitBytes: number): Promise<void> {
		this.#budget.limitBytes = limitBytes;
		return this.#budget.keep();
	}

	/** Lets go of the directory: afterwards nothing is removed or written there that nobody asks for. */
	async close(): Promise<void> {
		this.#reconciler.close();
		await this.#recency.close();
		await this.#budget.close();
	}

	#pinNow(key: Key): Pin | undefined {
		const entry = this.lookup(key);
		const opened = entry && (this.#open(entry) ?? this.#open(this.#reconciler.check(key)));
		if (opened === undefined) return undefined;
		this.#recency.touch(opened.entry);
		return this.#pinned.pin(opened.entry, new OpenFile(opened.fd));
	}

	/** Undefined when the file is not the one that the entry was made of. */
	#open(entry: Entry | undefined): {entry: Entry; fd: number} | undefined {
		if (entry === undefined) return undefined;
		let fd: number;
		try {
			fd = openSync(this.#layout.data(entry.key), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
		} catch {
			return undefined;
		}

		if (sameFile(fstatSync(fd, {bigint: true}), entry.data)) return {entry, fd};
		closeSync(fd);
		return undefined;
	}

	/** Whether the catalogue has an entry of the same data file. */
	#isOf({key, data}: Entry): boolean {
		const known = this.catalogue.get(key);
		return known !== undefined && sameFile(known.data, data);
	}

	/** Runs `write`; where it fails, the catalogue says what it has left. */
	async #orAsItIs<T>(key: Key, write: () => Promise<T>): Promise<T> {
		try {
			return await write();
		} catch (error) {
			this.#reconciler.check(key);
			throw error;
		}
	}

	/** Runs `write`; if something that is no file of ours is in the way, it is moved away first. */
	async #inClearPlace<T>(key: Key, write: () => Promise<T>): Promise<T> {
		try {
			return await write();
		} catch (error) {
			if (!['EISDIR', 'ENOTEMPTY', 'EPERM'].includes(systemCode(error) ?? '')) throw error;
			await quarantine(this.#layout, [`${key}.json`, `${key}.dat`], this.#clock.now(), this.#log);
			return write();
		}
	}

	async #evictNext(): Promise<boolean> {
		const nowMs = this.#clock.now();
		for (const {key, sidecar} of this.catalogue.inOrderOfLeaving()) {
			// A busy one may be waiting for this very eviction.
			if (this.#pinned.has(key) || this.#locks.isBusy(key)) continue;
			if ((this.#unremovable.get(key) ?? 0) > nowMs) continue;
			try {
				if (!(await this.remove(key))) continue;
				this.#unremovable.delete(key);
				this.#evicted++;
				this.#log.debug('evicted', {url: redact(sidecar.url)});
				return true;
			} catch (error) {
				this.#unremovable.set(key, nowMs + RETRY_REMOVAL_MS);
				this.#log.warn(messageOf(error));
			}
		}

		return false;
	}

	#forget(key: Key): void {
		const entry = this.catalogue.get(key);
		if (entry === undefined) return;
		this.catalogue.delete(key);
		this.#pinned.detach(key);
		this.onGone(entry);
	}
}
