/** Values in files: what becomes of them when something else happens to them. */
import {
	appendFileSync,
	closeSync,
	mkdirSync,
	openSync,
	readdirSync,
	readFileSync,
	renameSync,
	rmSync,
	writeFileSync,
	writeSync,
} from 'node:fs';
import path from 'node:path';
import test from 'ava';
import {
	CheckWarning,
	Disk,
	EmptyDirWarning,
	FormatError,
	UnknownFileWarning,
} from '../../../../src/ports/disk-cache/index.js';
import {openDatabase} from '../../../../src/sqlite/open.js';
import {temporaryDirectory} from '../../../helpers/cache.js';
import {large, openBeside, openDiskCache, valueFiles} from '../../../helpers/disk-cache.js';

test('core/get_ioerror_fast_path, core/get_keyerror4: a value whose file is gone is not there', t => {
	for (const statistics of [false, true]) {
		const cache = openDiskCache(t, {statistics});
		cache.set(0, large(1));
		for (const name of valueFiles(cache.directory)) rmSync(path.join(cache.directory, name));
		t.is(cache.get(0), undefined);
		t.deepEqual(cache.stats({enable: statistics}), statistics ? [0, 1] : [0, 0]);
	}
});

test('core/pop_ioerror, core/pull_ioerror, core/peek_ioerror, core/peekitem_ioerror: items whose file is gone are passed over', t => {
	const cache = openDiskCache(t);
	const lose = () => valueFiles(cache.directory).forEach(name => rmSync(path.join(cache.directory, name)));
	cache.set('a', large(1));
	lose();
	t.is(cache.pop('a', {default: 'none'}), 'none');
	cache.push(large(1));
	lose();
	cache.push('second');
	t.like(cache.peek(), {1: 'second'});
	cache.push(large(1), {side: 'front'});
	lose();
	t.like(cache.pull(), {1: 'second'});
	cache.set('first', 1);
	cache.set('last', large(1));
	lose();
	t.deepEqual(cache.peekitem(), ['first', 1]);
	t.deepEqual(cache.check(), []);
});

test('core/pull_ioerror: a file that is cut short is no value', t => {
	const cache = openDiskCache(t);
	cache.set(0, large(1));
	const [name = ''] = valueFiles(cache.directory);
	writeFileSync(path.join(cache.directory, name), 'short');
	t.is(cache.get(0), undefined);
});

test('core/check: what does not fit together is found, and made to fit', t => {
	const cache = openDiskCache(t);
	for (const key of [0, 1, 1234, 56.78, 'hello', Buffer.from('world'), null]) cache.set(key, large(1));
	const [gone = '', longer = ''] = valueFiles(cache.directory);
	rmSync(path.join(cache.directory, gone));
	appendFileSync(path.join(cache.directory, longer), 'more');
	writeFileSync(path.join(cache.directory, 'stray.val'), 'x');
	mkdirSync(path.join(cache.directory, 'empty'));
	openBeside(t, cache.directory).exec("UPDATE Settings SET value = 0 WHERE key = 'size'");
	const found = cache.check();
	t.deepEqual(found.map(one => one.name).sort(), [
		...['CheckWarning', 'CheckWarning', 'CheckWarning', 'EmptyDirWarning', 'UnknownFileWarning'],
	]);
	t.true(found.every(one => one instanceof CheckWarning));
	t.is(found.find(one => one instanceof EmptyDirWarning)?.path, path.join(cache.directory, 'empty'));
	t.is(found.find(one => one instanceof UnknownFileWarning)?.path, path.join(cache.directory, 'stray.val'));
	cache.check({fix: true});
	t.deepEqual(cache.check(), []);
	t.is(cache.length, 6);
	const [moved = ''] = valueFiles(cache.directory);
	renameSync(path.join(cache.directory, moved), path.join(cache.directory, 'elsewhere.val'));
	openBeside(t, cache.directory).exec('UPDATE Cache SET size = 1 WHERE filename IS NOT NULL');
	t.true(cache.check({fix: true}).length >= 6);
	t.deepEqual([cache.check(), cache.length], [[], 5]);
});

test('core/integrity_check: a damaged header is found and made good', t => {
	const cache = openDiskCache(t);
	for (let key = 0; key < 1000; key++) cache.set(key, key);
	cache.close();
	const descriptor = openSync(path.join(cache.directory, 'cache.db'), 'r+');
	// The largest root page of a database that is vacuumed by itself.
	writeSync(descriptor, Buffer.from([0, 1]), 0, 2, 52);
	closeSync(descriptor);
	t.true(cache.check().length > 0);
	cache.check({fix: true});
	t.deepEqual(cache.check(), []);
	t.is(cache.length, 1000);
});

test('core/cleanup_dirs: the directory of a file goes with the last of its files', t => {
	const cache = openDiskCache(t);
	const directories = () => readdirSync(cache.directory).filter(name => /^[0-9a-f]{2}$/.test(name)).length;
	for (let key = 0; key < 50; key++) cache.set(key, large(key));
	t.is(valueFiles(cache.directory).length, 50);
	t.true(directories() > 10);
	for (let key = 0; key < 25; key++) cache.delete(key);
	t.true(directories() <= 25);
	cache.clear();
	t.deepEqual([valueFiles(cache.directory), directories()], [[], 0]);
	t.deepEqual(cache.check(), []);
	cache.set('again', large(1));
	t.true(cache.get<Buffer>('again')?.equals(large(1)));
});

class NamedByKey extends Disk {
	override filename(key: unknown): string {
		return typeof key === 'string' ? `by-key/${key}.txt` : `pushed-${Math.random()}`;
	}
}

test('core/custom_filename_disk: a disk may choose the names of files, and they hold the values as they are', async t => {
	const cache = openDiskCache(t, {disk: NamedByKey});
	mkdirSync(path.join(cache.directory, 'by-key'));
	for (const key of ['a', 'b']) cache.set(key, key.repeat(100_000));
	t.is(readFileSync(path.join(cache.directory, 'by-key/b.txt'), 'utf8'), 'b'.repeat(100_000));
	t.throws(() => cache.set('a', large(1)), {code: 'EEXIST'}, 'a name is used by one value at a time');
	t.is(cache.get('a'), 'a'.repeat(100_000));
	t.true(cache.delete('a'));
	t.true(cache.set('a', large(2)));
	openDiskCache(t, {disk: NamedByKey}, cache.directory);
	t.true(cache.get<Buffer>('a')?.equals(large(2)), 'it is not taken for what was deleted before');
	await cache.set('s', [Buffer.from('stream')], {read: true});
	t.is(readFileSync(path.join(cache.directory, 'by-key/s.txt'), 'utf8'), 'stream');
	cache.push(large(3));
	t.throws(() => cache.set('../../out', large(4)), {instanceOf: RangeError});
	t.deepEqual(cache.check(), []);
});

test('core/disk_write_os_error: a value that cannot be written is an error, and what was there stays', t => {
	const cache = openDiskCache(t, {diskMinFileSize: 0});
	cache.set(0, 'before');
	for (const name of valueFiles(cache.directory)) t.regex(name, /^[0-9a-f]{2}\//);
	for (let byte = 0; byte < 256; byte++) {
		const directory = path.join(cache.directory, byte.toString(16).padStart(2, '0'));
		try {
			writeFileSync(directory, '', {flag: 'wx'});
		} catch {
			// There it is: the one that holds the value. Another one of 256 is chosen but seldom.
		}
	}

	const outcomes = Array.from({length: 20}, (_, index) => {
		try {
			return cache.set(0, `after ${index}`);
		} catch {
			return false;
		}
	});
	t.true(outcomes.includes(false));
	t.is(cache.get(0), outcomes.includes(true) ? `after ${outcomes.lastIndexOf(true)}` : 'before');
});

test('a transaction that fails leaves the files of before, and none of its own', t => {
	const cache = openDiskCache(t);
	cache.set('a', large(1));
	const before = valueFiles(cache.directory);
	const failing = () =>
		cache.transact(() => {
			cache.set('a', large(2));
			cache.set('b', large(3));
			cache.pop('a');
			throw new Error('no');
		});
	t.throws(failing, {message: 'no'});
	t.deepEqual(valueFiles(cache.directory), before);
	t.true(cache.get<Buffer>('a')?.equals(large(1)));
	t.deepEqual(cache.check(), []);
});

test('a statement that fails in a transaction that goes on takes no file away', t => {
	const cache = openDiskCache(t);
	cache.set('a', large(1));
	openBeside(t, cache.directory).exec(
		"CREATE TRIGGER refuse AFTER DELETE ON Cache BEGIN SELECT raise(ABORT, 'refused'); END",
	);
	cache.transact(() => {
		t.throws(() => cache.delete('a'), {any: true, message: /refused/});
		cache.set('b', 1);
	});
	t.true(cache.get<Buffer>('a')?.equals(large(1)));
	t.is(cache.get('b'), 1);
});

test('files that a killed process had no time to remove are removed by who opens the cache next', t => {
	const cache = openDiskCache(t);
	cache.set('stays', large(1));
	const [kept = ''] = valueFiles(cache.directory);
	const left = `${kept.slice(0, 3)}${'0'.repeat(30)}${kept.slice(33)}`;
	writeFileSync(path.join(cache.directory, left), 'left');
	const beside = openBeside(t, cache.directory);
	beside.prepare('INSERT INTO Trash VALUES (?)').run(left);
	t.deepEqual(cache.check(), []);
	openDiskCache(t, {}, cache.directory);
	t.deepEqual(valueFiles(cache.directory), [kept]);
	t.is(beside.prepare('SELECT count(*) FROM Trash').pluck().get(), 0);
});

test('the database of another program is refused', t => {
	const directory = temporaryDirectory(t);
	const other = openDatabase(path.join(directory, 'cache.db'), {timeoutMs: 0});
	other.exec('CREATE TABLE Settings (key TEXT NOT NULL UNIQUE, value)');
	other.close();
	t.throws(() => openDiskCache(t, {}, directory), {instanceOf: FormatError});
});
