/** The only door to SQLite. */
import {closeSync, constants, lstatSync, openSync} from 'node:fs';
import Sqlite from 'better-sqlite3';
import {FILE_MODE} from '../base/atomic-file.js';
import {systemCode} from '../base/errors.js';
import {waitWhileBusy} from './retry.js';

export type Database = Sqlite.Database;
export type Statement<Parameters extends unknown[] = unknown[], Row = unknown> = Sqlite.Statement<Parameters, Row>;

export interface OpenOptions {
	/** How long a statement waits for the lock of another connection, in ms; 0 fails at once with `SQLITE_BUSY`. */
	readonly timeoutMs: number;
	/** Memory for pages, in KiB; SQLite's own default is 2,000. */
	readonly cacheKib?: number;
	/** `auto_vacuum` of a database that is made; of one that is there it changes nothing. */
	readonly autoVacuum?: number;
	/** Leave the journal mode as it is, instead of WAL. */
	readonly keepsJournalMode?: boolean;
}

/**
 * Opens a database in WAL mode, where readers never wait for a writer. It is
 * made if it is missing, private to the user; `-wal` and `-shm` beside it take
 * over its mode. A symbolic link in its place is refused.
 *
 * Commits are not fsynced one by one (`synchronous=NORMAL`): a power cut may
 * take the last ones back, a killed process takes nothing.
 *
 * @throws SqliteError, for `isBusy` and `isDamaged` to tell apart; the system's
 *   error where the file cannot be made.
 * @see https://www.sqlite.org/wal.html
 */
export function openDatabase(
	file: string,
	{timeoutMs, cacheKib, autoVacuum, keepsJournalMode = false}: OpenOptions,
): Database {
	createPrivate(file);
	const database = new Sqlite(file, {timeout: timeoutMs});
	try {
		// The first page that is written fixes it.
		if (autoVacuum !== undefined) waitWhileBusy(() => database.pragma(`auto_vacuum = ${autoVacuum}`), timeoutMs);
		if (!keepsJournalMode) setJournalMode(database, 'wal', timeoutMs);
		database.pragma('synchronous = NORMAL');
		if (cacheKib !== undefined) database.pragma(`cache_size = -${cacheKib}`);
		return database;
	} catch (error) {
		database.close();
		throw error;
	}
}

/** Waits for who does the same, which SQLite itself does not. One that is so already is left alone. */
export function setJournalMode(database: Database, mode: string, timeoutMs: number): void {
	const isSet = () => database.pragma('journal_mode', {simple: true}) === mode;
	waitWhileBusy(() => isSet() || database.pragma(`journal_mode = ${mode}`), timeoutMs);
}

/**
 * Opens a file for nothing but its locks: it stays empty, and no journal is
 * made for transactions that change nothing, so that locks can be had on a full
 * disk.
 */
export function openForLocking(file: string): Database {
	const database = new Sqlite(file, {timeout: 0});
	database.pragma('journal_mode = MEMORY');
	return database;
}

/**
 * Makes `file` if it is missing, readable by its owner alone. One that is there
 * is not opened: POSIX gives up all locks of a process on a file as soon as it
 * closes any descriptor of it, those of SQLite's other connections too.
 *
 * @throws the system's error; one of its kind, `ELOOP` for a symbolic link and
 *   `EISDIR` for what else is no regular file.
 * @see https://www.sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_
 */
export function createPrivate(file: string): void {
	const there = lstatSync(file, {throwIfNoEntry: false});
	if (there?.isFile() === true) return;
	if (there !== undefined) {
		const code = there.isSymbolicLink() ? 'ELOOP' : 'EISDIR';
		throw Object.assign(new Error(`${file} is not a regular file`), {code});
	}

	try {
		closeSync(openSync(file, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, FILE_MODE));
	} catch (error) {
		if (systemCode(error) !== 'EEXIST') throw error;
	}
}
