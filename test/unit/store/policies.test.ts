import test, {type ExecutionContext} from 'ava';
import {keyOf} from '../../../src/store/key.js';
import {isPolicyName, POLICIES, type PolicyName} from '../../../src/store/policies.js';
import type {Store} from '../../../src/store/store.js';
import {
	entryFiles,
	failsWith,
	get,
	openStore,
	put,
	SMALL_ENTRY_BYTES,
	temporaryDirectory,
	TestClock,
	type StoreSetup,
} from '../../helpers/cache.js';

const [A, B, C, D] = [
	'https://a.example/a',
	'https://a.example/b',
	'https://a.example/c',
	'https://a.example/d',
] as const;
const HOUR_MS = 3_600_000;

const stored = (store: Store) => Array.from(store.entries(), ({sidecar}) => sidecar.url).sort();

/** A store in which A was stored first and used most, B was stored next and used last, C was stored last. */
async function used(t: ExecutionContext, setup: StoreSetup): Promise<Store> {
	const clock = new TestClock();
	const store = openStore(t, {clock, ...setup});
	for (const url of [A, B, C, A, A, C, B]) {
		clock.advance(10);
		if (store.lookup(keyOf(url)) === undefined) await put(store, url, 'x');
		else await get(store, url);
	}

	clock.advance(10);
	return store;
}

const LEAVES_FIRST: Readonly<Record<Exclude<PolicyName, 'none'>, string>> = {
	'least-recently-used': A,
	'least-frequently-used': C,
	'least-recently-stored': A,
};

for (const [policy, first] of Object.entries(LEAVES_FIRST)) {
	for (const [reason, limits] of Object.entries({
		'max-size': {maxBytes: 3 * SMALL_ENTRY_BYTES},
		'max-entries': {maxEntries: 3},
	})) {
		test(`${policy}: of what is over ${reason} that leaves first which should, and it is counted`, async t => {
			const store = await used(t, {limits: {policy: policy as PolicyName, ...limits}});
			await put(store, D, 'x');
			t.deepEqual(
				stored(store),
				[A, B, C, D].filter(url => url !== first),
			);
			t.deepEqual(store.evicted, {'max-size': 0, 'max-entries': 0, 'max-age': 0, 'min-free': 0, [reason]: 1});
		});
	}
}

test('least-recently-stored: an access changes nothing, a replacement does', async t => {
	const clock = new TestClock();
	const store = await used(t, {clock, limits: {policy: 'least-recently-stored'}});
	await put(store, A, 'x');
	clock.advance(10);
	await get(store, B);
	await store.setLimits({maxEntries: 1});
	t.deepEqual(stored(store), [A]);
});

test('the policy can be changed at any time, and holds for the next entry that leaves', async t => {
	const store = await used(t, {limits: {policy: 'least-recently-stored'}});
	await store.setLimits({policy: 'least-frequently-used', maxEntries: 2});
	t.deepEqual(stored(store), [A, B]);
});

test('none: what is new is refused, what is there stays and can be replaced and removed', async t => {
	const directory = temporaryDirectory(t);
	const store = await used(t, {directory, limits: {policy: 'none', maxEntries: 3}});
	await failsWith(t, 'no-space', put(store, D, 'x'));
	await put(store, A, 'replaced');
	t.is(await get(store, A), 'replaced');
	t.deepEqual(stored(store), [A, B, C]);
	t.is(entryFiles(directory).length, 6);
	await store.setLimits({maxEntries: 1});
	t.deepEqual(stored(store), [A, B, C], 'not even if there is too much');
	await store.setLimits({maxEntries: 3});
	await store.remove(keyOf(B));
	await put(store, D, 'x');
	t.deepEqual(stored(store), [A, C, D]);
});

test('none: of several that come at once as many are refused as are too many', async t => {
	const store = openStore(t, {limits: {policy: 'none', maxEntries: 3}});
	const urls = Array.from({length: 8}, (_, index) => `https://a.example/${index}`);
	const outcomes = await Promise.allSettled(urls.map(url => put(store, url, 'x')));
	t.is(outcomes.filter(({status}) => status === 'fulfilled').length, 3);
	t.is(store.totals.entries, 3);
});

test('none: bytes that do not fit are refused too', async t => {
	const store = await used(t, {limits: {policy: 'none', maxBytes: 3 * SMALL_ENTRY_BYTES}});
	await failsWith(t, 'no-space', put(store, D, 'x'));
	t.deepEqual(stored(store), [A, B, C]);
	t.is(store.evicted['max-size'], 0);
});

test('what was stored longer ago than the age limit leaves, by the policy none too, however lately it was used', async t => {
	const clock = new TestClock();
	const store = openStore(t, {clock, limits: {policy: 'none'}});
	await put(store, A, 'x');
	await put(store, B, 'x');
	clock.advance(HOUR_MS);
	await put(store, B, 'replaced');
	await put(store, C, 'x');
	await get(store, A);
	await store.flush();
	await store.setLimits({maxAgeMs: HOUR_MS / 2});
	t.deepEqual(stored(store), [B, C]);
	t.is(store.evicted['max-age'], 1);
});

test('what has become too old while no store was open leaves when one is loaded', async t => {
	const [directory, clock] = [temporaryDirectory(t), new TestClock()];
	const before = openStore(t, {directory, clock, limits: {maxAgeMs: HOUR_MS}});
	await put(before, A, 'x');
	clock.advance(HOUR_MS / 2);
	await put(before, B, 'x');
	await before.close();
	clock.advance(HOUR_MS / 2 + 1000);
	const after = openStore(t, {directory, clock, limits: {maxAgeMs: HOUR_MS}});
	await after.load();
	t.deepEqual(stored(after), [B]);
});

test('if the disk has less free than it should, all leaves that can, and what is new is refused', async t => {
	const store = await used(t, {});
	await store.setLimits({minFreeBytes: 2 ** 60});
	t.deepEqual(stored(store), []);
	t.is(store.evicted['min-free'], 3);
	await failsWith(t, 'no-space', put(store, A, 'x'));
	await store.setLimits({minFreeBytes: 1});
	await put(store, A, 'x');
	t.is(await get(store, A), 'x');
});

test('a name is one of a policy exactly when there is one of it', t => {
	for (const name of Object.keys(POLICIES)) t.true(isPolicyName(name));
	for (const name of ['', 'toString', 'least-recently-read', undefined, 1]) t.false(isPolicyName(name));
});
