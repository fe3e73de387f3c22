/** Looking at a catalogue as it is: unlike `openCatalogue`, nothing here makes it, migrates it or writes to it. */
import {lstatSync} from 'node:fs';
import {CacheError, messageOf} from '../base/errors.js';
import {openDatabase, type Database} from '../sqlite/open.js';
import {isBusy} from '../sqlite/retry.js';
import {SCHEMA_VERSION} from './catalogue-file.js';
import type {Totals, Usage} from './catalogue-reader.js';
import type {Layout} from './layout.js';

export interface CatalogueState {
	/** Why it is of no use; undefined for one that is sound. */
	readonly damage: string | undefined;
	/** In what its sums are not those of its rows; undefined where they are. */
	readonly miscount: string | undefined;
	/** The sums of its rows. */
	readonly totals: Totals;
}

type Sums = Pick<Usage, keyof Totals | 'pinnedBytes'>;

const NO_ROWS: Sums = {entries: 0, sizeBytes: 0, allocatedBytes: 0, pinnedBytes: 0};

/** Takes seconds where there are a million rows. @throws SqliteError of `isBusy`, for the moment. */
export function checkCatalogue(layout: Layout): CatalogueState {
	let database: Database | undefined;
	try {
		database = openAsItIs(layout);
		const [damage] = database.pragma('quick_check(1)') as [{quick_check: string}];
		if (damage.quick_check !== 'ok') return useless(damage.quick_check);
		return compareSums(database);
	} catch (error) {
		if (isBusy(error)) throw error;
		return useless(messageOf(error));
	} finally {
		database?.close();
	}
}

/** @throws CacheError `corrupt-entry`, the system's error or SqliteError where there is no catalogue to be read. */
export function openAsItIs({catalogue}: Layout): Database {
	const stats = lstatSync(catalogue, {throwIfNoEntry: false});
	if (stats === undefined) throw unfit('there is none');
	if (!stats.isFile()) throw unfit('it is not a regular file');
	// SQLite takes an empty file for a new database, and would make one of it.
	if (stats.size === 0) throw unfit('it is empty');
	const database = openDatabase(catalogue, {timeoutMs: 0});
	try {
		database.pragma('query_only = ON');
		const version = database.pragma('user_version', {simple: true}) as number;
		if (version !== SCHEMA_VERSION) throw unfit(`it has schema ${version}, and ${SCHEMA_VERSION} is the one known`);
		return database;
	} catch (error) {
		database.close();
		throw error;
	}
}

function compareSums(database: Database): CatalogueState {
	const kept = database.prepare(`
		SELECT entries, size_bytes AS sizeBytes, allocated_bytes AS allocatedBytes, pinned_bytes AS pinnedBytes FROM totals`);
	const counted = database.prepare(`
		SELECT count(*) AS entries, coalesce(sum(size_bytes), 0) AS sizeBytes,
			coalesce(sum(allocated_bytes), 0) AS allocatedBytes, coalesce(sum(pinned * allocated_bytes), 0) AS pinnedBytes
		FROM entries`);
	// One transaction, so that both are of the same moment.
	return database.transaction(() => {
		const sums = counted.get() as Sums;
		const said = kept.get() as Sums | undefined;
		const miscount = said === undefined ? 'it has no sums' : describeDifference(said, sums);
		return {damage: undefined, miscount, totals: sums};
	})();
}

/** `it counts 4 entries instead of 3, 15 bytes instead of 12` */
function describeDifference(said: Sums, sums: Sums): string | undefined {
	const names: Readonly<Record<keyof Sums, string>> = {
		entries: 'entries',
		sizeBytes: 'bytes',
		allocatedBytes: 'bytes on the disk',
		pinnedBytes: 'bytes pinned',
	};
	const differences = (Object.keys(names) as Array<keyof Sums>)
		.filter(name => said[name] !== sums[name])
		.map(name => `${said[name]} ${names[name]} instead of ${sums[name]}`);
	return differences.length === 0 ? undefined : `it counts ${differences.join(', ')}`;
}

function useless(damage: string): CatalogueState {
	return {damage, miscount: undefined, totals: NO_ROWS};
}

function unfit(message: string): CacheError {
	return new CacheError('corrupt-entry', message);
}
