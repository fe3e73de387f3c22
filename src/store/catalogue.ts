import {hasCode, messageOf} from '../base/errors.js';
import type {Log} from '../base/log.js';
import {isAlive} from '../base/process-identity.js';
import {isBusy} from '../sqlite/retry.js';
import type {Alias} from './aliases.js';
import {isUseless, openCatalogue} from './catalogue-file.js';
import {
	CatalogueReader,
	type FillRow,
	type Placed,
	type ProcessRow,
	type Totals,
	type Usage,
	type WrittenBatch,
} from './catalogue-reader.js';
import {toRow} from './catalogue-row.js';
import type {ServerEvent} from './catalogue-server.js';
import {CatalogueThread} from './catalogue-thread.js';
import {parseIdentity, type Claim, type Scanned} from './catalogue-writer.js';
import type {Entry} from './entry.js';
import {keyOf, type Key} from './key.js';
import type {Layout} from './layout.js';
import {renderLimits, type Limits} from './limits.js';
import {Pending} from './pending.js';
import {POLICIES, type PolicyName, type Use} from './policies.js';

export type {Totals, Usage};

/** A change is written so soon, together with what else has changed by then. */
const WRITE_AFTER_MS = 20;
/** An access is; what a killed process takes with it is as much. */
const TOUCH_AFTER_MS = 1000;
/** After a failure. */
const RETRY_AFTER_MS = 1000;
/** Changes that are not waited with any longer. */
const FULL = 500;
/** What another process has said of the limits is heard so soon. */
const LIMITS_AGE_MS = 500;
/** Who closes does not wait longer for another process that writes: the directory can be read again. */
const CLOSE_PATIENCE_MS = 3000;
/** What is written may turn out to be otherwise by now, and be written again. */
const MAX_ROUNDS = 3;

const NOTHING: Usage = {entries: 0, sizeBytes: 0, allocatedBytes: 0, pinnedBytes: 0, heldByOthers: 0, batch: 0};

/**
 * An index over the sidecars: what is there, what it comes to, and what leaves
 * first. The sidecars are the truth; a catalogue that is lost is read from them
 * again. All that have the directory open share it.
 *
 * Every call is at once and O(1) in the number of entries, but for the
 * iterations: reads go to SQLite and never wait for a lock; what is noted is
 * seen from then on here, and written soon by a thread of its own.
 */
export class Catalogue {
	readonly #layout: Layout;
	readonly #log: Log;
	readonly #thread: CatalogueThread;
	#reader: CatalogueReader;
	/** Which files the reader has open: a `catalogueIdentity`. */
	#identity: string;
	/** The row of this process, once it has one. */
	#process = 0;
	/** Noted, and not on its way yet. */
	#queued = new Pending();
	/** On its way. */
	#flying: Pending | undefined;
	#timer: NodeJS.Timeout | undefined;
	#timerEndsAt = Infinity;
	#writing: Promise<void> | undefined;
	#heldBytes = 0;
	/** The number of the batch that was sent last. */
	#batch = 0;
	#usage = NOTHING;
	#limits: {readonly said: Partial<Limits>; readonly at: number} = {said: {}, at: -Infinity};
	#saying: Promise<void> = Promise.resolve();
	#aliases: Promise<void> = Promise.resolve();
	#isRenewing = false;
	#scans = 0;
	#hasFailed = false;
	#isClosed = false;

	/**
	 * Opens the catalogue of a directory, and makes it where there is none.
	 *
	 * @throws the system's error where that cannot be.
	 */
	constructor(layout: Layout, log: Log) {
		this.#layout = layout;
		this.#log = log;
		const {database, identity, wasLost} = openCatalogue(layout, {isReading: true});
		[this.#reader, this.#identity] = [new CatalogueReader(database), identity];
		if (wasLost !== undefined) this.#sayLost(wasLost);
		this.#thread = new CatalogueThread(
			layout,
			event => this.#hear(event),
			() => this.#identity,
		);
	}

	/** Called with keys whose files were found to be others than was noted. */
	onOtherwise: (keys: readonly Key[]) => void = () => undefined;
	/** Called with what a scan brings. */
	onFound: (found: Scanned) => void = () => undefined;
	/** Called when the catalogue was lost: the directory must be read. */
	onLost: () => void = () => undefined;

	get totals(): Totals {
		const {entries, sizeBytes, allocatedBytes} = this.usage;
		return {entries, sizeBytes, allocatedBytes};
	}

	get usage(): Usage {
		if (this.#pending().some(({isDoubtful}) => isDoubtful)) {
			const usage = this.#ask(reader => reader.atOnce(() => this.#usageByRows(reader)));
			if (usage !== undefined) return usage;
		}

		this.#usage = this.#ask(reader => reader.usage(this.#process)) ?? this.#usage;
		return this.#lackedBy(this.#usage).reduce((sums, pending) => pending.addedTo(sums), this.#usage);
	}

	get(key: Key): Entry | undefined {
		for (const pending of this.#pending()) {
			if (pending.changes.has(key)) return pending.changes.get(key);
		}

		return this.#ask(reader => reader.entry(key));
	}

	/** How an entry has been used; undefined for what is not there. */
	use(key: Key): Use | undefined {
		const entry = this.get(key);
		if (entry === undefined) return undefined;
		const written = this.#ask(reader => reader.use(key, this.#process));
		let {accessed_at = 0, accesses = 0} = written ?? {};
		for (const {forgotten, touches} of this.#lackedBy(written)) {
			if (forgotten.has(key)) [accessed_at, accesses] = [0, 0];
			const {atMs, times} = touches.get(key) ?? {atMs: 0, times: 0};
			[accessed_at, accesses] = [Math.max(accessed_at, atMs), accesses + times];
		}

		return {stored_at: entry.storedAtMs, accessed_at: Math.max(accessed_at, entry.sidecar.ts * 1000), accesses};
	}

	/** Notes an entry that is new or another one. */
	set(entry: Entry): void {
		this.#queued.note(entry.key, this.get(entry.key), entry);
		this.#write(WRITE_AFTER_MS);
	}

	delete(key: Key): void {
		this.#queued.note(key, this.get(key), undefined);
		this.#write(WRITE_AFTER_MS);
	}

	/** Notes an access. */
	touch(key: Key, nowMs: number): void {
		this.#queued.touch(key, nowMs);
		this.#write(TOUCH_AFTER_MS);
	}

	/** Tells the other processes what this one holds on the disk beside the entries. */
	hold(bytes: number): void {
		this.#heldBytes = bytes;
		this.#queued.isHeldNew = true;
		this.#write(WRITE_AFTER_MS);
	}

	/** Each entry, in no order that matters. Entries may come and go meanwhile. */
	*entries(): Generator<Entry> {
		const pending = this.#pending();
		for (const entry of this.#each(reader => reader.entries())) {
			if (!pending.some(({changes}) => changes.size > 0 && changes.has(entry.key))) yield entry;
		}

		const seen = new Set<Key>();
		for (const {changes} of pending) {
			for (const [key, entry] of changes) {
				if (entry !== undefined && !seen.has(key)) yield entry;
				seen.add(key);
			}
		}
	}

	/** The entries that may leave, that which should leave first at the front. Entries may come and go meanwhile. */
	*leaving(policy: PolicyName): Generator<Placed> {
		const order = POLICIES[policy]?.order;
		if (order === undefined) return;
		const compare = (a: Use, b: Use) => order.reduce((sign, column) => sign || a[column] - b[column], 0);
		const recent = this.#recent().sort((a, b) => compare(a.use, b.use));
		const isRecent = new Set(recent.map(({entry}) => entry.key));
		for (const {changes} of this.#pending()) for (const key of changes.keys()) isRecent.add(key);

		for (const placed of this.#each(reader => reader.leaving(policy))) {
			if (isRecent.has(placed.entry.key)) continue;
			while (recent[0] !== undefined && compare(recent[0].use, placed.use) < 0) yield recent.shift() as Placed;
			yield placed;
		}

		yield* recent;
	}

	/** What has been said of the limits, by whomever. */
	limits(): Partial<Limits> {
		if (performance.now() - this.#limits.at > LIMITS_AGE_MS) {
			const said = this.#ask(reader => reader.limits()) ?? this.#limits.said;
			this.#limits = {said, at: performance.now()};
		}

		return this.#limits.said;
	}

	/** Says what the directory may hold: to all that have it open, and that open it later. */
	async setLimits(limits: Partial<Limits>): Promise<void> {
		// Nothing else is heard until it is written.
		this.#limits = {said: {...this.limits(), ...limits}, at: Infinity};
		const saying = this.#thread.call('setLimits', renderLimits(limits)).catch((error: unknown) => {
			this.#log.warn('the limits could not be written into the catalogue', {reason: messageOf(error)});
		});
		this.#saying = saying;
		await saying;
		if (this.#saying === saying) this.#limits = {...this.#limits, at: -Infinity};
	}

	/** The other processes that have the directory open. */
	others(): ProcessRow[] {
		return this.#livingOthers(reader => reader.processes());
	}

	/** The other processes that have the directory open and have said this limit. */
	speakers(name: keyof Limits): ProcessRow[] {
		return this.#livingOthers(reader => reader.speakers(name));
	}

	/** Makes this process one of those that the others see. */
	async register(): Promise<void> {
		this.#process = await this.#thread.call('open');
	}

	/** Compares the catalogue with the directory; `onFound` tells what that brings. */
	async scan(isWatching: boolean): Promise<void> {
		this.#scans++;
		this.#doubt();
		try {
			await this.#thread.call('scan', isWatching);
		} finally {
			this.#scans--;
		}
	}

	/** Makes it anew and empty, unless that has been done since it was opened here. */
	renew(reason: string): Promise<void> {
		return this.#thread.call('renew', this.#identity, reason);
	}

	/** Makes the sums those of the rows. */
	recount(): Promise<void> {
		return this.#thread.call('recount');
	}

	/** Asks to be the one process that fetches a key. */
	claim(key: Key): Promise<Claim> {
		return this.#thread.call('claim', key);
	}

	/** Tells the followers of a fill how it stands, or of several that they go on. */
	async tell(keys: readonly Key[], progress?: string): Promise<void> {
		await this.#thread.call('tell', keys, progress).catch(() => undefined);
	}

	async release(key: Key): Promise<void> {
		await this.#thread.call('release', key).catch(() => undefined);
	}

	/** What a key stands for. */
	alias(key: Key): Alias | undefined {
		return this.#ask(reader => reader.alias(key));
	}

	/** Resolves once it is written, or cannot be: then it is learned again. */
	setAlias(key: Key, {url, untilMs}: Alias): Promise<void> {
		return this.#writeAlias(this.#thread.call('setAlias', key, url, keyOf(url), untilMs));
	}

	/** Forgets what a key stands for, and what stands for it. */
	removeAliases(key: Key): Promise<void> {
		return this.#writeAlias(this.#thread.call('removeAliases', key));
	}

	/** The fill of a key that some process has said to be at. */
	fill(key: Key): FillRow | undefined {
		return this.#ask(reader => reader.fill(key));
	}

	/** Keys of the entries whose data was written within a time, epoch milliseconds. */
	writtenBetween(afterMs: number, beforeMs: number): Promise<Key[]> {
		return this.#thread.call('writtenBetween', afterMs, beforeMs);
	}

	/** Resolves once all that was noted by now is written, or cannot be for the moment. */
	async flush(): Promise<void> {
		await this.#saying;
		await this.#aliases;
		await this.#writing;
		for (let round = 0; round < MAX_ROUNDS && !this.#queued.isEmpty; round++) await this.#writeNow();
	}

	/** Writes what was noted, unless another process stands in the way for longer. */
	async close(): Promise<void> {
		this.#isClosed = true;
		clearTimeout(this.#timer);
		const late = new Promise<void>(resolve => setTimeout(resolve, CLOSE_PATIENCE_MS).unref());
		await Promise.race([this.flush(), late]);
		this.#reader.database.close();
		await this.#thread.close(this.#queued.isEmpty && this.#flying === undefined ? CLOSE_PATIENCE_MS : 0);
	}

	#writeAlias(written: Promise<void>): Promise<void> {
		const settled = written.catch((error: unknown) => {
			this.#log.debug('where a URL has moved was not written', {reason: messageOf(error)});
		});
		// The thread does one after the other: the last is done when all are.
		this.#aliases = settled;
		return settled;
	}

	#livingOthers(question: (reader: CatalogueReader) => ProcessRow[]): ProcessRow[] {
		const processes = this.#ask(question) ?? [];
		return processes.filter(({id, identity}) => id !== this.#process && isAlive(parseIdentity(identity)));
	}

	/** What is not written yet, the newest first. */
	#pending(): Pending[] {
		return this.#flying === undefined ? [this.#queued] : [this.#queued, this.#flying];
	}

	/** The unpinned entries that have been changed or accessed and that SQLite does not have so yet. */
	#recent(): Placed[] {
		const keys = new Set(this.#pending().flatMap(({changes, touches}) => [...changes.keys(), ...touches.keys()]));
		return [...keys].flatMap(key => {
			const entry = this.get(key);
			const use = this.use(key);
			return entry === undefined || use === undefined || entry.sidecar.pinned ? [] : {entry, use};
		});
	}

	/** What an answer of SQLite does not have in it yet, the oldest first: what is on its way may be written already. */
	#lackedBy(answer: WrittenBatch | undefined): Pending[] {
		const isWritten = answer?.batch === this.#batch;
		return this.#flying === undefined || isWritten ? [this.#queued] : [this.#flying, this.#queued];
	}

	/** The sums with what is not written yet, each key of it held against its row. O(what is not written yet). */
	#usageByRows(reader: CatalogueReader): Usage {
		const usage = (this.#usage = reader.usage(this.#process));
		const newest = new Pending();
		for (const {changes} of this.#lackedBy(usage).reverse()) {
			for (const [key, entry] of changes) {
				if (!newest.changes.has(key)) newest.note(key, reader.counted(key), entry);
			}
		}

		return newest.addedTo(usage);
	}

	/** Rows come or go otherwise than as it was noted. */
	#doubt(): void {
		for (const pending of this.#pending()) pending.isDoubtful = true;
	}

	#write(afterMs: number): void {
		const now = performance.now();
		const endsAt = this.#queued.size > FULL ? now : now + afterMs;
		if (this.#isClosed || this.#writing !== undefined || endsAt >= this.#timerEndsAt) return;
		clearTimeout(this.#timer);
		this.#timerEndsAt = endsAt;
		this.#timer = setTimeout(() => void this.#writeNow(), endsAt - now).unref();
	}

	get #pauseMs(): number {
		if (this.#hasFailed) return RETRY_AFTER_MS;
		return this.#queued.isUrgent ? WRITE_AFTER_MS : TOUCH_AFTER_MS;
	}

	#writeNow(): Promise<void> {
		clearTimeout(this.#timer);
		this.#timerEndsAt = Infinity;
		this.#writing ??= this.#send().finally(() => {
			this.#writing = undefined;
			if (!this.#queued.isEmpty) this.#write(this.#pauseMs);
		});
		return this.#writing;
	}

	async #send(): Promise<void> {
		const flying = this.#queued;
		this.#flying = flying;
		this.#queued = new Pending();
		this.#queued.isDoubtful = this.#scans > 0;
		this.#batch++;
		try {
			if (this.#process === 0) await this.register();
			const otherwise = await this.#thread.call('apply', {
				forgotten: [...flying.forgotten],
				changes: [...flying.changes].map(([key, entry]) => [key, entry === undefined ? null : toRow(entry)] as const),
				touches: [...flying.touches].map(([key, {atMs, times}]) => [key, atMs, times] as const),
				heldBytes: this.#heldBytes,
				number: this.#batch,
			});
			this.#flying = undefined;
			this.#hasFailed = false;
			if (otherwise.length > 0) this.onOtherwise(otherwise);
		} catch (error) {
			// The thread may have died after it was written.
			const isWritten = this.#ask(reader => reader.usage(this.#process))?.batch === this.#batch;
			if (!isWritten) this.#queued.putBefore(flying);
			this.#flying = undefined;
			if (isWritten) {
				this.onOtherwise([...flying.changes.keys()]);
				return;
			}

			if (!this.#hasFailed) this.#log.warn('the catalogue cannot be written for now', {reason: messageOf(error)});
			this.#hasFailed = true;
		}
	}

	#hear(event: ServerEvent): void {
		if (this.#isClosed) return;
		if (event.kind === 'scanned') {
			this.onFound(event.part);
			return;
		}

		this.#sayLost(event.reason);
		this.#process = event.process;
		this.#isRenewing = false;
		this.#readAnew();
	}

	/** Reads the catalogue that is there now. */
	#readAnew(): void {
		if (this.#isClosed) return;
		const old = this.#reader;
		try {
			const {database, identity} = openCatalogue(this.#layout, {isReading: true});
			[this.#reader, this.#identity] = [new CatalogueReader(database), identity];
		} catch (error) {
			this.#log.error('the catalogue that was made anew cannot be read for now', {reason: messageOf(error)});
			setTimeout(() => this.#readAnew(), RETRY_AFTER_MS).unref();
			return;
		}

		old.database.close();
		this.#doubt();
		this.onLost();
	}

	#sayLost(reason: string): void {
		this.#log.warn('the catalogue was lost and is made anew from the directory; access counts begin again', {reason});
	}

	/** Undefined where SQLite has no answer now: who asks has the directory to look at. */
	#ask<T>(question: (reader: CatalogueReader) => T): T | undefined {
		try {
			return question(this.#reader);
		} catch (error) {
			this.#excuse(error);
			return undefined;
		}
	}

	*#each<T>(question: (reader: CatalogueReader) => Iterable<T>): Generator<T> {
		const reader = this.#reader;
		try {
			for (const item of question(reader)) {
				yield item;
				// Another catalogue may be there by now, and this one closed.
				if (this.#reader !== reader || this.#isClosed) return;
			}
		} catch (error) {
			this.#excuse(error);
		}
	}

	/** @throws what is neither a lock nor damage. */
	#excuse(error: unknown): void {
		if (isBusy(error) || this.#isClosed) return;
		if (!isUseless(error) && !hasCode(error, 'corrupt-entry')) throw error;
		if (this.#isRenewing) return;
		this.#isRenewing = true;
		this.#thread.call('renew', this.#identity, messageOf(error)).catch((reason: unknown) => {
			this.#isRenewing = false;
			this.#log.error('the catalogue cannot be made anew', {reason: messageOf(reason)});
		});
	}
}
