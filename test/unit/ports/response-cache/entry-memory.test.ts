import {closeSync, openSync, renameSync, statSync, symlinkSync, utimesSync, writeSync} from 'node:fs';
import path from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {EntryMemory} from '../../../../src/ports/response-cache/entry-memory.js';
import {FileCache, type CachedResponse} from '../../../../src/ports/response-cache/index.js';
import {temporaryDirectory} from '../../../helpers/cache.js';
import {setUpFetch} from '../../../helpers/response-cache.js';
import {startResponseProcess} from '../../../helpers/response-cache-process.js';
import {until} from '../../../helpers/until.js';

const FOREVER = {freshness: 'forever'} as const;
const SIZE = 1000;

/** A cache that holds the responses `a` to `c`, of the same length each, and a memory for them. */
async function setUp(t: ExecutionContext, maxBytes = 1_000_000) {
	const directory = temporaryDirectory(t);
	const cache = new FileCache(directory);
	for (const key of ['a', 'b', 'c']) await cache.write(key, new Response(key.repeat(SIZE)));
	const memory = new EntryMemory(maxBytes);
	const fileOf = (key: string) => path.join(directory, 'responses', key);
	const open = (key: string) => memory.open(fileOf(key), key, Date.now());
	/** The same object twice was not read twice. */
	const isKept = (key: string) => open(key) === open(key);
	const textOf = (key: string) => Buffer.from((open(key)?.body ?? []) as Uint8Array).toString();
	return {directory, cache, fileOf, open, isKept, textOf};
}

test('a response is kept in memory once its file is a moment old', async t => {
	const {isKept, textOf} = await setUp(t);
	await until('it is kept', () => isKept('a'));
	t.is(textOf('a'), 'a'.repeat(SIZE));
});

test('what is kept is not served once another process has put something else in its place, or removed it', async t => {
	const {directory, isKept, textOf, open} = await setUp(t);
	const other = startResponseProcess(t);
	for (const letter of ['x', 'y', 'z']) {
		await until('it is kept', () => isKept('a'));
		await other.tell('write', directory, 'a', letter.repeat(SIZE));
		t.is(textOf('a'), letter.repeat(SIZE));
	}

	await until('it is kept', () => isKept('a'));
	await other.tell('delete', directory, 'a');
	t.is(open('a'), undefined);
});

test('of a file that is replaced over and over each content is served', async t => {
	const {cache, textOf} = await setUp(t);
	for (let count = 0; count < 300; count++) {
		const text = String(count % 10).repeat(SIZE);
		// Its inode is free for the next one then.
		if (count % 2 === 0) await cache.delete('a');
		await cache.write('a', new Response(text));
		t.is(textOf('a'), text);
		t.is(textOf('a'), text);
	}
});

test('what is kept is not served once its file was written to, or is a link to it', async t => {
	const {fileOf, isKept, textOf} = await setUp(t);
	await until('it is kept', () => isKept('a'));
	const fd = openSync(fileOf('a'), 'r+');
	writeSync(fd, 'changed', statSync(fileOf('a')).size - 7);
	closeSync(fd);
	t.is(textOf('a'), `${'a'.repeat(SIZE - 7)}changed`);
	await until('it is kept', () => isKept('a'));
	renameSync(fileOf('a'), fileOf('moved'));
	symlinkSync('moved', fileOf('a'));
	t.is(textOf('a'), '');
});

test('use of what is kept is noted like that of what is not: what is used does not leave', async t => {
	const {fileOf, isKept, open} = await setUp(t);
	await until('it is kept', () => isKept('a'));
	utimesSync(fileOf('a'), 1, 1);
	await until('it is kept', () => isKept('a'));
	t.true(Date.now() - statSync(fileOf('a')).mtimeMs < 60_000);
	t.truthy(open('a'));
});

test('no more is kept than may be, and nothing where that is nothing', async t => {
	const {isKept, open} = await setUp(t, 3 * SIZE);
	await until('they are kept', () => ['a', 'b', 'c'].every(isKept));
	const [a, b, c] = ['a', 'b', 'c'].map(open);
	t.deepEqual([open('c') === c, open('b') === b, open('a') === a], [true, true, false]);

	const none = await setUp(t, 0);
	await until('its file is old enough', () => Date.now() - statSync(none.fileOf('a')).ctimeMs > 100);
	t.false(none.isKept('a'));
	for (const limit of [-1, NaN]) {
		t.throws(() => new FileCache(none.directory, {maxMemoryBytes: limit}), {instanceOf: RangeError});
	}
});

test('bytes that were given away can be changed: what is kept stays as it is', async t => {
	const {fetch, origin, read} = await setUpFetch(t, FOREVER);
	const url = origin.serve('/a', {body: 'body', maxAge: 60});
	await read(url);
	const key = fetch.backend.createKey({method: 'GET', url});
	const {responses} = fetch.backend;
	await until('it is kept', () => responses.open(key) === responses.open(key));
	const response = await fetch(url);
	const chunk = await response.clone().body?.getReader().read();
	(chunk?.value as Uint8Array).fill(0);
	new Uint8Array(await response.arrayBuffer()).fill(0);
	response.headers.set('x-own', 'changed');
	const cached = (await responses.read(key)) as CachedResponse;
	(await cached.bytes()).fill(0);
	for await (const part of cached.stream()) part.fill(0);
	cached.headers.set('x-own', 'changed');
	t.is(await read(url), 'body');
	t.is((await fetch(url)).headers.get('x-own'), null);
	t.is(await cached.text(), 'body');
});
