/** What was kept of a download, and who comes for it: another downloader, another version, a reader in a hurry. */
import test, {type ExecutionContext} from 'ava';
import {CacheError} from '../../../src/base/errors.js';
import {keyOf, openCache, type UrlCache} from '../../../src/library/open.js';
import {
	entryFiles,
	failsWith,
	keptFiles,
	leftovers,
	MIB,
	openMediaCache,
	temporaryDirectory,
} from '../../helpers/cache.js';
import {startOrigin} from '../../helpers/drive.js';
import type {Behaviour} from '../../helpers/origin.js';
import {isWhollyRight} from '../../helpers/right-bytes.js';
import {until} from '../../helpers/until.js';

const FILM: Behaviour = {size: 40 * MIB, ranges: true, etag: '"one"'};
const STALLED: Behaviour = {...FILM, stallAt: 3 * MIB};

/** A reader leaves so often before it is answered. */
const ROUNDS = 20;

async function setUp(t: ExecutionContext, behaviour: Behaviour) {
	const [origin, directory] = [await startOrigin(t), temporaryDirectory(t)];
	const cache = openCache({directory, http: {retries: 0, idleTimeoutMs: 60_000}});
	t.teardown(() => cache.close());
	return {cache, origin, url: origin.serve('/film', behaviour), directory};
}

/** Reads the first MiB of a body and goes; resolves once what has come is kept. */
async function leaveEarly(cache: UrlCache, url: string, directory: string): Promise<void> {
	const version = await cache.open(url);
	await version.read(Buffer.alloc(MIB), 0);
	version.close();
	await until('it is kept', () => keptFiles(directory).length === 2, 20_000);
}

test('who downloads in a way of his own gets what that brings, whatever was kept of the URL, which is gone then', async t => {
	const {cache, url, directory} = await setUp(t, STALLED);
	await leaveEarly(cache, url, directory);
	await cache.close();
	const library = openMediaCache(t, directory);
	let calls = 0;
	const download = () => {
		calls++;
		return Promise.resolve({data: Buffer.from('hello'), mimetype: 'text/plain', filename: 'hello.txt'});
	};
	for (let round = 0; round < 2; round++) {
		const {data, mimetype, filename} = await library.getOrDownload(url, download);
		t.deepEqual([String(data), mimetype, filename], ['hello', 'text/plain', 'hello.txt']);
	}

	t.is(calls, 1);
	t.deepEqual([keptFiles(directory), leftovers(directory)], [[], []]);
	t.is(entryFiles(directory).length, 2);
});

test('what is fetched in the place of what was kept has the type of its own first bytes', async t => {
	const rest = Buffer.alloc(20 * MIB, 1);
	const png = Buffer.concat([Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex'), rest]);
	const pdf = Buffer.concat([Buffer.from('%PDF-1.7\n'), rest]);
	const {cache, origin, url, directory} = await setUp(t, {body: png, ranges: true, etag: '"png"', stallAt: 2 * MIB});
	await leaveEarly(cache, url, directory);
	origin.serve('/film', {body: pdf, ranges: true, etag: '"pdf"'});
	const version = await cache.open(url);
	t.is((await version.whole()).mimetype, 'application/pdf');
	const head = Buffer.alloc(5);
	await version.read(head, 0);
	t.is(String(head), '%PDF-');
	t.like(version.entry, {sizeBytes: pdf.byteLength, sidecar: {mimetype: 'application/pdf'}});
	version.close();
	t.deepEqual(keptFiles(directory), []);
});

test('a reader that leaves before it is answered, and comes again at once, goes on with what was kept', async t => {
	const {cache, origin, url, directory} = await setUp(t, {...FILM, sequence: [STALLED]});
	await leaveEarly(cache, url, directory);
	origin.serve('/film', {...FILM, hang: true});
	for (let round = 0; round < ROUNDS; round++) {
		const leaving = new AbortController();
		const opening = cache.open(url, leaving.signal);
		await origin.received('/film', 2 + round);
		leaving.abort(new CacheError('aborted', 'the reader left'));
		const left = failsWith(t, 'aborted', opening);
		// It comes before it has heard that it has left, or after that.
		if (round % 2 === 0) await left;
	}

	origin.serve('/film', FILM);
	const version = await cache.open(url);
	t.true(await isWhollyRight(version));
	version.close();
	const [, ...later] = origin.requests;
	t.deepEqual(
		later.filter(({headers}) => headers.range === undefined),
		[],
	);
});

test('what is removed while it is asked for again is not kept once more', async t => {
	const {cache, origin, url, directory} = await setUp(t, {...FILM, sequence: [STALLED]});
	await leaveEarly(cache, url, directory);
	origin.serve('/film', {...FILM, hang: true});
	const leaving = new AbortController();
	const opening = cache.open(url, leaving.signal);
	await origin.received('/film', 2);
	t.true(await cache.evict(keyOf(url)));
	leaving.abort(new CacheError('aborted', 'the reader left'));
	await failsWith(t, 'aborted', opening);
	await until('it is over', () => leftovers(directory).length === 0);
	t.deepEqual(keptFiles(directory), []);
});
