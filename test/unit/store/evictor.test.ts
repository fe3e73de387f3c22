import {setImmediate} from 'node:timers/promises';
import test, {type ExecutionContext} from 'ava';
import {CacheError} from '../../../src/base/errors.js';
import {NO_LOG} from '../../../src/base/log.js';
import {Catalogue} from '../../../src/store/catalogue.js';
import {Evictor, type EvictorContext} from '../../../src/store/evictor.js';
import {keyOf, type Key} from '../../../src/store/key.js';
import {Layout} from '../../../src/store/layout.js';
import {NO_LIMITS, type Limits} from '../../../src/store/limits.js';
import {recordingLog, temporaryDirectory, TestClock} from '../../helpers/cache.js';
import {makeEntry} from '../../helpers/made-entry.js';
import {until} from '../../helpers/until.js';

const urlOf = (index: number) => `https://a.example/${index}?secret=1`;

/** An evictor over entries without files; entry n was stored and accessed at n milliseconds. */
async function setUp(t: ExecutionContext, count: number, context: Partial<EvictorContext> = {}) {
	const layout = new Layout(temporaryDirectory(t));
	layout.create();
	const [catalogue, clock] = [new Catalogue(layout, NO_LOG), new TestClock()];
	let limits = NO_LIMITS;
	for (let index = 0; index < count; index++) {
		catalogue.set(makeEntry({url: urlOf(index), storedAtMs: index, accessedAtMs: index}));
	}

	await catalogue.flush();
	const evictor = new Evictor({
		...{catalogue, clock, log: NO_LOG, limits: () => limits, isOpen: () => false},
		tryRemove: key => {
			catalogue.delete(key);
			return Promise.resolve(true);
		},
		dropAgedPartials: () => undefined,
		...context,
	});
	t.teardown(async () => {
		evictor.close();
		await catalogue.close();
	});
	const left = () => {
		const there = new Set(Array.from(catalogue.entries(), ({key}) => key));
		return Array.from({length: count}, (_, index) => index).filter(index => there.has(keyOf(urlOf(index))));
	};
	return {catalogue, clock, evictor, left, setLimits: (some: Partial<Limits>) => (limits = {...limits, ...some})};
}

const isKeyOf = (...indexes: number[]) => {
	const keys = new Set<Key>(indexes.map(index => keyOf(urlOf(index))));
	return (key: Key) => keys.has(key);
};

test('one entry leaves at a time, in order, counted by its reason, until none is left', async t => {
	const {evictor, left} = await setUp(t, 3);
	t.true(await evictor.evictNext('max-size'));
	t.deepEqual(left(), [1, 2]);
	t.true(await evictor.evictNext('max-entries'));
	t.true(await evictor.evictNext('min-free'));
	t.false(await evictor.evictNext('max-size'));
	t.deepEqual(evictor.counts, {'max-size': 1, 'max-entries': 1, 'max-age': 0, 'min-free': 1});
});

test('hundreds leave in order', async t => {
	const removed: Key[] = [];
	const {catalogue, evictor} = await setUp(t, 500, {
		tryRemove(key) {
			catalogue.delete(key);
			return Promise.resolve(removed.push(key) > 0);
		},
	});
	for (let count = 0; count < 500; count++) t.true(await evictor.evictNext('max-size'));
	t.deepEqual(
		removed,
		Array.from({length: 500}, (_, index) => keyOf(urlOf(index))),
	);
});

test('what is open or worked on is passed over, and may leave later', async t => {
	let isOpen = isKeyOf(0);
	const {evictor, left} = await setUp(t, 4, {isOpen: key => isOpen(key)});
	t.true(await evictor.evictNext('max-size'));
	t.deepEqual(left(), [0, 2, 3]);
	isOpen = isKeyOf(0, 2, 3);
	t.false(await evictor.evictNext('max-size'));
	isOpen = isKeyOf();
	t.true(await evictor.evictNext('max-size'));
	t.deepEqual(left(), [2, 3]);
});

test('where somebody is at work on an entry, or it has gone, another one leaves', async t => {
	const [isBusy, isGone] = [isKeyOf(0), isKeyOf(1)];
	const removed: Key[] = [];
	const {evictor} = await setUp(t, 3, {
		tryRemove(key) {
			if (isBusy(key)) return undefined;
			removed.push(key);
			return Promise.resolve(!isGone(key));
		},
	});
	t.true(await evictor.evictNext('max-size'));
	t.deepEqual(removed, [keyOf(urlOf(1)), keyOf(urlOf(2))]);
	t.is(evictor.counts['max-size'], 1);
});

test('what another process is removing is waited for, and nothing else leaves in its place', async t => {
	const {catalogue, evictor, left} = await setUp(t, 3, {
		tryRemove(key) {
			void setImmediate().then(() => catalogue.delete(key));
			return undefined;
		},
	});
	t.true(await evictor.evictNext('max-size'));
	t.deepEqual(left(), [1, 2]);
	t.is(evictor.counts['max-size'], 0, 'it was not this one that removed it');
});

test('who was accessed or replaced after the order was asked for is passed over', async t => {
	const {catalogue, evictor, left} = await setUp(t, 5);
	t.true(await evictor.evictNext('max-size'));
	catalogue.touch(keyOf(urlOf(1)), 1000);
	catalogue.set(makeEntry({url: urlOf(2), storedAtMs: 2000, accessedAtMs: 2000}));
	t.true(await evictor.evictNext('max-size'));
	t.deepEqual(left(), [1, 2, 4]);
});

test('who came after the order was asked for leaves too, when nothing else is left', async t => {
	const {catalogue, evictor} = await setUp(t, 2);
	t.true(await evictor.evictNext('max-size'));
	catalogue.set(makeEntry({url: 'https://a.example/new', storedAtMs: 9000, accessedAtMs: 9000}));
	t.true(await evictor.evictNext('max-size'));
	t.true(await evictor.evictNext('max-size'));
	t.is(catalogue.totals.entries, 0);
	t.false(await evictor.evictNext('max-size'));
});

test('who left and came back leaves in turn, also where all the others have left meanwhile', async t => {
	const {catalogue, evictor} = await setUp(t, 3);
	// Of those who were accessed last, the access is not written when the order is asked for.
	for (let index = 0; index < 2; index++) catalogue.touch(keyOf(urlOf(index)), index);
	const evictNext = async () => {
		const before = Array.from(catalogue.entries(), ({sidecar}) => sidecar.url);
		t.true(await evictor.evictNext('max-size'));
		const after = new Set(Array.from(catalogue.entries(), ({sidecar}) => sidecar.url));
		return before.find(url => !after.has(url));
	};
	const come = async (url: string, atMs: number) => {
		catalogue.set(makeEntry({url, storedAtMs: atMs, accessedAtMs: atMs}));
		await catalogue.flush();
	};
	t.is(await evictNext(), urlOf(0));
	await come(urlOf(0), 10);
	t.is(await evictNext(), urlOf(1));
	await come('https://a.example/new', 20);
	t.is(await evictNext(), urlOf(2));
	t.is(await evictNext(), urlOf(0));
	t.is(await evictNext(), 'https://a.example/new');
});

test('where another process takes each entry first, one that came meanwhile leaves', async t => {
	const {catalogue, evictor} = await setUp(t, 3, {
		async tryRemove(key) {
			await setImmediate();
			const isOld = isKeyOf(0, 1, 2)(key);
			if (isOld) catalogue.set(makeEntry({url: `https://a.example/new/${key}`, storedAtMs: 9000, accessedAtMs: 9000}));
			catalogue.delete(key);
			return !isOld;
		},
	});
	t.true(await evictor.evictNext('max-size'));
	t.is(catalogue.totals.entries, 2);
	t.is(evictor.counts['max-size'], 1);
});

test('least-recently-stored: an access after the order was asked for changes nothing', async t => {
	const {catalogue, evictor, left, setLimits} = await setUp(t, 4);
	setLimits({policy: 'least-recently-stored'});
	t.true(await evictor.evictNext('max-size'));
	catalogue.touch(keyOf(urlOf(1)), 1000);
	t.true(await evictor.evictNext('max-size'));
	t.deepEqual(left(), [2, 3]);
});

test('what was pinned after the order was asked for stays', async t => {
	const {catalogue, evictor, left} = await setUp(t, 3);
	t.true(await evictor.evictNext('max-size'));
	catalogue.set(makeEntry({url: urlOf(1), storedAtMs: 1, accessedAtMs: 1, pinned: true}));
	t.true(await evictor.evictNext('max-size'));
	t.deepEqual(left(), [1]);
});

test('another policy holds from the next entry on', async t => {
	const {catalogue, evictor, left, setLimits} = await setUp(t, 4);
	t.true(await evictor.evictNext('max-size'));
	catalogue.touch(keyOf(urlOf(1)), 1000);
	catalogue.touch(keyOf(urlOf(1)), 1);
	setLimits({policy: 'least-recently-stored'});
	t.true(await evictor.evictNext('max-size'));
	t.deepEqual(left(), [2, 3]);
	setLimits({policy: 'none'});
	t.false(await evictor.evictNext('max-size'));
});

test('what cannot be removed is told once a minute, without its query, and others leave meanwhile', async t => {
	const {log, lines} = recordingLog();
	const isStuck = isKeyOf(0);
	let attempts = 0;
	const {clock, evictor} = await setUp(t, 1, {
		log,
		tryRemove(key) {
			attempts++;
			return isStuck(key) ? Promise.reject(new CacheError('not-permitted', 'it cannot be removed')) : undefined;
		},
	});
	t.false(await evictor.evictNext('max-size'));
	t.false(await evictor.evictNext('max-size'));
	t.is(attempts, 1);
	clock.advance(61_000);
	t.false(await evictor.evictNext('max-size'));
	t.is(attempts, 2);
	t.deepEqual(lines, ['warn it cannot be removed', 'warn it cannot be removed']);
});

test('all leave that are too old, however many, and no other', async t => {
	const {clock, evictor, left, setLimits} = await setUp(t, 400);
	const ageOf = (index: number) => clock.now() - index;
	setLimits({maxAgeMs: Infinity});
	await evictor.evictAged();
	t.is(left().length, 400);
	setLimits({maxAgeMs: ageOf(300) + 50});
	await evictor.evictAged();
	const [first = 0] = left();
	t.true(first > 200 && first <= 300, `${first}`);
	t.is(evictor.counts['max-age'], first);
});

test('that many who are too old are open keeps none of the others', async t => {
	const isOpen = isKeyOf(...Array.from({length: 200}, (_, index) => index));
	const {evictor, left, setLimits} = await setUp(t, 300, {isOpen});
	setLimits({maxAgeMs: 1000});
	await evictor.evictAged();
	t.is(left().length, 200);
});

test('eviction of the aged ends, though none of them can be removed', async t => {
	const {evictor, setLimits} = await setUp(t, 3, {tryRemove: () => undefined});
	setLimits({maxAgeMs: 1000});
	await evictor.evictAged();
	t.is(evictor.counts['max-age'], 0);
});

test('two who evict at once evict two', async t => {
	const {catalogue, evictor} = await setUp(t, 5, {
		tryRemove: key => {
			catalogue.delete(key);
			return setImmediate(true);
		},
	});
	t.deepEqual(await Promise.all([evictor.evictNext('max-size'), evictor.evictNext('max-size')]), [true, true]);
	t.is(catalogue.totals.entries, 3);
	t.is(evictor.counts['max-size'], 2);
	await until('it is written', async () => {
		await catalogue.flush();
		return catalogue.totals.entries === 3;
	});
});
