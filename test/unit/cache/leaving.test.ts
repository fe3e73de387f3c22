/** Readers that leave when it hurts: with the first answer, on a full disk, or when there is nothing to be stored. */
import {statSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {setImmediate} from 'node:timers/promises';
import test, {type ExecutionContext} from 'ava';
import {CacheError} from '../../../src/base/errors.js';
import {NO_LOG} from '../../../src/base/log.js';
import type {FillMode} from '../../../src/cache/fill-mode.js';
import type {Source} from '../../../src/cache/source.js';
import {DEFAULT_HTTP_OPTIONS, HttpClient} from '../../../src/http/client.js';
import {openCache} from '../../../src/library/open.js';
import {isGif} from '../../../src/media/sniff.js';
import type {Transform} from '../../../src/media/transforms.js';
import {
	entryFiles,
	failsWith,
	keptFiles,
	leftovers,
	MIB,
	openUrlCache,
	temporaryDirectory,
} from '../../helpers/cache.js';
import {startOrigin} from '../../helpers/drive.js';
import {gif} from '../../helpers/gif.js';
import type {Behaviour} from '../../helpers/origin.js';
import {isRight} from '../../helpers/right-bytes.js';
import {until} from '../../helpers/until.js';

const ROUNDS = 24;
const HUGE: Behaviour = {size: 512 * MIB, ranges: true, etag: '"one"', rate: 20_000_000};

test('of a large body whose last reader leaves just as it is answered hardly anything is fetched', async t => {
	const [origin, directory] = [await startOrigin(t), temporaryDirectory(t)];
	const cache = openCache({directory, maxDownloadsPerHost: 100, maxDownloads: 100, http: {retries: 0}});
	t.teardown(() => cache.close());
	for (let round = 0; round < ROUNDS; round++) {
		const leaving = new AbortController();
		const opening = cache.open(origin.serve(`/${round}`, HUGE), leaving.signal);
		await origin.received(`/${round}`);
		while (origin.requestsOf(`/${round}`)[0]?.status === undefined) await setImmediate();
		for (let turn = 0; turn < round; turn++) await setImmediate();
		leaving.abort(new CacheError('aborted', 'the reader left'));
		await opening.then(
			version => version.close(),
			() => undefined,
		);
	}

	await until('nothing is fetched', () => cache.stats().downloads_running === 0, 10_000);
	await until('all are left', () => leftovers(directory).length === 0, 10_000);
	await origin.disconnected();
	t.true(origin.bytesSent < ROUNDS * 8 * MIB, `${origin.bytesSent}`);
	t.deepEqual(entryFiles(directory), []);
});

/** A cache whose budget is taken but for 6 MiB, and a body that is longer than that. */
async function startOverflow(t: ExecutionContext, fill: FillMode) {
	const [origin, directory] = [await startOrigin(t), temporaryDirectory(t)];
	const cache = openCache({directory, fill, http: {retries: 0}, limits: {maxBytes: 20 * MIB}});
	t.teardown(() => cache.close());
	const open = await cache.open(origin.serve('/open', {size: 14 * MIB}));
	await open.whole();
	t.teardown(() => open.close());
	const {used_bytes: usedBytes} = cache.stats();
	const url = origin.serve('/next', {size: 12 * MIB, ranges: true, etag: '"one"', rate: 10 * MIB});
	return {cache, directory, origin, url, usedBytes};
}

for (const fill of ['whole', 'auto'] as const) {
	for (const when of ['before', 'after'] as const) {
		test(`with fill ${fill} a download that the disk does not keep ends when its last reader has left, ${when} that is known`, async t => {
			const {cache, directory, origin, url, usedBytes} = await startOverflow(t, fill);
			const version = await cache.open(url);
			t.true(await isRight(version, 0, 300_000));
			if (when === 'after') {
				const whole = version.whole();
				await failsWith(t, 'no-space', whole);
				t.true(await isRight(version, 11 * MIB, 1000));
			}

			version.close();
			const {bytesSent} = origin;
			await until('it has ended', () => cache.stats().downloads_running === 0, 20_000);
			await until('it has left', () => leftovers(directory).length === 0, 20_000);
			t.is(cache.stats().used_bytes, usedBytes + keptBytes(directory));
			t.true(origin.bytesSent <= bytesSent + 12 * MIB, `${origin.bytesSent}`);
			t.is(entryFiles(directory).length, 2);
			const next = await cache.open(origin.serve('/small', {size: 5 * MIB}));
			await next.whole();
			next.close();
			t.deepEqual(keptFiles(directory), [], 'what is kept gives way');
			t.is(cache.stats().evicted, 0);
		});
	}
}

/** What is kept takes on the disk. */
function keptBytes(directory: string): number {
	const files = keptFiles(directory).map(name => path.join(directory, '.larder', 'partials', name));
	return files.reduce((sum, file) => sum + statSync(file).blocks * 512, 0);
}

/** What a cache downloads with, as the library has it. */
function httpSource(): Source {
	const http = new HttpClient({...DEFAULT_HTTP_OPTIONS, retries: 0}, NO_LOG);
	return {
		fetch: (url, signal) => http.get(url, {signal}),
		fetchRange: (url, range, version, options) => http.getRange(url, range, version, options),
		close: () => http.close(),
	};
}

const ANIMATION = gif({width: 40, height: 40, frames: [{delay: 10}, {delay: 10, color: 1}]});

/** Makes so many bytes of each GIF. */
function transformTo(bytes: number): Transform {
	return {
		name: 'blow up',
		appliesTo: isGif,
		run(_input, output) {
			writeFileSync(output, Buffer.alloc(bytes, 'x'));
			return Promise.resolve({mimetype: 'video/mp4', extension: '.mp4'});
		},
	};
}

test('what a transform has made and the store does not take leaves nothing once its reader has left', async t => {
	const [origin, directory] = [await startOrigin(t), temporaryDirectory(t)];
	const [source, transforms] = [httpSource(), [transformTo(100_000)]];
	const limits = {maxEntries: 1, policy: 'none'} as const;
	const cache = openUrlCache(t, {directory, source, transforms, limits});
	await cache.load();
	await cache.store(
		'https://a.example/a',
		{data: Buffer.from('a'), mimetype: 'text/plain', filename: 'a'},
		{durable: false},
	);
	const {used_bytes: usedBytes} = cache.stats();
	for (let round = 0; round < 3; round++) {
		await failsWith(t, 'no-space', cache.open(origin.serve('/a.gif', {body: ANIMATION})));
		await until('nothing is left', () => leftovers(directory).length === 0);
		await until('its room is given back', () => cache.stats().used_bytes === usedBytes);
	}

	t.is(entryFiles(directory).length, 2);
});

test('what a transform has made that is larger than the budget leaves nothing, and the body is stored as it came', async t => {
	const [origin, directory] = [await startOrigin(t), temporaryDirectory(t)];
	const [source, transforms] = [httpSource(), [transformTo(2 * MIB)]];
	const cache = openUrlCache(t, {directory, source, transforms, limitBytes: MIB});
	await cache.load();
	const version = await cache.open(origin.serve('/a.gif', {body: ANIMATION}));
	t.is((await version.whole()).mimetype, 'image/gif');
	t.is(version.sizeBytes, ANIMATION.byteLength);
	version.close();
	await until('nothing is left', () => leftovers(directory).length === 0);
	const {used_bytes: usedBytes, allocated_bytes: allocatedBytes} = cache.stats();
	t.is(usedBytes, allocatedBytes);
});
