import {readdirSync, readlinkSync} from 'node:fs';
import test from 'ava';
import {NO_LOG} from '../../../src/base/log.js';
import {
	conflicts,
	describeLimit,
	NO_LIMITS,
	parseLimits,
	renderLimits,
	type Limits,
} from '../../../src/store/limits.js';
import {Store, type StoreOptions} from '../../../src/store/store.js';
import {
	entryFiles,
	get,
	MIB,
	openStore,
	put,
	recordingLog,
	SMALL_ENTRY_BYTES,
	temporaryDirectory,
	TestClock,
} from '../../helpers/cache.js';
import {ForkedProcess} from '../../helpers/forked-process.js';
import {putLikeOriginal} from '../../helpers/original.js';
import {until} from '../../helpers/until.js';

/** A store that says exactly this of the limits. */
function open(directory: string, options: Partial<StoreOptions> = {}): Store {
	return new Store({directory, clock: new TestClock(), log: NO_LOG, ...options});
}

/** Within a second, what one has written is heard by all; and the thread that writes has to start first. */
const HEARD_MS = 3000;

/** What a link leads to; nothing for one that has gone meanwhile. */
function nameOf(link: string): string {
	try {
		return readlinkSync(link);
	} catch {
		return '';
	}
}

test.serial('what was said of the limits is read as it was said, for each of them', t => {
	for (const limits of [
		{maxBytes: 1, maxEntries: 2, maxAgeMs: 3.5, minFreeBytes: 0, policy: 'none'},
		{maxBytes: Infinity, policy: 'least-frequently-used'},
		{},
	] satisfies Array<Partial<Limits>>) {
		t.deepEqual(parseLimits(renderLimits(limits)), limits);
	}

	t.deepEqual(parseLimits(renderLimits(NO_LIMITS)), NO_LIMITS);
});

test.serial('rows that say nothing we know are passed over', t => {
	const rows = [
		...[
			['maxBytes', '-1'],
			['maxEntries', 'many'],
			['policy', 'toString'],
			['toString', '1'],
			['newer', '1'],
		],
		['maxAgeMs', '5'],
	] as Array<[string, string]>;
	t.deepEqual(parseLimits(rows), {maxAgeMs: 5});
});

test.serial('a conflict is what both say, and say otherwise', t => {
	t.deepEqual(conflicts({maxBytes: 1, maxEntries: 2, policy: 'none'}, {maxBytes: 2, maxEntries: 2, minFreeBytes: 5}), [
		'maxBytes',
	]);
	t.deepEqual(conflicts({}, NO_LIMITS), []);
});

test.serial('what one says the others keep to, those that are open and those that open later', async t => {
	const directory = temporaryDirectory(t);
	const first = open(directory, {defaults: {maxBytes: 5 * MIB}});
	const speaker = open(directory, {limits: {maxBytes: MIB, policy: 'none'}});
	t.is(speaker.limits.maxBytes, MIB);
	await until('the first has heard it', () => first.limits.maxBytes === MIB, HEARD_MS);
	t.is(first.limits.policy, 'none');
	t.is(first.limits.maxEntries, Infinity);
	await Promise.all([first.close(), speaker.close()]);
	const later = open(directory, {defaults: {maxBytes: 5 * MIB, maxEntries: 3}});
	t.deepEqual(later.limits, {...NO_LIMITS, maxBytes: MIB, policy: 'none', maxEntries: 3});
	await later.close();
});

test.serial('where nobody has said anything, each keeps to its defaults, and they are not said', async t => {
	const directory = temporaryDirectory(t);
	const first = open(directory, {defaults: {maxBytes: MIB}});
	await put(first, 'https://a.example/a', 'a');
	await first.flush();
	const second = open(directory);
	t.is(first.limits.maxBytes, MIB);
	t.is(second.limits.maxBytes, Infinity);
	await Promise.all([first.close(), second.close()]);
});

test.serial('who opens a directory and says nothing never shrinks it', async t => {
	const directory = temporaryDirectory(t);
	const first = open(directory, {limits: {maxBytes: 64 * MIB}});
	for (let index = 0; index < 20; index++) await put(first, `https://a.example/${index}`, 'x');
	await first.flush();
	const second = open(directory, {defaults: {maxBytes: 5 * SMALL_ENTRY_BYTES}});
	await second.load();
	await put(second, 'https://a.example/more', 'x');
	t.is(second.totals.entries, 21);
	await Promise.all([first.close(), second.close()]);
});

test.serial(
	'while a process that has said something lives, who says otherwise is refused, and may say the same or something else',
	async t => {
		const [directory, other] = [temporaryDirectory(t), ForkedProcess.start(t)];
		await other.tell('openStore', directory, {maxBytes: MIB}, 0);
		await other.tell('load');
		await other.tell('flush');
		const refused = t.throws(() => open(directory, {limits: {maxEntries: 3, maxBytes: 2 * MIB}}));
		t.is((refused as {code?: string}).code, 'not-permitted');
		t.regex(refused.message, /is open in process \d+ with max size 1MB, not max size 2MB: leave this limit out/);
		t.is(await other.tell('maxBytes'), MIB);

		const same = open(directory, {limits: {maxBytes: MIB, maxEntries: 100}});
		t.is(same.limits.maxEntries, 100);
		await same.close();
		const silent = open(directory);
		t.is(silent.limits.maxBytes, MIB);
		await silent.close();
	},
);

test.serial('who would prefer another limit gives way to a process that has said one, and says the rest', async t => {
	const [directory, other] = [temporaryDirectory(t), ForkedProcess.start(t)];
	await other.tell('openStore', directory, {maxBytes: MIB}, 0);
	await other.tell('flush');
	const {log, lines} = recordingLog();
	const store = open(directory, {preferred: {maxBytes: 5 * MIB, maxEntries: 3}, log});
	t.like(store.limits, {maxBytes: MIB, maxEntries: 3});
	t.deepEqual(lines, ['info the directory is kept as another process has said {"instead":"max size 1MB"}']);
	await store.close();
	await other.tell('close');
	const later = open(directory, {preferred: {maxBytes: 5 * MIB, maxEntries: Infinity}});
	t.like(later.limits, {maxBytes: 5 * MIB, maxEntries: Infinity});
	await later.close();
});

test.serial(
	'a limit that nobody who is there has said may be said otherwise, whatever else others have said',
	async t => {
		const [directory, other] = [temporaryDirectory(t), ForkedProcess.start(t)];
		const gone = open(directory, {limits: {maxAgeMs: 3_600_000}});
		await gone.close();
		await other.tell('openStore', directory, {maxBytes: MIB}, 0);
		await other.tell('flush');
		const store = open(directory, {limits: {maxAgeMs: Infinity}});
		t.is(store.limits.maxAgeMs, Infinity);
		await store.close();
		t.throws(() => open(directory, {limits: {maxBytes: Infinity}}), {message: /with max size 1MB, not max size none/});
	},
);

test.serial('a limit is told as a person writes it', t => {
	t.is(describeLimit('maxBytes', 10 * 1024 * MIB), 'max size 10GB');
	t.is(describeLimit('maxAgeMs', 3_600_000), 'max age 1h');
	t.is(describeLimit('maxEntries', Infinity), 'max entries none');
	t.is(describeLimit('policy', 'none'), 'policy none');
});

for (const how of ['close', 'kill'] as const) {
	test.serial(
		`once the process that has said something was ${how === 'kill' ? 'killed' : 'closed'}, its limits stay, and may be said otherwise`,
		async t => {
			const [directory, other] = [temporaryDirectory(t), ForkedProcess.start(t)];
			await other.tell('openStore', directory, {maxBytes: MIB}, 0);
			await other.tell('load');
			await other.tell('flush');
			if (how === 'close') await other.tell('close');
			else await other.kill();
			const heir = open(directory);
			t.is(heir.limits.maxBytes, MIB);
			const speaker = open(directory, {limits: {maxBytes: 2 * MIB}});
			t.is(speaker.limits.maxBytes, 2 * MIB);
			await until('the heir has heard it', () => heir.limits.maxBytes === 2 * MIB, HEARD_MS);
			await Promise.all([heir.close(), speaker.close()]);
		},
	);
}

test.serial('a store that is refused leaves nothing open', async t => {
	const [directory, other] = [temporaryDirectory(t), ForkedProcess.start(t)];
	await other.tell('openStore', directory, {maxBytes: MIB}, 0);
	await other.tell('load');
	await other.tell('flush');
	const openFiles = () => readdirSync('/proc/self/fd').map(fd => nameOf(`/proc/self/fd/${fd}`));
	for (let count = 0; count < 5; count++) t.throws(() => open(directory, {limits: {maxBytes: 2 * MIB}}));
	const ours = () => openFiles().filter(name => name.startsWith(directory));
	await until('all is closed', () => ours().length === 0, 500).catch(() => undefined);
	t.deepEqual(ours(), []);
});

test.serial('new limits are heard by another process within a second, which keeps to them from then on', async t => {
	const [directory, other] = [temporaryDirectory(t), ForkedProcess.start(t)];
	const store = openStore(t, {directory});
	await store.load();
	await other.tell('openStore', directory, {}, 0);
	t.is(await other.tell('maxBytes'), 64 * MIB);
	await other.tell('setLimits', {maxBytes: 3 * SMALL_ENTRY_BYTES});
	t.is(await other.tell('maxBytes'), 3 * SMALL_ENTRY_BYTES);
	await until('it is heard', () => store.limits.maxBytes === 3 * SMALL_ENTRY_BYTES, HEARD_MS);
	for (let index = 0; index < 6; index++) await put(store, `https://a.example/${index}`, 'x');
	t.is(store.totals.entries, 3);
});

test.serial('limits that were said before a flush are there for who opens the directory then', async t => {
	const directory = temporaryDirectory(t);
	const store = openStore(t, {directory});
	for (let maxEntries = 10; maxEntries < 15; maxEntries++) {
		await store.setLimits({maxEntries});
		await store.flush();
		const later = open(directory);
		t.is(later.limits.maxEntries, maxEntries);
		await later.close();
	}
});

test.serial('limits that are said twice at once end as they were said last', async t => {
	const directory = temporaryDirectory(t);
	const store = openStore(t, {directory, limits: {maxEntries: 50}});
	const said = [1, 2, 3, 4, 5, 6].map(maxEntries => store.setLimits({maxEntries}));
	const seen = new Set<number>();
	let isSaid = false;
	const done = Promise.all(said).finally(() => (isSaid = true));
	await until('it was looked at for a while', () => seen.add(store.limits.maxEntries) && isSaid);
	await done;
	t.is(store.limits.maxEntries, 6);
	t.deepEqual([...seen], [6]);
});

test.serial('limits that are said right after opening hold at once', async t => {
	const directory = temporaryDirectory(t);
	for (let index = 0; index < 60; index++) putLikeOriginal(directory, `https://a.example/${index}`, 'x');
	const before = openStore(t, {directory});
	await before.load();
	await before.close();
	for (let round = 50; round > 0; round -= 10) {
		const store = openStore(t, {directory, limits: {maxEntries: 1000}});
		await store.setLimits({maxEntries: round});
		t.is(store.totals.entries, round);
		t.is(entryFiles(directory).length, 2 * round);
		await store.close();
	}
});

test('what another program has written counts, also where it is only found when it is asked for', async t => {
	const directory = temporaryDirectory(t);
	// One that was not loaded watches nothing, as where the system has no watch to give.
	const store = openStore(t, {directory, limits: {maxBytes: 100_000}});
	await put(store, 'https://a.example/ours', 'x'.repeat(60_000));
	putLikeOriginal(directory, 'https://a.example/theirs', 'y'.repeat(60_000));
	t.is(await get(store, 'https://a.example/theirs'), 'y'.repeat(60_000));
	await until('the limit is kept', () => store.usedBytes <= 100_000);
	t.deepEqual([store.totals.entries, store.evicted['max-size']], [1, 1]);
	t.is(await get(store, 'https://a.example/ours'), undefined);
});
