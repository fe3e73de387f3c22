/** Two processes that find the same entry stale. */
import type {ServerResponse} from 'node:http';
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

test.serial(
	'who waits for what another has begun in the place of what is stored does not take that for it',
	async t => {
		const [origin, clock] = [await startOrigin(t), new TestClock()];
		const {owner, follower} = await openTwoCaches(t, {clock, freshness: 60_000});
		const url = origin.serve('/a', {body: 'old', etag: '"1"'});
		await readWhole(await owner.open(url));
		await until('the other has heard of it', () => follower.entry(keyOf(url)) !== undefined);
		clock.advance(60_000);
		// Only the end tells the length.
		const size = 100 * 1024;
		origin.serve('/a', {size, dripMs: 20, dripBytes: 1024, chunked: true, etag: '"2"'});
		const one = owner.open(url);
		await origin.received('/a', 2);
		const before = performance.eventLoopUtilization();
		const bodies = await Promise.all([one, follower.open(url)].map(async opening => readWhole(await opening)));
		const {utilization} = performance.eventLoopUtilization(before);
		t.true(bodies[0] === bodies[1] && bodies[0] !== 'old');
		t.is(origin.requests.length, 3);
		t.true(utilization < 0.5, `it has asked again and again: ${utilization}`);
	},
);

test.serial('who follows keeps no connection of its own', async t => {
	const [origin, clock] = [await startOrigin(t), new TestClock()];
	const {owner, follower} = await openTwoCaches(t, {clock, freshness: 60_000});
	const url = origin.serve('/a', {body: 'old', etag: '"1"'});
	await readWhole(await owner.open(url));
	await until('the other has heard of it', () => follower.entry(keyOf(url)) !== undefined);
	clock.advance(60_000);
	const size = 3 * MIB;
	origin.serve('/a', {size, stallAt: MIB, etag: '"2"'});
	const version = await owner.open(url);
	let hasLeft = false;
	const handle = (_request: unknown, response: ServerResponse) => {
		response.once('close', () => (hasLeft = true));
		response.writeHead(200, {'content-length': size, 'etag': '"2"'}).write('b');
	};
	origin.serve('/a', {handle});
	const following = follower.open(url).catch(() => undefined);
	// One that could not be told in time that there is somebody to follow fetches for itself.
	const isAlone = () => follower.stats().misses > 0;
	await until('it has given up what it was answered', () => hasLeft || isAlone());
	t.true(hasLeft || isAlone());
	version.close();
	await Promise.all([owner.close(), follower.close()]);
	(await following)?.close();
});
