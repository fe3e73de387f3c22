/** Transactions of one connection, and what happens to files with them. */
import type {Database, Statement} from '../../sqlite/open.js';
import {isBusy} from '../../sqlite/retry.js';
import {Timeout} from './errors.js';

/** Files, by their names in the cache's directory. */
export interface Files {
	remove(filename: string): void;
}

/**
 * A file is removed when what drops it is committed, and one that was written
 * for a row when that is rolled back.
 */
export class Transaction {
	readonly #begin: Statement;
	readonly #commit: Statement;
	readonly #rollback: Statement;
	#depth = 0;
	#dropped: string[] = [];
	#written: string[] = [];

	constructor(
		private readonly database: Database,
		private readonly files: Files,
		private readonly onRemoved: (filenames: readonly string[]) => void,
	) {
		this.#begin = database.prepare('BEGIN IMMEDIATE');
		this.#commit = database.prepare('COMMIT');
		this.#rollback = database.prepare('ROLLBACK');
	}

	get isOpen(): boolean {
		return this.#depth > 0;
	}

	/** A row has lost its file, in the statement that just runs. */
	drop(filename: string): void {
		this.#dropped.push(filename);
	}

	/**
	 * Runs `work` in a transaction, or as a part of the one that is open. What
	 * throws within is rolled back with the outermost one.
	 *
	 * @param isRetried - wait for the lock however long it takes.
	 * @throws Timeout, and what `work` throws.
	 */
	run<T>(work: () => T, isRetried = false): T {
		if (this.#depth === 0) retried(isRetried, () => this.#begin.run());
		else this.#assertGoesOn();
		this.#depth++;
		let result;
		try {
			result = work();
			if (isThenable(result)) throw new TypeError('a transaction cannot wait: its function must not return a promise');
			this.#assertGoesOn();
			if (this.#depth === 1) retried(isRetried, () => this.#commit.run());
		} catch (error) {
			this.#depth--;
			if (this.#depth === 0) this.#undo();
			throw error;
		}

		this.#depth--;
		if (this.#depth === 0) this.#settle();
		return result;
	}

	/**
	 * Runs one statement, which is a transaction of its own where none is open.
	 *
	 * @param written - a file that is removed should the statement not come to be.
	 * @throws Timeout
	 */
	statement<T>(work: () => T, isRetried = false, written: string | null = null): T {
		const result = this.#attempt(work, isRetried, written);
		if (this.#depth > 0) {
			if (written !== null) this.#written.push(written);
		} else if (this.#dropped.length > 0) {
			this.#settle();
		}

		return result;
	}

	/** As `statement`; while `use` runs, the files of what was dropped are still there. */
	take<T, R>(work: () => T, use: (result: T) => R, isRetried = false): R {
		const result = this.#attempt(work, isRetried, null);
		try {
			return use(result);
		} finally {
			if (this.#depth === 0 && this.#dropped.length > 0) this.#settle();
		}
	}

	#attempt<T>(work: () => T, isRetried: boolean, written: string | null): T {
		const dropped = this.#dropped.length;
		try {
			this.#assertGoesOn();
			return retried(isRetried, work);
		} catch (error) {
			// SQLite has undone the statement, and the transaction goes on.
			this.#dropped.length = dropped;
			if (written !== null) tryRemove(this.files, written);
			throw error;
		}
	}

	/**
	 * After some errors, a full disk being one, SQLite rolls back by itself: what is done then would be a transaction each.
	 *
	 * @throws Error
	 */
	#assertGoesOn(): void {
		if (this.#depth > 0 && !this.database.inTransaction) throw new Error('the transaction was rolled back by an error');
	}

	#settle(): void {
		const dropped = this.#dropped;
		this.#dropped = [];
		this.#written = [];
		if (dropped.length === 0) return;
		this.onRemoved(dropped.filter(filename => tryRemove(this.files, filename)));
	}

	#undo(): void {
		// SQLite has rolled back by itself after some errors.
		if (this.database.inTransaction) this.#rollback.run();
		const written = this.#written;
		this.#written = [];
		this.#dropped = [];
		for (const filename of written) tryRemove(this.files, filename);
	}
}

/** What cannot be removed now stays in the trash, for who opens the cache next. */
export function tryRemove(files: Files, filename: string): boolean {
	try {
		files.remove(filename);
		return true;
	} catch {
		return false;
	}
}

/**
 * Runs what reads or writes. Without a write-ahead log readers meet locks too.
 *
 * @param isRetried - wait for the lock however long it takes.
 * @throws Timeout for a lock that was not to be had within the connection's timeout.
 */
export function retried<T>(isRetried: boolean, work: () => T): T {
	for (;;) {
		try {
			return work();
		} catch (error) {
			throwUnlessRetried(error, isRetried);
		}
	}
}

/** What `retried` does about an error, for what is called too often to be a function. @throws as `retried` */
export function throwUnlessRetried(error: unknown, isRetried: boolean): void {
	if (!isBusy(error)) throw error;
	if (!isRetried) throw new Timeout(0, {cause: error});
}

function isThenable(value: unknown): boolean {
	return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}
