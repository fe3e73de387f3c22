/** The statements of a connection, each prepared once. */
import type {Database} from '../../sqlite/open.js';
import type {Column, Mode} from './disk.js';

/** A row as a get needs it; an array, which costs less than an object. */
export type ValueRow = readonly [
	mode: Mode,
	value: Column | null,
	expireTime: number | null,
	filename: string | null,
	size: number,
	rowid: number,
	tag: Column | null,
	storeTime: number,
];

/** A row with its key. */
export type ItemRow = readonly [...ValueRow, key: Column, raw: 0 | 1];

const VALUE = 'mode, value, expire_time, filename, size, rowid, tag, store_time';
/** The columns of an `ItemRow`. */
export const ITEM = `${VALUE}, key, raw`;
const IS_LIVE = '(expire_time IS NULL OR expire_time > ?)';
export const COLUMNS = 'key, raw, store_time, expire_time, access_time, tag, size, mode, filename, value';
const REPLACE = `
	store_time = excluded.store_time, expire_time = excluded.expire_time, access_time = excluded.access_time,
	access_count = 0, tag = excluded.tag, size = excluded.size, mode = excluded.mode,
	filename = excluded.filename, value = excluded.value`;

/** What is stored of a value, in the order of the columns but for the key. */
export type Stored = [
	storeTime: number,
	expireTime: number | null,
	accessTime: number,
	tag: Column | null,
	size: number,
	mode: Mode,
	filename: string | null,
	value: Column | null,
];

type Keyed = [key: Column, raw: 0 | 1];

/** A statement that changes rows. */
interface Change<P extends unknown[]> {
	run(...parameters: P): {readonly changes: number};
}

/** A statement that has rows. */
interface Query<P extends unknown[], R> {
	get(...parameters: P): R | undefined;
	all(...parameters: P): R[];
}

export type Statements = ReturnType<typeof prepareStatements>;

// Its type is that of what it returns.
export function prepareStatements(database: Database) {
	const prepare = <P extends unknown[]>(sql: string): Change<P> => database.prepare<P>(sql);
	const rows = <P extends unknown[], R>(sql: string): Query<P, R> => database.prepare<P, R>(sql).raw();
	const column = <P extends unknown[], R>(sql: string): Query<P, R> => database.prepare<P, R>(sql).pluck();
	return {
		set: prepare<[...Keyed, ...Stored]>(
			`INSERT INTO Cache (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key, raw) DO UPDATE SET ${REPLACE}`,
		),
		/** Changes nothing where there is a row that has not expired. */
		add: prepare<[...Keyed, ...Stored]>(
			`INSERT INTO Cache (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key, raw) DO UPDATE SET ${REPLACE}
			WHERE expire_time IS NOT NULL AND expire_time <= excluded.store_time`,
		),
		get: rows<Keyed, ValueRow>(`SELECT ${VALUE} FROM Cache WHERE key = ? AND raw = ?`),
		/** The value alone, which costs less; null for one that has expired or needs the whole row. */
		inline: column<[now: number, ...Keyed], Column | null>(
			`SELECT CASE WHEN mode IN (1, 4) AND filename IS NULL AND ${IS_LIVE} THEN value END
			FROM Cache WHERE key = ? AND raw = ?`,
		),
		/** The same where nothing is known to expire: one parameter less is a thirtieth of a miss. */
		lasting: column<Keyed, Column | null>(
			`SELECT CASE WHEN mode IN (1, 4) AND filename IS NULL AND expire_time IS NULL THEN value END
			FROM Cache WHERE key = ? AND raw = ?`,
		),
		has: column<[...Keyed, now: number], number>(`SELECT 1 FROM Cache WHERE key = ? AND raw = ? AND ${IS_LIVE}`),
		/** Numbers are added as JavaScript adds them. */
		incr: column<[delta: number, now: number, now: number, ...Keyed, now: number], number>(
			`UPDATE Cache SET value = CAST(value AS REAL) + ?, store_time = ?, access_time = ?, access_count = access_count + 1
			WHERE key = ? AND raw = ? AND mode = 1 AND typeof(value) IN ('integer', 'real') AND ${IS_LIVE} RETURNING value`,
		),
		touch: prepare<[expireTime: number | null, ...Keyed, now: number]>(
			`UPDATE Cache SET expire_time = ? WHERE key = ? AND raw = ? AND ${IS_LIVE}`,
		),
		delete: prepare<[...Keyed, now: number]>(`DELETE FROM Cache WHERE key = ? AND raw = ? AND ${IS_LIVE}`),
		pop: rows<[...Keyed, now: number], ValueRow>(
			`DELETE FROM Cache WHERE key = ? AND raw = ? AND ${IS_LIVE} RETURNING ${VALUE}`,
		),
		pin: prepare<Keyed>('UPDATE Cache SET pinned = 1 WHERE key = ? AND raw = ?'),
		deleteRow: prepare<[rowid: number]>('DELETE FROM Cache WHERE rowid = ?'),
		first: rows<[], ItemRow>(`SELECT ${ITEM} FROM Cache ORDER BY rowid LIMIT 1`),
		last: rows<[], ItemRow>(`SELECT ${ITEM} FROM Cache ORDER BY rowid DESC LIMIT 1`),
		use: prepare<[time: number, count: number, rowid: number, time: number]>(
			`UPDATE Cache SET access_time = max(access_time, ?), access_count = access_count + ?
			WHERE rowid = ? AND store_time <= ?`,
		),
		hasFile: column<[filename: string], number>('SELECT 1 FROM Cache WHERE filename = ?'),
		/** As it is kept, or else by going through all of them. */
		count: column<[], number>(
			"SELECT coalesce((SELECT value FROM Settings WHERE key = 'count'), (SELECT COUNT(*) FROM Cache))",
		),
		maxRowid: column<[], number | null>('SELECT MAX(rowid) FROM Cache'),
		expire: prepare<[now: number, limit: number]>(
			'DELETE FROM Cache WHERE rowid IN (SELECT rowid FROM Cache WHERE expire_time < ? ORDER BY expire_time LIMIT ?)',
		),
		nextExpiry: column<[], number | null>('SELECT MIN(expire_time) FROM Cache WHERE expire_time IS NOT NULL'),
		evict: prepare<[tag: Column, limit: number]>(
			'DELETE FROM Cache WHERE rowid IN (SELECT rowid FROM Cache WHERE tag = ? LIMIT ?)',
		),
		clear: prepare<[limit: number]>(
			'DELETE FROM Cache WHERE rowid IN (SELECT rowid FROM Cache ORDER BY rowid LIMIT ?)',
		),
		untrash: prepare<[filename: string]>('DELETE FROM Trash WHERE filename = ?'),
		trash: column<[], string>('SELECT filename FROM Trash'),
		setting: column<[name: string], string | number>('SELECT value FROM Settings WHERE key = ?'),
		settings: rows<[], [name: string, value: string | number]>('SELECT key, value FROM Settings'),
		setSetting: prepare<[name: string, value: string | number]>('INSERT OR REPLACE INTO Settings VALUES (?, ?)'),
		addToSetting: prepare<[delta: number, name: string]>('UPDATE Settings SET value = value + ? WHERE key = ?'),
		pageCount: column<[], number>('PRAGMA page_count'),
		freePages: column<[], number>('PRAGMA freelist_count'),
		pageSize: column<[], number>('PRAGMA page_size'),
		dataVersion: column<[], number>('PRAGMA data_version'),
	};
}
