/** Following a download in order, whose body has no parts: what comes is what its owner lets come. */
import test from 'ava';
import {CacheError} from '../../src/base/errors.js';
import {MIB} from '../helpers/cache.js';
import {startOrigin} from '../helpers/drive.js';
import type {Behaviour} from '../helpers/origin.js';
import {isRight, isWhollyRight} from '../helpers/right-bytes.js';
import {follow, openTwoCaches} from '../helpers/two-caches.js';

const DEADLINE_MS = 20_000;

test.serial(
	'all of a body without parts comes to who follows, by one GET, though its owner reads no more of it',
	async t => {
		const [origin, {owner, follower}] = [await startOrigin(t), await openTwoCaches(t)];
		const url = origin.serve('/file', {size: 8 * MIB});
		const owned = await owner.open(url);
		const followed = await follow(follower, url);
		const before = origin.requests.length;
		await followed.whole(AbortSignal.timeout(DEADLINE_MS));
		t.true(await isWhollyRight(followed));
		t.is(followed.entry?.sizeBytes, 8 * MIB);
		t.is(origin.requests.length, before);
		followed.close();
		owned.close();
	},
);

for (const sizeBytes of [8 * MIB, 24 * MIB]) {
	test.serial(
		`a body of ${sizeBytes / MIB} MiB without parts comes to who follows, though its owner's reader has left`,
		async t => {
			const [origin, {owner, follower}] = [await startOrigin(t), await openTwoCaches(t)];
			// It takes longer than a download is held for a reader that may come back.
			const url = origin.serve('/file', {size: sizeBytes, rate: sizeBytes / 4});
			const owned = await owner.open(url);
			const followed = await follow(follower, url);
			const before = origin.requests.length;
			t.true(await isRight(followed, 0, 1000));
			owned.close();
			t.true(await isWhollyRight(followed, AbortSignal.timeout(DEADLINE_MS)));
			t.is(origin.requests.length, before);
			followed.close();
		},
	);
}

interface Broken {
	/** The download that is followed. */
	readonly first: Behaviour;
	/** What is answered until its reader hears that it has failed. */
	readonly then?: Behaviour;
}

const FILM: Behaviour = {size: 24 * MIB, ranges: true, etag: '"one"'};

/** What has no parts cannot be gone on with: the first break is the end. */
const BROKEN: Readonly<Record<string, Broken>> = {
	'a small body': {first: {size: 200_000, rate: 100_000, cutAt: 100_000}},
	'a body without parts': {first: {size: 8 * MIB, rate: 2 * MIB, cutAt: 2 * MIB}},
	'a body that is kept': {first: {...FILM, rate: 2 * MIB, cutAt: 2 * MIB}, then: {...FILM, status: 403}},
};
/** Less than after what an owner that lives is taken for silent. */
const SOON_MS = 4500;

/** The same, with nothing in its way. */
function whole({size = 0, ranges, etag}: Behaviour): Behaviour {
	return {size, ...(ranges !== undefined && {ranges}), ...(etag !== undefined && {etag})};
}

for (const [what, {first, then = first}] of Object.entries(BROKEN)) {
	for (const order of ['before', 'after']) {
		test.serial(
			`who follows ${what} goes on when its download has failed, and its reader opens it anew ${order} closing it`,
			async t => {
				const [origin, {owner, follower}] = [await startOrigin(t), await openTwoCaches(t)];
				const url = origin.serve('/file', first);
				const owned = await owner.open(url);
				const followed = await follow(follower, url);
				origin.serve('/file', then);
				const {size = 0, cutAt = 0} = first;
				const reading = isRight(followed, size - 1000, 1000, AbortSignal.timeout(DEADLINE_MS));
				await t.throwsAsync(owned.read(Buffer.alloc(1000), cutAt + 1000), {instanceOf: CacheError});
				origin.serve('/file', whole(first));
				if (order === 'after') owned.close();
				const failedAt = performance.now();
				const again = await owner.open(url);
				owned.close();
				t.true(await reading);
				t.true(performance.now() - failedAt < SOON_MS, `${performance.now() - failedAt} ms`);
				t.true(await isWhollyRight(again, AbortSignal.timeout(DEADLINE_MS)));
				t.true(await isWhollyRight(followed, AbortSignal.timeout(DEADLINE_MS)));
				for (const version of [again, followed]) version.close();
			},
		);
	}
}
