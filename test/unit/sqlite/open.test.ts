import {chmodSync, existsSync, statSync, symlinkSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {systemCode} from '../../../src/base/errors.js';
import {openDatabase} from '../../../src/sqlite/open.js';
import {isBusy, isDamaged} from '../../../src/sqlite/retry.js';
import {temporaryDirectory} from '../../helpers/cache.js';
import {run} from '../../helpers/run.js';

function open(t: ExecutionContext, file: string, timeoutMs = 0) {
	const database = openDatabase(file, {timeoutMs});
	t.teardown(() => database.close());
	return database;
}

const newFile = (t: ExecutionContext) => path.join(temporaryDirectory(t), 'a.sqlite');

test('a database and the files beside it are readable by their owner alone, whatever the umask', t => {
	const file = newFile(t);
	const before = process.umask(0);
	try {
		open(t, file).exec('CREATE TABLE t (x)');
	} finally {
		process.umask(before);
	}

	for (const suffix of ['', '-wal', '-shm']) t.is(statSync(file + suffix).mode & 0o777, 0o600, suffix);
});

test('a database that is there keeps its mode', t => {
	const file = newFile(t);
	openDatabase(file, {timeoutMs: 0}).close();
	chmodSync(file, 0o640);
	open(t, file).exec('CREATE TABLE t (x)');
	for (const suffix of ['', '-wal', '-shm']) t.is(statSync(file + suffix).mode & 0o777, 0o640, suffix);
});

test('a reader sees what was there before, and waits for no writer', t => {
	const file = newFile(t);
	const [writer, reader] = [open(t, file), open(t, file)];
	writer.exec('CREATE TABLE t (x); INSERT INTO t VALUES (1)');
	writer.exec('BEGIN IMMEDIATE; INSERT INTO t VALUES (2)');
	const count = reader.prepare('SELECT count(*) FROM t').pluck();
	t.is(count.get(), 1);
	writer.exec('COMMIT');
	t.is(count.get(), 2);
});

test('a writer that meets another fails at once or waits, as it was told, and its error is one of being busy', t => {
	const file = newFile(t);
	const [first, hasty, patient] = [open(t, file), open(t, file), open(t, file, 100)];
	first.exec('CREATE TABLE t (x); BEGIN IMMEDIATE');
	for (const [writer, leastMs, mostMs] of [
		[hasty, 0, 90],
		[patient, 90, 5000],
	] as const) {
		const startedAt = performance.now();
		const error = t.throws(() => writer.exec('INSERT INTO t VALUES (1)'), {any: true});
		const elapsedMs = performance.now() - startedAt;
		t.true(isBusy(error));
		t.false(isDamaged(error));
		t.true(elapsedMs >= leastMs && elapsedMs < mostMs, `${elapsedMs} ms`);
	}
});

for (const what of ['that leads to a file', 'that leads nowhere']) {
	test(`a symbolic link ${what} is refused, and what it names stays as it is`, t => {
		const file = newFile(t);
		const victim = `${file}.victim`;
		if (what === 'that leads to a file') writeFileSync(victim, '');
		symlinkSync(victim, file);
		t.is(systemCode(t.throws(() => openDatabase(file, {timeoutMs: 0}))), 'ELOOP');
		t.is(existsSync(victim), what === 'that leads to a file');
		t.is(statSync(victim, {throwIfNoEntry: false})?.size ?? 0, 0);
	});
}

test('what is no database is told apart from one that is busy', t => {
	const file = newFile(t);
	writeFileSync(file, 'no database, but a good deal of text. '.repeat(300));
	const error = t.throws(() => openDatabase(file, {timeoutMs: 0}), {any: true});
	t.true(isDamaged(error));
	t.false(isBusy(error));
});

test('another program that opens and closes a database takes no changes away, though this process has it open twice', async t => {
	const file = newFile(t);
	open(t, file).exec('CREATE TABLE t (x)');
	const second = open(t, file);
	const program = `
import sqlite3, sys
database = sqlite3.connect(sys.argv[1])
print(database.execute('SELECT count(*) FROM t').fetchone()[0])
database.close()`;
	for (const count of [1, 2, 3]) {
		second.exec('INSERT INTO t VALUES (1)');
		const {stdout, stderr} = await run('python3', ['-c', program, file]);
		t.is(stdout.trim(), `${count}`, stderr);
		t.true(existsSync(`${file}-wal`));
	}
});
