import {lstatSync} from 'node:fs';
import type {Clock} from '../base/clock.js';
import {messageOf} from '../base/errors.js';
import type {KeyedMutex} from '../base/keyed-mutex.js';
import type {Log} from '../base/log.js';
import type {Catalogue} from './catalogue.js';
import {sameFile, type Entry, type FileIdentity} from './entry.js';
import {inspect, type Finding} from './inspect.js';
import type {Key} from './key.js';
import type {Layout} from './layout.js';
import {quarantine} from './quarantine.js';
import {scan, sweepDownloads, type FoundName} from './recover.js';
import {DirectoryWatch} from './watch.js';

/**
 * The original writes its two files in place, one after the other: what looks
 * damaged may be its work half done. Nothing is touched before this age.
 */
const SETTLED_AFTER_MS = 60_000;

/** Keeps the catalogue true to the directory: at the start by a scan, later by a watch. */
export class Reconciler {
	#watch: DirectoryWatch | undefined;
	#loading: Promise<void> | undefined;
	/** What looked damaged and was too young to be judged, until it is looked at again. */
	readonly #doubtful = new Map<Key, NodeJS.Timeout>();
	#closed = false;

	constructor(
		private readonly layout: Layout,
		private readonly catalogue: Catalogue,
		private readonly locks: KeyedMutex<Key>,
		private readonly context: {clock: Clock; log: Log},
		private readonly tell: {
			/** The entry is gone from the directory, or another one now. */
			readonly onGone: (key: Key) => void;
			/** Another program has written there: the budget may be exceeded. */
			readonly onChanged: () => void;
		},
	) {}

	/** Once, however often it is called: the accounting must not count anything twice. */
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
		const finding = inspect(this.layout, key);
		const known = this.catalogue.get(key);
		if (finding.state === 'entry') {
			if (known !== undefined && !sameFile(known.data, finding.entry.data)) this.tell.onGone(key);
			this.catalogue.set(finding.entry);
			return finding.entry;
		}

		if (known !== undefined) this.tell.onGone(key);
		if (finding.state === 'damaged') void this.#moveDamaged(key, finding);
		return undefined;
	}

	async #load(): Promise<void> {
		this.#startWatch();
		await sweepDownloads(this.layout);
		await this.#scan();
	}

	/** Where there is no watch to be had, what others write is found when it is asked for. */
	#startWatch(): void {
		const changed = (keys: Key[]) => void this.#recheck(keys);
		try {
			this.#watch = new DirectoryWatch(this.layout, changed, () => void this.#scanAgain(), this.context.log);
		} catch (error) {
			this.context.log.warn('the store is not watched', {reason: messageOf(error)});
		}
	}

	async #scanAgain(): Promise<void> {
		this.context.log.info('too many changes at once in the store: looking at all of it');
		try {
			await this.#scan();
		} catch (error) {
			this.context.log.error('the store could not be looked at', {reason: messageOf(error)});
		}
	}

	async #scan(): Promise<void> {
		const before = new Set<Key>();
		for (const {key} of this.catalogue.inOrderOfLeaving()) before.add(key);
		const found: Entry[] = [];
		for await (const name of scan(this.layout)) {
			if (this.#closed) return;
			if (name.kind === 'sidecar') before.delete(name.key);
			const entry = this.#look(name);
			if (entry !== undefined) found.push(entry);
		}

		this.catalogue.adopt(found.filter(entry => this.#isStill(entry)));
		for (const key of before) this.check(key);
		if (found.length > 0) this.context.log.info('store read', {entries: this.catalogue.totals.entries});
	}

	/** The entry that a scanned name stands for, if the catalogue does not have it yet. */
	#look({key, kind}: FoundName): Entry | undefined {
		if (kind === 'data') {
			this.#lookForOrphan(key);
			return undefined;
		}

		if (this.catalogue.get(key) !== undefined) {
			if (!this.#isAsKnown(key)) this.check(key);
			return undefined;
		}

		const finding = inspect(this.layout, key);
		if (finding.state === 'damaged') void this.#moveDamaged(key, finding);
		return finding.state === 'entry' ? finding.entry : undefined;
	}

	/** A scan takes a while: what was removed meanwhile must not come back. */
	#isStill(entry: Entry): boolean {
		return this.catalogue.get(entry.key) === undefined && isFile(this.layout.sidecar(entry.key), entry.sidecarFile);
	}

	async #recheck(keys: readonly Key[]): Promise<void> {
		for (const key of keys) {
			if (this.#closed) return;
			await this.locks.idle(key);
			if (!this.#isAsKnown(key) && this.check(key) === undefined) this.#lookForOrphan(key);
		}

		this.tell.onChanged();
	}

	/** Data without a sidecar: a writer's work half done, or what a crash left of it. */
	#lookForOrphan(key: Key): void {
		if (exists(this.layout.data(key)) && !exists(this.layout.sidecar(key))) void this.#moveDamaged(key, ORPHAN);
	}

	/** Whether the files are those of the catalogue's entry: so it is for each write of our own. */
	#isAsKnown(key: Key): boolean {
		const known = this.catalogue.get(key);
		if (known === undefined) return false;
		return isFile(this.layout.sidecar(key), known.sidecarFile) && isFile(this.layout.data(key), known.data);
	}

	/** Under the key's lock, so as not to take a draft that is being published for damage. */
	async #moveDamaged(key: Key, {reason, changedAtMs}: Finding & {state: 'damaged'}): Promise<void> {
		const nowMs = this.context.clock.now();
		if (nowMs - changedAtMs < SETTLED_AFTER_MS) {
			this.#lookAgain(key, changedAtMs);
			return;
		}

		await this.locks
			.run(key, async () => {
				if (inspect(this.layout, key).state === 'entry') return;
				const newestMs = this.#changedAtMs(key);
				if (newestMs === undefined) return;
				if (nowMs - newestMs < SETTLED_AFTER_MS) {
					this.#lookAgain(key, newestMs);
					return;
				}

				this.context.log.warn('a damaged entry was moved to .larder/quarantine', {key, reason});
				await quarantine(this.layout, [`${key}.json`, `${key}.dat`], nowMs, this.context.log);
			})
			.catch((error: unknown) => this.context.log.error('quarantine failed', {key, reason: messageOf(error)}));
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
		const times = [this.layout.sidecar(key), this.layout.data(key)].flatMap(
			file => lstatSync(file, {throwIfNoEntry: false})?.ctimeMs ?? [],
		);
		return times.length === 0 ? undefined : Math.max(...times);
	}
}

const ORPHAN: Finding & {state: 'damaged'} = {state: 'damaged', reason: 'there is no sidecar', changedAtMs: 0};

function exists(file: string): boolean {
	return lstatSync(file, {throwIfNoEntry: false}) !== undefined;
}

function isFile(file: string, identity: FileIdentity): boolean {
	const stats = lstatSync(file, {bigint: true, throwIfNoEntry: false});
	return stats !== undefined && sameFile(stats, identity);
}
