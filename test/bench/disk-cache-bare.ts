/** SQLite's binding alone: one prepared statement on a table of keys and values for each operation of a `DiskCacheJob`. */
import {mkdirSync} from 'node:fs';
import path from 'node:path';
import {openDatabase, type Database, type Statement} from '../../src/sqlite/open.js';
import {SMALL_BYTES, type DiskCacheJob, type Operation} from './disk-cache-jobs.js';
import type {Done} from './jobs.js';
import {serve, timed} from './serve.js';

const SMALL = Buffer.alloc(SMALL_BYTES, 1);

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
	database = openDatabase(path.join(directory, 'bare.db'), {timeoutMs: 0, cacheKib: 32 * 1024});
	database.pragma('mmap_size = 67108864');
	database.exec("CREATE TABLE Bare (key PRIMARY KEY, value); INSERT INTO Bare VALUES ('number', 0)");
	statements = prepare(database);
	return 0;
}

function prepare(from: Database) {
	const statement = (sql: string): Pick<Statement, 'get' | 'run'> => from.prepare(sql);
	return {
		set: statement('INSERT INTO Bare VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value'),
		get: statement('SELECT value FROM Bare WHERE key = ?'),
		incr: statement('UPDATE Bare SET value = value + 1 WHERE key = ? RETURNING value'),
		delete: statement('DELETE FROM Bare WHERE key = ?'),
	};
}

function operate(kind: Operation): (call: number) => unknown {
	if (statements === undefined) throw new Error('nothing is open');
	const {set, get, incr, delete: remove} = statements;
	switch (kind) {
		case 'set':
			return call => set.run(`key ${call}`, SMALL);
		case 'get':
			return call => get.get(`key ${call % 10_000}`);
		case 'miss':
			return call => get.get(`none ${call}`);
		case 'incr':
			return () => incr.get('number');
		case 'delete':
			return call => remove.run(`key ${call}`);
		default:
			throw new Error(`${kind} is more than one statement`);
	}
}
