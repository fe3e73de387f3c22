/** What an origin has said not to have. */
import test from 'ava';
import {failsWith} from '../../helpers/cache.js';
import {openFreshCache} from '../../helpers/fresh-cache.js';

test('404 is remembered for half a minute, and asked for again after that', async t => {
	const {origin, clock, read, asked} = await openFreshCache(t, {freshness: 'forever'});
	const url = origin.serve('/a', {status: 404});
	await failsWith(t, 'not-found', read(url));
	clock.advance(20_000);
	await failsWith(t, 'not-found', read(url));
	t.is(asked('/a').length, 1);
	clock.advance(10_000);
	origin.serve('/a', {body: 'it has come'});
	t.is(await read(url), 'it has come');
});

test('410 is remembered as long as its headers say, an hour at most; one that is not to be stored not at all', async t => {
	const {origin, clock, read, asked} = await openFreshCache(t, {freshness: 'forever'});
	const [gone, long, never] = [
		origin.serve('/gone', {status: 410, headers: {'cache-control': 'max-age=600'}}),
		origin.serve('/long', {status: 410, headers: {'cache-control': 'max-age=31536000'}}),
		origin.serve('/never', {status: 404, headers: {'cache-control': 'no-store'}}),
	];
	const all = async () => {
		for (const url of [gone, long, never]) await failsWith(t, 'not-found', read(url));
		return ['/gone', '/long', '/never'].map(each => asked(each).length);
	};

	t.deepEqual(await all(), [1, 1, 1]);
	clock.advance(590_000);
	t.deepEqual(await all(), [1, 1, 2]);
	clock.advance(10_000);
	t.deepEqual(await all(), [2, 1, 3]);
	clock.advance(3_000_000);
	t.deepEqual(await all(), [3, 2, 4]);
});

test('what is put, removed or refreshed is not remembered to be absent', async t => {
	const {cache, origin, read, asked} = await openFreshCache(t, {freshness: 'forever'});
	const url = origin.serve('/a', {status: 404});
	await failsWith(t, 'not-found', read(url));
	origin.serve('/a', {body: 'it has come'});
	const {outcome, stored} = await cache.refresh(url);
	await stored;
	t.is(outcome, 'fetched');
	t.is(await read(url), 'it has come');
	t.is(asked('/a').length, 2);
	const other = origin.serve('/b', {status: 404});
	await failsWith(t, 'not-found', read(other));
	await cache.store(other, {data: Buffer.from('mine'), mimetype: 'text/plain', filename: 'b'}, {durable: false});
	t.is(await read(other), 'mine');
});
