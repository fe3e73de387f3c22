/**
 * SQLite's binding alone: for each operation of a `DiskCacheJob` the one statement that it needs, prepared once and
 * run, on a database as larder's and the original's are: their settings, the cache's table with its indexes, no triggers.
 */
import {mkdirSync} from 'node:fs';
import path from 'node:path';
import {SCHEMA} from '../../src/ports/disk-cache/schema.js';
import {DEFAULT_SETTINGS} from '../../src/ports/disk-cache/settings.js';
import {openDatabase, type Database, type Statement} from '../../src/sqlite/open.js';
import {SMALL_BYTES, type DiskCacheJob, type Operation} from './disk-cache-jobs.js';
import type {Done} from './jobs.js';
import {serve, timed} from './serve.js';

const SMALL = Buffer.alloc(SMALL_BYTES, 1);
/** Any moment: asking for it is not SQLite's part. */
const NOW = 1_763_731_070.5;

let database: Database | undefined;
let statements: ReturnType<typeof prepare> | undefined;

serve(run);

function run(job: DiskCacheJob): Promise<Done> {
	if (job.kind === 'open') return timed(() => open(job.directory));
	const operation = operate(job.kind);
	return timed(() => {
		for (let call = 0; call < job.calls; call++) operation(call);
		return 0;
	});
}

function open(directory: string): number {
	database?.close();
	mkdirSync(directory, {recursive: true});
	const {sqliteAutoVacuum, sqliteCacheSize, sqliteMmapSize} = DEFAULT_SETTINGS;
	database = openDatabase(path.join(directory, 'bare.db'), {timeoutMs: 0, autoVacuum: sqliteAutoVacuum});
	database.pragma(`cache_size = ${sqliteCacheSize}`);
	database.pragma(`mmap_size = ${sqliteMmapSize}`);
	database.exec(SCHEMA.join(';'));
	const triggers = database.prepare<[], string>("SELECT name FROM sqlite_schema WHERE type = 'trigger'").pluck().all();
	for (const name of triggers) database.exec(`DROP TRIGGER ${name}`);
	statements = prepare(database);
	statements.set.run('number', 1, 0, 0, 1, 0);
	return 0;
}

function prepare(from: Database) {
	const statement = (sql: string): Pick<Statement, 'get' | 'run'> => from.prepare(sql);
	return {
		set: statement(
			`INSERT INTO Cache (key, raw, store_time, access_time, mode, value) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT (key, raw) DO UPDATE SET store_time = excluded.store_time, value = excluded.value`,
		),
		get: from.prepare<[string, number], Buffer>('SELECT value FROM Cache WHERE key = ? AND raw = ?').pluck(),
		incr: from
			.prepare<[string, number], number>('UPDATE Cache SET value = value + 1 WHERE key = ? AND raw = ? RETURNING value')
			.pluck(),
		delete: statement('DELETE FROM Cache WHERE key = ? AND raw = ?'),
	};
}

function operate(kind: Operation): (call: number) => unknown {
	if (statements === undefined) throw new Error('nothing is open');
	const {set, get, incr, delete: remove} = statements;
	switch (kind) {
		case 'set':
			return call => set.run(`key ${call}`, 1, NOW, NOW, 1, SMALL);
		case 'get':
			return call => get.get(`key ${call % 10_000}`, 1);
		case 'miss':
			return call => get.get(`none ${call}`, 1);
		case 'incr':
			return () => incr.all('number', 1);
		case 'delete':
			return call => remove.run(`key ${call}`, 1);
		default:
			throw new Error(`${kind} is more than one statement`);
	}
}
