/** Another program in the store's directory, of which only inotify tells. */
import {readdirSync, readFileSync, rmSync, utimesSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import test from 'ava';
import {hasCode} from '../../src/base/errors.js';
import {keyOf} from '../../src/store/key.js';
import {allocatedOnDisk, get, MIB, openStore, put, recordingLog, temporaryDirectory} from '../helpers/cache.js';
import {deleteLikeOriginal, putLikeOriginal} from '../helpers/original.js';
import {until} from '../helpers/until.js';

const [A, B] = ['https://a.example/a', 'https://a.example/b'] as const;
const NOTICED_MS = 10_000;
const MAX_EVENTS = Number(readFileSync('/proc/sys/fs/inotify/max_queued_events', 'utf8'));

/** Watches that the inotify descriptors of this process have: inotify(7), fdinfo. */
function watches(): number {
	return readdirSync('/proc/self/fdinfo')
		.map(fd => {
			try {
				return readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8').split('inotify wd').length - 1;
			} catch {
				return 0;
			}
		})
		.reduce((sum, count) => sum + count, 0);
}

test.serial('what another program stores, replaces and removes is counted within two seconds', async t => {
	const directory = temporaryDirectory(t);
	const store = openStore(t, {directory});
	await store.load();
	putLikeOriginal(directory, A, 'one');
	putLikeOriginal(directory, B, 'b');
	await until('both are there', () => store.totals.entries === 2, NOTICED_MS);
	putLikeOriginal(directory, A, 'another');
	await until('the new one is', () => store.totals.sizeBytes === 8, NOTICED_MS);
	deleteLikeOriginal(directory, B);
	await until('one is gone', () => store.totals.entries === 1, NOTICED_MS);
	t.is(store.usedBytes, allocatedOnDisk(directory));
	t.is(await get(store, A), 'another');
});

test.serial('what another program stores beyond the budget is evicted within two seconds', async t => {
	const directory = temporaryDirectory(t);
	const store = openStore(t, {directory, limitBytes: MIB});
	await store.load();
	for (let index = 0; index < 15; index++) putLikeOriginal(directory, `${A}/${index}`, Buffer.alloc(100_000));
	await until('it is within the budget', () => allocatedOnDisk(directory) <= MIB, NOTICED_MS);
	t.is(store.totals.entries, 9);
});

test.serial('noticing takes one watch, however many entries there are', async t => {
	const directory = temporaryDirectory(t);
	for (let index = 0; index < 500; index++) putLikeOriginal(directory, `${A}/${index}`, 'x');
	const before = watches();
	const store = openStore(t, {directory});
	await store.load();
	t.is(store.totals.entries, 500);
	t.is(watches() - before, 1);
	await store.close();
	await until('the watch is gone', () => watches() === before);
});

test.serial('a reader of bytes that another program writes over gets an error, never a mixture', async t => {
	const directory = temporaryDirectory(t);
	const store = openStore(t, {directory});
	await put(store, A, 'a'.repeat(100_000));
	const pin = await store.pin(keyOf(A));
	const buffer = Buffer.alloc(10);
	await pin?.read(buffer, 0);
	putLikeOriginal(directory, A, 'b'.repeat(100_001));
	const error = await pin?.read(buffer, 50_000).catch((thrown: unknown) => thrown);
	t.true(hasCode(error, 'corrupt-entry'));
	pin?.close();
	t.is(await get(store, A), 'b'.repeat(100_001));
	t.is(store.usedBytes, store.totals.allocatedBytes);
});

/** Two files in turn, so that no event is taken for the one before it. */
function overflow(directory: string): void {
	const files = ['x', 'y'].map(name => path.join(directory, name));
	for (const file of files) writeFileSync(file, '');
	for (let count = 0; count <= MAX_EVENTS; count++) utimesSync(files[count % 2] ?? '', count, count);
}

test.serial('after more events at once than inotify keeps, the store looks for what it has missed', async t => {
	const [directory, {log, lines}] = [temporaryDirectory(t), recordingLog()];
	const store = openStore(t, {directory, log});
	await put(store, A, 'a');
	await store.load();
	overflow(directory);
	deleteLikeOriginal(directory, A);
	putLikeOriginal(directory, B, 'missed');
	await until('what was missed is there', () => store.totals.sizeBytes === 6, NOTICED_MS);
	t.is(store.totals.entries, 1);
	t.true(lines.some(line => line.startsWith('info looking at all of the store again')));
});

test.serial('a store whose directory goes away in a flood of events logs it and lives', async t => {
	const [directory, {log, lines}] = [temporaryDirectory(t), recordingLog()];
	const store = openStore(t, {directory, log});
	await put(store, A, 'a');
	await store.load();
	overflow(directory);
	rmSync(directory, {recursive: true});
	await until('it was logged', () => lines.some(line => line.startsWith('error the store could not be looked at')));
	t.is(await get(store, A), undefined);
});
