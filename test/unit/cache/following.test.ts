/** What a process that follows tells the one that downloads. */
import path from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {NO_LOG} from '../../../src/base/log.js';
import type {Range} from '../../../src/base/range-set.js';
import {Following} from '../../../src/cache/following.js';
import {Catalogue} from '../../../src/store/catalogue.js';
import type {Draft} from '../../../src/store/draft.js';
import {keyOf} from '../../../src/store/key.js';
import {Layout} from '../../../src/store/layout.js';
import {factsOf} from '../../helpers/begun.js';
import {MIB, openStore, temporaryDirectory} from '../../helpers/cache.js';
import {until} from '../../helpers/until.js';

const KEY = keyOf('https://a.example/a');
const [FIRST, SECOND] = [
	{start: 5 * MIB, end: 6 * MIB},
	{start: 8 * MIB, end: 9 * MIB},
];

/** One that owns a fill, and one that follows it, for readers that wait for what the test says. */
async function setUp(t: ExecutionContext) {
	const directory = temporaryDirectory(t);
	const [owning, store] = [openStore(t, {directory}), openStore(t, {directory})];
	const catalogue = new Catalogue(new Layout(directory), NO_LOG);
	t.teardown(() => catalogue.close());
	await until('it owns the fill', async () => (await catalogue.claim(KEY)) === 'mine');
	// An owner that falls silent is given up.
	const beating = setInterval(() => void catalogue.tell([KEY]), 500);
	t.teardown(() => clearInterval(beating));
	const readers = {count: 1, awaited: [] as Range[]};
	const following = new Following(KEY, store, {
		onBegun: () => undefined,
		onArrived: () => Promise.resolve(),
		awaited: () => readers.awaited,
		hasReaders: () => readers.count > 0,
	});
	const leaving = new AbortController();
	const running = following.run(leaving.signal).catch(() => undefined);
	t.teardown(async () => {
		leaving.abort();
		await running;
		following.close();
	});
	return {owning, catalogue, readers, following};
}

/** Tells who follows of a draft, and hears what they want of it. */
async function announce(t: ExecutionContext, catalogue: Catalogue, draft: Draft): Promise<Range[]> {
	t.teardown(() => draft.discard());
	const heard: Range[] = [];
	draft.onWanted = range => heard.push(range);
	draft.beginListening();
	draft.beginTelling(factsOf('https://a.example/a', 12 * MIB));
	const announcement = {partial: path.basename(draft.path), sizeBytes: 12 * MIB, modifiedAtMs: 0, filename: 'a.txt'};
	await catalogue.tell([KEY], JSON.stringify(announcement));
	return heard;
}

/** Has `range` written. */
async function bring(draft: Draft, range: Range): Promise<void> {
	await draft.write([Buffer.alloc(range.end - range.start)], range.start);
	draft.tell(range);
}

test('what is waited for before there is anybody to be told is told once there is', async t => {
	const {owning, catalogue, readers, following} = await setUp(t);
	readers.awaited = [FIRST];
	following.want(FIRST);
	const heard = await announce(t, catalogue, await owning.draft(KEY));
	await until('it is told', () => heard.length > 0);
	t.deepEqual(heard[0], FIRST);
});

test('who waits for all of it tells of all of it', async t => {
	const {owning, catalogue, readers} = await setUp(t);
	const heard = await announce(t, catalogue, await owning.draft(KEY));
	readers.awaited = [{start: 0, end: Infinity}];
	await until('it is told', () => heard.length > 0);
	t.deepEqual(heard[0], {start: 0, end: 12 * MIB});
});

test('what is waited for is told once a second until it is there, and not when it is there already', async t => {
	const {owning, catalogue, readers, following} = await setUp(t);
	const draft = await owning.draft(KEY);
	const heard = await announce(t, catalogue, draft);
	await until('it follows', () => following.followed !== undefined);
	const startedAt = performance.now();
	readers.awaited = [FIRST];
	for (let count = 0; count < 10; count++) following.want(FIRST);
	await until('it is told again', () => heard.length >= 3);
	t.true(performance.now() - startedAt >= 1900);
	t.deepEqual([...new Set(heard.map(({start}) => start))], [FIRST.start]);

	await bring(draft, FIRST);
	const before = heard.length;
	readers.awaited = [FIRST, SECOND];
	await until('the next is told twice', () => heard.filter(({start}) => start === SECOND.start).length === 2);
	t.true(heard.filter(({start}) => start === FIRST.start).length <= before + 1);
});

test('it stays as long as there are readers, whether they wait or not', async t => {
	const {owning, catalogue, readers, following} = await setUp(t);
	const draft = await owning.draft(KEY);
	await announce(t, catalogue, draft);
	await until('it follows', () => following.followed !== undefined);
	const startedAt = performance.now();
	let silences = 0;
	await until('it would be taken for gone', () => {
		if (!draft.isFollowed) silences++;
		return performance.now() - startedAt > 4500;
	});
	t.is(silences, 0);
	readers.count = 0;
	await until('it is not counted any more', () => !draft.isFollowed);
});

test('of a partial that is written from its first byte to its last nothing is told', async t => {
	const {owning, catalogue, following, readers} = await setUp(t);
	const draft = await owning.draft(KEY);
	t.teardown(() => draft.discard());
	const announcement = {partial: path.basename(draft.path), sizeBytes: 5, modifiedAtMs: 0, filename: 'a.txt'};
	await catalogue.tell([KEY], JSON.stringify(announcement));
	readers.awaited = [{start: 0, end: 5}];
	await until('it follows', () => following.followed !== undefined);
	t.is(following.followed?.wanted, undefined);
	t.notThrows(() => following.want({start: 0, end: 5}));
});
