/** What only its end tells the length of, read while it comes. */
import test, {type ExecutionContext} from 'ava';
import {CacheError} from '../../../src/base/errors.js';
import {keyOf} from '../../../src/cache/url-cache.js';
import type {Version} from '../../../src/cache/version.js';
import {isGif} from '../../../src/media/sniff.js';
import type {Transform} from '../../../src/media/transforms.js';
import {
	entryFiles,
	failsWith,
	HandSource,
	MIB,
	openUrlCache,
	readWhole,
	temporaryDirectory,
	type CacheSetup,
} from '../../helpers/cache.js';
import {until} from '../../helpers/until.js';

const A = 'https://a.example/a.txt';
const BEGINNING = 'the first lines of it\n';

function open(t: ExecutionContext, setup: CacheSetup = {}) {
	const source = new HandSource();
	const cache = openUrlCache(t, {source, isStreamed: () => true, ...setup});
	return {source, cache};
}

/** A stream whose beginning has come. */
async function begun(t: ExecutionContext, setup: CacheSetup = {}) {
	const {source, cache} = open(t, setup);
	const opening = cache.openStream(A);
	const body = await source.body();
	body.begin();
	body.send(BEGINNING);
	const version = await opening;
	t.teardown(() => version.close());
	return {source, cache, body, version};
}

async function text(version: Version, position = 0, length = 100): Promise<string> {
	const buffer = Buffer.alloc(length);
	return String(buffer.subarray(0, await version.read(buffer, position)));
}

function broken(): CacheError {
	return new CacheError('origin-failed', 'cut short');
}

/** Whether a promise is not settled after all that is under way has had its turn. */
async function waits(promise: Promise<unknown>): Promise<boolean> {
	let isSettled = false;
	const settle = () => (isSettled = true);
	promise.then(settle, settle);
	for (let turn = 0; turn < 20; turn++) await new Promise(resolve => setImmediate(resolve));
	return !isSettled;
}

test('a stream opens with its first bytes, and gives what has come', async t => {
	const {version, body, cache} = await begun(t);
	t.deepEqual([version.isStream, version.sizeBytes, version.entry], [true, 0, undefined]);
	t.is(await text(version), BEGINNING);
	t.is(await text(version, 4, 5), 'first');
	const next = text(version, BEGINNING.length);
	t.true(await waits(next));
	body.send('more');
	t.is(await next, 'more');
	t.is(version.arrivedBytes, BEGINNING.length + 4);
	t.is(cache.downloads()[0]?.total, null);
});

test('a read of what lies ahead waits until that comes', async t => {
	const {version, body} = await begun(t);
	const ahead = text(version, 1000, 10);
	body.send('a'.repeat(900));
	t.true(await waits(ahead));
	body.send('b'.repeat(200));
	t.is(await ahead, 'b'.repeat(10));
	t.is(await text(version, BEGINNING.length, 3), 'aaa');
});

test('the end of a stream is a read that gives nothing, and it is stored by then', async t => {
	const {version, body, cache, source} = await begun(t);
	const end = text(version, BEGINNING.length);
	const beyond = text(version, 10_000);
	t.true(await waits(end));
	body.end();
	t.deepEqual([await end, await beyond], ['', '']);
	t.deepEqual([version.isStream, version.sizeBytes], [false, BEGINNING.length]);
	t.is(cache.glimpse(keyOf(A))?.sizeBytes, BEGINNING.length);
	const again = await cache.openStream(A);
	t.false(again.isStream);
	t.is(await readWhole(again), BEGINNING);
	t.is(await text(version), BEGINNING);
	t.is(source.bodies.length, 1);
});

test('a stream that breaks gives what came before, and then its error, to each read', async t => {
	const directory = temporaryDirectory(t);
	const {version, body, cache, source} = await begun(t, {directory});
	const next = text(version, BEGINNING.length);
	next.catch(() => undefined);
	body.fail(broken());
	await failsWith(t, 'origin-failed', next);
	t.is(await text(version), BEGINNING);
	for (const position of [BEGINNING.length, BEGINNING.length + 1, 1_000_000]) {
		await failsWith(t, 'origin-failed', text(version, position));
	}

	t.deepEqual([version.isStream, version.sizeBytes], [true, 0]);
	t.deepEqual(entryFiles(directory), []);
	const opening = cache.openStream(A);
	(await source.body(2)).answer('whole');
	t.is(await readWhole(await opening), 'whole');
});

test('a second reader joins a stream from its first byte on, with no other request', async t => {
	const {version, body, cache, source} = await begun(t);
	const other = await cache.openStream(A);
	t.is(await text(other), BEGINNING);
	version.close();
	const next = text(other, BEGINNING.length);
	body.send('more');
	t.is(await next, 'more');
	body.end();
	t.is(await text(other, BEGINNING.length + 4), '');
	t.is(await readWhole(other), `${BEGINNING}more`);
	t.is(source.bodies.length, 1);
});

test('who opens it and can read no stream waits for the end, beside who can', async t => {
	const {version, body, cache, source} = await begun(t);
	const opening = cache.open(A);
	t.true(await waits(opening));
	t.is(await text(version), BEGINNING);
	body.end();
	t.is(await readWhole(await opening), BEGINNING);
	t.is(source.bodies.length, 1);
});

test('where it is not said of its host, the end is waited for', async t => {
	const {cache, source} = open(t, {isStreamed: url => new URL(url).host === 'b.example'});
	const [other, streamed] = [cache.openStream(A), cache.openStream('https://b.example/b')];
	for (const count of [1, 2]) {
		const body = await source.body(count);
		body.begin();
		body.send(BEGINNING);
	}

	t.is(await text(await streamed), BEGINNING);
	t.true(await waits(other));
	source.bodies.forEach(body => body.end());
	t.is((await other).sizeBytes, BEGINNING.length);
	(await other).close();
	(await streamed).close();
});

test('what has a length is no stream, nor is what is to be transformed', async t => {
	const transform: Transform = {
		name: 'none',
		appliesTo: isGif,
		run: () => Promise.reject(new Error('no')),
	};
	const {cache, source} = open(t, {transforms: [transform]});
	const opening = cache.openStream(A);
	const body = await source.body();
	body.begin(10_000);
	body.send('a'.repeat(9000));
	const version = await opening;
	t.deepEqual([version.isStream, version.sizeBytes], [false, 10_000]);
	version.close();
	const gif = cache.openStream('https://a.example/a.gif');
	const other = await source.body(2);
	other.begin();
	other.send('GIF89a'.padEnd(5000, 'x'));
	t.true(await waits(gif));
	other.end();
	t.is((await gif).sizeBytes, 5000);
	(await gif).close();
});

test('the type of a stream is what more than its first bytes say', async t => {
	const {cache, source} = open(t);
	const opening = cache.openStream(A);
	const body = await source.body();
	body.begin();
	const archive = Buffer.alloc(10_240);
	archive.write('a.txt');
	archive.write('0000644', 100);
	archive.write('00000000000', 124);
	archive.write('ustar\x0000', 257);
	archive.write('004523', 148);
	body.send(archive.subarray(0, 20));
	const version = await opening;
	body.send(archive.subarray(20));
	body.end();
	t.is((await version.whole()).mimetype, 'application/x-tar');
	version.close();
});

test('a stream that outgrows what there is room for fails its readers, and is not cut short', async t => {
	const {version, body} = await begun(t, {limitBytes: MIB});
	body.send(Buffer.alloc(3 * MIB));
	const reads = (async () => {
		for (let position = 0; ;) {
			const length = (await text(version, position, 65_536)).length;
			if (length === 0) return position;
			position += length;
		}
	})();
	await failsWith(t, 'too-large', reads);
});

test('who waits for a stream can leave, and it goes on for others', async t => {
	const {version, body} = await begun(t);
	const controller = new AbortController();
	const read = version.read(Buffer.alloc(10), BEGINNING.length, controller.signal);
	const gone = new CacheError('aborted', 'gone');
	controller.abort(gone);
	t.is(await t.throwsAsync(read), gone);
	body.send('more');
	t.is(await text(version, BEGINNING.length), 'more');
});

test('a stream that was removed is read to its end, and not stored', async t => {
	const directory = temporaryDirectory(t);
	const {version, body, cache} = await begun(t, {directory});
	t.true(await cache.evict(keyOf(A)));
	body.send('more');
	body.end();
	await until('all has come', async () => (await text(version, BEGINNING.length + 4)) === '');
	t.is(await text(version, BEGINNING.length), 'more');
	t.deepEqual(entryFiles(directory), []);
});

test('what a stream is to replace is not what there is, once somebody reads that', async t => {
	const {cache, source} = open(t, {freshness: 1});
	await cache.store(A, {data: Buffer.from('old'), mimetype: 'text/plain', filename: 'a'}, {durable: false});
	const first = cache.refresh(A);
	(await source.body()).answer('older');
	await (
		await first
	).stored;
	await until('it is stale', () => cache.glimpse(keyOf(A))?.validForMs === 0);
	t.is(cache.glimpse(keyOf(A))?.sizeBytes, 5);
	const opening = cache.openStream(A);
	const body = await source.body(2);
	body.begin();
	t.is(cache.glimpse(keyOf(A))?.sizeBytes, 5);
	body.send(BEGINNING);
	const version = await opening;
	const glimpse = cache.glimpse(keyOf(A));
	t.deepEqual([glimpse?.sizeBytes, glimpse?.isStored, glimpse?.id.isSame(version.id)], [0, false, true]);
	version.close();
});
