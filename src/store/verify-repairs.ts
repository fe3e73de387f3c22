import {existsSync} from 'node:fs';
import path from 'node:path';
import {setImmediate} from 'node:timers/promises';
import type {Clock} from '../base/clock.js';
import {messageOf} from '../base/errors.js';
import {NO_LOG} from '../base/log.js';
import type {Key} from './key.js';
import {KeyLocks} from './key-locks.js';
import type {Layout} from './layout.js';
import {SETTLED_AFTER_MS} from './reconciler.js';
import {openShared, type Shared} from './shared.js';
import {changedAtMs} from './verify-entry.js';

/** `failed` is damage that cannot be made good; `too-young` may be somebody's work half done, and is none. */
export type Outcome = 'found' | 'repaired' | 'failed' | 'too-young';

export interface Finding {
	/** The files of an entry, the catalogue as a whole, its row of one entry, or what a process has left behind. */
	readonly kind: 'entry' | 'catalogue' | 'row' | 'draft';
	/** A key, or a path relative to the directory. */
	readonly name: string;
	readonly problem: string;
	readonly outcome: Outcome;
	/** `moved to quarantine`, `would be moved to quarantine`, or why it was not. */
	readonly action: string;
}

export type Named = Pick<Finding, 'kind' | 'name' | 'problem'>;

export interface RepairsContext {
	readonly layout: Layout;
	readonly clock: Clock;
	/** Else nothing on the disk is changed. */
	readonly isRepairing: boolean;
	/** What the directory is open with in this process already. */
	readonly open: Shared | undefined;
	readonly signal: AbortSignal | undefined;
}

/** With what is begun within it, other work waits less than 10 ms. */
const SLICE_MS = 4;

/** What a verification does to the directory, if anything, and how it keeps clear of those who work there. */
export class Repairs {
	readonly #layout: Layout;
	#shared: Shared | undefined;
	#locks: KeyLocks | undefined;
	#isCatalogueLost = false;
	#sliceEndsAt = 0;
	/** Undoes what was opened here. */
	readonly #closers: Array<() => Promise<void> | void> = [];

	constructor(private readonly context: RepairsContext) {
		this.#layout = context.layout;
		this.#shared = context.open;
		this.#locks = context.open?.locks;
	}

	get areWanted(): boolean {
		return this.context.isRepairing;
	}

	/** Makes something good if that is wanted, and says what has become of it. */
	async settle(named: Named, remedy: string, repair: (shared: Shared) => Promise<void> | void): Promise<Finding> {
		if (!this.areWanted) return {...named, outcome: 'found', action: `would be ${remedy}`};
		try {
			await repair(this.open());
			return {...named, outcome: 'repaired', action: remedy};
		} catch (error) {
			return {...named, outcome: 'failed', action: `could not be ${remedy}: ${messageOf(error)}`};
		}
	}

	leaveYoung(named: Named): Finding {
		return {...named, outcome: 'too-young', action: 'left alone: it has changed within the last minute'};
	}

	isYoung(key: Key): boolean {
		const changedMs = changedAtMs(this.#layout, key);
		return changedMs !== undefined && this.context.clock.now() - changedMs < SETTLED_AFTER_MS;
	}

	/** What repairs are made with. For looking alone nothing of it is needed, nor made. */
	open(): Shared {
		if (this.#shared !== undefined) return this.#shared;
		const shared = openShared(this.#layout.root, NO_LOG);
		shared.catalogue.onLost = () => (this.#isCatalogueLost = true);
		this.#closers.push(() => shared.close());
		this.#shared = shared;
		this.#locks = shared.locks;
		return shared;
	}

	/** @throws CacheError `busy` when another process does not let go of it. */
	locked<T>(key: Key, work: () => Promise<T>): Promise<T> {
		if (this.areWanted) this.open();
		// Where no lock was ever made nobody is there to be kept out.
		if (this.#locks === undefined && existsSync(path.join(this.#layout.locks, key.charAt(0)))) {
			const locks = new KeyLocks(this.#layout.locks);
			this.#closers.push(() => locks.close());
			this.#locks = locks;
		}

		return this.#locks === undefined ? work() : this.#locks.run(key, work);
	}

	/** Resolves once the catalogue has what this process has done. */
	async flush(): Promise<void> {
		const catalogue = this.#shared?.catalogue;
		await catalogue?.flush();
		// A row that cannot be read makes the catalogue begin anew, without any.
		if (this.#isCatalogueLost) await catalogue?.scan(false);
		this.#isCatalogueLost = false;
	}

	/** Whether other work should get its turn. */
	get isSliceOver(): boolean {
		return performance.now() > this.#sliceEndsAt;
	}

	/** @throws the reason of the signal. */
	async nextSlice(): Promise<void> {
		this.context.signal?.throwIfAborted();
		await setImmediate();
		this.#sliceEndsAt = performance.now() + SLICE_MS;
	}

	async close(): Promise<void> {
		for (const close of this.#closers.reverse()) await close();
	}
}
