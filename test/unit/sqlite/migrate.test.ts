import path from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {migrate, NewerSchemaError} from '../../../src/sqlite/migrate.js';
import {openDatabase, type Database} from '../../../src/sqlite/open.js';
import {temporaryDirectory} from '../../helpers/cache.js';
import {ForkedProcess} from '../../helpers/forked-process.js';

const STEPS = [
	'CREATE TABLE log (step INTEGER); INSERT INTO log VALUES (1)',
	'INSERT INTO log VALUES (2)',
	'ALTER TABLE log ADD COLUMN more; INSERT INTO log (step) VALUES (3)',
] as const;

function open(t: ExecutionContext, file = path.join(temporaryDirectory(t), 'a.sqlite')): Database {
	const database = openDatabase(file, {timeoutMs: 0});
	t.teardown(() => database.close());
	return database;
}

const log = (database: Database) => database.prepare('SELECT step FROM log ORDER BY rowid').pluck().all();
const version = (database: Database) => database.pragma('user_version', {simple: true});

test('all steps are done, in their order, and each once', t => {
	const database = open(t);
	migrate(database, STEPS);
	migrate(database, STEPS);
	t.deepEqual(log(database), [1, 2, 3]);
	t.is(version(database), 3);
});

test('a database of an earlier version gets the steps that it lacks, and keeps its rows', t => {
	const database = open(t);
	migrate(database, STEPS.slice(0, 1));
	t.is(version(database), 1);
	migrate(database, STEPS);
	t.deepEqual(log(database), [1, 2, 3]);
});

test('where a step fails none is done, and it can be tried again', t => {
	const database = open(t);
	migrate(database, STEPS.slice(0, 1));
	t.throws(() => migrate(database, [STEPS[0], STEPS[1], 'INSERT INTO nowhere VALUES (1)']), {any: true});
	t.deepEqual(log(database), [1]);
	t.is(version(database), 1);
	migrate(database, STEPS);
	t.deepEqual(log(database), [1, 2, 3]);
});

test('a database of a newer version is refused, and nothing is changed in it', t => {
	const database = open(t);
	migrate(database, STEPS);
	t.throws(() => migrate(database, STEPS.slice(0, 2)), {instanceOf: NewerSchemaError, message: /schema 3, and 2/});
	t.deepEqual(log(database), [1, 2, 3]);
	t.is(version(database), 3);
});

test('where nothing is to be done, a writer is not waited for', t => {
	const file = path.join(temporaryDirectory(t), 'a.sqlite');
	const [writer, reader] = [open(t, file), open(t, file)];
	migrate(writer, STEPS);
	writer.exec('BEGIN IMMEDIATE');
	t.notThrows(() => migrate(reader, STEPS));
});

test('of two processes that come at once one does the steps, and both find them done', async t => {
	const directory = temporaryDirectory(t);
	const processes = [ForkedProcess.start(t), ForkedProcess.start(t)];
	await Promise.all(processes.map(other => other.tell('unlock', 'none'))); // both are up
	for (let round = 0; round < 10; round++) {
		const file = path.join(directory, `${round}.sqlite`);
		const atMs = Date.now() + 20;
		await Promise.all(processes.map(other => other.tell('migrateAt', file, STEPS, atMs)));
		t.deepEqual(log(open(t, file)), [1, 2, 3]);
	}
});
