import {lstatSync} from 'node:fs';
import type {Clock} from '../base/clock.js';
import {messageOf} from '../base/errors.js';
import type {Log} from '../base/log.js';
import type {Catalogue} from './catalogue.js';
import type {Damaged, Scanned} from './catalogue-writer.js';
import {identityOf, type Entry, type FileIdentity} from './entry.js';
import {inspect} from './inspect.js';
import type {Key} from './key.js';
import type {KeyLocks} from './key-locks.js';
import type {Layout} from './layout.js';
import {sweepPartials} from './partial-files.js';
import {quarantine} from './quarantine.js';
import {sweepDownloads} from './recover.js';
import {withAnnotations, type Sidecar} from './sidecar.js';
import {DirectoryWatch} from './watch.js';

/**
 * The original writes its two files in place, one after the other: what looks
 * damaged may be its work half done. Nothing is touched before this age.
 */
export const SETTLED_AFTER_MS = 60_000;
/** After it could not be. */
const SCAN_AGAIN_AFTER_MS = 5000;

export interface ReconcilerContext {
	readonly layout: Layout;
	readonly catalogue: Catalogue;
	readonly locks: KeyLocks;
	readonly clock: Clock;
	readonly log: Log;
	/** Something has happened to the files of a key, be it that it was this process. */
	onChanged(key: Key): void;
	/** Another program has written an entry. */
	onForeign(): void;
	/** Another program may have written there: the budget may be exceeded. */
	onGrown(): void;
	/** The original has written a sidecar anew, without its pin and tags. */
	onStripped(key: Key): void;
}

/** Keeps the catalogue true to the directory: at the start by a scan, later by a watch. */
export class Reconciler {
	#watch: DirectoryWatch | undefined;
	#loading: Promise<void> | undefined;
	/** What looked damaged and was too young to be judged, until it is looked at again. */
	readonly #doubtful = new Map<Key, NodeJS.Timeout>();
	/** What a user has said of entries that look damaged: the original may be in the middle of writing them anew. */
	readonly #said = new Map<Key, Sidecar>();
	#closed = false;

	constructor(private readonly context: ReconcilerContext) {
		context.catalogue.onFound = found => this.#take(found);
		context.catalogue.onOtherwise = keys => void this.#checkDoubtful(keys);
		context.catalogue.onLost = () => void this.#scanAgain('the catalogue was lost');
	}

	/** Whether changes by others are heard of. */
	get isWatching(): boolean {
		return this.#watch?.isWatching === true;
	}

	/**
	 * Finds out what is in the directory, unless another process that lives keeps
	 * the catalogue true. Once, however often it is called.
	 */
	load(): Promise<void> {
		this.#loading ??= this.#load();
		return this.#loading;
	}

	close(): void {
		this.#closed = true;
		this.#watch?.close();
		for (const timer of this.#doubtful.values()) clearTimeout(timer);
		this.#doubtful.clear();
	}

	/** Looks at one key's files, and notes what it finds. */
	check(key: Key): Entry | undefined {
		const {layout, catalogue} = this.context;
		const finding = inspect(layout, key);
		const known = catalogue.get(key);
		if (finding.state !== 'entry') {
			if (known !== undefined) catalogue.delete(key);
			if (finding.state === 'absent') this.#said.delete(key);
			else if (known !== undefined) this.#said.set(key, known.sidecar);
			this.context.onChanged(key);
			if (finding.state === 'damaged') void this.#moveDamaged({key, finding});
			return undefined;
		}

		const {entry} = finding;
		const sidecar = withAnnotations(entry.sidecar, known?.sidecar ?? this.#said.get(key));
		this.#said.delete(key);
		const kept = {...entry, sidecar};
		catalogue.set(kept);
		if (known?.data !== entry.data) {
			this.context.onForeign();
			this.context.onGrown();
		}

		if (sidecar !== entry.sidecar) this.context.onStripped(key);
		this.context.onChanged(key);
		return kept;
	}

	async #load(): Promise<void> {
		const {layout, locks, catalogue, clock, log} = this.context;
		this.#startWatch();
		await sweepDownloads(layout, locks);
		sweepPartials(layout, clock.now());
		if (catalogue.others().some(({is_watching}) => is_watching === 1)) return;
		await catalogue.scan(this.#watch !== undefined);
		// What was found here meanwhile is there for others too.
		await catalogue.flush();
		if (!this.#closed) log.info('store read', {entries: catalogue.totals.entries});
	}

	/** Where there is no watch to be had, what others write is found when it is asked for. */
	#startWatch(): void {
		const {layout, log} = this.context;
		try {
			this.#watch = new DirectoryWatch(
				layout,
				keys => void this.#recheck(keys),
				() => void this.#scanAgain('too many changes at once'),
				log,
			);
		} catch (error) {
			log.warn('the store is not watched', {reason: messageOf(error)});
		}
	}

	async #scanAgain(why: string): Promise<void> {
		const {catalogue, log} = this.context;
		if (this.#closed) return;
		log.info('looking at all of the store again', {why});
		try {
			await catalogue.scan(this.#watch !== undefined);
			this.context.onGrown();
		} catch (error) {
			if (this.#closed) return;
			log.error('the store could not be looked at', {reason: messageOf(error)});
			setTimeout(() => void this.#scanAgain(why), SCAN_AGAIN_AFTER_MS).unref();
		}
	}

	#take({changed, stripped, damaged}: Scanned): void {
		if (this.#closed) return;
		for (const key of changed) this.context.onChanged(key);
		for (const key of stripped) this.context.onStripped(key);
		for (const one of damaged) void this.#moveDamaged(one);
	}

	async #recheck(keys: readonly Key[]): Promise<void> {
		for (const key of keys) {
			if (this.#closed) return;
			await this.context.locks.idle(key);
			if (this.#isAsKnown(key)) this.context.onChanged(key);
			else if ((await this.#checkBetweenWrites(key)) === undefined) this.#lookForOrphan(key);
		}

		this.context.onGrown();
	}

	/** Looks at what was otherwise than noted, unless what is noted by now is right. */
	async #checkDoubtful(keys: readonly Key[]): Promise<void> {
		for (const key of keys) {
			await this.context.locks.idle(key);
			if (!this.#closed && !this.#isAsKnown(key)) await this.#checkBetweenWrites(key);
		}

		if (!this.#closed) this.context.onGrown();
	}

	/** As `check`, when no larder is in the middle of changing the files: what looks gone is gone. */
	#checkBetweenWrites(key: Key): Promise<Entry | undefined> {
		const check = () => (this.#closed ? undefined : this.check(key));
		return this.context.locks.run(key, () => Promise.resolve(check())).catch(check);
	}

	/** Data without a sidecar: a writer's work half done, or what a crash left of it. */
	#lookForOrphan(key: Key): void {
		const {layout} = this.context;
		if (exists(layout.sidecar(key)) || !exists(layout.data(key))) return;
		void this.#moveDamaged({key, finding: {state: 'damaged', reason: 'there is no sidecar', changedAtMs: 0}});
	}

	/** Whether the files are those of the catalogue's entry, or both are none: so it is after each write of our own. */
	#isAsKnown(key: Key): boolean {
		const {layout, catalogue} = this.context;
		const known = catalogue.get(key);
		if (known === undefined) return !exists(layout.sidecar(key)) && !exists(layout.data(key));
		return isFile(layout.sidecar(key), known.sidecarFile) && isFile(layout.data(key), known.data);
	}

	/** Under the key's lock, so as not to take a draft that is being published for damage. */
	async #moveDamaged({key, finding: {reason, changedAtMs}}: Damaged): Promise<void> {
		const {layout, locks, clock, log} = this.context;
		const nowMs = clock.now();
		if (nowMs - changedAtMs < SETTLED_AFTER_MS) {
			this.#lookAgain(key, changedAtMs);
			return;
		}

		await locks
			.run(key, async () => {
				if (this.#closed || inspect(layout, key).state === 'entry') return;
				const newestMs = this.#changedAtMs(key);
				if (newestMs === undefined) return;
				if (nowMs - newestMs < SETTLED_AFTER_MS) {
					this.#lookAgain(key, newestMs);
					return;
				}

				log.warn('a damaged entry was moved to .larder/quarantine', {key, reason});
				await quarantine(layout, [`${key}.json`, `${key}.dat`], nowMs, log);
				this.#said.delete(key);
			})
			.catch((error: unknown) => log.error('quarantine failed', {key, reason: messageOf(error)}));
	}

	/** Once it is old enough. */
	#lookAgain(key: Key, changedAtMs: number): void {
		if (this.#closed || this.#doubtful.has(key)) return;
		const look = () => {
			this.#doubtful.delete(key);
			void this.#recheck([key]);
		};
		const inMs = changedAtMs + SETTLED_AFTER_MS - this.context.clock.now();
		this.#doubtful.set(key, setTimeout(look, Math.min(inMs, SETTLED_AFTER_MS) + 1).unref());
	}

	/** When the files of a key were changed last, epoch milliseconds; undefined when there are none. */
	#changedAtMs(key: Key): number | undefined {
		const {layout} = this.context;
		const times = [layout.sidecar(key), layout.data(key)].flatMap(
			file => lstatSync(file, {throwIfNoEntry: false})?.ctimeMs ?? [],
		);
		return times.length === 0 ? undefined : Math.max(...times);
	}
}

function exists(file: string): boolean {
	return lstatSync(file, {throwIfNoEntry: false}) !== undefined;
}

function isFile(file: string, identity: FileIdentity): boolean {
	const stats = lstatSync(file, {bigint: true, throwIfNoEntry: false});
	return stats !== undefined && identityOf(stats) === identity;
}
