/** The catalogue's file: its schema, and opening it whatever has become of it. */
import {rmSync, statSync} from 'node:fs';
import path from 'node:path';
import {CacheError, messageOf, systemCode} from '../base/errors.js';
import {FileLock} from '../sqlite/file-lock.js';
import {migrate, NewerSchemaError} from '../sqlite/migrate.js';
import {createPrivate, openDatabase, type Database} from '../sqlite/open.js';
import {holdUp, isDamaged} from '../sqlite/retry.js';
import type {Layout} from './layout.js';
import {POLICIES} from './policies.js';

/**
 * `totals` is kept by triggers, so that sums cost the same whatever the number
 * of entries. Times are epoch milliseconds, keys their 32 bytes.
 */
const TABLES = `
	CREATE TABLE entries (
		id INTEGER PRIMARY KEY,
		key BLOB NOT NULL UNIQUE,
		sidecar TEXT NOT NULL,
		size_bytes INTEGER NOT NULL,
		allocated_bytes INTEGER NOT NULL,
		stored_at REAL NOT NULL,
		written_at REAL NOT NULL,
		accessed_at REAL NOT NULL,
		accesses INTEGER NOT NULL,
		pinned INTEGER NOT NULL,
		data TEXT NOT NULL,
		sidecar_file TEXT NOT NULL
	) STRICT;
	CREATE TABLE totals (
		entries INTEGER NOT NULL,
		size_bytes INTEGER NOT NULL,
		allocated_bytes INTEGER NOT NULL,
		pinned_bytes INTEGER NOT NULL
	) STRICT;
	INSERT INTO totals VALUES (0, 0, 0, 0);
	CREATE TRIGGER entries_insert AFTER INSERT ON entries BEGIN
		UPDATE totals SET entries = entries + 1, ${added('NEW', '+')};
	END;
	CREATE TRIGGER entries_delete AFTER DELETE ON entries BEGIN
		UPDATE totals SET entries = entries - 1, ${added('OLD', '-')};
	END;
	CREATE TRIGGER entries_update AFTER UPDATE OF size_bytes, allocated_bytes, pinned ON entries BEGIN
		UPDATE totals SET ${added('OLD', '-')};
		UPDATE totals SET ${added('NEW', '+')};
	END;
	CREATE TABLE limits (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
	CREATE TABLE processes (
		id INTEGER PRIMARY KEY,
		identity TEXT NOT NULL,
		held_bytes INTEGER NOT NULL DEFAULT 0,
		batch INTEGER NOT NULL DEFAULT 0,
		is_watching INTEGER NOT NULL DEFAULT 0
	) STRICT;
	CREATE TABLE speakers (
		limit_name TEXT NOT NULL,
		process INTEGER NOT NULL REFERENCES processes (id) ON DELETE CASCADE,
		PRIMARY KEY (limit_name, process)
	) STRICT;
	CREATE TABLE fills (
		key BLOB PRIMARY KEY,
		process INTEGER NOT NULL REFERENCES processes (id) ON DELETE CASCADE,
		heartbeat REAL NOT NULL,
		progress TEXT
	) STRICT;
`;

/** One index for each policy: changing the policy costs nothing. */
const INDEXES = Object.entries(POLICIES).flatMap(([name, policy]) =>
	policy === undefined ? [] : `CREATE INDEX "${name}" ON entries (${policy.order.join(', ')}) WHERE pinned = 0;`,
);

/** URLs that stand for others; `valid_until` is in epoch milliseconds. They go with what they lead to. */
const ALIASES = `
	CREATE TABLE aliases (
		key BLOB PRIMARY KEY,
		url TEXT NOT NULL,
		target BLOB NOT NULL,
		valid_until REAL NOT NULL
	) STRICT;
	CREATE INDEX aliases_target ON aliases (target);
	CREATE TRIGGER entries_delete_aliases AFTER DELETE ON entries BEGIN
		DELETE FROM aliases WHERE target = OLD.key;
	END;
`;

/**
 * Another number whenever a row is gone or makes another entry, in whatever
 * process: so that who remembers entries knows whether they are still right. An
 * access is no such change, and there are many of those.
 */
const REVISION = `
	CREATE TABLE revision (number INTEGER NOT NULL) STRICT;
	INSERT INTO revision VALUES (0);
	CREATE TRIGGER entries_delete_revision AFTER DELETE ON entries BEGIN
		UPDATE revision SET number = number + 1;
	END;
	CREATE TRIGGER entries_update_revision
		AFTER UPDATE OF key, sidecar, size_bytes, allocated_bytes, stored_at, data, sidecar_file ON entries BEGIN
		UPDATE revision SET number = number + 1;
	END;
`;

const SCHEMA = [[TABLES, ...INDEXES].join('\n'), ALIASES, REVISION];

export const SCHEMA_VERSION = SCHEMA.length;

/** Waits for who else is making the catalogue at the same moment. */
const OPEN_TIMEOUT_MS = 5000;
const LOOK_EVERY_MS = 2;
/** Somebody who removes it, file by file, may do so while it is opened. */
const OPEN_ATTEMPTS = 5;
/** The database, the log of its changes and the index of that. */
const SUFFIXES = ['', '-wal', '-shm'];
/** SQLite's memory for pages, for each connection. */
const CACHE_KIB = 1024;

interface OpenFiles {
	readonly database: Database;
	/** Which files are open: a `catalogueIdentity`. */
	readonly identity: string;
}

export interface Opened extends OpenFiles {
	/** Why the catalogue was made anew; undefined where it was there, or where none was. */
	readonly wasLost: string | undefined;
}

/**
 * Opens the catalogue; one that is damaged or of a newer larder is made anew,
 * since all that it says can be read from the directory but counts and history.
 * One that is removed at the same moment is never what is opened.
 *
 * @throws the system's error, or SqliteError, where even that is not to be had.
 */
export function openCatalogue(layout: Layout, {isReading}: {isReading: boolean}): Opened {
	return exclusively(layout, () => {
		try {
			return {...openWhole(layout.catalogue, isReading), wasLost: undefined};
		} catch (error) {
			if (!isUseless(error)) throw error;
			removeFiles(layout.catalogue);
			return {...openWhole(layout.catalogue, isReading), wasLost: messageOf(error)};
		}
	});
}

/** Whether only making it anew helps. */
export function isUseless(error: unknown): boolean {
	return isDamaged(error) || error instanceof NewerSchemaError || isForeign(error);
}

/**
 * Removes the catalogue of this identity, unless another one is in its place by
 * now. Who has it open goes on with the one that has no name any more, until it looks.
 */
export function removeCatalogue(layout: Layout, identity: string): void {
	exclusively(layout, () => {
		const inode = catalogueInode(layout.catalogue);
		if (inode === undefined || identity.startsWith(`${inode} `)) removeFiles(layout.catalogue);
	});
}

/** Which file is there now; tells one that was made anew from the one that is open. */
export function catalogueInode(file: string): bigint | undefined {
	return statSync(file, {bigint: true, throwIfNoEntry: false})?.ino;
}

/**
 * Which files are there now, the inode of the database first: they belong
 * together, and while it is open all are there. Undefined where one is missing.
 */
export function catalogueIdentity(file: string): string | undefined {
	const inodes = SUFFIXES.map(suffix => catalogueInode(file + suffix));
	return inodes.includes(undefined) ? undefined : inodes.join(' ');
}

/** @throws what opening throws, unless it is because the file was removed meanwhile. */
function openWhole(file: string, isReading: boolean): OpenFiles {
	for (let attempt = 1; ; attempt++) {
		createPrivate(file);
		const inode = catalogueInode(file);
		const isStillThere = () => inode !== undefined && catalogueInode(file) === inode;
		try {
			const database = openAndMigrate(file, isReading);
			const identity = catalogueIdentity(file);
			if (identity !== undefined && isStillThere()) return {database, identity};
			database.close();
		} catch (error) {
			if (isStillThere() || attempt === OPEN_ATTEMPTS) throw error;
		}

		if (attempt === OPEN_ATTEMPTS) throw new CacheError('busy', 'the catalogue is removed again and again');
	}
}

function openAndMigrate(file: string, isReading: boolean): Database {
	const database = openDatabase(file, {timeoutMs: OPEN_TIMEOUT_MS, cacheKib: CACHE_KIB});
	try {
		migrate(database, SCHEMA);
		database.pragma('foreign_keys = ON');
		// Its tables may be somebody else's.
		database.prepare('SELECT entries FROM totals').get();
		database.pragma(`busy_timeout = 0`);
		if (isReading) database.pragma('query_only = ON');
		return database;
	} catch (error) {
		database.close();
		throw error;
	}
}

function removeFiles(file: string): void {
	for (const suffix of SUFFIXES) rmSync(file + suffix, {force: true, recursive: true});
}

/**
 * Opening and removing exclude each other among all processes: who opens finds
 * the file and the log of its changes of one and the same catalogue.
 */
function exclusively<T>(layout: Layout, work: () => T): T {
	const lock = new FileLock(path.join(layout.locks, 'catalogue'));
	try {
		for (const givenUpAt = performance.now() + OPEN_TIMEOUT_MS; !lock.tryLock(); holdUp(LOOK_EVERY_MS)) {
			if (performance.now() > givenUpAt) throw new CacheError('busy', 'another process is opening the cache directory');
		}

		return work();
	} finally {
		lock.close();
	}
}

/** A database that is not ours, or a directory or a link where the file should be. */
function isForeign(error: unknown): boolean {
	return ['SQLITE_ERROR', 'SQLITE_CANTOPEN_ISDIR', 'ELOOP', 'EISDIR'].includes(systemCode(error) ?? '');
}

function added(row: 'OLD' | 'NEW', sign: '+' | '-'): string {
	return [
		`size_bytes = size_bytes ${sign} ${row}.size_bytes`,
		`allocated_bytes = allocated_bytes ${sign} ${row}.allocated_bytes`,
		`pinned_bytes = pinned_bytes ${sign} ${row}.pinned * ${row}.allocated_bytes`,
	].join(', ');
}
