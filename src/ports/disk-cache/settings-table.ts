/** The settings as the database has them. */
import {setJournalMode, type Database} from '../../sqlite/open.js';
import type {Disk} from './disk.js';
import {DEFAULT_SETTINGS, fromColumn, isPragmaName, PRAGMAS, SETTING_NAMES, toColumn} from './settings.js';
import type {SettingName, Settings} from './settings.js';
import {FormatError} from './errors.js';

/** Who is at work there is waited for. */
const JOURNAL_TIMEOUT_MS = 5000;

type Mutable<T> = {-readonly [K in keyof T]: T[K]};

/** The setting under which a cache remembers what its keys and values are made by. */
const FORMAT = 'format';

/**
 * What is said wins over what is stored, and that over the defaults. Nothing is
 * written where all of it is stored already.
 *
 * @throws FormatError for a cache of another kind of disk.
 */
export function initialSettings(database: Database, said: Partial<Settings>, format: string): Mutable<Settings> {
	const stored = readSettings(database);
	const settings = {...DEFAULT_SETTINGS, ...stored, ...said};
	const select = database.prepare<[string], string>('SELECT value FROM Settings WHERE key = ?').pluck();
	const found = select.get(FORMAT) ?? format;
	if (found !== format) throw new FormatError(`the cache was made by a disk of format ${found}, not ${format}`);
	const isNew = SETTING_NAMES.some(name => stored[name] !== settings[name]);
	if (!isNew) return settings;
	const set = database.prepare('INSERT OR REPLACE INTO Settings VALUES (?, ?)');
	const write = database.transaction(() => {
		for (const name of SETTING_NAMES) {
			// Somebody else may have stored some since.
			if (said[name] !== undefined || stored[name] === undefined) set.run(name, toColumn(settings[name]));
		}

		set.run(FORMAT, format);
	});
	write.immediate();
	return settings;
}

export function readSettings(database: Database): Partial<Settings> {
	const rows = database.prepare('SELECT key, value FROM Settings').raw().all() as Array<[string, string | number]>;
	const known = rows.filter(([name]) => Object.hasOwn(DEFAULT_SETTINGS, name));
	return Object.fromEntries(known.map(([name, value]) => [name, fromColumn(name as SettingName, value)]));
}

/** Makes the connection and the disk what the setting says. */
export function applySetting(database: Database, disk: Disk, settings: Settings, name: SettingName): void {
	if (name === 'sqliteJournalMode') setJournalMode(database, settings[name], JOURNAL_TIMEOUT_MS);
	else if (isPragmaName(name)) applyPragma(database, PRAGMAS[name], settings[name]);
	else if (name === 'diskMinFileSize') disk.options.minFileSize = settings.diskMinFileSize;
	else if (name === 'diskCompressLevel') disk.options.compressLevel = settings.diskCompressLevel;
}

/** One that is so already is left alone: changing some takes a lock. */
function applyPragma(database: Database, pragma: string, value: string | number): void {
	if (database.pragma(pragma, {simple: true}) !== value) database.pragma(`${pragma} = ${value}`);
}
