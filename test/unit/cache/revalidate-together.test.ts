/** Two processes that find the same entry stale. */
import test from 'ava';
import {keyOf} from '../../../src/library/open.js';
import {MIB, readWhole, TestClock} from '../../helpers/cache.js';
import {startOrigin} from '../../helpers/drive.js';
import {openTwoCaches} from '../../helpers/two-caches.js';
import {until} from '../../helpers/until.js';

test('two that find an entry changed at the same time both read the new one, and store one', async t => {
	const [origin, clock] = [await startOrigin(t), new TestClock()];
	const {owner, follower} = await openTwoCaches(t, {clock, freshness: 60_000});
	const size = 12 * MIB;
	const url = origin.serve('/a', {body: 'old', etag: '"1"'});
	await readWhole(await owner.open(url));
	clock.advance(60_000);
	origin.serve('/a', {size, rate: 20 * MIB, ranges: true, etag: '"2"'});
	const bodies = await Promise.all([owner, follower].map(async cache => readWhole(await cache.open(url))));
	t.is(bodies[0]?.length, bodies[1]?.length);
	t.true(bodies[0] === bodies[1] && bodies[0] !== 'old');
	for (const cache of [owner, follower]) {
		await until('it is stored', () => cache.entry(keyOf(url))?.sidecar.origin.etag === '"2"');
	}

	t.is(owner.stats().entries, 1);
	t.true(origin.bytesSent < 2 * size, `${origin.bytesSent} bytes were sent`);
});

test('what one has renewed is fresh for the other', async t => {
	const [origin, clock] = [await startOrigin(t), new TestClock()];
	const {owner, follower} = await openTwoCaches(t, {clock, freshness: 60_000});
	const url = origin.serve('/a', {body: 'same', etag: '"1"'});
	await readWhole(await owner.open(url));
	t.is(await readWhole(await follower.open(url)), 'same');
	clock.advance(60_000);
	t.is(await readWhole(await owner.open(url)), 'same');
	const renewedAt = owner.entry(keyOf(url))?.sidecar.http?.received;
	await until('the other has heard of it', () => follower.entry(keyOf(url))?.sidecar.http?.received === renewedAt);
	t.is(await readWhole(await follower.open(url)), 'same');
	t.is(origin.requests.length, 2);
});

test('a put of one while another version comes to the other stays', async t => {
	const [origin, clock] = [await startOrigin(t), new TestClock()];
	const {owner, follower} = await openTwoCaches(t, {clock, freshness: 60_000});
	const url = origin.serve('/a', {body: 'old', etag: '"1"'});
	await readWhole(await owner.open(url));
	clock.advance(60_000);
	origin.serve('/a', {size: 2 * MIB, rate: 4 * MIB, etag: '"2"'});
	const version = await owner.open(url);
	await follower.store(url, {data: Buffer.from('mine'), mimetype: 'text/plain', filename: 'a'}, {durable: false});
	t.is(version.sizeBytes, 2 * MIB);
	t.not(await readWhole(version), 'mine');
	t.is(await readWhole(await owner.open(url)), 'mine');
	t.is(await readWhole(await follower.open(url)), 'mine');
});
