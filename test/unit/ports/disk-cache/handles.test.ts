/** Opening and closing a cache, and what several handles know of each other. */
import {existsSync, rmSync} from 'node:fs';
import path from 'node:path';
import {pathToFileURL} from 'node:url';
import test from 'ava';
import {Cache, DEFAULT_SETTINGS} from '../../../../src/ports/disk-cache/index.js';
import {temporaryDirectory} from '../../../helpers/cache.js';
import {large, openBeside, openDiskCache} from '../../../helpers/disk-cache.js';

test('core/init, ground/defaults: a new cache has the default settings, is sound, and can be closed twice', t => {
	const cache = openDiskCache(t);
	t.deepEqual(cache.settings, {
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
	});
	t.deepEqual(cache.settings, DEFAULT_SETTINGS);
	t.deepEqual(cache.check(), []);
	cache.close();
	cache.close();
	t.is(cache.timeout, 60);
});

test('core/init: without a directory there is a temporary one, and what is missing is made', t => {
	const cache = new Cache();
	t.teardown(() => rmSync(cache.directory, {recursive: true}));
	t.teardown(() => cache.close());
	t.regex(cache.directory, /diskcache-/);
	const nested = path.join(temporaryDirectory(t), 'a', 'b');
	openDiskCache(t, {}, nested);
	t.true(existsSync(path.join(nested, 'cache.db')));
});

test('core/init_path: a directory may be a URL, and is the same as by its name', t => {
	const directory = temporaryDirectory(t);
	const cache = new Cache(pathToFileURL(directory));
	t.teardown(() => cache.close());
	t.is(cache.directory, directory);
	cache.set('k', 1);
	t.is(openDiskCache(t, {}, directory).get('k'), 1);
});

test('core/pickle: what a cache is as JSON opens it elsewhere', t => {
	const cache = openDiskCache(t, {timeout: 5});
	cache.set('k', 1);
	const {directory, ...options} = JSON.parse(JSON.stringify(cache)) as {directory: string; timeout: number};
	const other = openDiskCache(t, options, directory);
	t.deepEqual([other.get('k'), other.timeout, other.directory], [1, 5, cache.directory]);
});

test('core/close_error: what is closed already, or whose directory is gone, is closed without an error', t => {
	const cache = openDiskCache(t, {evictionPolicy: 'least-recently-used'});
	cache.set('k', large(1));
	cache.get('k');
	rmSync(cache.directory, {recursive: true});
	t.notThrows(() => cache.close());
	t.notThrows(() => cache.close());
});

test('core/init_makedirs: a directory that cannot be made is an error of the system', t => {
	const cache = openDiskCache(t);
	t.throws(() => new Cache(path.join(cache.directory, 'cache.db', 'within')), {code: 'ENOTDIR'});
});

test('core/tag_index: the index is made and dropped by the setting, for all who have the cache open', t => {
	const cache = openDiskCache(t);
	const beside = openBeside(t, cache.directory);
	const count = () => beside.prepare("SELECT count(*) FROM sqlite_schema WHERE name = 'Cache_tag_rowid'").pluck().get();
	cache.createTagIndex();
	t.deepEqual([cache.settings.tagIndex, count()], [true, 1]);
	t.true(openDiskCache(t, {}, cache.directory).settings.tagIndex);
	cache.dropTagIndex();
	t.deepEqual([cache.settings.tagIndex, count()], [false, 0]);
	t.true(openDiskCache(t, {tagIndex: true}).reset('tagIndex'));
});

test('core/with: a closed cache is opened again by its next use', t => {
	const cache = openDiskCache(t);
	{
		using other = new Cache(cache.directory);
		other.set('a', 0);
	}

	cache.close();
	t.is(cache.get('a'), 0);
});
