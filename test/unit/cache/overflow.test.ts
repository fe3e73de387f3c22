/** Bodies that the disk does not keep: larger than the budget, or with everything in it in use. */
import {readdirSync, statSync} from 'node:fs';
import path from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {openCache, type UrlCache, type Version} from '../../../src/library/open.js';
import {entryFiles, failsWith, MIB, temporaryDirectory} from '../../helpers/cache.js';
import {startOrigin} from '../../helpers/drive.js';
import {generated, type Behaviour} from '../../helpers/origin.js';
import {until} from '../../helpers/until.js';

const SIZE = 40 * MIB + 123;
const LARGE: Behaviour = {size: SIZE, ranges: true, etag: '"one"'};

async function setUp(t: ExecutionContext, maxBytes: number) {
	const [origin, directory] = [await startOrigin(t), temporaryDirectory(t)];
	const cache = openCache({directory, http: {retries: 0}, limits: {maxBytes}});
	t.teardown(() => cache.close());
	return {cache, origin, directory};
}

/** Whether all of it, read in order, is what the origin has. */
async function isWhollyRight(version: Version, pieceBytes = 128 * 1024): Promise<boolean> {
	const buffer = Buffer.alloc(pieceBytes);
	for (let position = 0; position < version.sizeBytes; position += pieceBytes) {
		const count = await version.read(buffer, position);
		for (let at = 0; at < count;) {
			const expected = generated(position + at, position + count);
			if (!buffer.subarray(at, at + expected.byteLength).equals(expected)) return false;
			at += expected.byteLength;
		}

		if (count !== Math.min(pieceBytes, version.sizeBytes - position)) return false;
	}

	return true;
}

async function fetchWhole(cache: UrlCache, url: string): Promise<Version> {
	const version = await cache.open(url);
	await version.whole();
	return version;
}

function allocated(directory: string): number {
	const downloads = path.join(directory, '.larder', 'downloads');
	return readdirSync(downloads).reduce((sum, name) => sum + statSync(path.join(downloads, name)).blocks * 512, 0);
}

test('a body larger than the budget is read through, in order and anywhere, and evicts nothing', async t => {
	const {cache, origin, directory} = await setUp(t, 16 * MIB);
	(await fetchWhole(cache, origin.serve('/small', {size: 8 * MIB}))).close();
	const version = await cache.open(origin.serve('/large', LARGE));
	t.is(version.sizeBytes, SIZE);
	t.true(await isWhollyRight(version));
	const tail = Buffer.alloc(1000);
	t.is(await version.read(tail, SIZE - 1000), 1000);
	t.true(tail.equals(generated(SIZE - 1000, SIZE)));
	t.true(allocated(directory) < 9 * MIB, `${allocated(directory)}`);
	t.true(allocated(directory) > 4 * MIB, 'it is kept as far as it fits');
	version.close();
	t.is(cache.stats().entries, 1);
	t.is(cache.stats().evicted, 0);
	await until('it is left', () => cache.stats().downloads_running === 0);
});

test('who wants all of a body larger than the budget is told that it is too large', async t => {
	const {cache, origin} = await setUp(t, 16 * MIB);
	const version = await cache.open(origin.serve('/large', LARGE));
	await failsWith(t, 'too-large', version.whole());
	version.close();
});

test('a body larger than the budget whose origin has no ranges is refused', async t => {
	const {cache, origin} = await setUp(t, 16 * MIB);
	await failsWith(t, 'too-large', cache.open(origin.serve('/large', {size: SIZE})));
});

test('where all of the budget is in use a body is read through', async t => {
	const {cache, origin, directory} = await setUp(t, 20 * MIB);
	const open = await fetchWhole(cache, origin.serve('/open', {size: 14 * MIB}));
	const version = await cache.open(origin.serve('/next', {...LARGE, size: 12 * MIB}));
	t.true(await isWhollyRight(version));
	await failsWith(t, 'no-space', version.whole());
	version.close();
	open.close();
	t.is(entryFiles(directory).length, 2);
	t.is(cache.stats().evicted, 0);
});

test('several read through at once, each its own', async t => {
	const {cache, origin} = await setUp(t, 8 * MIB);
	const versions = await Promise.all(['/a', '/b', '/c'].map(name => cache.open(origin.serve(name, LARGE))));
	t.deepEqual(await Promise.all(versions.map(version => isWhollyRight(version))), [true, true, true]);
	for (const version of versions) version.close();
});
