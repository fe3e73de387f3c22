/** One open connection to a cache: its parts, put together. */
import {mkdirSync, statSync} from 'node:fs';
import path from 'node:path';
import {DIRECTORY_MODE} from '../../base/atomic-file.js';
import type {Clock} from '../../base/clock.js';
import {migrate} from '../../sqlite/migrate.js';
import {openDatabase, type Database} from '../../sqlite/open.js';
import {isBusy} from '../../sqlite/retry.js';
import {Culling} from './culling.js';
import {Disk, type DiskClass} from './disk.js';
import {FormatError, Timeout} from './errors.js';
import {policyOf, type EvictionPolicy} from './policies.js';
import {SCHEMA, TEMPORARY_TRIGGERS} from './schema.js';
import {applySetting, initialSettings, readSettings} from './settings-table.js';
import {SETTING_NAMES, toColumn, type SettingName, type Settings} from './settings.js';
import {prepareStatements, type Statements} from './statements.js';
import {retried, Transaction, tryRemove} from './transaction.js';
import {Uses} from './uses.js';

export const DATABASE_NAME = 'cache.db';

export interface EngineOptions {
	readonly directory: string;
	/** Seconds that a call waits for the lock of another connection. */
	readonly timeout: number;
	readonly disk: DiskClass;
	readonly settings: Partial<Settings>;
	readonly clock: Clock;
}

/** Who else makes the same cache at this moment is waited for. */
const OPEN_TIMEOUT_MS = 60_000;
/** What others have set is known after so long. */
const REFRESH_S = 1;
/** Two moments in the same millisecond are told apart by so much. */
const TICK_S = 1e-6;
const TRASH_KEPT = 64;

export class Engine {
	readonly database: Database;
	readonly disk: Disk;
	readonly statements: Statements;
	readonly transaction: Transaction;
	readonly uses: Uses;
	readonly culling: Culling;
	readonly #settings: {-readonly [K in SettingName]: Settings[K]};
	readonly #clock: Clock;
	readonly #hasPlainDisk: boolean;
	#noting: EvictionPolicy['get'] = null;
	#isPlain = false;
	#removed: string[] = [];
	#lastMs = 0;
	#ticks = 0;
	#refreshAt = -Infinity;
	#dataVersion = -1;

	/** @throws FormatError; the system's or SQLite's error where there is no making or reading the database. */
	constructor({directory, timeout, disk, settings, clock}: EngineOptions) {
		mkdirSync(directory, {recursive: true, mode: DIRECTORY_MODE});
		this.#clock = clock;
		this.database = openCache(directory, settings);
		try {
			// It is its format that is asked for; its options come with the settings.
			this.disk = new disk(directory, {minFileSize: 0, compressLevel: 0});
			this.#hasPlainDisk = this.disk.fetch === Disk.prototype.fetch;
			this.#settings = initialSettings(this.database, settings, this.disk.format);
			for (const name of SETTING_NAMES) applySetting(this.database, this.disk, this.#settings, name);
			this.#setNoting();
			this.database.pragma(`busy_timeout = ${Math.round(timeout * 1000)}`);
			this.statements = prepareStatements(this.database);
			this.transaction = new Transaction(this.database, this.disk, names => this.#noteRemoved(names));
			this.database.function('larder_dropped', (name: unknown) => (this.transaction.drop(name as string), 0));
			this.database.exec(TEMPORARY_TRIGGERS);
			this.uses = new Uses(this.statements, this.transaction);
			const {database, statements, transaction, uses} = this;
			this.culling = new Culling({database, statements, transaction, uses, settings: this.#settings});
			this.#setTagIndex();
			this.sweep();
		} catch (error) {
			this.database.close();
			throw error;
		}
	}

	/** They change when this or another process changes them. */
	get settings(): Settings {
		return this.#settings;
	}

	/** Seconds since the epoch, each time a little later than the time before. */
	now(): number {
		const ms = this.#clock.now();
		this.#ticks = ms === this.#lastMs ? this.#ticks + 1 : 0;
		this.#lastMs = ms;
		const now = ms / 1000 + this.#ticks * TICK_S;
		if (now >= this.#refreshAt || this.#refreshAt > now + 2 * REFRESH_S) this.#refresh(now);
		return now;
	}

	/** Whether a get has to be noted. */
	get noting(): EvictionPolicy['get'] {
		return this.#noting;
	}

	/** Whether a get of the value alone has nothing to note, and the disk nothing to say. */
	get isPlain(): boolean {
		return this.#isPlain;
	}

	/** Reads a setting anew. @throws Timeout */
	reload(name: SettingName): Settings[SettingName] {
		this.#take(retried(false, () => readSettings(this.database)));
		return this.#settings[name];
	}

	/** @throws Timeout */
	store<N extends SettingName>(name: N, value: Settings[N], isRetried: boolean): void {
		this.transaction.statement(() => this.statements.setSetting.run(name, toColumn(value)), isRetried);
		this.#take({[name]: value});
		if (name === 'tagIndex') this.#setTagIndex();
	}

	close(): void {
		this.uses.tryFlush();
		this.uses.drop();
		this.#emptyTrash();
		this.disk.close();
		this.database.close();
	}

	/** Not within a transaction, where SQLite refuses some settings: the next call outside of it does. */
	#refresh(now: number): void {
		if (this.transaction.isOpen) return;
		this.#refreshAt = now + REFRESH_S;
		try {
			const version = this.statements.dataVersion.get() ?? 0;
			if (version === this.#dataVersion) return;
			this.#take(readSettings(this.database));
			this.#dataVersion = version;
		} catch (error) {
			// Locked: it is looked at again a second later.
			if (!isBusy(error)) throw error;
		}
	}

	#take(settings: Partial<Settings>): void {
		const changed = SETTING_NAMES.filter(name => name in settings && settings[name] !== this.#settings[name]);
		Object.assign(this.#settings, settings);
		for (const name of changed) applySetting(this.database, this.disk, this.#settings, name);
		this.#setNoting();
		if (changed.length > 0) this.culling.lookSoon();
	}

	/** Once for all gets: asking the policy each time is a tenth of a miss. */
	#setNoting(): void {
		this.#noting = policyOf(this.#settings.evictionPolicy).get;
		this.#isPlain = this.#hasPlainDisk && !this.#settings.statistics && this.#noting === null;
	}

	#setTagIndex(): void {
		const is = this.database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'Cache_tag_rowid'").get() !== undefined;
		if (is === this.#settings.tagIndex) return;
		const sql = is
			? 'DROP INDEX IF EXISTS Cache_tag_rowid'
			: 'CREATE INDEX IF NOT EXISTS Cache_tag_rowid ON Cache (tag, rowid)';
		this.transaction.statement(() => this.database.exec(sql));
	}

	/** Removes what processes that have died had begun to write, or to remove. */
	sweep(): void {
		this.disk.sweep(name => this.statements.hasFile.get(name) !== undefined);
		const {hasFile, trash} = this.statements;
		// A name that a disk has chosen may be in use again.
		const isDone = (name: string) => hasFile.get(name) !== undefined || tryRemove(this.disk, name);
		this.#removed.push(...trash.all().filter(isDone));
		this.#emptyTrash();
	}

	#noteRemoved(filenames: readonly string[]): void {
		this.#removed.push(...filenames);
		if (this.#removed.length >= TRASH_KEPT) this.#emptyTrash();
	}

	/** Forgets what is removed; another time, if the database is locked. */
	#emptyTrash(): void {
		const removed = this.#removed;
		if (removed.length === 0) return;
		this.#removed = [];
		try {
			this.transaction.run(() => removed.forEach(name => this.statements.untrash.run(name)));
		} catch (error) {
			if (!(error instanceof Timeout)) throw error;
		}
	}
}

function openCache(directory: string, settings: Partial<Settings>): Database {
	const file = path.join(directory, DATABASE_NAME);
	const sizeBytes = statSync(file, {throwIfNoEntry: false})?.size;
	const isThere = sizeBytes !== undefined;
	// To say it of one that has pages already changes nothing, and waits for who writes.
	const autoVacuum = (sizeBytes ?? 0) > 0 ? {} : {autoVacuum: settings.sqliteAutoVacuum ?? 1};
	// Of one that is there its settings tell the mode.
	const database = openDatabase(file, {timeoutMs: OPEN_TIMEOUT_MS, ...autoVacuum, keepsJournalMode: isThere});
	try {
		if (isThere) assertOurs(database, file);
		migrate(database, SCHEMA);
		return database;
	} catch (error) {
		database.close();
		throw error;
	}
}

/** @throws FormatError for the original's database, whose values are pickles. */
function assertOurs(database: Database, file: string): void {
	// In this order: who makes it at this moment commits both at once.
	const tables = database.prepare("SELECT count(*) FROM sqlite_schema WHERE type = 'table'").pluck().get();
	const version = database.pragma('user_version', {simple: true});
	if (version === 0 && tables !== 0) throw new FormatError(`${file} was made by another program`);
}
