/** Files that the Python original wrote are read, and it reads ours. */
import {readFileSync} from 'node:fs';
import test from 'ava';
import {
	cachePath,
	MISSING,
	readCache,
	readCacheEntry,
	refreshCacheTs,
	writeCache,
	type JsonValue,
} from '../../../../src/ports/ttl-cache/index.js';
import {temporaryDirectory} from '../../../helpers/cache.js';
import {callOriginal, PYTHON_MISSING} from '../../../helpers/original-ttl-cache.js';

const BODIES: readonly JsonValue[] = [
	null,
	true,
	0,
	-1.5,
	1e300,
	9_007_199_254_740_992,
	'',
	'grün \u{1f600} "quoted" \\ \u2028 \u0000',
	[],
	[1, [2, {}]],
	{a: {b: [null, false]}, ключ: 'значение'},
];

test('what we write, the original reads, with its etag', async t => {
	const base = temporaryDirectory(t);
	BODIES.forEach((body, index) => writeCache(base, `key ${index}`, body, 'ours', `"v${index}"`));
	const bodies = await callOriginal(...BODIES.map((_, index) => ['read', base, `key ${index}`, 60, 'ours'] as const));
	t.deepEqual(bodies, BODIES);
	const [entry] = await callOriginal(['entry', base, 'key 3', 'ours']);
	t.like(entry, {body: -1.5, etag: '"v3"'});
	t.deepEqual(await callOriginal(['read', base, 'key 1', 0, 'ours']), [PYTHON_MISSING]);
});

test('what the original writes, we read, with its etag', async t => {
	const base = temporaryDirectory(t);
	await callOriginal(
		...BODIES.map((body, index) => ['write', base, `key ${index}`, body, 'default', `"v${index}"`] as const),
		['write', base, 'no etag', 1, 'default', null],
	);
	BODIES.forEach((body, index) => t.deepEqual(readCache(base, `key ${index}`, 60), body));
	t.like(readCacheEntry(base, 'key 3'), {body: -1.5, etag: '"v3"'});
	t.false('etag' in (readCacheEntry(base, 'no etag') ?? {}));
	t.is(readCache(base, 'key 1', 0), MISSING);
});

test('the time of an entry of the original is told anew, and the original finds it so', async t => {
	const base = temporaryDirectory(t);
	await callOriginal(['write', base, 'k', {a: 'grün'}, 'default', '"v1"']);
	const before = readCacheEntry(base, 'k');
	refreshCacheTs(base, 'k');
	const [after] = (await callOriginal(['entry', base, 'k', 'default'])) as [{ts: number}];
	t.true(after.ts > (before?.ts ?? Infinity));
	t.deepEqual({...after, ts: before?.ts}, before);
});

test('the original tells the time of an entry of ours anew, and we find it so', async t => {
	const base = temporaryDirectory(t);
	writeCache(base, 'k', [1], 'default', '"v1"');
	const before = readCacheEntry(base, 'k');
	await callOriginal(['refresh', base, 'k', 'default']);
	const after = readCacheEntry(base, 'k');
	t.true((after?.ts ?? 0) > (before?.ts ?? Infinity));
	t.deepEqual({...after, ts: before?.ts}, before);
	refreshCacheTs(base, 'k');
	t.deepEqual({...readCacheEntry(base, 'k'), ts: before?.ts}, before);
});

test('an entry whose time does not come first is refreshed all the same', async t => {
	const base = temporaryDirectory(t);
	writeCache(base, 'k', 1);
	const {writeFileSync} = await import('node:fs');
	writeFileSync(cachePath(base, 'k'), '{"body": {"a": 1}, "extra": [1], "ts": 17}');
	t.is(readCache(base, 'k', 60), MISSING);
	refreshCacheTs(base, 'k');
	t.deepEqual(readCache(base, 'k', 60), {a: 1});
	t.true(readFileSync(cachePath(base, 'k'), 'utf8').includes('"extra":[1]'));
});

test('the path of a key is the one that the original uses', async t => {
	const base = temporaryDirectory(t);
	await callOriginal(['write', base, 'https://a.example/ü', 'x', 'a/b', null]);
	t.regex(readFileSync(cachePath(base, 'https://a.example/ü', 'a/b'), 'utf8'), /^\{"ts": \d+\.\d+, "body": "x"\}$/);
});
