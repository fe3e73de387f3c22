/** What a cache can be told. It is kept in the database: all who have the directory open go by the same. */
import {isEvictionPolicyName, type EvictionPolicyName} from './policies.js';

export interface Settings {
	/** Whether hits and misses are counted. */
	readonly statistics: boolean;
	/** Whether `evict` has an index to go by. */
	readonly tagIndex: boolean;
	readonly evictionPolicy: EvictionPolicyName;
	/** Bytes; what is over is culled. */
	readonly sizeLimit: number;
	/** Most items that one write removes beside what it does; 0 for none. */
	readonly cullLimit: number;
	/** `auto_vacuum`: 0 none, 1 full, 2 incremental. It belongs to a database from its beginning. */
	readonly sqliteAutoVacuum: number;
	/** `cache_size`: pages. */
	readonly sqliteCacheSize: number;
	readonly sqliteJournalMode: string;
	/** `mmap_size`: bytes. */
	readonly sqliteMmapSize: number;
	/** `synchronous`: 0 off, 1 normal, 2 full. */
	readonly sqliteSynchronous: number;
	/** Bytes; values that are larger get a file of their own. */
	readonly diskMinFileSize: number;
	/** Of `JSONDisk`: zlib's level, 0 to 9. */
	readonly diskCompressLevel: number;
}

export type SettingName = keyof Settings;

export const DEFAULT_SETTINGS: Settings = {
	statistics: false,
	tagIndex: false,
	evictionPolicy: 'least-recently-stored',
	sizeLimit: 2 ** 30,
	cullLimit: 10,
	sqliteAutoVacuum: 1,
	sqliteCacheSize: 2 ** 13,
	sqliteJournalMode: 'wal',
	sqliteMmapSize: 2 ** 26,
	sqliteSynchronous: 1,
	diskMinFileSize: 2 ** 15,
	diskCompressLevel: 1,
};

export const SETTING_NAMES = Object.keys(DEFAULT_SETTINGS) as readonly SettingName[];

/** Pragmas that are said anew by each connection, in this order; `auto_vacuum` is not among them. */
export const PRAGMAS = {
	sqliteJournalMode: 'journal_mode',
	sqliteSynchronous: 'synchronous',
	sqliteCacheSize: 'cache_size',
	sqliteMmapSize: 'mmap_size',
} as const satisfies Partial<Record<SettingName, string>>;

export function isPragmaName(name: SettingName): name is keyof typeof PRAGMAS {
	return Object.hasOwn(PRAGMAS, name);
}

const JOURNAL_MODES: ReadonlySet<unknown> = new Set(['wal', 'delete', 'truncate', 'persist', 'memory', 'off']);

const LARGEST: Partial<Record<SettingName, number>> = {
	sqliteAutoVacuum: 2,
	sqliteSynchronous: 3,
	diskCompressLevel: 9,
};

/** @throws RangeError for a name or a value that is none. */
export function assertSetting(name: string, value: unknown): asserts name is SettingName {
	if (!Object.hasOwn(DEFAULT_SETTINGS, name)) throw new RangeError(`${name} is no setting of a cache`);
	if (!isValid(name as SettingName, value)) throw new RangeError(`${name} cannot be ${String(value)}`);
}

function isValid(name: SettingName, value: unknown): boolean {
	if (name === 'evictionPolicy') return isEvictionPolicyName(value);
	if (name === 'sqliteJournalMode') return JOURNAL_MODES.has(value);
	if (name === 'statistics' || name === 'tagIndex') return typeof value === 'boolean';
	if (name === 'sizeLimit' && value === Infinity) return true;
	if (!Number.isSafeInteger(value)) return false;
	return name === 'sqliteCacheSize' || ((value as number) >= 0 && (value as number) <= (LARGEST[name] ?? Infinity));
}

/** SQLite has no booleans. */
export function toColumn(value: string | number | boolean): string | number {
	return typeof value === 'boolean' ? Number(value) : value;
}

export function fromColumn(name: SettingName, value: string | number): string | number | boolean {
	return typeof DEFAULT_SETTINGS[name] === 'boolean' ? value !== 0 : value;
}
