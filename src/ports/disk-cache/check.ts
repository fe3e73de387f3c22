/** Looking for what does not fit together in a cache. */
import {existsSync, readdirSync, rmdirSync, rmSync, statSync, type Dirent} from 'node:fs';
import path from 'node:path';
import {systemCode} from '../../base/errors.js';
import {isAlive} from '../../base/process-identity.js';
import {DATABASE_NAME, type Engine} from './engine.js';
import {CheckWarning, EmptyDirWarning, UnknownFileWarning} from './errors.js';
import {retried} from './transaction.js';
import {isSubdirectory, MARKERS, writerOf} from './value-files.js';

/**
 * The database by itself, each row against its file, each file against the rows,
 * and the sums. What processes that were killed have left is removed, and is no
 * finding. Nobody else writes meanwhile.
 *
 * @throws Timeout
 */
export function checkCache(engine: Engine, fix: boolean, isRetried: boolean): CheckWarning[] {
	const integrity = retried(isRetried, () => checkDatabase(engine, fix));
	const findings = engine.transaction.run(() => {
		const known = new Set<string>();
		const ofFiles = [...checkRows(engine, fix, known), ...checkFiles(engine, fix, known)];
		return [...ofFiles, ...checkSize(engine, fix), ...checkCount(engine, fix)];
	}, isRetried);
	engine.sweep();
	return [...integrity, ...findings];
}

function checkDatabase({database}: Engine, fix: boolean): CheckWarning[] {
	const messages = database.pragma('integrity_check') as Array<{integrity_check: string}>;
	const wrong = messages.map(row => row.integrity_check).filter(message => message !== 'ok');
	if (fix && !database.inTransaction) database.exec('REINDEX; VACUUM');
	return wrong.map(message => new CheckWarning(message));
}

function checkRows(engine: Engine, fix: boolean, known: Set<string>): CheckWarning[] {
	const found = [];
	const select = 'SELECT rowid, size, filename FROM Cache WHERE filename IS NOT NULL';
	const resize = engine.database.prepare('UPDATE Cache SET size = ? WHERE rowid = ?');
	for (const row of engine.database.prepare<[], FileRow>(select).all()) {
		known.add(row.filename);
		const file = path.join(engine.disk.directory, row.filename);
		const actual = statSync(file, {throwIfNoEntry: false})?.size;
		if (actual === row.size) continue;
		if (actual === undefined) found.push(new CheckWarning(`file not found: ${file}`));
		else found.push(new CheckWarning(`wrong file size: ${file}, ${actual} instead of ${row.size}`));
		if (!fix) continue;
		if (actual === undefined) engine.statements.deleteRow.run(row.rowid);
		else resize.run(actual, row.rowid);
	}

	return found;
}

interface FileRow {
	readonly rowid: number;
	readonly size: number;
	readonly filename: string;
}

function checkFiles(engine: Engine, fix: boolean, known: ReadonlySet<string>): CheckWarning[] {
	const {directory} = engine.disk;
	const found: CheckWarning[] = [];
	const trash = new Set(engine.statements.trash.all());
	for (const entry of entriesIn(directory)) {
		const file = path.join(entry.parentPath, entry.name);
		const name = path.relative(directory, file);
		if (entry.isDirectory()) {
			if (name === MARKERS || isSubdirectory(name) || !isEmpty(file)) continue;
			found.push(new EmptyDirWarning(file));
			if (fix) rmdirSync(file);
		} else if (!known.has(name) && !trash.has(name) && !isOwnFile(name) && !isLeftOver(entry, file)) {
			found.push(new UnknownFileWarning(file));
			if (fix) rmSync(file, {force: true});
		}
	}

	return found;
}

/** All that is below, however deep. A directory that others remove meanwhile is none. */
function* entriesIn(directory: string): Generator<Dirent> {
	for (const entry of listed(directory) ?? []) {
		yield entry;
		if (entry.isDirectory()) yield* entriesIn(path.join(directory, entry.name));
	}
}

function isEmpty(directory: string): boolean {
	return listed(directory)?.length === 0;
}

function listed(directory: string): Dirent[] | undefined {
	try {
		return readdirSync(directory, {withFileTypes: true});
	} catch (error) {
		if (systemCode(error) === 'ENOENT') return undefined;
		throw error;
	}
}

/** One without a row may be getting it from a living process. One that a killed process has left is removed. */
function isLeftOver(entry: Dirent, file: string): boolean {
	const writer = writerOf(entry.name);
	if (writer === undefined) return !existsSync(file);
	if (!isAlive(writer)) rmSync(file, {force: true});
	return true;
}

function isOwnFile(name: string): boolean {
	return name.startsWith(DATABASE_NAME) || path.dirname(name) === MARKERS;
}

function checkSize({database, statements}: Engine, fix: boolean): CheckWarning[] {
	const sum = database.prepare<[], number>('SELECT coalesce(sum(size), 0) FROM Cache').pluck().get() ?? 0;
	const noted = statements.setting.get('size');
	if (noted === sum) return [];
	if (fix) statements.setSetting.run('size', sum);
	return [new CheckWarning(`the sizes come to ${sum}, and ${String(noted)} is noted`)];
}

function checkCount({database, statements}: Engine, fix: boolean): CheckWarning[] {
	const noted = statements.setting.get('count');
	if (noted === undefined) return [];
	const count = database.prepare<[], number>('SELECT COUNT(*) FROM Cache').pluck().get() ?? 0;
	if (noted === count) return [];
	if (fix) statements.setSetting.run('count', count);
	return [new CheckWarning(`there are ${count} items, and ${noted} are noted`)];
}
