/** What is stored and stale: asked about, renewed, replaced, served all the same, or removed. From a real origin. */
import {readFileSync} from 'node:fs';
import type {LookupFunction} from 'node:net';
import type {ServerResponse} from 'node:http';
import path from 'node:path';
import test from 'ava';
import {keyOf, openCache} from '../../../src/library/open.js';
import {entryFiles, failsWith, openStore, readWhole} from '../../helpers/cache.js';
import {openFreshCache} from '../../helpers/fresh-cache.js';
import {Origin} from '../../helpers/origin.js';
import {until} from '../../helpers/until.js';

const MINUTE = 60_000;

/** The answer to the next request for a path, for the test to give. */
function hold(origin: Origin, path: string): Promise<ServerResponse> {
	return new Promise(resolve => {
		origin.serve(path, {handle: (_request, response) => resolve(response)});
	});
}

test('what is fresh is read without a request, also by a cache opened later', async t => {
	const {cache, origin, clock, directory, read, asked} = await openFreshCache(t);
	const url = origin.serve('/a', {body: 'one', maxAge: 60, etag: '"v1"'});
	t.is(await read(url), 'one');
	clock.advance(50_000);
	t.is(await read(url), 'one');
	await cache.close();
	const later = openCache({directory, clock, freshness: 'http'});
	t.teardown(() => later.close());
	t.is(await readWhole(await later.open(url)), 'one');
	t.deepEqual(asked('/a'), ['GET']);
	clock.advance(10_000);
	t.is(await readWhole(await later.open(url)), 'one');
	t.deepEqual(asked('/a'), ['GET', 'GET "v1"']);
});

test('a stale entry answered 304 is served from disk, with one conditional request, and is fresh again', async t => {
	const {cache, origin, clock, read, asked} = await openFreshCache(t);
	const url = origin.serve('/a', {body: 'one', maxAge: 60, etag: '"v1"'});
	await read(url);
	const before = cache.entry(keyOf(url));
	clock.advance(MINUTE);
	t.is(await read(url), 'one');
	clock.advance(50_000);
	t.is(await read(url), 'one');
	t.deepEqual(asked('/a'), ['GET', 'GET "v1"']);
	t.deepEqual(cache.entry(keyOf(url))?.data, before?.data);
	t.is(cache.stats().downloads, 1);
});

test('a 304 that says how long it holds changes how long it holds, in the sidecar too', async t => {
	const {origin, clock, directory, read, asked} = await openFreshCache(t);
	const url = origin.serve('/a', {body: 'one', maxAge: 60, etag: '"v1"'});
	await read(url);
	clock.advance(MINUTE);
	origin.serve('/a', {body: 'one', maxAge: 600, etag: '"v1"'});
	await read(url);
	clock.advance(8 * MINUTE);
	await read(url);
	t.is(asked('/a').length, 2);
	const sidecar = JSON.parse(readFileSync(path.join(directory, `${keyOf(url)}.json`), 'utf8')) as {
		http: {headers: Record<string, string>};
	};
	t.is(sidecar.http.headers['cache-control'], 'max-age=600');
});

test('an entry without an ETag is asked about by its date', async t => {
	const {origin, clock, read, asked} = await openFreshCache(t);
	const url = origin.serve('/a', {body: 'one', maxAge: 60, lastModified: new Date(1_700_000_000_000)});
	await read(url);
	clock.advance(MINUTE);
	t.is(await read(url), 'one');
	t.deepEqual(asked('/a'), ['GET', 'GET since']);
});

test('a body that has changed takes the place of the old one; who has that open reads it to the end', async t => {
	const {cache, origin, clock, read, asked} = await openFreshCache(t);
	const url = origin.serve('/a', {body: 'old', maxAge: 60, etag: '"v1"'});
	const old = await cache.open(url);
	await old.whole();
	clock.advance(MINUTE);
	origin.serve('/a', {body: 'newer', maxAge: 60, etag: '"v2"'});
	t.is(await read(url), 'newer');
	t.is(await readWhole(old), 'old');
	t.is(await read(url), 'newer');
	t.deepEqual(asked('/a'), ['GET', 'GET "v1"']);
	t.is(cache.stats().entries, 1);
});

test('a changed body that claims the date of the old one does not have its time', async t => {
	const {cache, origin, clock, read} = await openFreshCache(t);
	const lastModified = new Date(1_700_000_000_000);
	const url = origin.serve('/a', {body: 'old', maxAge: 60, etag: '"v1"', lastModified});
	await read(url);
	const before = cache.glimpse(keyOf(url))?.modifiedAtMs;
	clock.advance(MINUTE);
	origin.serve('/a', {body: 'new', maxAge: 60, etag: '"v2"', lastModified});
	t.is(await read(url), 'new');
	t.not(cache.glimpse(keyOf(url))?.modifiedAtMs, before);
});

test('a body sent although nothing has changed is not fetched again', async t => {
	const {cache, origin, clock, read} = await openFreshCache(t);
	const headers = {'etag': '"v1"', 'cache-control': 'max-age=60'};
	const url = origin.serve('/a', {size: 8_000_000, headers});
	await readWhole(await cache.open(url));
	clock.advance(MINUTE);
	await read(url);
	await read(url);
	t.is(origin.requestsOf('/a').length, 2);
	t.is(cache.stats().downloads, 1);
});

test('many readers of a stale entry ask once', async t => {
	const {origin, clock, read, asked} = await openFreshCache(t);
	const url = origin.serve('/a', {body: 'old', maxAge: 60, etag: '"v1"'});
	await read(url);
	clock.advance(MINUTE);
	origin.serve('/a', {body: 'new', maxAge: 60, etag: '"v2"', delayMs: 50});
	t.deepEqual(await Promise.all(Array.from({length: 20}, () => read(url))), Array(20).fill('new'));
	t.deepEqual(asked('/a'), ['GET', 'GET "v1"']);
});

test('an origin that is broken or gone leaves the stale bytes to readers, and is not asked by each', async t => {
	const {origin, clock, lines, read, asked} = await openFreshCache(t);
	const url = origin.serve('/a', {body: 'one', maxAge: 60, etag: '"v1"'});
	await read(url);
	clock.advance(MINUTE);
	origin.serve('/a', {status: 503});
	t.is(await read(url), 'one');
	t.is(await read(url), 'one');
	t.is(asked('/a').length, 2);
	t.is(lines.filter(line => line.includes('could not be asked')).length, 1);
	clock.advance(MINUTE);
	await origin.close();
	t.is(await read(url), 'one');
});

test('offline for an hour and back: everything is read, nothing is lost, and each is asked about once', async t => {
	const {cache, origin, clock, read, asked} = await openFreshCache(t);
	const paths = Array.from({length: 20}, (_, index) => `/${index}`);
	const urls = paths.map(each => origin.serve(each, {body: each, maxAge: 60, etag: `"${each}"`}));
	for (const url of urls) await read(url);
	cache.setOffline(true);
	for (let minute = 0; minute < 60; minute++) {
		clock.advance(MINUTE);
		t.deepEqual(await Promise.all(urls.map(read)), paths);
	}

	t.is(origin.requests.length, 20);
	cache.setOffline(false);
	for (let round = 0; round < 3; round++) t.deepEqual(await Promise.all(urls.map(read)), paths);
	for (const each of paths) t.deepEqual(asked(each), ['GET', `GET "${each}"`]);
	t.is(cache.stats().entries, 20);
});

test('an origin that is gone for an hour and comes back: all is read, it is seldom tried, and then asked once', async t => {
	let tried = 0;
	const lookup: LookupFunction = (_host, _options, done) => {
		tried++;
		done(null, [{address: '127.0.0.1', family: 4}]);
	};
	const {origin, clock, read} = await openFreshCache(t, {http: {retries: 0, lookup}});
	const paths = Array.from({length: 20}, (_, index) => `/${index}`);
	const serve = (at: Origin) => paths.map(each => at.serve(each, {body: each, maxAge: 60, etag: `"${each}"`}));
	const urls = serve(origin).map(url => url.replace('127.0.0.1', 'origin.test'));
	for (const url of urls) await read(url);
	const {port} = origin;
	await origin.close();
	tried = 0;
	for (let minute = 0; minute < 60; minute++) {
		clock.advance(MINUTE);
		t.deepEqual(await Promise.all(urls.map(read)), paths);
	}

	t.true(tried < 120, `${tried} attempts for ${60 * urls.length} reads`);
	const back = await Origin.start({port});
	t.teardown(() => back.close());
	serve(back);
	clock.advance(2 * MINUTE);
	for (let round = 0; round < 4; round++) t.deepEqual(await Promise.all(urls.map(read)), paths);
	const answered = back.requests.map(({path, status}) => `${path} ${status}`);
	t.deepEqual([...new Set(answered)].sort(), paths.map(each => `${each} 304`).sort());
	t.is(answered.length, urls.length);
});

test('what must be asked about is not read while there is no answer, and stays', async t => {
	const {cache, origin, clock, read} = await openFreshCache(t);
	const cacheControl = {'cache-control': 'max-age=60, must-revalidate'};
	const url = origin.serve('/a', {body: 'one', headers: cacheControl, etag: '"v1"'});
	await read(url);
	clock.advance(MINUTE);
	origin.serve('/a', {status: 503});
	await failsWith(t, 'origin-failed', read(url));
	origin.serve('/a', {body: 'one', headers: cacheControl, etag: '"v1"'});
	t.is(await read(url), 'one');
	t.is(cache.stats().downloads, 1);
	clock.advance(MINUTE);
	cache.setOffline(true);
	t.is(await read(url), 'one', 'who says --offline wants what there is');
});

test('what may be used while it is asked about is read at once, and the next reader gets the new one', async t => {
	const {cache, origin, clock, read} = await openFreshCache(t);
	const cacheControl = {'cache-control': 'max-age=60, stale-while-revalidate=600'};
	const url = origin.serve('/a', {body: 'old', headers: cacheControl, etag: '"v1"'});
	await read(url);
	clock.advance(MINUTE);
	origin.serve('/a', {body: 'new', headers: cacheControl, etag: '"v2"', delayMs: 100});
	t.is(await read(url), 'old');
	await until('the new one is stored', () => cache.entry(keyOf(url))?.sidecar.origin.etag === '"v2"');
	t.is(await read(url), 'new');
});

test('a stale entry of which the origin says that it is no more is removed, and remembered to be gone', async t => {
	const {origin, clock, directory, read, asked} = await openFreshCache(t);
	const url = origin.serve('/a', {body: 'one', maxAge: 60, etag: '"v1"'});
	await read(url);
	clock.advance(MINUTE);
	origin.serve('/a', {status: 404});
	await failsWith(t, 'not-found', read(url));
	await failsWith(t, 'not-found', read(url));
	t.deepEqual(entryFiles(directory), []);
	t.is(asked('/a').length, 2);
});

test('a pinned entry outlives its origin, and so does a refusal', async t => {
	const {cache, origin, clock, read} = await openFreshCache(t);
	const [pinned, refused] = ['/pinned', '/refused'].map(each =>
		origin.serve(each, {body: 'one', maxAge: 60, etag: '"v1"'}),
	) as [string, string];
	await read(pinned);
	await read(refused);
	await cache.annotate(keyOf(pinned), {pinned: true});
	clock.advance(MINUTE);
	origin.serve('/pinned', {status: 404});
	origin.serve('/refused', {status: 403});
	await failsWith(t, 'not-found', read(pinned));
	await failsWith(t, 'origin-refused', read(refused));
	cache.setOffline(true);
	t.deepEqual([await read(pinned), await read(refused)], ['one', 'one']);
});

test('what was put is fresh until it is asked about', async t => {
	const {cache, origin, clock, read, asked} = await openFreshCache(t);
	const url = origin.serve('/a', {body: 'theirs', etag: '"v1"'});
	const media = {data: Buffer.from('mine'), mimetype: 'text/plain', filename: 'a'};
	await cache.store(url, media, {durable: false});
	clock.advance(365 * 24 * 60 * MINUTE);
	t.is(await read(url), 'mine');
	t.deepEqual(asked('/a'), []);
	const {outcome, stored} = await cache.refresh(url);
	await stored;
	t.is(outcome, 'changed');
	t.is(await read(url), 'theirs');
});

test('no-store is read and not kept, in full and in part', async t => {
	const {cache, origin, directory, read, asked} = await openFreshCache(t);
	const url = origin.serve('/a', {body: 'secret', headers: {'cache-control': 'no-store'}});
	t.deepEqual([await read(url), await read(url)], ['secret', 'secret']);
	t.is(asked('/a').length, 2);
	t.deepEqual(entryFiles(directory), []);
	const large = origin.serve('/large', {
		...{size: 30_000_000, rate: 20_000_000, ranges: true, etag: '"v1"'},
		headers: {'cache-control': 'no-store'},
	});
	const version = await cache.open(large);
	await version.read(Buffer.alloc(1000), 0);
	version.close();
	await cache.close();
	t.deepEqual(entryFiles(directory), []);
	t.is(cache.stats().entries, 0);
});

test('forever asks about nothing, whatever its origin says', async t => {
	const {origin, clock, read, asked} = await openFreshCache(t, {freshness: 'forever'});
	const url = origin.serve('/a', {body: 'one', headers: {'cache-control': 'no-store'}});
	t.is(await read(url), 'one');
	clock.advance(10 * 365 * 24 * 60 * MINUTE);
	t.is(await read(url), 'one');
	t.deepEqual(asked('/a'), ['GET']);
});

test('a duration counts from when it was stored, and again from when it was found to be the same', async t => {
	const {origin, clock, read, asked} = await openFreshCache(t, {freshness: 10 * MINUTE});
	const url = origin.serve('/a', {body: 'one', headers: {'cache-control': 'no-cache'}, etag: '"v1"'});
	await read(url);
	clock.advance(8 * MINUTE);
	await read(url);
	clock.advance(2 * MINUTE);
	await read(url);
	clock.advance(8 * MINUTE);
	await read(url);
	t.deepEqual(asked('/a'), ['GET', 'GET "v1"']);
});

test('refreshing asks at once, and tells what came of it', async t => {
	const {cache, origin, read, asked} = await openFreshCache(t, {freshness: 'forever'});
	const url = origin.serve('/a', {body: 'one', etag: '"v1"'});
	const refresh = async () => {
		const {outcome, stored} = await cache.refresh(url);
		await stored;
		return outcome;
	};

	t.is(await refresh(), 'fetched');
	t.is(await refresh(), 'unchanged');
	origin.serve('/a', {body: 'two', etag: '"v2"'});
	t.is(await refresh(), 'changed');
	t.is(await read(url), 'two');
	t.deepEqual(asked('/a'), ['GET', 'GET "v1"', 'GET "v1"']);
	origin.serve('/a', {status: 500});
	await failsWith(t, 'origin-failed', refresh());
	t.is(await read(url), 'two');
});

test('a 304 about another version than the one asked about is not taken for its renewal', async t => {
	const {origin, clock, read, asked} = await openFreshCache(t);
	const url = origin.serve('/a', {body: 'one', maxAge: 60, etag: '"v1"'});
	await read(url);
	clock.advance(MINUTE);
	origin.serve('/a', {
		sequence: [{status: 304, headers: {etag: '"v9"'}}],
		...{body: 'two', maxAge: 60, etag: '"v2"'},
	});
	t.is(await read(url), 'two');
	t.deepEqual(asked('/a'), ['GET', 'GET "v1"', 'GET']);
});

test('while another version comes, a glimpse shows what a reader would get', async t => {
	const {cache, origin, clock, read} = await openFreshCache(t);
	const cacheControl = {'cache-control': 'max-age=60'};
	const url = origin.serve('/a', {body: 'old', headers: cacheControl, etag: '"v1"'});
	await read(url);
	const size = () => cache.glimpse(keyOf(url))?.sizeBytes;
	origin.serve('/a', {size: 8_000_000, rate: 4_000_000, headers: cacheControl, etag: '"v2"'});
	const {stored} = await cache.refresh(url);
	t.is(size(), 3, 'what is fresh is read until the new one is whole');
	clock.advance(MINUTE);
	t.is(size(), 8_000_000, 'who reads what is stale reads the new one as it comes');
	await stored;
	t.is(size(), 8_000_000);
});

test('a Vary that names what every object has is one like any other', async t => {
	const {origin, read, asked} = await openFreshCache(t);
	const url = origin.serve('/x', {body: 'bytes', maxAge: 60, headers: {vary: 'constructor, __proto__, toString'}});
	for (let count = 0; count < 2; count++) t.is(await read(url), 'bytes');
	t.is(asked('/x').length, 1);
});

test('a changed body that claims the date of the old one, and has no ETag, is not fetched in parts', async t => {
	const {cache, origin, clock, read} = await openFreshCache(t, {freshness: MINUTE});
	const lastModified = new Date(1_700_000_000_000);
	const url = origin.serve('/a', {body: 'old', lastModified});
	await read(url);
	clock.advance(MINUTE);
	const headers = {'last-modified': lastModified.toUTCString()};
	origin.serve('/a', {size: 12_000_000, rate: 20_000_000, ranges: true, headers});
	const version = await cache.open(url);
	await version.read(Buffer.alloc(1000), 11_000_000);
	version.close();
	t.deepEqual(
		origin.requestsOf('/a').map(({headers}) => headers.range),
		[undefined, undefined],
		'nothing would tell whether they belong together',
	);
});

test('what is put while the origin is asked is what its readers get, whatever the origin answers', async t => {
	const {cache, origin, clock, read} = await openFreshCache(t);
	const media = {data: Buffer.from('mine'), mimetype: 'text/plain', filename: 'a'};
	for (const answer of [{status: 200}, {status: 404}]) {
		const path = `/${answer.status}`;
		const url = origin.serve(path, {body: 'old', maxAge: 60, etag: '"v1"'});
		await read(url);
		clock.advance(MINUTE);
		const answering = hold(origin, path);
		const reading = read(url);
		const response = await answering;
		await cache.store(url, media, {durable: false});
		response.writeHead(answer.status, {etag: '"v2"'}).end('newer');
		t.deepEqual([await reading, await read(url)], ['mine', 'mine']);
	}
});

test('what is removed while the origin is asked does not come back, unless somebody reads it', async t => {
	const {cache, origin, clock, read} = await openFreshCache(t);
	const headers = {'cache-control': 'max-age=60, stale-while-revalidate=60'};
	const url = origin.serve('/a', {body: 'old', headers, etag: '"v1"'});
	await read(url);
	clock.advance(MINUTE);
	let [answer, isGivenUp] = [() => undefined as void, false];
	origin.serve('/a', {
		handle: (_request, response) => {
			answer = () => void response.writeHead(200, {'content-length': 5, 'etag': '"v2"'}).write('new');
			response.once('close', () => (isGivenUp = true));
		},
	});
	t.is(await read(url), 'old');
	await origin.received('/a', 2);
	await cache.evict(keyOf(url));
	answer();
	await until('the answer is given up', () => isGivenUp);
	t.is(cache.entry(keyOf(url)), undefined);
	origin.serve('/a', {body: 'newer', headers, etag: '"v2"'});
	t.is(await read(url), 'newer');
});

test('what is pinned while its origin says that it is no more stays', async t => {
	const {cache, origin, clock, read} = await openFreshCache(t);
	const url = origin.serve('/a', {body: 'old', maxAge: 60, etag: '"v1"'});
	await read(url);
	clock.advance(MINUTE);
	const answering = hold(origin, '/a');
	const reading = read(url);
	const response = await answering;
	await cache.annotate(keyOf(url), {pinned: true});
	response.writeHead(404).end();
	await failsWith(t, 'not-found', reading);
	t.truthy(cache.entry(keyOf(url)));
});

test('what the guard does not let one ask about any more is read as it is stored', async t => {
	const {cache, origin, clock, directory, read} = await openFreshCache(t);
	const url = origin.serve('/a', {body: 'old', maxAge: 60, etag: '"v1"'});
	await read(url);
	await cache.close();
	clock.advance(MINUTE);
	origin.serve('/a', {body: 'longer', maxAge: 60, etag: '"v2"'});
	for (const guard of [{denyHosts: ['127.0.0.1']}, {maxBytes: 5}]) {
		const guarded = openCache({directory, clock, freshness: 'http', http: {retries: 0, guard}});
		t.is(await readWhole(await guarded.open(url)), 'old');
		await t.throwsAsync(guarded.refresh(url), {message: /denied/});
		await guarded.close();
	}
});

test('what is refreshed again while it comes comes once', async t => {
	const {cache, origin, read} = await openFreshCache(t);
	const url = origin.serve('/a', {body: 'old', maxAge: 60, etag: '"v1"'});
	await read(url);
	const size = 6_000_000;
	origin.serve('/a', {size, rate: size, maxAge: 60, etag: '"v2"', ranges: true});
	const stored = [];
	for (let times = 0; times < 3; times++) stored.push((await cache.refresh(url)).stored);
	await Promise.all(stored);
	t.is(origin.requestsOf('/a').length, 2);
	t.is(cache.entry(keyOf(url))?.sidecar.origin.etag, '"v2"');
});

test('what was left whole of an earlier change is not taken for what the origin has now', async t => {
	const {cache, origin, clock, directory, read} = await openFreshCache(t, {freshness: MINUTE});
	const url = origin.serve('/a', {body: 'one', etag: '"v1"'});
	await read(url);
	await cache.close();
	const store = openStore(t, {directory, clock});
	const draft = await store.draft(keyOf(url));
	const said = {url, sourceUrl: url, mimetype: undefined, filename: 'a', modifiedAtMs: 0, http: undefined};
	draft.expect(3);
	draft.beginTelling({...said, lengthBytes: 3, etag: '"v2"', lastModifiedMs: undefined});
	await draft.write([Buffer.from('two')], 0);
	draft.tell({start: 0, end: 3});
	t.true(await draft.keep());
	await store.close();
	clock.advance(MINUTE);
	origin.serve('/a', {body: 'three', etag: '"v3"', ranges: true});
	const later = openCache({directory, clock, freshness: MINUTE});
	t.teardown(() => later.close());
	t.is(await readWhole(await later.open(url)), 'three');
});

test('versions that claim one date by turns have times of their own', async t => {
	const {cache, origin, clock, read} = await openFreshCache(t, {freshness: MINUTE});
	const lastModified = new Date(1_700_000_000_000);
	const times = new Set<number | undefined>();
	for (const letter of ['a', 'b', 'c', 'd']) {
		const url = origin.serve('/a', {body: letter, etag: `"${letter}"`, lastModified});
		t.is(await read(url), letter);
		times.add(cache.glimpse(keyOf(url))?.modifiedAtMs);
		clock.advance(MINUTE);
	}

	t.is(times.size, 4);
});

test('a host that does not answer keeps one reader waiting, and not each for each file', async t => {
	const {origin, clock, read} = await openFreshCache(t);
	const paths = Array.from({length: 8}, (_, index) => `/${index}`);
	const urls = paths.map(each => origin.serve(each, {body: each, maxAge: 60, etag: `"${each}"`}));
	for (const url of urls) await read(url);
	clock.advance(MINUTE);
	for (const each of paths) origin.serve(each, {hang: true});
	const began = performance.now();
	for (const url of urls) await read(url);
	t.true(performance.now() - began < 10_000);
});
