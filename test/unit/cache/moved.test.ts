/** URLs that have moved for good. */
import test from 'ava';
import {downloaderSource} from '../../../src/cache/source.js';
import {keyOf, openCache} from '../../../src/library/open.js';
import {entryFiles, failsWith, openStore, readWhole, temporaryDirectory, TestClock} from '../../helpers/cache.js';
import {openFreshCache} from '../../helpers/fresh-cache.js';
import {Origin} from '../../helpers/origin.js';

test('what has moved for good is stored once, where it has moved to, and found under both', async t => {
	const {cache, origin, directory, read, asked} = await openFreshCache(t, {freshness: 'forever'});
	const target = origin.serve('/new', {body: 'bytes'});
	const url = origin.serve('/old', {status: 301, redirect: '/new'});
	t.is(await read(url), 'bytes');
	t.deepEqual([await read(url), await read(target)], ['bytes', 'bytes']);
	t.deepEqual([asked('/old').length, asked('/new').length], [1, 1]);
	t.deepEqual(
		[...cache.list()].map(one => one.url),
		[target],
	);
	t.is(entryFiles(directory).length, 2);
	t.is(cache.glimpse(keyOf(url))?.sizeBytes, 5);
	t.deepEqual([cache.stats().hits, cache.stats().misses], [2, 1]);
});

test('it is remembered across a restart', async t => {
	const {cache, origin, directory, read, asked} = await openFreshCache(t, {freshness: 'forever'});
	origin.serve('/new', {body: 'bytes'});
	const url = origin.serve('/old', {status: 308, redirect: '/new'});
	await read(url);
	await cache.close();
	const again = openCache({directory, clock: new TestClock()});
	t.teardown(() => again.close());
	t.is(await readWhole(await again.open(url)), 'bytes');
	t.is(asked('/old').length, 1);
});

test('what has moved for now is followed anew, and lies under the URL asked for', async t => {
	const {cache, origin, read, asked} = await openFreshCache(t, {freshness: 'forever'});
	origin.serve('/new', {body: 'bytes'});
	for (const status of [302, 303, 307]) {
		const url = origin.serve(`/${status}`, {status, redirect: '/new'});
		t.is(await read(url), 'bytes');
		t.truthy(cache.entry(keyOf(url)));
		await cache.evict(keyOf(url));
		t.is(await read(url), 'bytes');
		t.is(asked(`/${status}`).length, 2);
	}
});

test('of a chain the part that is for good is remembered', async t => {
	const {cache, origin, read, asked} = await openFreshCache(t, {freshness: 'forever'});
	origin.serve('/d', {body: 'bytes'});
	origin.serve('/c', {status: 302, redirect: '/d'});
	const middle = origin.serve('/b', {status: 301, redirect: '/c'});
	const url = origin.serve('/a', {status: 301, redirect: '/b'});
	t.is(await read(url), 'bytes');
	t.deepEqual(
		[...cache.list()].map(one => new URL(one.url).pathname),
		['/c'],
	);
	await cache.evict(keyOf(origin.serve('/c', {status: 302, redirect: '/d'})));
	t.is(await read(middle), 'bytes');
	t.is(asked('/b').length, 2);
});

test('removing an alias leaves what it leads to, removing that takes its aliases too', async t => {
	const {cache, origin, read, asked} = await openFreshCache(t, {freshness: 'forever'});
	const target = origin.serve('/new', {body: 'bytes'});
	const [one, other] = ['/one', '/other'].map(each => origin.serve(each, {status: 301, redirect: '/new'})) as [
		string,
		string,
	];
	await read(one);
	await read(other);
	t.true(await cache.evict(keyOf(one)));
	t.false(await cache.evict(keyOf(one)));
	t.truthy(cache.entry(keyOf(target)));
	await read(one);
	t.deepEqual([asked('/one').length, asked('/new').length], [2, 3]);
	t.true(await cache.evict(keyOf(target)));
	await read(one);
	await read(other);
	t.deepEqual([asked('/one').length, asked('/other').length], [3, 2]);
});

test('what is put under a URL that has moved lies there, and goes first', async t => {
	const {cache, origin, read} = await openFreshCache(t, {freshness: 'forever'});
	const target = origin.serve('/new', {body: 'bytes'});
	const url = origin.serve('/old', {status: 301, redirect: '/new'});
	await read(url);
	await cache.store(url, {data: Buffer.from('mine'), mimetype: 'text/plain', filename: 'a'}, {durable: false});
	t.deepEqual([await read(url), await read(target)], ['mine', 'bytes']);
});

test('two URLs that move to each other at different times end in an error, not in a circle', async t => {
	const {cache, origin, read} = await openFreshCache(t, {freshness: 'forever'});
	const b = origin.serve('/b', {body: 'bytes'});
	const a = origin.serve('/a', {status: 301, redirect: '/b'});
	await read(a);
	origin.serve('/a', {body: 'bytes'});
	origin.serve('/b', {status: 301, redirect: '/a'});
	await cache.evict(keyOf(b));
	t.is(await read(b), 'bytes');
	t.is(await read(a), 'bytes');
	await cache.evict(keyOf(a));
	origin.serve('/a', {status: 301, redirect: '/b'});
	await failsWith(t, 'origin-failed', read(a));
});

test('many readers of a URL that has moved cost one request for each hop', async t => {
	const {origin, read, asked} = await openFreshCache(t, {freshness: 'forever'});
	origin.serve('/new', {size: 6_000_000, rate: 30_000_000});
	const url = origin.serve('/old', {status: 301, redirect: '/new'});
	const bodies = await Promise.all(Array.from({length: 10}, () => read(url)));
	t.true(bodies.every(body => body === bodies[0] && body?.length !== 0));
	t.deepEqual([asked('/old').length, asked('/new').length], [1, 1]);
});

test('by http a move holds as long as it says', async t => {
	const {origin, clock, read, asked} = await openFreshCache(t, {freshness: 'http'});
	origin.serve('/new', {body: 'bytes', maxAge: 1_000_000});
	const url = origin.serve('/old', {status: 301, redirect: '/new', headers: {'cache-control': 'max-age=60'}});
	await read(url);
	clock.advance(50_000);
	await read(url);
	t.is(asked('/old').length, 1);
	clock.advance(10_000);
	await read(url);
	t.is(asked('/old').length, 2);
	t.is(asked('/new').length, 2, 'to follow a redirect is to ask for what it leads to');
});

test('a URL with credentials stands for itself alone', async t => {
	const {origin, read, asked} = await openFreshCache(t, {freshness: 'forever'});
	origin.serve('/new', {body: 'bytes'});
	const url = origin.serve('/old', {status: 301, redirect: '/new'}).replace('http://', 'http://me:secret@');
	t.is(await read(url), 'bytes');
	t.is(await read(url), 'bytes');
	t.is(asked('/old').length, 1);
	await read(origin.serve('/new', {body: 'bytes'}));
	t.is(asked('/new').length, 2);
});

test('what a URL has now is not stored as what it once had moved to', async t => {
	const {cache, origin, clock, read} = await openFreshCache(t);
	const victim = origin.serve('/victim', {body: 'genuine', maxAge: 60});
	const moving = origin.serve('/moving', {
		...{status: 301, redirect: '/victim'},
		headers: {'cache-control': 'max-age=1000000'},
	});
	t.is(await read(moving), 'genuine');
	origin.serve('/moving', {body: 'another', maxAge: 60});
	const url = origin.serve('/url', {status: 301, redirect: '/moving'});
	clock.advance(61_000);
	t.is(await read(url), 'another', 'what it had moved to is stale');
	t.is(await read(victim), 'genuine');
	t.is(cache.entry(keyOf(moving))?.sidecar.url, moving);
});

test('what has moved is named after where it has moved to, whoever led there', async t => {
	const {cache, origin, read} = await openFreshCache(t, {freshness: 'forever'});
	const target = origin.serve('/picture.gif', {body: 'bytes'});
	await read(origin.serve('/program.exe', {status: 301, redirect: '/picture.gif'}));
	t.is(cache.entry(keyOf(target))?.sidecar.filename, 'picture.gif');
});

test('an answer that varies is known by what is asked where it has moved to', async t => {
	const other = await Origin.start({host: '127.0.0.2'});
	t.teardown(() => other.close());
	const headers = {vary: 'authorization'};
	const target = other.serve('/new', {body: 'bytes', maxAge: 60, headers});
	const hosts = [{host: new URL(target).origin, headers: {authorization: 'Bearer secret'}}];
	const {origin, read} = await openFreshCache(t, {http: {retries: 0, hosts}});
	t.is(await read(origin.serve('/old', {status: 301, redirect: target})), 'bytes');
	t.is(await read(target), 'bytes');
	t.is(other.requestsOf('/new').length, 1);
});

test('what answers for itself is not stored under what it stood for before', async t => {
	const {cache, origin, read} = await openFreshCache(t, {freshness: 'forever'});
	const c = origin.serve('/c', {body: 'of c', cutAt: 2});
	const b = origin.serve('/b', {status: 301, redirect: '/c'});
	await failsWith(t, 'origin-failed', read(b));
	t.is(cache.entry(keyOf(c)), undefined);
	origin.serve('/c', {body: 'of c'});
	origin.serve('/b', {body: 'of b'});
	const a = origin.serve('/a', {status: 301, redirect: '/b'});
	t.is(await read(a), 'of b');
	t.is(await read(c), 'of c');
	t.is(await read(b), 'of b');
});

test('two URLs of which each stands for the other, as two processes may have learned, are not there', async t => {
	const directory = temporaryDirectory(t);
	const store = openStore(t, {directory});
	const [a, b] = ['https://a.example/', 'https://b.example/'] as const;
	store.aliases.set(keyOf(a), {url: b, untilMs: Infinity});
	store.aliases.set(keyOf(b), {url: a, untilMs: Infinity});
	await store.flush();
	const {cache} = await openFreshCache(t, {directory});
	t.is(cache.glimpse(keyOf(a)), undefined);
	t.is(await cache.openStored(keyOf(a)), undefined);
});

test('what a caller brings for a URL that has moved is not stored under the other one', async t => {
	const {cache, origin, read} = await openFreshCache(t, {freshness: 'forever'});
	const target = origin.serve('/new', {body: 'bytes', cutAt: 2});
	const url = origin.serve('/old', {status: 301, redirect: '/new'});
	await failsWith(t, 'origin-failed', read(url));
	const media = {data: Buffer.from('mine'), mimetype: 'text/plain', filename: 'a'};
	const brought = downloaderSource(() => Promise.resolve(media));
	t.is(await readWhole(await cache.open(url, undefined, brought)), 'mine');
	t.is(cache.entry(keyOf(target)), undefined);
	t.is(await read(url), 'mine');
});
