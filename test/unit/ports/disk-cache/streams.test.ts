/** Values as streams, and as the files that these read. */
import {readFileSync, type ReadStream} from 'node:fs';
import path from 'node:path';
import {Readable} from 'node:stream';
import test from 'ava';
import {KeyError} from '../../../../src/ports/disk-cache/index.js';
import {LARGE_BYTES, openDiskCache, valueFiles} from '../../../helpers/disk-cache.js';

test('core/path, ground/large_values_are_files: a large value is a file that holds its bytes, whose stream tells where', t => {
	const cache = openDiskCache(t);
	cache.set('below', Buffer.alloc(2 ** 15 - 1));
	t.deepEqual(valueFiles(cache.directory), []);
	cache.set('k', Buffer.alloc(2 ** 15, 7));
	const [name = ''] = valueFiles(cache.directory);
	t.regex(name, /^[0-9a-f]{2}\/[0-9a-f]{30}\..*\.val$/);
	const stream = cache.get<ReadStream>('k', {read: true});
	t.is(stream?.path, path.join(cache.directory, name));
	t.true(readFileSync(path.join(cache.directory, name)).equals(Buffer.alloc(2 ** 15, 7)));
	stream?.destroy();
});

test('core/raw, core/read: a stream is stored as bytes, and bytes are read as a stream', async t => {
	const cache = openDiskCache(t);
	const parts = [Buffer.alloc(70_000, 1), Buffer.alloc(50_000, 2)];
	t.true(await cache.set('s', Readable.from(parts), {read: true, tag: 'x'}));
	t.true(cache.get<Buffer>('s')?.equals(Buffer.concat(parts)));
	const stream = cache.read('s');
	cache.delete('s');
	t.true(Buffer.concat((await stream.toArray()) as Buffer[]).equals(Buffer.concat(parts)));
	cache.set('text', 'ä'.repeat(LARGE_BYTES));
	cache.set('small', Buffer.from('few'));
	t.is(Buffer.concat((await cache.read('text').toArray()) as Buffer[]).toString(), 'ä'.repeat(LARGE_BYTES));
	t.is(Buffer.concat((await cache.read('small').toArray()) as Buffer[]).toString(), 'few');
	t.false(await cache.add('text', Readable.from(['other']), {read: true}));
	t.is(typeof (await cache.push(Readable.from(['queued']), {read: true})), 'number');
	t.deepEqual(cache.check(), []);
});

test('core/read_keyerror, core/get_keyerror1: reading what is not there is an error, and of what is no stream too', t => {
	const cache = openDiskCache(t);
	t.throws(() => cache.read(0), {instanceOf: KeyError});
	cache.set(0, {a: 1});
	t.throws(() => cache.read(0), {instanceOf: TypeError});
});

test('core/raw: a stream that fails stores nothing', async t => {
	const cache = openDiskCache(t);
	const failing = async function* () {
		yield await Promise.resolve(Buffer.from('a'));
		throw new Error('broken off');
	};
	await t.throwsAsync(cache.set('s', failing(), {read: true}), {message: 'broken off'});
	t.deepEqual([cache.has('s'), valueFiles(cache.directory)], [false, []]);
});
