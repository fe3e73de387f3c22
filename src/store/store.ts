import {closeSync, constants, fstatSync, lstatSync, openSync, statfsSync} from 'node:fs';
import {statfs} from 'node:fs/promises';
import type {Clock} from '../base/clock.js';
import {CacheError, messageOf, systemCode} from '../base/errors.js';
import type {Log} from '../base/log.js';
import {bootedAtMs, bootId} from '../base/process-identity.js';
import {redact} from '../base/redact.js';
import {Aliases} from './aliases.js';
import {Budget} from './budget.js';
import type {Catalogue, Totals, Usage} from './catalogue.js';
import {Draft} from './draft.js';
import {identityOf, writtenAtMs, type Entry} from './entry.js';
import {Evictor} from './evictor.js';
import {FillOwners} from './fill-owners.js';
import {retryOnFullDisk} from './full-disk.js';
import {inspect} from './inspect.js';
import type {HttpFacts} from './http-facts.js';
import type {Key} from './key.js';
import type {KeyLocks} from './key-locks.js';
import type {Layout} from './layout.js';
import {conflicts, describeLimit, NO_LIMITS, type Limits, type Reason} from './limits.js';
import {OpenFile} from './open-file.js';
import type {PartialFacts} from './partial-facts.js';
import {Partials, type KeptPartial, type Taken} from './partials.js';
import type {Pin} from './pin.js';
import {Pinned} from './pinned.js';
import {publish, unpublish} from './publish.js';
import {quarantine} from './quarantine.js';
import {Recency} from './recency.js';
import {Reconciler} from './reconciler.js';
import {rewriteSidecar} from './rewrite.js';
import {openShared, type Shared} from './shared.js';
import type {OriginFacts, Sidecar} from './sidecar.js';
import {Synced} from './synced.js';
import {Verification, type VerifyOptions} from './verify.js';

export interface StoreOptions {
	/** Absolute path. */
	readonly directory: string;
	/** What the directory may hold, said for all that have it open. What is left out is kept to as others have said it. */
	readonly limits?: Partial<Limits>;
	/** Said as well, unless a process that has the directory open has said otherwise. */
	readonly preferred?: Partial<Limits>;
	/** What is kept to where nobody has said anything. */
	readonly defaults?: Partial<Limits>;
	readonly clock: Clock;
	readonly log: Log;
	/** What tells whether files were written before the machine was started: its id of this boot. */
	readonly bootId?: string;
}

/** What is said of an entry when it is stored. */
export interface Description {
	readonly url: string;
	readonly mimetype: string;
	readonly filename: string;
	readonly origin?: OriginFacts;
	/** What was said of how long it may be used. */
	readonly http?: HttpFacts | undefined;
	/** Written by hand, and not fetched. */
	readonly isPut?: boolean;
}

export interface FreeSpace {
	readonly limitBytes: number;
	/** What could be stored now: the budget less what is open, capped by the disk. */
	readonly freeBytes: number;
}

/** What a user says of an entry. */
export interface Annotation {
	/** Never evicted for want of room or age. */
	readonly pinned?: boolean;
	readonly addTags?: readonly string[];
	readonly removeTags?: readonly string[];
}

/**
 * Entries in a directory, kept within a budget. Answers at once by key; `load`
 * finds out what else is there. The sidecars are the truth, the catalogue an
 * index over them.
 */
export class Store {
	/** Which process fetches what. */
	readonly fills: FillOwners;
	/** URLs that stand for others. */
	readonly aliases: Aliases;
	readonly #shared: Shared;
	readonly #layout: Layout;
	readonly #catalogue: Catalogue;
	readonly #budget: Budget;
	readonly #evictor: Evictor;
	readonly #pinned: Pinned;
	readonly #partials: Partials;
	readonly #recency: Recency;
	readonly #reconciler: Reconciler;
	readonly #locks: KeyLocks;
	readonly #synced: Synced;
	readonly #defaults: Limits;
	readonly #clock: Clock;
	readonly #log: Log;
	/** New entries on their way. */
	#arriving = 0;
	#closing: Promise<void> | undefined;

	/**
	 * Creates the directory if it is missing.
	 *
	 * @throws CacheError `unsupported` where a store cannot be; `not-permitted`
	 *   where another process keeps it within other limits; the system's error
	 *   where the directory cannot be made.
	 */
	constructor(options: StoreOptions) {
		const {directory, limits = {}, preferred = {}, defaults = {}, clock, log} = options;
		const shared = openShared(directory, log);
		this.#shared = shared;
		this.#layout = shared.layout;
		this.#catalogue = shared.catalogue;
		this.#locks = shared.locks;
		this.aliases = new Aliases(shared.catalogue);
		this.#clock = clock;
		this.#log = log;
		this.#defaults = {...NO_LIMITS, ...defaults};
		try {
			this.#say(limits, preferred);
		} catch (error) {
			void shared.close();
			throw error;
		}

		this.#synced = new Synced({
			...{file: this.#layout.synced, directory, clock, log},
			...{bootId: options.bootId ?? bootId(), bootedAtMs: bootedAtMs()},
		});
		this.#evictor = new Evictor({
			...{catalogue: this.#catalogue, clock, log},
			limits: () => this.limits,
			isOpen: key => this.#pinned.mustStay(key),
			tryRemove: key => this.#locks.tryRun(key, () => this.#remove(key)),
			dropAgedPartials: () => this.#partials.dropAged(clock.now()),
		});
		this.#budget = new Budget({
			limits: () => this.limits,
			usage: () => this.#usage,
			diskFreeBytes: () => diskFreeBytes(directory),
			evictNext: reason => this.#evictNext(reason),
			onHeld: bytes => this.#catalogue.hold(bytes),
		});
		this.#pinned = new Pinned(this.#budget);
		this.#partials = new Partials({
			...{layout: this.#layout, locks: this.#locks, budget: this.#budget},
			isSuspect: mtimeMs => this.#synced.isSuspect(mtimeMs),
			onKept: () => this.#synced.markDirty(),
		});
		this.#recency = new Recency(this.#layout, this.#catalogue, this.#locks);
		this.fills = new FillOwners(this.#catalogue, this.#layout.downloads, key => this.#locks.idle(key));
		this.#reconciler = new Reconciler({
			...{layout: this.#layout, catalogue: this.#catalogue, locks: this.#locks, clock, log},
			onChanged: key => this.#changed(key),
			onForeign: () => this.#synced.markDirty(),
			onGrown: () => void this.#budget.keep(),
			onStripped: key => void this.#restoreAnnotations(key),
		});
	}

	/**
	 * Called with each key whose files may have been changed, by whomever, and
	 * with what tells the entry that is there now.
	 */
	onChanged: (key: Key, now: () => Entry | undefined) => void = () => undefined;

	/** Whether it is heard of what other programs write there, a tenth of a second later. */
	get isWatched(): boolean {
		return this.#reconciler.isWatching;
	}

	/** Finds what is in the directory, watches it from now on, and evicts what is over the budget. Runs once. */
	async load(): Promise<void> {
		await this.#reconciler.load();
		await this.#dropSuspects();
		await this.#evictor.evictAged();
		await this.#budget.keep();
	}

	/** What is there under `key`, also if another program has just put it there. */
	lookup(key: Key): Entry | undefined {
		const entry = this.#catalogue.get(key) ?? this.#reconciler.check(key);
		return entry !== undefined && this.#isSuspect(entry) ? undefined : entry;
	}

	/** Opens the entry and counts an access; undefined when there is none. */
	async pin(key: Key): Promise<Pin | undefined> {
		const pin = this.pinAtOnce(key);
		if (pin !== undefined) return pin;
		// It may be in the middle of a replacement, here or in another process.
		await this.#locks.idle(key);
		if (exists(this.#layout.data(key))) await this.#locks.run(key, () => Promise.resolve()).catch(() => undefined);
		return this.pinAtOnce(key);
	}

	/**
	 * As `pin`, for who does not wait: undefined also while the entry is replaced.
	 *
	 * @param isUsable - which entry is opened at all.
	 */
	pinAtOnce(key: Key, isUsable: (entry: Entry) => boolean = () => true): Pin | undefined {
		const entry = this.lookup(key);
		const opened = entry && (this.#open(entry) ?? this.#open(this.#reconciler.check(key)));
		if (opened === undefined) return undefined;
		if (!isUsable(opened.entry)) {
			closeSync(opened.fd);
			return undefined;
		}

		this.touch(key, opened.entry);
		return this.#pinned.pin(opened.entry, new OpenFile(opened.fd));
	}

	/** Starts an entry that replaces what is there when it is committed. */
	draft(key: Key): Promise<Draft> {
		return Draft.create(this.#layout, key, this.#budget, this.#partials);
	}

	/**
	 * Goes on with what was begun of a key and kept, or left by a process that is
	 * no more. For who owns the fill of the key. Of two who ask one gets it.
	 *
	 * @returns undefined where there is none that can be trusted. Never fails.
	 */
	resume(key: Key): Promise<Taken | undefined> {
		return this.#partials.take(key);
	}

	/** What was begun and is kept until somebody goes on with it. */
	get partials(): Iterable<KeptPartial> {
		return this.#partials;
	}

	/** What was said of what was begun of a key, and is kept. */
	partialFacts(key: Key): PartialFacts | undefined {
		return this.#partials.factsOf(key);
	}

	/** Removes what was begun of a key and is kept. @returns whether there was any. */
	forgetPartial(key: Key): boolean {
		return this.#partials.remove(key);
	}

	/**
	 * Makes `draft` the entry of its key; it is opened, as its writer may be read from.
	 *
	 * @param durable - it survives a power cut: for what cannot be fetched again.
	 * @throws CacheError `no-space`; the draft is then as it was.
	 */
	async commit(draft: Draft, description: Description, {durable = false} = {}): Promise<Pin> {
		const pin = await this.#locks.run(draft.key, () => this.#commit(draft, description, durable));
		// How many blocks it takes only the disk knows.
		await this.#budget.keep();
		return pin;
	}

	/**
	 * As `commit`, unless there is an entry by now: another process was first, and
	 * the draft stays as it is.
	 *
	 * @param replaced - the entry whose place it takes, if that is still there.
	 */
	async commitFirst(draft: Draft, description: Description, replaced?: Entry): Promise<Pin | undefined> {
		const pin = await this.#locks.run(draft.key, async () => {
			const found = inspect(this.#layout, draft.key);
			const isOther = found.state === 'entry' && !this.#isSuspect(found.entry) && !isSameData(found.entry, replaced);
			return isOther ? undefined : this.#commit(draft, description, false);
		});
		await this.#budget.keep();
		return pin;
	}

	/**
	 * Removes an entry, and what was begun of it. Who has it open keeps it.
	 *
	 * @param only - this one, and no other that is there by now.
	 * @returns whether there was one.
	 * @throws CacheError `not-permitted` when its files cannot be removed.
	 */
	remove(key: Key, only?: Entry): Promise<boolean> {
		return this.#locks.run(key, async () => {
			if (only !== undefined && !isSameData(this.#reconciler.check(key), only)) return false;
			this.#partials.remove(key);
			return this.#remove(key);
		});
	}

	/**
	 * Writes into the sidecar what was said of an entry when it was asked about.
	 *
	 * @returns whether it is still there, and no other.
	 */
	renew(entry: Entry, http: HttpFacts): Promise<boolean> {
		const {key} = entry;
		return this.#locks.run(key, async () => {
			if (!isSameData(this.#reconciler.check(key), entry)) return false;
			return this.#rewrite(key, sidecar => ({...sidecar, http}));
		});
	}

	/**
	 * Writes into the sidecar what a user says of an entry.
	 *
	 * @returns whether there is one.
	 */
	annotate(key: Key, {pinned, addTags = [], removeTags = []}: Annotation): Promise<boolean> {
		return this.#locks.run(key, async () => {
			// Another process may have said something of it that the catalogue does not know yet.
			this.#reconciler.check(key);
			return this.#rewrite(key, sidecar => {
				const tags = [...new Set([...sidecar.tags, ...addTags])].filter(tag => !removeTags.includes(tag)).sort();
				return {...sidecar, tags, pinned: pinned ?? sidecar.pinned};
			});
		});
	}

	/** Each entry known by now, in no order that matters. */
	entries(): Iterable<Entry> {
		return this.#catalogue.entries();
	}

	/** Counts an access, be it that it needed no file. @param entry - what was accessed, where that is known. */
	touch(key: Key, entry?: Entry): void {
		const nowMs = this.#clock.now();
		this.#catalogue.touch(key, nowMs);
		if (entry !== undefined) this.#recency.note(entry, nowMs);
	}

	/** When an entry was last opened, epoch milliseconds; 0 for what is not there. */
	accessedAtMs(key: Key): number {
		return this.#catalogue.use(key)?.accessed_at ?? 0;
	}

	async freeSpace(): Promise<FreeSpace> {
		const {bavail, blocks, bsize} = await statfs(this.#layout.root);
		const {maxBytes, minFreeBytes} = this.limits;
		const {allocatedBytes, pinnedBytes} = this.#usage;
		const evictableBytes = Math.max(0, allocatedBytes - pinnedBytes - this.#pinned.allocatedBytes);
		const freeBytes = evictableBytes + Math.min(maxBytes - this.usedBytes, bavail * bsize - minFreeBytes);
		return {limitBytes: Math.min(maxBytes, blocks * bsize), freeBytes: Math.max(0, freeBytes)};
	}

	/** What counts against the limit: entries, drafts, what was begun and is kept, and what was removed while it was open. */
	get usedBytes(): number {
		return this.#budget.usedBytes;
	}

	/** Entries that this process has evicted since the start, by what made them leave. */
	get evicted(): Readonly<Record<Reason, number>> {
		return this.#evictor.counts;
	}

	get totals(): Totals {
		return this.#catalogue.totals;
	}

	/** What the directory may hold. */
	get limits(): Limits {
		return {...this.#defaults, ...this.#catalogue.limits()};
	}

	/** Changes what the directory may hold, for all that have it open; what is over it is evicted. */
	async setLimits(limits: Partial<Limits>): Promise<void> {
		void this.#catalogue.setLimits(limits);
		await this.#evictor.evictAged();
		await this.#budget.keep();
	}

	/** Holds the files against their sidecars and the catalogue. */
	verify(options: VerifyOptions): Verification {
		return new Verification(this.#layout.root, options, {clock: this.#clock, open: this.#shared});
	}

	/** Resolves once other processes see what has been done here. */
	flush(): Promise<void> {
		return this.#catalogue.flush();
	}

	/** Lets go of the directory: afterwards nothing is removed or written there that nobody asks for. */
	close(): Promise<void> {
		this.#closing ??= this.#close();
		return this.#closing;
	}

	async #close(): Promise<void> {
		this.fills.close();
		this.#reconciler.close();
		this.#evictor.close();
		await this.#budget.close();
		await this.#catalogue.flush();
		await this.#recency.close();
		await this.#synced.close();
		await this.#shared.close();
	}

	/** What the entries come to, and with them what was begun and is kept. */
	get #usage(): Usage {
		const {usage} = this.#catalogue;
		return {...usage, allocatedBytes: usage.allocatedBytes + this.#partials.allocatedBytes};
	}

	/** What was begun can be begun again: for want of room it leaves before any entry. */
	async #evictNext(reason: Reason): Promise<boolean> {
		if (reason !== 'max-entries' && this.#partials.evictOldest()) return true;
		return this.#evictor.evictNext(reason);
	}

	/**
	 * Says what the directory may hold.
	 *
	 * @throws CacheError `not-permitted` where another process has said otherwise.
	 */
	#say(limits: Partial<Limits>, preferred: Partial<Limits>): void {
		const kept = this.#catalogue.limits();
		const clashesOf = (some: Partial<Limits>) =>
			conflicts(some, kept).filter(name => this.#catalogue.speakers(name).length > 0);
		const [clash] = clashesOf(limits);
		if (clash !== undefined) throw this.#refusal(clash, limits, kept);
		const yielded = clashesOf(preferred);
		if (yielded.length > 0) {
			const instead = yielded.map(name => describe(name, kept)).join(', ');
			this.#log.info('the directory is kept as another process has said', {instead});
		}

		const names = Object.keys(preferred) as Array<keyof Limits>;
		const unopposed = names.filter(name => !yielded.includes(name)).map(name => [name, preferred[name]]);
		const said = {...Object.fromEntries(unopposed), ...limits} as Partial<Limits>;
		if (Object.keys(said).length > 0) void this.#catalogue.setLimits(said);
	}

	#refusal(name: keyof Limits, wanted: Partial<Limits>, kept: Partial<Limits>): CacheError {
		const [speaker] = this.#catalogue.speakers(name);
		const {pid} = JSON.parse(speaker?.identity ?? '{}') as {pid?: number};
		return new CacheError(
			'not-permitted',
			`${this.#layout.root} is open in process ${pid} with ${describe(name, kept)}, not ${describe(name, wanted)}: ` +
				'leave this limit out to share the directory',
		);
	}

	async #commit(draft: Draft, description: Description, durable: boolean): Promise<Pin> {
		const {key} = draft;
		const nowMs = this.#clock.now();
		const known = this.#catalogue.get(key);
		const sidecar = sidecarOf(draft, description, nowMs / 1000, {durable, known: known?.sidecar});
		const write = () => publish(this.#layout, draft, sidecar, durable);
		const publishing = async () => {
			const published = await this.#orAsItIs(key, () =>
				retryOnFullDisk(this.#budget, 1, () => this.#inClearPlace(key, write)),
			);
			this.#catalogue.set(published);
			return published;
		};
		const entry = await (known === undefined ? this.#inPlace(publishing) : publishing());
		this.#catalogue.touch(key, nowMs);
		this.#changed(key);
		if (!durable) this.#synced.markDirty();
		draft.settle();
		this.#partials.remove(key);
		return this.#pinned.pin(entry, draft.file);
	}

	/** Runs `write` for an entry that is new, unless by the policy nothing leaves, and it would be one too many. */
	async #inPlace(write: () => Promise<Entry>): Promise<Entry> {
		const {policy, maxEntries} = this.limits;
		if (policy === 'none' && this.totals.entries + this.#arriving >= maxEntries) {
			throw new CacheError('no-space', `there are ${maxEntries} entries, and by the policy none of them leaves`);
		}

		this.#arriving++;
		try {
			return await write();
		} finally {
			this.#arriving--;
		}
	}

	async #remove(key: Key): Promise<boolean> {
		const entry = this.#catalogue.get(key) ?? this.#reconciler.check(key);
		if (entry === undefined) return false;
		try {
			await unpublish(this.#layout, key);
		} catch (cause) {
			const url = redact(entry.sidecar.url);
			throw new CacheError('not-permitted', `${url} cannot be removed: ${messageOf(cause)}`, {cause});
		}

		this.#catalogue.delete(key);
		this.#changed(key);
		return true;
	}

	async #restoreAnnotations(key: Key): Promise<void> {
		try {
			await this.#locks.run(key, () => this.#rewrite(key, sidecar => sidecar));
		} catch (error) {
			this.#log.warn('the pin and tags of an entry were not written again', {key, reason: messageOf(error)});
		}
	}

	/** Under the key's lock. Resolves with whether there is such an entry. */
	async #rewrite(key: Key, change: (sidecar: Sidecar) => Sidecar): Promise<boolean> {
		const context = {layout: this.#layout, catalogue: this.#catalogue};
		for (let entry = this.#catalogue.get(key); entry !== undefined; entry = this.#catalogue.get(key)) {
			// The original, which knows no locks, may have written another one meanwhile.
			if (await rewriteSidecar(context, entry, change(entry.sidecar))) return true;
		}

		return false;
	}

	/** Its bytes may have been lost with the power: it is as if it were not there. */
	#isSuspect({data, sidecar}: Entry): boolean {
		return this.#synced.hasSuspects && !sidecar.durable && this.#synced.isSuspect(writtenAtMs(data));
	}

	/** Removes what a power cut may have damaged. */
	async #dropSuspects(): Promise<void> {
		if (!this.#synced.hasSuspects) return;
		let count = this.#partials.dropSuspects();
		for (const key of await this.#catalogue.writtenBetween(...this.#synced.suspectTimes)) {
			const entry = this.#catalogue.get(key);
			if (entry !== undefined && this.#isSuspect(entry) && (await this.remove(key))) count++;
		}

		await this.#synced.settle();
		if (count > 0) this.#log.warn('the machine stopped before these were on the disk: they are fetched again', {count});
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

		if (identityOf(fstatSync(fd, {bigint: true})) === entry.data) return {entry, fd};
		closeSync(fd);
		return undefined;
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

	/** Something has happened to the files of a key. */
	#changed(key: Key): void {
		const now = () => this.#catalogue.get(key);
		this.#pinned.recheck(key, now);
		this.onChanged(key, now);
	}
}

function isSameData(entry: Entry | undefined, other: Entry | undefined): boolean {
	return entry !== undefined && entry.data === other?.data;
}

function describe(name: keyof Limits, limits: Partial<Limits>): string {
	return describeLimit(name, limits[name] as Limits[typeof name]);
}

function sidecarOf(
	draft: Draft,
	{url, mimetype, filename, origin = {}, http, isPut = false}: Description,
	nowSeconds: number,
	{durable, known}: {durable: boolean; known: Sidecar | undefined},
): Sidecar {
	return {
		...{url, mimetype, filename, size: draft.sizeBytes, ts: nowSeconds},
		...{stored: nowSeconds, origin, http, isPut, durable, others: {}},
		// What a user has said is said of the URL, and holds for what comes under it later.
		...{pinned: known?.pinned ?? false, tags: known?.tags ?? []},
	};
}

function diskFreeBytes(directory: string): number {
	const {bavail, bsize} = statfsSync(directory);
	return bavail * bsize;
}

function exists(file: string): boolean {
	return lstatSync(file, {throwIfNoEntry: false}) !== undefined;
}
