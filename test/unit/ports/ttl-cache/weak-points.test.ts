/** The weak points of the original that are told apart as U1 to U9, each as it should be. */
import {spawnSync} from 'node:child_process';
import {
	existsSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	rmSync,
	statSync,
	symlinkSync,
	unlinkSync,
	utimesSync,
	writeFileSync,
} from 'node:fs';
import path from 'node:path';
import {setImmediate as othersHaveTheirTurn} from 'node:timers/promises';
import test from 'ava';
import {
	cacheKeys,
	cachePath,
	limitCache,
	MISSING,
	readCache,
	readCacheEntry,
	refreshCacheTs,
	sweepCache,
	writeCache,
	type JsonValue,
} from '../../../../src/ports/ttl-cache/index.js';
import {temporaryDirectory} from '../../../helpers/cache.js';
import {callOriginal} from '../../../helpers/original-ttl-cache.js';
import {startTtlProcess} from '../../../helpers/ttl-cache-process.js';

const OLD = new Date(Date.now() - 3_600_000);

/** Puts text in the place of an entry. */
function plant(base: string, key: string, text: string | Buffer): string {
	writeCache(base, key, 'planted over');
	writeFileSync(cachePath(base, key), text);
	return cachePath(base, key);
}

test('U1: while an entry is refreshed over and over, no reader misses it', async t => {
	const base = temporaryDirectory(t);
	writeCache(base, 'k', 'x'.repeat(10_000));
	const other = startTtlProcess(t);
	await other.tell('keepRefreshing', base, 'k');
	for (let count = 0; count < 20_000; count++) {
		if (readCache(base, 'k', 60) === MISSING) t.fail('a miss');
		if (count % 500 === 0) await othersHaveTheirTurn();
	}

	t.is((readCache(base, 'k', 60) as string).length, 10_000);
});

test('U2: what is written while an entry is refreshed stays written', async t => {
	const base = temporaryDirectory(t);
	writeCache(base, 'k', 'first');
	const other = startTtlProcess(t);
	await other.tell('keepRefreshing', base, 'k');
	for (let count = 0; count < 3000; count++) {
		if (count % 100 === 0) await othersHaveTheirTurn();
		writeCache(base, 'k', count);
		if (readCache(base, 'k', 60) !== count) t.fail(`the write of ${count} was lost`);
	}

	t.is(await other.tell('read', base, 'k', 60), 2999);
});

for (const [what, text] of Object.entries({
	'a ts of null': '{"ts": null, "body": 1}',
	'a ts that is text': '{"ts": "abc", "body": 1}',
	'a list': '[]',
	'a number': '42',
	'null': 'null',
	'nothing': '',
	'half an entry': '{"ts": 9e9, "bo',
	'no body': '{"ts": 9e9}',
	'what is not UTF-8': Buffer.from('7b227473223a20312c2022626f6479223a2022ff227d', 'hex'),
	'200,000 brackets': '['.repeat(200_000),
	'200,000 brackets in a body': `{"ts": 1, "body": ${'['.repeat(200_000)}`,
	'the key of another': `{"ts": ${Date.now() / 1000}, "body": 1, "key": "other"}`,
})) {
	test(`U3: ${what} in the place of an entry is a miss, and is written over`, t => {
		const base = temporaryDirectory(t);
		plant(base, 'k', text);
		t.is(readCache(base, 'k', 60), MISSING);
		t.is(readCacheEntry(base, 'k'), null);
		t.notThrows(() => refreshCacheTs(base, 'k'));
		writeCache(base, 'k', 'new');
		t.is(readCache(base, 'k', 60), 'new');
	});
}

test('U3: a directory, a link and a FIFO in the place of an entry are misses, and nobody waits for them', t => {
	const base = temporaryDirectory(t);
	writeCache(base, 'real', 'secret');
	symlinkSync(cachePath(base, 'real'), cachePath(base, 'link'));
	mkdirSync(cachePath(base, 'directory'));
	t.is(spawnSync('mkfifo', [cachePath(base, 'fifo')]).status, 0);
	for (const key of ['link', 'directory', 'fifo']) t.is(readCache(base, key, 60), MISSING, key);
	writeCache(base, 'link', 'new');
	t.is(readCache(base, 'real', 60), 'secret');
});

for (const ts of ['9999999999', '1e400', '-Infinity', `${Date.now() / 1000 + 3600}`]) {
	test(`U4: an entry whose time is ${ts.slice(0, 10)} is not fresh`, t => {
		const base = temporaryDirectory(t);
		plant(base, 'k', `{"ts": ${ts}, "body": 1}`);
		t.is(readCache(base, 'k', 1), MISSING);
	});
}

test('U4: a clock that is a few seconds ahead is believed', t => {
	const base = temporaryDirectory(t);
	plant(base, 'k', `{"ts": ${Date.now() / 1000 + 5}, "body": 1}`);
	t.is(readCache(base, 'k', 10), 1);
});

const LONG = 'x'.repeat(256);
const NONE = ['', '.', '..', '../x', '/abs', 'a/../b', 'a//b', 'a/', 'a\0b', '.larder', '.larder/locks'];

for (const namespace of [...NONE, 'a\ud800', LONG, `a/${LONG}`, 'ä'.repeat(128)]) {
	test(`U5: ${JSON.stringify(namespace).slice(0, 20)} (${namespace.length}) is no namespace`, t => {
		const base = path.join(temporaryDirectory(t), 'base');
		const error = {instanceOf: RangeError};
		t.throws(() => cachePath(base, 'k', namespace), error);
		t.throws(() => readCache(base, 'k', 60, namespace), error);
		t.throws(() => readCacheEntry(base, 'k', namespace), error);
		t.throws(() => writeCache(base, 'k', 1, namespace), error);
		t.throws(() => refreshCacheTs(base, 'k', namespace), error);
		t.false(existsSync(base));
	});
}

test('U5: a namespace that is a link, or lies behind one, is neither read nor written', t => {
	const [base, outside] = [temporaryDirectory(t), temporaryDirectory(t)];
	writeCache(outside, 'k', 'outside', 'a');
	writeCache(base, 'other', 1);
	symlinkSync(outside, path.join(base, 'link'));
	symlinkSync(path.join(outside, 'a'), path.join(base, 'a'));
	for (const namespace of ['a', 'link/a']) {
		t.is(readCache(base, 'k', 60, namespace), MISSING);
		t.throws(() => writeCache(base, 'k', 'over', namespace), {instanceOf: RangeError});
	}

	t.is(readCache(outside, 'k', 60, 'a'), 'outside');
});

test('U5: reading creates nothing', t => {
	const base = path.join(temporaryDirectory(t), 'base');
	t.is(readCache(base, 'k', 60, 'a/b'), MISSING);
	t.is(readCacheEntry(base, 'k'), null);
	refreshCacheTs(base, 'k');
	t.deepEqual([...cacheKeys(base)], []);
	t.is(cachePath(base, 'k').length, base.length + '/default/'.length + 64);
	t.deepEqual(sweepCache(base, {}), {removed: 0, entries: 0, bytes: 0});
	t.false(existsSync(base));
});

test('U5: a key with a lone surrogate is refused', t => {
	t.throws(() => writeCache(temporaryDirectory(t), '\ud800', 1), {instanceOf: RangeError});
});

test('U6: what killed writers have left is gone after the next write of another process, ours, and a sweep, the original’s', async t => {
	const base = temporaryDirectory(t);
	const writers = [startTtlProcess(t), startTtlProcess(t), startTtlProcess(t)];
	await Promise.all(writers.map(writer => writer.tell('leaveHalfAFile', base)));
	await Promise.all(writers.map(writer => writer.kill()));
	t.is(readdirSync(path.join(base, '.larder/incoming')).length, 3);
	await startTtlProcess(t).tell('write', base, 'k', 1);
	t.deepEqual(readdirSync(path.join(base, '.larder/incoming')), []);

	const [old, young, stranger] = ['tmpabcdefgh.tmp', 'tmp12345678.tmp', 'notes.txt'] as const;
	for (const name of [old, young, stranger]) writeFileSync(path.join(base, 'default', name), '');
	utimesSync(path.join(base, 'default', old), OLD, OLD);
	sweepCache(base, {});
	const left = readdirSync(path.join(base, 'default')).filter(name => name.length < 64);
	t.deepEqual(left.sort(), [young, stranger].sort());
});

test('U6: an entry has the mode that the umask leaves', t => {
	const base = temporaryDirectory(t);
	const before = process.umask(0o027);
	try {
		writeCache(base, 'k', 1);
	} finally {
		process.umask(before);
	}

	t.is(statSync(cachePath(base, 'k')).mode & 0o777, 0o640);
	t.is(statSync(path.join(base, 'default')).mode & 0o777, 0o750);
});

for (const [what, body] of Object.entries({
	'NaN': NaN,
	'Infinity': [Infinity],
	'a Date': {at: new Date(0)},
	'a Map': new Map(),
	'undefined': undefined,
	'undefined in a list': [undefined],
	'a hole': Array(1),
	'a function': () => 1,
	'a bigint': 1n,
})) {
	test(`U7: ${what} is refused, and what was there stays`, t => {
		const base = temporaryDirectory(t);
		writeCache(base, 'k', 'before');
		t.throws(() => writeCache(base, 'k', body as JsonValue), {instanceOf: TypeError});
		t.is(readCache(base, 'k', 60), 'before');
		t.deepEqual(readdirSync(path.join(base, '.larder/incoming')), []);
	});
}

test('U7: a body of a thousand levels is refused, and so is one that contains itself', t => {
	const loop: unknown[] = [];
	loop.push(loop);
	t.throws(() => writeCache(temporaryDirectory(t), 'k', loop as JsonValue), {instanceOf: TypeError});
});

test('U7: a whole number that JavaScript would round is a miss, not another number', async t => {
	const base = temporaryDirectory(t);
	const now = Date.now() / 1000;
	plant(base, 'odd', `{"ts": ${now}, "body": [9007199254740993]}`);
	plant(base, 'even', `{"ts": ${now}, "body": [9007199254740992, -9007199254740994, 1e300]}`);
	plant(base, 'text', `{"ts": ${now}, "body": "9007199254740993 \\" 9007199254740993"}`);
	t.is(readCache(base, 'odd', 60), MISSING);
	t.deepEqual(readCache(base, 'even', 60), [2 ** 53, -(2 ** 53 + 2), 1e300]);
	t.is(readCache(base, 'text', 60), '9007199254740993 " 9007199254740993');
	writeCache(base, 'ours', 2 ** 53 + 2);
	t.deepEqual(await callOriginal(['read', base, 'ours', 60, 'default']), [2 ** 53 + 2]);
});

test('U8: the keys of what we wrote can be listed, and files without one are read all the same', async t => {
	const base = temporaryDirectory(t);
	writeCache(base, 'https://a.example/1', 1);
	await callOriginal(['write', base, 'https://a.example/2', 2, 'default', null]);
	plant(base, 'https://a.example/3', `{"ts": 1, "body": 1, "key": "https://a.example/1"}`);
	plant(base, 'https://a.example/4', 'damaged');
	t.deepEqual([...cacheKeys(base)].map(({key}) => key).sort(), ['https://a.example/1', undefined]);
	t.is(readCache(base, 'https://a.example/2', 60), 2);
});

test('U9: a sweep removes what has expired in every namespace, and nothing else', t => {
	const base = temporaryDirectory(t);
	for (let count = 0; count < 100; count++) writeCache(base, `k${count}`, count, count % 2 ? 'a' : 'b/c');
	for (let count = 0; count < 50; count++) {
		const file = cachePath(base, `k${count}`, count % 2 ? 'a' : 'b/c');
		writeFileSync(file, readFileSync(file, 'utf8').replace(/\d{10}/, '1000000000'));
		utimesSync(file, OLD, OLD);
	}

	// Its file is old, as a copy may be; the entry says that it is young.
	utimesSync(cachePath(base, 'k99', 'a'), OLD, OLD);
	writeFileSync(path.join(base, 'a', 'notes.txt'), 'mine');
	utimesSync(path.join(base, 'a', 'notes.txt'), OLD, OLD);
	const swept = sweepCache(base, {maxAgeS: 60});
	t.is(swept.removed, 50);
	t.is(swept.entries, 50);
	for (let count = 50; count < 100; count++) t.is(readCache(base, `k${count}`, 60, count % 2 ? 'a' : 'b/c'), count);
	t.true(existsSync(path.join(base, 'a', 'notes.txt')));
});

test('U9: what is written stays within its budget, and the oldest leaves first', t => {
	const base = temporaryDirectory(t);
	limitCache(base, {maxBytes: 100 * 4096});
	for (let count = 0; count < 500; count++) {
		writeCache(base, `k${count}`, 'x'.repeat(1000));
		const time = new Date(Date.now() - 500_000 + count * 1000);
		utimesSync(cachePath(base, `k${count}`), time, time);
	}

	const {entries, bytes} = sweepCache(base, {});
	t.true(bytes <= 100 * 4096 && entries >= 80, `${entries} entries of ${bytes} bytes`);
	t.is(readCache(base, 'k499', 3600), 'x'.repeat(1000));
	t.is(readCache(base, 'k399', 3600), MISSING);
});

test('U9: an entry larger than the budget is not stored, and nothing leaves for it', t => {
	const base = temporaryDirectory(t);
	limitCache(base, {maxBytes: 10 * 4096});
	writeCache(base, 'small', 1);
	writeCache(base, 'large', 'old');
	writeCache(base, 'large', 'x'.repeat(50_000));
	t.is(readCache(base, 'large', 60), MISSING);
	t.is(readCache(base, 'small', 60), 1);
	writeCache(base, 'fits', 'x'.repeat(39_000));
	t.is((readCache(base, 'fits', 60) as string).length, 39_000);
});

test('U9: a number of entries is kept to, and a limit that is none is refused', t => {
	const base = temporaryDirectory(t);
	limitCache(base, {maxEntries: 1});
	for (const key of ['a', 'b', 'c']) writeCache(base, key, key);
	t.is(sweepCache(base, {}).entries, 1);
	t.is(readCache(base, 'c', 60), 'c');
	limitCache(base, {});
	for (const key of ['d', 'e']) writeCache(base, key, key);
	t.is(sweepCache(base, {}).entries, 3);
	limitCache(base, {maxEntries: 0});
	writeCache(base, 'f', 'f');
	t.is(sweepCache(base, {}).entries, 0);
	limitCache(base, {});
	t.throws(() => limitCache(base, {maxBytes: -1}), {instanceOf: RangeError});
	t.throws(() => sweepCache(base, {maxAgeS: NaN}), {instanceOf: RangeError});
});

test('a directory that somebody has removed is made again by the next write', t => {
	const base = temporaryDirectory(t);
	writeCache(base, 'k', 1);
	rmSync(base, {recursive: true});
	writeCache(base, 'k', 2);
	t.is(readCache(base, 'k', 60), 2);
	rmSync(path.join(base, '.larder'), {recursive: true});
	writeCache(base, 'k', 3);
	t.is(readCache(base, 'k', 60), 3);
});

test('a write that fails says so, and leaves nothing behind', t => {
	const base = temporaryDirectory(t);
	mkdirSync(cachePath(base, 'k'), {recursive: true});
	t.throws(() => writeCache(base, 'k', 2), {code: 'EISDIR'});
	t.deepEqual(readdirSync(path.join(base, '.larder/incoming')), []);
});

test('a key that was removed is a miss', t => {
	const base = temporaryDirectory(t);
	writeCache(base, 'k', null);
	t.is(readCache(base, 'k', 60), null);
	unlinkSync(cachePath(base, 'k'));
	t.is(readCache(base, 'k', 60), MISSING);
});

test('every weak point has a test', t => {
	const source = readFileSync(import.meta.filename, 'utf8');
	for (let number = 1; number <= 9; number++) t.regex(source, new RegExp(`test\\([\`'"]U${number}: `));
});
