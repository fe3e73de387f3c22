import {statSync, symlinkSync} from 'node:fs';
import path from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {systemCode} from '../../../src/base/errors.js';
import {FileLock} from '../../../src/sqlite/file-lock.js';
import {temporaryDirectory} from '../../helpers/cache.js';
import {ForkedProcess} from '../../helpers/forked-process.js';

function makeLock(t: ExecutionContext, file: string): FileLock {
	const lock = new FileLock(file);
	t.teardown(() => lock.close());
	return lock;
}

const newFile = (t: ExecutionContext) => path.join(temporaryDirectory(t), 'lock');

test('within a process the second lock of a file is refused until the first is let go', t => {
	const file = newFile(t);
	const [first, second] = [makeLock(t, file), makeLock(t, file)];
	t.true(first.tryLock());
	t.false(second.tryLock());
	first.unlock();
	t.true(second.tryLock());
	t.false(first.tryLock());
	second.unlock();
	t.true(first.tryLock());
});

test('locks of two files do not exclude each other', t => {
	const directory = temporaryDirectory(t);
	t.true(makeLock(t, path.join(directory, 'a')).tryLock());
	t.true(makeLock(t, path.join(directory, 'b')).tryLock());
});

test('a lock that is closed is free, and can be taken again', t => {
	const file = newFile(t);
	const [first, second] = [makeLock(t, file), makeLock(t, file)];
	t.true(first.tryLock());
	first.close();
	t.true(second.tryLock());
	t.false(first.tryLock());
	second.unlock();
	t.true(first.tryLock());
});

test('between processes a lock is refused until it is let go, both ways round', async t => {
	const [file, other] = [newFile(t), ForkedProcess.start(t)];
	const lock = makeLock(t, file);
	t.true(lock.tryLock());
	t.false(await other.tell('tryLock', file));
	lock.unlock();
	t.true(await other.tell('tryLock', file));
	t.false(lock.tryLock());
	await other.tell('unlock', file);
	t.true(lock.tryLock());
});

test('a lock stays locked for other processes, whatever becomes of other locks of its file in this one', async t => {
	const [file, other] = [newFile(t), ForkedProcess.start(t)];
	const lock = makeLock(t, file);
	t.true(lock.tryLock());
	// Whoever closes a file gives up all locks that the process has on it: fcntl_locking(2).
	const second = makeLock(t, file);
	t.false(await other.tell('tryLock', file), 'after another one was made');
	t.false(second.tryLock());
	t.false(await other.tell('tryLock', file), 'after another one was refused');
	second.close();
	t.false(await other.tell('tryLock', file), 'after another one was closed');
});

test('what a killed process held is free at once', async t => {
	const [file, other] = [newFile(t), ForkedProcess.start(t)];
	t.true(await other.tell('tryLock', file));
	const lock = makeLock(t, file);
	t.false(lock.tryLock());
	await other.kill();
	t.true(lock.tryLock());
});

test("the lock's file is its owner's alone, stays empty, and nothing is made beside it", async t => {
	const [file, other] = [newFile(t), ForkedProcess.start(t)];
	const lock = makeLock(t, file);
	for (let round = 0; round < 3; round++) {
		t.true(lock.tryLock());
		await other.tell('tryLock', file);
		lock.unlock();
	}

	t.is(statSync(file).size, 0);
	t.is(statSync(file).mode & 0o777, 0o600);
	for (const suffix of ['-journal', '-wal', '-shm']) t.is(statSync(file + suffix, {throwIfNoEntry: false}), undefined);
});

test('a symbolic link in the place of the file is refused', t => {
	const file = newFile(t);
	symlinkSync('elsewhere', file);
	t.is(systemCode(t.throws(() => new FileLock(file))), 'ELOOP');
});
