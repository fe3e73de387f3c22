/** The catalogue is an index over the sidecars: whatever becomes of it, no entry is lost with it. */
import {existsSync} from 'node:fs';
import {isDeepStrictEqual} from 'node:util';
import test, {type ExecutionContext} from 'ava';
import {keyOf} from '../../src/store/key.js';
import type {Store} from '../../src/store/store.js';
import {allocatedOnDisk, get, openStore, put, recordingLog, temporaryDirectory} from '../helpers/cache.js';
import {fetchAll, listed, put as putInto, reading, startDrive, workDirectory} from '../helpers/drive.js';
import {Mount} from '../helpers/mount.js';
import {run, sh} from '../helpers/run.js';
import {totalsOnDisk} from '../helpers/sound-store.js';
import {until} from '../helpers/until.js';
import {catalogueOf} from '../helpers/write-lock.js';

const ENTRIES = 30;
const REMOVE = 'rm -f "$1" "$1-wal" "$1-shm"';

interface Damage {
	/** A line of shell on the file `$1`: the damage is another process's, so that no lock of this one is touched. */
	readonly how: string;
	/** Whether who opens the store can tell it from one that never had a catalogue, and so has to say something. */
	readonly isNoticed: boolean;
}

const DAMAGE = {
	'deleted': {how: REMOVE, isNoticed: false},
	'emptied': {how: 'truncate -s 0 "$1"', isNoticed: false},
	'filled with garbage': {how: garbageFrom(0), isNoticed: true},
	'filled with garbage from its second page on': {how: garbageFrom(4096), isNoticed: true},
	'filled with garbage behind its header': {how: garbageFrom(100), isNoticed: true},
	'cut in half': {how: 'truncate -s $(($(stat -c %s "$1") / 2)) "$1"', isNoticed: true},
	'cut to half a header': {how: 'truncate -s 50 "$1"', isNoticed: true},
	// Bytes 60 to 63 are `user_version`: https://www.sqlite.org/fileformat2.html#user_version_number
	'made by a newer version': {how: `printf '\\000\\001\\000\\000' | ${writeAt(60)}`, isNoticed: true},
	'given a log of garbage': {how: 'head -c 50000 /dev/urandom > "$1-wal"', isNoticed: false},
} satisfies Record<string, Damage>;

function garbageFrom(position: number): string {
	return `head -c $(($(stat -c %s "$1") - ${position})) /dev/urandom | ${writeAt(position)}`;
}

function writeAt(position: number): string {
	return `dd of="$1" oflag=seek_bytes seek=${position} conv=notrunc status=none`;
}

async function damage(t: ExecutionContext, directory: string, how: string): Promise<void> {
	const {code, stderr} = await sh(how, catalogueOf(directory));
	t.is(code, 0, stderr);
}

function urlOf(index: number): string {
	return `https://a.example/${index}`;
}

/** No two are of one length. */
function bodyOf(index: number): string {
	return `${index}|`.repeat(500 * (index + 1));
}

async function fill(store: Store): Promise<void> {
	await store.load();
	for (let index = 0; index < ENTRIES; index++) await put(store, urlOf(index), bodyOf(index));
}

async function assertServed(t: ExecutionContext, store: Store, from = 0): Promise<void> {
	for (let index = from; index < ENTRIES; index++) t.is(await get(store, urlOf(index)), bodyOf(index));
}

/** Gives the totals time to become those of the disk, and asserts that they are: of both as they were at one moment. */
async function assertTotals(t: ExecutionContext, directory: string, store: Store): Promise<void> {
	const look = () => {
		const {entries, sizeBytes, allocatedBytes} = store.totals;
		return {
			counted: {entries, total_bytes: sizeBytes, allocated_bytes: allocatedBytes, used_bytes: store.usedBytes},
			there: {...totalsOnDisk(directory), used_bytes: allocatedOnDisk(directory)},
		};
	};
	let last = look();
	await until('they are', () => {
		last = look();
		return isDeepStrictEqual(last.counted, last.there);
	}).catch(() => undefined);
	t.deepEqual(last.counted, last.there);
}

/** The warnings and errors in a log that name the catalogue. */
function about(lines: readonly string[]): string[] {
	return lines.filter(line => /catalogue/i.test(line) && /^(warn|error)|"level":"(warn|error)"/.test(line));
}

/** What a store must go on doing: store, replace and remove, and count that. */
async function assertWorks(t: ExecutionContext, directory: string, store: Store): Promise<void> {
	await put(store, urlOf(ENTRIES), 'new');
	await put(store, urlOf(0), 'replaced');
	t.true(await store.remove(keyOf(urlOf(1))));
	t.is(await get(store, urlOf(ENTRIES)), 'new');
	t.is(await get(store, urlOf(0)), 'replaced');
	t.is(await get(store, urlOf(1)), undefined);
	await assertServed(t, store, 2);
	await assertTotals(t, directory, store);
}

/** Who opens the store after all that finds nothing to complain of. */
async function assertHealed(t: ExecutionContext, directory: string): Promise<void> {
	const {log, lines} = recordingLog();
	const store = openStore(t, {directory, log});
	await store.load();
	await assertServed(t, store, 2);
	t.is(await get(store, urlOf(0)), 'replaced');
	t.is(await get(store, urlOf(1)), undefined);
	await assertTotals(t, directory, store);
	await store.close();
	t.deepEqual(about(lines), []);
	t.true(existsSync(catalogueOf(directory)));
}

for (const [what, {how, isNoticed}] of Object.entries(DAMAGE)) {
	test(`a catalogue that was ${what} between two runs costs no entry, and is made anew`, async t => {
		const [directory, {log, lines}] = [temporaryDirectory(t), recordingLog()];
		const before = openStore(t, {directory});
		await fill(before);
		await before.close();
		await damage(t, directory, how);

		const store = openStore(t, {directory, log});
		t.is(await get(store, urlOf(7)), bodyOf(7));
		await store.load();
		await assertServed(t, store);
		await assertTotals(t, directory, store);
		await assertWorks(t, directory, store);
		await store.close();
		const said = about(lines);
		t.true(isNoticed ? said.length === 1 : said.length <= 1, said.join('\n'));
		await assertHealed(t, directory);
	});
}

/** What no program does to a database that it knows to be in use, but a person may. */
const WHILE_IT_RUNS = ['deleted', 'filled with garbage', 'filled with garbage from its second page on'] as const;

for (const what of WHILE_IT_RUNS) {
	test(`a catalogue that was ${what} while a store runs costs no entry, neither there nor beside it`, async t => {
		const [directory, {log, lines}] = [temporaryDirectory(t), recordingLog()];
		const store = openStore(t, {directory, log});
		await fill(store);
		await damage(t, directory, DAMAGE[what].how);
		await assertServed(t, store);
		await assertWorks(t, directory, store);

		const beside = openStore(t, {directory});
		await beside.load();
		await assertServed(t, beside, 2);
		await assertTotals(t, directory, beside);
		await put(store, urlOf(2), 'from the first');
		t.is(await get(beside, urlOf(2)), 'from the first');
		await put(beside, urlOf(2), bodyOf(2));
		t.is(await get(store, urlOf(2)), bodyOf(2));
		await assertTotals(t, directory, store);
		await assertTotals(t, directory, beside);
		await beside.close();
		await store.close();
		t.true(about(lines).length <= 1, lines.join('\n'));
		await assertHealed(t, directory);
	});
}

test('a budget is kept also while the catalogue is deleted again and again', async t => {
	const directory = temporaryDirectory(t);
	const store = openStore(t, {directory, limitBytes: 1_000_000});
	await store.load();
	for (let index = 0; index < 8; index++) await put(store, urlOf(index), 'x'.repeat(100_000));
	for (let index = 8; index < 40; index++) {
		if (index % 4 === 0) await damage(t, directory, REMOVE);
		await put(store, urlOf(index), 'x'.repeat(100_000));
		t.is(await get(store, urlOf(index)), 'x'.repeat(100_000));
	}

	await until('it is', () => allocatedOnDisk(directory) <= 1_000_000);
	t.true(allocatedOnDisk(directory) > 700_000);
	await assertTotals(t, directory, store);
	await store.close();
	const after = openStore(t, {directory, limitBytes: 1_000_000});
	await after.load();
	await assertTotals(t, directory, after);
	t.true(after.usedBytes <= 1_000_000);
});

test('a drive whose catalogue is deleted serves, stores and removes as before, and so does the next', async t => {
	const cacheDir = await workDirectory(t);
	const {mount, origin} = await startDrive(t, {cacheDir});
	const [warm, other, cold, written] = ['/warm', '/other', '/cold', '/written'].map((one, index) =>
		origin.serve(one, {size: 100_000 + index}),
	) as [string, string, string, string];
	await fetchAll(mount, warm, other);
	await damage(t, cacheDir, REMOVE);
	t.is(await reading(mount.path(warm)), 'read 100000 bytes');
	t.is(await reading(mount.path(cold)), 'read 100002 bytes');
	t.is((await putInto(mount, written, 'by hand')).code, 0);
	t.is((await run('rm', [mount.path(other)])).code, 0);
	const there = [warm, cold, written].map(encodeURIComponent).sort();
	await until('all is listed', async () => (await listed(mount)).sort().join() === there.join());
	t.is((await mount.stats())['entries'], 3);
	t.is(await mount.stop(), 0);
	t.true(about(mount.logLines).length <= 1, mount.log);

	const again = await Mount.start(t, {cacheDir});
	await until('all is listed again', async () => (await listed(again)).sort().join() === there.join());
	t.is((await again.stats())['used_bytes'], allocatedOnDisk(cacheDir));
	t.is(await reading(again.path(written)), 'read 7 bytes');
	t.is(origin.requests.length, 3);
	t.true(existsSync(catalogueOf(cacheDir)));
});
