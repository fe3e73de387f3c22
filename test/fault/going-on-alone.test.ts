/** Who follows a download that ends, or whose owner says nothing more, goes on by itself: with the same bytes, or not at all. */
import test, {type ExecutionContext} from 'ava';
import {openCache, keyOf} from '../../src/library/open.js';
import type {Version} from '../../src/cache/version.js';
import {failsWith, MIB, temporaryDirectory} from '../helpers/cache.js';
import {startOrigin} from '../helpers/drive.js';
import {ForkedCache} from '../helpers/forked-cache.js';
import type {Behaviour} from '../helpers/origin.js';
import {isRight, isWhollyRight} from '../helpers/right-bytes.js';
import {follow, openTwoCaches} from '../helpers/two-caches.js';

/** A reader that hears of it only when its owner is taken for silent, or never, is not soon enough. */
const SOON_MS = 8000;

interface Case {
	/** Of the version that is read first. */
	readonly sizeBytes: number;
	/** Of that which the origin has then. */
	readonly nextBytes: number;
	/** What has been read of the first one. */
	readonly readBytes: number;
	/** Of the next version, while the reader of the first one waits. */
	readonly rate?: number;
}

const CASES: Readonly<Record<string, Case>> = {
	'a small body': {sizeBytes: 65_536, nextBytes: 65_536, readBytes: 100},
	'a small body that is longer by then': {sizeBytes: 65_536, nextBytes: 66_536, readBytes: 100},
	'a body that is kept': {sizeBytes: 8 * MIB, nextBytes: 8 * MIB, readBytes: 100},
	'a body that is kept, of which much was read': {
		sizeBytes: 8 * MIB,
		nextBytes: 8 * MIB,
		readBytes: 3 * MIB,
		rate: 2 * MIB,
	},
	'a body that is kept, and longer by then': {sizeBytes: 8 * MIB, nextBytes: 8 * MIB + 1000, readBytes: 100},
};

for (const [what, {sizeBytes, nextBytes, readBytes, ...pace}] of Object.entries(CASES)) {
	test.serial(
		`who follows ${what} never reads bytes of two versions, hears of it soon, and the next has the new one`,
		async t => {
			const [origin, {directory, owner, follower}] = [await startOrigin(t), await openTwoCaches(t)];
			const [first, next] = [Buffer.alloc(sizeBytes, 'a'), Buffer.alloc(nextBytes, 'b')];
			const url = origin.serve('/file', {body: first, ranges: true, etag: '"a"', stallAt: sizeBytes / 2});
			await owner.open(url);
			const version = await follow(follower, url);
			t.true(await isAll(version, 'a', 0, readBytes));
			const behaviour: Behaviour = {body: next, ranges: true, etag: '"b"'};
			origin.serve('/file', {...behaviour, ...pace});
			await owner.close();

			const tail = version.read(Buffer.alloc(100), sizeBytes - 100, AbortSignal.timeout(SOON_MS));
			await failsWith(t, 'origin-failed', tail);
			t.true(await isAll(version, 'a', 0, readBytes));
			version.close();
			origin.serve('/file', behaviour);
			const again = await follower.open(url);
			t.is(again.sizeBytes, nextBytes);
			t.true(await isAll(again, 'b', 0, nextBytes));
			again.close();
			await isStored(t, directory, url, nextBytes);
		},
	);
}

/** Whether a read brings `length` bytes that are all the same letter. */
async function isAll(version: Version, letter: string, position: number, length: number): Promise<boolean> {
	const buffer = Buffer.alloc(length);
	const count = await version.read(buffer, position, AbortSignal.timeout(SOON_MS));
	return buffer.subarray(0, count).equals(Buffer.alloc(length, letter));
}

/** Asserts that an entry is stored, and all of it is of the new version. */
async function isStored(t: ExecutionContext, directory: string, url: string, sizeBytes: number): Promise<void> {
	const third = openCache({directory});
	t.teardown(() => third.close());
	const stored = await third.openStored(keyOf(url));
	t.is(stored?.sizeBytes, sizeBytes);
	t.true(stored !== undefined && (await isAll(stored, 'b', 0, sizeBytes)));
	stored?.close();
}

const FILM: Behaviour = {size: 24 * MIB, ranges: true, etag: '"one"'};

for (const [where, position] of Object.entries({'far ahead': 24 * MIB - 1000, 'near': 5 * MIB})) {
	test.serial(
		`who follows an owner that is stopped goes on ${where}, having read much more than comes unasked`,
		async t => {
			const [origin, directory] = [await startOrigin(t), temporaryDirectory(t)];
			const url = origin.serve('/film', {...FILM, stallAt: 4 * MIB});
			const owner = await ForkedCache.start(t, {directory, limitBytes: 256 * MIB, slot: 0, seed: 0, firstCount: 0});
			const cache = openCache({directory, limits: {maxBytes: 256 * MIB}, http: {retries: 0}});
			t.teardown(() => cache.close());
			await cache.load();
			await owner.ask('open', url);
			await owner.ask('part', url, 0, 3 * MIB);
			const version = await follow(cache, url);
			t.true(await isRight(version, 0, 3 * MIB));
			origin.serve('/film', FILM);
			owner.stop();
			t.true(await isRight(version, position, 1000, AbortSignal.timeout(2 * SOON_MS)));
			t.true(await isWhollyRight(version, AbortSignal.timeout(SOON_MS)));
			version.close();
		},
	);
}
