import {
	copyFileSync,
	existsSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	rmSync,
	statSync,
	symlinkSync,
	truncateSync,
	utimesSync,
	writeFileSync,
} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import test from 'ava';
import type {CachedResponse} from '../../../../src/ports/response-cache/index.js';
import {FileBackend, FileCache, type CachedValue, type Storable} from '../../../../src/ports/response-cache/index.js';
import {temporaryDirectory} from '../../../helpers/cache.js';
import {all} from '../../../helpers/response-cache.js';

const VALUES: Readonly<Record<string, CachedValue>> = {
	'text': 'grün \u{1f600}\u0000',
	'empty text': '',
	'a float': 1.5,
	'zero': 0,
	'minus zero': -0,
	'NaN': NaN,
	'false': false,
	'null': null,
	'a date': new Date(1_700_000_000_123),
	'a bigint': 2n ** 70n,
	'bytes': new Uint8Array([0, 255, 10, 13]),
	'no bytes': new Uint8Array(),
	'an object': {a: [1, {b: new Date(0)}], $: 'date', of: new Uint8Array([1]), __proto__x: null},
	'a lone surrogate': '\ud800',
	'many bytes': new Uint8Array(1_000_000).fill(7),
	'much text': 'x'.repeat(1_000_000),
};

test('test_write_read: what is written is there, and is read as what it was', async t => {
	const cache = new FileCache(temporaryDirectory(t));
	for (const [key, value] of Object.entries(VALUES)) {
		await cache.write(key, value);
		t.true(await cache.contains(key), key);
		const read = await cache.read(key);
		if (value instanceof Uint8Array) t.true(Buffer.from(value).equals(read as Uint8Array), key);
		else t.deepEqual(read, value, key);
	}

	t.is(await cache.size(), Object.keys(VALUES).length);
});

test('a response is read as it was written, as often as is wanted', async t => {
	const cache = new FileCache(temporaryDirectory(t));
	const headers = new Headers([
		['set-cookie', 'a=1'],
		['set-cookie', 'b=2'],
		['x', 'y'],
	]);
	for (const size of [0, 5, 1_000_000]) {
		await cache.write('r', new Response('x'.repeat(size), {status: 203, statusText: 'So', headers}));
		const read = (await cache.read('r')) as CachedResponse;
		for (const _ of [1, 2]) t.is((await read.text()).length, size);
		const response = read.toResponse();
		t.is((await response.text()).length, size);
		t.deepEqual([response.status, response.statusText, response.headers.get('x')], [203, 'So', 'y']);
		t.deepEqual(response.headers.getSetCookie(), ['a=1', 'b=2']);
		await cache.write('copy', read);
		t.is((await ((await cache.read('copy')) as CachedResponse).bytes()).byteLength, size);
		read.close();
	}
});

test('test_missing_key: a key that is not there is not contained, and reads as undefined', async t => {
	const cache = new FileCache(temporaryDirectory(t));
	t.false(await cache.contains('none'));
	t.is(await cache.read('none'), undefined);
});

test('test_delete: removes the key that is named', async t => {
	const cache = new FileCache(temporaryDirectory(t));
	for (const key of ['a', 'b']) await cache.write(key, key);
	await cache.delete('a');
	t.deepEqual(await all(cache.keys()), ['b']);
	await t.notThrowsAsync(cache.delete('a'));
});

test('test_bulk_delete: removes the keys that are named', async t => {
	const cache = new FileCache(temporaryDirectory(t));
	for (const key of ['a', 'b', 'c']) await cache.write(key, key);
	await cache.bulkDelete(new Set(['a', 'c']));
	t.deepEqual(await all(cache.keys()), ['b']);
});

test('test_bulk_delete_ignores_nonexistent_keys: what is not there is no error', async t => {
	const cache = new FileCache(temporaryDirectory(t));
	await cache.write('a', 'a');
	await cache.bulkDelete(['a', 'none', '../none']);
	t.is(await cache.size(), 0);
});

test('test_keys_values: both can be walked, and are what was written', async t => {
	const cache = new FileCache(temporaryDirectory(t));
	t.deepEqual([await all(cache.keys()), await all(cache.values())], [[], []]);
	const keys = ['a', 'https://a.example/?x=1', 'x'.repeat(1000), '', '.', '..', '=a', '~b'];
	for (const key of keys) await cache.write(key, `value of ${key}`);
	t.deepEqual((await all(cache.keys())).sort(), keys.toSorted());
	t.deepEqual((await all(cache.values())).sort(), keys.map(key => `value of ${key}`).sort());
});

test('test_size: counts the entries', async t => {
	const cache = new FileCache(temporaryDirectory(t));
	for (const key of ['a', 'b', 'a']) await cache.write(key, key);
	t.is(await cache.size(), 2);
});

test('test_clear: leaves a cache that is empty and can be used', async t => {
	const cache = new FileCache(temporaryDirectory(t));
	for (let count = 0; count < 100; count++) await cache.write(`k${count}`, count);
	await cache.clear();
	t.is(await cache.size(), 0);
	await cache.write('a', 1);
	t.is(await cache.read('a'), 1);
});

test('test_use_temp: a relative name lies in the temporary directory with it, and an absolute one where it says', t => {
	const name = `larder-test-${process.pid}-temp`;
	const cache = new FileCache(name, {useTemp: true});
	t.teardown(() => rmSync(cache.directory, {recursive: true}));
	t.is(cache.directory, path.join(tmpdir(), name));
	const absolute = temporaryDirectory(t);
	t.is(new FileCache(absolute, {useTemp: true}).directory, absolute);
	const relative = path.relative('.', path.join(absolute, 'relative'));
	t.is(new FileCache(relative).directory, path.join(absolute, 'relative'));
});

test('test_paths: each entry has a regular file of its own', async t => {
	const cache = new FileCache(temporaryDirectory(t));
	for (const key of ['a', 'b/c']) await cache.write(key, key);
	const paths = await all(cache.paths());
	t.is(new Set(paths).size, 2);
	for (const file of paths) t.true(statSync(file).isFile());
});

test('test_write_error: a write that fails is an error, and leaves what was there and nothing else', async t => {
	const directory = temporaryDirectory(t);
	const cache = new FileCache(directory, {maxBytes: 100_000});
	await cache.write('a', 'before');
	const failing = new ReadableStream({
		pull: controller => controller.error(new Error('cut')),
	});
	await t.throwsAsync(cache.write('a', new Response(failing)), {message: 'cut'});
	await t.throwsAsync(cache.write('a', new Uint8Array(200_000)), {code: 'too-large'});
	await t.throwsAsync(cache.write('a', new Response(new Uint8Array(200_000))), {code: 'too-large'});
	await t.throwsAsync(cache.write('a', (() => 1) as unknown as Storable), {instanceOf: TypeError});
	mkdirSync(path.join(directory, 'responses', 'taken'));
	await t.throwsAsync(cache.write('taken', 1), {code: 'EISDIR'});
	t.is(await cache.read('a'), 'before');
	t.deepEqual(readdirSync(path.join(directory, 'incoming')), []);
});

test('H1: a file that is cut short, anywhere, is a miss', async t => {
	const cache = new FileCache(temporaryDirectory(t));
	await cache.write('a', new Response('the body', {headers: {etag: '"1"'}}));
	const [file = ''] = await all(cache.paths());
	const whole = readFileSync(file);
	for (let length = 0; length < whole.byteLength; length++) {
		truncateSync(file, length);
		if ((await cache.read('a')) !== undefined) t.fail(`${length} bytes of it are read`);
		writeFileSync(file, whole);
	}

	t.is(await ((await cache.read('a')) as CachedResponse).text(), 'the body');
	writeFileSync(file, Buffer.concat([whole, Buffer.from('more')]));
	t.is(await cache.read('a'), undefined);
});

test('H1: a large body that is cut while it is read is an error, and no short body', async t => {
	const cache = new FileCache(temporaryDirectory(t));
	await cache.write('a', new Response('x'.repeat(1_000_000)));
	const read = (await cache.read('a')) as CachedResponse;
	truncateSync((await all(cache.paths()))[0] ?? '', 500_000);
	await t.throwsAsync(read.text(), {code: 'corrupt-entry'});
	await t.throwsAsync(read.toResponse().text());
});

for (const key of ['../../escape', '/etc/passwd', '..', '.', 'a/b', 'a\0b', '', 'x'.repeat(5000), '..%2f', 'ü']) {
	test(`H2: the key ${JSON.stringify(key).slice(0, 20)} stays within the directory`, async t => {
		const directory = temporaryDirectory(t);
		const cache = new FileCache(path.join(directory, 'a', 'b'));
		await cache.write(key, 'value');
		t.is(await cache.read(key), 'value');
		t.deepEqual(await all(cache.keys()), [key]);
		t.is(path.dirname((await all(cache.paths()))[0] ?? ''), path.join(cache.directory, 'responses'));
		t.deepEqual([readdirSync(directory), readdirSync(path.join(directory, 'a'))], [['a'], ['b']]);
	});
}

test('H2: a key with a lone surrogate is refused', async t => {
	await t.throwsAsync(new FileCache(temporaryDirectory(t)).write('\ud800', 1), {instanceOf: RangeError});
});

test('H3: bytes stay bytes, and what counts as false is a value', async t => {
	const cache = new FileCache(temporaryDirectory(t));
	await cache.write('a', Buffer.from('raw'));
	t.deepEqual(await cache.read('a'), new Uint8Array(Buffer.from('raw')));
	for (const value of ['', 0, false, null]) {
		await cache.write('b', value);
		t.is(await cache.read('b'), value);
		t.true(await cache.contains('b'));
	}
});

test('H4: clearing removes what the cache wrote, and nothing else', async t => {
	const directory = temporaryDirectory(t);
	writeFileSync(path.join(directory, 'notes.txt'), 'mine');
	const backend = new FileBackend(directory);
	t.teardown(() => backend.close());
	await backend.responses.write('a', 1);
	backend.redirects.set('x', {target: 'a', url: 'https://a.example/', untilMs: Infinity});
	writeFileSync(path.join(directory, 'responses', 'my notes.txt'), 'mine');
	await backend.responses.clear();
	t.deepEqual(readdirSync(path.join(directory, 'responses')), ['my notes.txt']);
	t.deepEqual(backend.redirects.keys(), ['x']);
	await backend.clear();
	t.deepEqual(backend.redirects.keys(), []);
	t.is(readFileSync(path.join(directory, 'notes.txt'), 'utf8'), 'mine');
});

test('H5: what else lies there is passed over, and can be listed', async t => {
	const directory = temporaryDirectory(t);
	const cache = new FileCache(directory);
	await cache.write('a', 1);
	const responses = path.join(directory, 'responses');
	writeFileSync(path.join(responses, 'redirects.sqlite-wal'), '');
	mkdirSync(path.join(responses, 'sub'));
	symlinkSync(path.join(responses, 'a'), path.join(responses, 'link'));
	copyFileSync(path.join(responses, 'a'), path.join(responses, 'b'));
	t.deepEqual(await all(cache.values()), [1, 1]);
	t.is(await cache.read('b'), undefined);
	t.deepEqual((await all(cache.strangers())).map(file => path.basename(file)).sort(), [
		'link',
		'redirects.sqlite-wal',
		'sub',
	]);
});

test('H7: a file that somebody else has put there is data, whatever is in it', async t => {
	const cache = new FileCache(temporaryDirectory(t));
	await cache.write('a', {safe: true});
	const [file = ''] = await all(cache.paths());
	const marker = path.join(cache.directory, 'ran');
	// A pickle that would run a command when it is loaded.
	writeFileSync(file, `cposix\nsystem\n(S'touch ${marker}'\ntR.`);
	t.is(await cache.read('a'), undefined);
	const proto = '{"kind":"json","key":"a"}{"__proto__":{"polluted":true}}';
	const line = `LARDER1 ${(25).toString(16).padStart(8, '0')} ${(proto.length - 25).toString(16).padStart(13, '0')}\n`;
	writeFileSync(file, line + proto);
	t.is(await cache.read('a').then(value => (value as {polluted?: unknown}).polluted), undefined);
	t.is(({} as {polluted?: unknown}).polluted, undefined);
	t.false(existsSync(marker));
});

test('H8: responses lie in responses/ and redirects in redirects.sqlite, however the cache is named', async t => {
	for (const options of [{}, {useTemp: true}]) {
		const directory = temporaryDirectory(t);
		const backend = new FileBackend(directory, options);
		t.teardown(() => backend.close());
		await backend.responses.write('abc', 1);
		t.true(existsSync(path.join(directory, 'responses', 'abc')));
		t.true(existsSync(path.join(directory, 'redirects.sqlite')));
		t.is(await new FileCache(directory, options).read('abc'), 1);
	}
});

test('what was not used for the longest time leaves when there is too much', async t => {
	const cache = new FileCache(temporaryDirectory(t), {maxBytes: 20 * 4096});
	for (let count = 0; count < 20; count++) {
		await cache.write(`k${count}`, count);
		const time = new Date(Date.now() - 1e6 + count * 1000);
		utimesSync(path.join(cache.directory, 'responses', `k${count}`), time, time);
	}

	t.is(await cache.read('k0'), 0);
	await cache.write('new', 'new');
	t.is(await cache.read('k0'), 0);
	t.is(await cache.read('new'), 'new');
	t.is(await cache.read('k1'), undefined);
	t.true((await cache.size()) >= 17);
	t.throws(() => new FileCache(temporaryDirectory(t), {maxBytes: NaN}), {instanceOf: RangeError});
});

test('a number of entries is kept to, by processes that do not know of each other', async t => {
	const directory = temporaryDirectory(t);
	const caches = [new FileCache(directory, {maxEntries: 10}), new FileCache(directory, {maxEntries: 10})];
	for (let count = 0; count < 100; count++) await caches[count % 2]?.write(`k${count}`, count);
	t.true(((await caches[0]?.size()) ?? 99) <= 12);
});

test('a response that is read on keeps its bytes when it is replaced and removed', async t => {
	const cache = new FileCache(temporaryDirectory(t));
	await cache.write('a', new Response('x'.repeat(1_000_000)));
	const read = (await cache.read('a')) as CachedResponse;
	await cache.write('a', new Response('y'));
	await cache.clear();
	t.is(await read.text(), 'x'.repeat(1_000_000));
});
