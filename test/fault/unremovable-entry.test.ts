import test from 'ava';
import {keyOf} from '../../src/store/key.js';
import {
	allocatedOnDisk,
	failsWith,
	get,
	openStore,
	put,
	SMALL_ENTRY_BYTES,
	temporaryDirectory,
	TestClock,
} from '../helpers/cache.js';
import {basePath} from '../helpers/original.js';
import {IS_ROOT, nailDown, NOT_ROOT} from '../helpers/root.js';

const [A, B, C] = ['https://a.example/a', 'https://a.example/b', 'https://a.example/c'] as const;

(IS_ROOT ? test : test.skip)(
	`M21: an entry that cannot be removed stays counted and readable, others leave for it, and it leaves when it can${IS_ROOT ? '' : ` ${NOT_ROOT}`}`,
	async t => {
		const [directory, clock] = [temporaryDirectory(t), new TestClock()];
		const store = openStore(t, {directory, clock, limitBytes: 2.5 * SMALL_ENTRY_BYTES});
		await store.load();
		await put(store, A, 'a');
		await put(store, B, 'b');
		const release = nailDown(t, `${basePath(directory, A)}.dat`);

		await put(store, C, 'c');
		t.deepEqual([await get(store, A), await get(store, B), await get(store, C)], ['a', undefined, 'c']);
		t.is(store.usedBytes, allocatedOnDisk(directory));
		const error = await failsWith(t, 'not-permitted', store.remove(keyOf(A)));
		t.regex(error.message, /^https:\/\/a\.example\/a cannot be removed: EBUSY/);
		await store.setLimits({maxBytes: 0});
		t.is(store.usedBytes, SMALL_ENTRY_BYTES);

		release();
		clock.advance(61_000);
		await store.setLimits({maxBytes: 0});
		t.is(store.usedBytes, 0);
		t.is(allocatedOnDisk(directory), 0);
	},
);
