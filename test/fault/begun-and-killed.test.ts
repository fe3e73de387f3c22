/** What was begun goes on after the process that was at it is no more, or the machine has stopped. */
import {
	existsSync,
	lstatSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	renameSync,
	utimesSync,
	writeFileSync,
} from 'node:fs';
import path from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {bootedAtMs, bootId} from '../../src/base/process-identity.js';
import {keyOf} from '../../src/store/key.js';
import {Verification, type Finding, type VerifyOptions} from '../../src/store/verify.js';
import {begin, bring, bytesAt, hasBytes, keptFile} from '../helpers/begun.js';
import {leftovers, MIB, openStore, temporaryDirectory, TestClock} from '../helpers/cache.js';
import {ForkedProcess} from '../helpers/forked-process.js';
import {until} from '../helpers/until.js';

const A = 'https://a.example/a';
const LENGTH = 100_000;
const RANGES = [
	{start: 0, end: 5000},
	{start: 50_000, end: 90_000},
];

/** What lies in `.larder/partials`. */
function kept(directory: string): string[] {
	return readdirSync(path.join(directory, '.larder', 'partials'));
}

/** How long the longest log is. */
function toldBytes(directory: string): number {
	const logs = ['downloads', 'partials'].flatMap(folder => {
		const names = readdirSync(path.join(directory, '.larder', folder)).filter(name => name.endsWith('.ranges'));
		return names.map(name => path.join(directory, '.larder', folder, name));
	});
	return Math.max(0, ...logs.map(log => lstatSync(log, {throwIfNoEntry: false})?.size ?? 0));
}

async function startOther(t: ExecutionContext, directory: string): Promise<ForkedProcess> {
	const other = ForkedProcess.start(t);
	await other.tell('openStore', directory, {}, 0);
	return other;
}

/** A directory in which a process was killed that had begun A. */
async function directoryOfKilled(t: ExecutionContext): Promise<string> {
	const directory = temporaryDirectory(t);
	const other = await startOther(t, directory);
	await other.tell('begin', A, LENGTH, RANGES);
	await other.kill();
	return directory;
}

test('who survives a killed process goes on with exactly what that one told, without a start', async t => {
	const directory = temporaryDirectory(t);
	const store = openStore(t, {directory});
	await store.load();
	const other = await startOther(t, directory);
	await other.tell('begin', A, LENGTH, RANGES);
	t.is(await store.resume(keyOf(A)), undefined, 'that one is at it');
	await other.kill();
	const taken = await store.resume(keyOf(A));
	t.deepEqual([...(taken?.ranges ?? [])], RANGES);
	if (taken === undefined) return;
	t.true(await hasBytes(taken.draft.file, A, RANGES));
	await bring(taken.draft, A, taken.ranges.missing(0, LENGTH));
	const pin = await store.commit(taken.draft, {url: A, mimetype: 'a/b', filename: 'a'});
	t.true((await pin.readAll()).equals(bytesAt(A, {start: 0, end: LENGTH})));
	pin.close();
	t.deepEqual([...leftovers(directory), ...kept(directory)], []);
});

test('who starts after it keeps what was told, and it goes from one killed process to the next', async t => {
	const directory = await directoryOfKilled(t);
	const store = openStore(t, {directory});
	await store.load();
	t.deepEqual(leftovers(directory), []);
	t.like([...store.partials], {length: 1, 0: {key: keyOf(A), arrivedBytes: 45_000}});
	await store.close();
	for (let round = 0; round < 2; round++) {
		const next = await startOther(t, directory);
		t.deepEqual(await next.tell('resume', A), RANGES);
		t.is(await next.tell('resume', A), undefined);
		await next.kill();
	}

	const last = openStore(t, {directory});
	t.deepEqual([...((await last.resume(keyOf(A)))?.ranges ?? [])], RANGES);
});

test('a process that is killed while it keeps and goes on leaves all that was told, or nothing, and never other bytes', async t => {
	const directory = temporaryDirectory(t);
	const clock = new TestClock();
	clock.advance(61_000);
	for (let round = 0; round < 8; round++) {
		const other = await startOther(t, directory);
		await other.tell('beginOverAndOver', A, MIB);
		await until('it has told so much', () => toldBytes(directory) > 500 * round);
		await other.kill();
		const store = openStore(t, {directory, clock});
		await store.load();
		t.deepEqual(leftovers(directory), []);
		t.is(kept(directory).length, 2 * [...store.partials].length);
		const taken = await store.resume(keyOf(A));
		if (taken !== undefined) t.true(await hasBytes(taken.draft.file, A, taken.ranges));
		if (round % 2 === 0) await taken?.draft.keep();
		taken?.draft.close();
		await taken?.draft.discard();
		await store.close();
	}
});

test('of many processes that go on with what a killed one had begun one does', async t => {
	const directory = await directoryOfKilled(t);
	const others = await Promise.all(Array.from({length: 3}, () => startOther(t, directory)));
	const taken = await Promise.all(others.map(other => other.tell('resume', A)));
	t.deepEqual(
		taken.filter(one => one !== undefined),
		[RANGES],
	);
});

/** As if all had been on the disk a minute before the machine was started, and that was in another boot. */
function cutPower(directory: string, ...written: string[]): void {
	const synced = path.join(directory, '.larder', 'synced');
	const earlier = 'aaaaaaaa-0000-4000-8000-000000000001';
	writeFileSync(synced, JSON.stringify({bootId: earlier, at: bootedAtMs() / 1000 - 60}));
	for (const file of written) utimesSync(file, bootedAtMs() / 1000 - 30, bootedAtMs() / 1000 - 30);
}

for (const [what, fileOf] of Object.entries({
	bytes: (kept: string) => kept,
	log: (kept: string) => `${kept}.ranges`,
})) {
	test(`what is kept is fetched again where its ${what} may have been lost with the power, at once and after the start`, async t => {
		const directory = temporaryDirectory(t);
		const store = openStore(t, {directory});
		const [lost, synced] = [keptFile(directory, A), keptFile(directory, `${A}/2`)];
		for (const url of [A, `${A}/2`]) await (await begin(store, url, LENGTH, RANGES)).keep();
		await store.close();

		cutPower(directory, fileOf(lost));
		const atOnce = openStore(t, {directory});
		t.is(await atOnce.resume(keyOf(A)), undefined);
		t.false(existsSync(lost));
		await (await begin(atOnce, A, LENGTH, RANGES)).keep();
		await atOnce.close();

		cutPower(directory, fileOf(lost));
		const loaded = openStore(t, {directory});
		await loaded.load();
		t.false(existsSync(lost) || existsSync(`${lost}.ranges`));
		t.true(existsSync(synced));
	});
}

test('after a power cut nobody goes on with a draft, even if its process seems to be there', async t => {
	const directory = temporaryDirectory(t);
	const store = openStore(t, {directory});
	const draft = await begin(store, A, LENGTH, RANGES);
	const downloads = path.join(directory, '.larder', 'downloads');
	const left = path.join(downloads, `${keyOf(A)}.${process.ppid}.${'0'.repeat(24)}`);
	for (const extension of ['', '.ranges']) renameSync(draft.path + extension, left + extension);
	await draft.discard();
	await store.close();

	cutPower(directory, left);
	await openStore(t, {directory}).load();
	t.true(existsSync(left));
	t.false(existsSync(`${left}.ranges`));
});

test('what is kept is on the disk once the store is closed', async t => {
	const directory = temporaryDirectory(t);
	const file = path.join(directory, '.larder', 'synced');
	mkdirSync(path.dirname(file));
	writeFileSync(file, JSON.stringify({bootId: bootId(), at: 0}));
	const store = openStore(t, {directory});
	await (await begin(store, A, LENGTH, RANGES)).keep();
	await store.close();
	t.true((JSON.parse(readFileSync(file, 'utf8')) as {at: number}).at > 0);
});

async function verify(directory: string, options: VerifyOptions = {}): Promise<Finding[]> {
	const clock = new TestClock();
	clock.advance(61_000);
	const findings: Finding[] = [];
	for await (const finding of new Verification(directory, options, {clock})) findings.push(finding);
	return findings;
}

test('a verification says of what was begun that it is kept, does so if one asks for it, and then finds nothing', async t => {
	const directory = await directoryOfKilled(t);
	const before = leftovers(directory);
	t.like(await verify(directory), {length: 1, 0: {kind: 'draft', action: 'would be kept for the next reader'}});
	t.deepEqual(leftovers(directory), before);
	const repaired = await verify(directory, {repair: true});
	t.like(repaired, {length: 1, 0: {outcome: 'repaired', action: 'kept for the next reader'}});
	t.deepEqual(leftovers(directory), []);
	t.deepEqual(await verify(directory), []);

	const file = keptFile(directory, A);
	renameSync(file, path.join(directory, 'elsewhere'));
	writeFileSync(file, 'of something else');
	const damaged = await verify(directory);
	t.is(damaged.length, 2);
	for (const {kind, action} of damaged) t.deepEqual({kind, action}, {kind: 'draft', action: 'would be removed'});
	t.like(await verify(directory, {repair: true}), {length: 2, 0: {outcome: 'repaired'}, 1: {outcome: 'repaired'}});
	t.deepEqual(kept(directory), []);
});
