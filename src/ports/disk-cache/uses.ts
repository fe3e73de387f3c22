/** Uses of items and lookups, which are written together instead of each by itself. */
import {isBusy} from '../../sqlite/retry.js';
import type {Statements} from './statements.js';
import type {Transaction} from './transaction.js';
import {Timeout} from './errors.js';

/** What is not written yet is lost with a process that is killed: so long, and so much, at most. */
const WRITTEN_AFTER_MS = 1000;
const MOST_ROWS = 1000;

interface Use {
	/** Seconds since the epoch, of the latest. */
	time: number;
	count: number;
}

/**
 * A get under a policy that goes by uses would be a write. Its use is noted here,
 * and written with others: a second later, when there are a thousand, when the
 * process ends, and always before this handle evicts by it.
 */
export class Uses {
	readonly #uses = new Map<number, Use>();
	#hits = 0;
	#misses = 0;
	#timer: NodeJS.Timeout | undefined;

	constructor(
		private readonly statements: Statements,
		private readonly transaction: Transaction,
	) {}

	/** @param storeTime - of the row: one that is younger than its use has taken the place of another one. */
	note(rowid: number, storeTime: number, time: number): void {
		const use = this.#uses.get(rowid);
		if (use !== undefined && use.time >= storeTime) {
			use.time = time;
			use.count++;
			return;
		}

		this.#uses.set(rowid, {time, count: 1});
		this.#schedule();
		if (this.#uses.size % MOST_ROWS === 0) this.tryFlush();
	}

	countLookup(isHit: boolean): void {
		if (isHit) this.#hits++;
		else this.#misses++;
		this.#schedule();
	}

	/** @throws Timeout */
	flush(isRetried = false): void {
		clearTimeout(this.#timer);
		this.#timer = undefined;
		unwritten.delete(this);
		if (this.#uses.size === 0 && this.#hits === 0 && this.#misses === 0) return;
		this.transaction.run(() => this.#write(), isRetried);
		this.#uses.clear();
		this.#hits = this.#misses = 0;
	}

	/** Another time, if the database is locked. */
	tryFlush(): void {
		try {
			this.flush();
		} catch (error) {
			if (!(error instanceof Timeout) && !isBusy(error)) throw error;
			this.#schedule();
			// Too many to keep: those that were noted first are forgotten.
			for (const rowid of this.#uses.keys()) {
				if (this.#uses.size <= 10 * MOST_ROWS) break;
				this.#uses.delete(rowid);
			}
		}
	}

	/** Forgets what is not written. */
	drop(): void {
		clearTimeout(this.#timer);
		unwritten.delete(this);
	}

	#write(): void {
		const {use, addToSetting} = this.statements;
		for (const [rowid, {time, count}] of this.#uses) use.run(time, count, rowid, time);
		if (this.#hits > 0) addToSetting.run(this.#hits, 'hits');
		if (this.#misses > 0) addToSetting.run(this.#misses, 'misses');
	}

	#schedule(): void {
		if (this.#timer !== undefined) return;
		this.#timer = setTimeout(() => {
			this.#timer = undefined;
			this.tryFlush();
		}, WRITTEN_AFTER_MS).unref();
		if (!isHooked) process.once('exit', flushAll);
		isHooked = true;
		unwritten.add(this);
	}
}

const unwritten = new Set<Uses>();
let isHooked = false;

function flushAll(): void {
	for (const uses of [...unwritten]) {
		try {
			uses.flush();
		} catch {
			// The process ends: there is nobody to tell, and it is only the order in which items leave.
		}
	}
}
