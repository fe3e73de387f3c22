/** The drive's rules over a transport that has an inode for each version. */
import test, {type ExecutionContext} from 'ava';
import {keyOf} from '../../../src/cache/url-cache.js';
import {Drive} from '../../../src/fs/drive.js';
import type {Access, Inode} from '../../../src/fs/inode.js';
import {inodeNumber} from '../../../src/fs/names.js';
import {LOOPBACK_CAPABILITIES} from '../../../src/transport/loopback.js';
import {failsWith, HandSource, openUrlCache, TestClock, type CacheSetup} from '../../helpers/cache.js';
import {until} from '../../helpers/until.js';

const NEVER = new AbortController().signal;
const A = 'https://a.example/a.txt';
const READ: Access = {read: true, write: false, truncate: false};
const WRITE: Access = {read: false, write: true, truncate: true};

function openDrive(t: ExecutionContext, setup: CacheSetup = {}) {
	const source = new HandSource();
	const clock = new TestClock();
	const cache = openUrlCache(t, {source, clock, ...setup});
	const drive = new Drive(cache, {isReadOnly: false, isShared: false, capabilities: LOOPBACK_CAPABILITIES, clock});
	const file = async () => drive.lookup(await drive.lookup(drive.root, 'by-url'), encodeURIComponent(A));
	const open = async (inode: Inode, access = READ) => drive.open(inode, access, NEVER);
	const text = async (handle: number) => {
		const buffer = Buffer.alloc(100);
		return String(buffer.subarray(0, await drive.read(handle, buffer, 0, NEVER)));
	};

	const store = (body: string) =>
		cache.store(A, {data: Buffer.from(body), mimetype: 'text/plain', filename: 'a.txt'}, {durable: false});
	return {cache, clock, drive, source, file, open, text, store};
}

test('each lookup gives an inode of its own: who has the old one open goes on with it, and the next gets the new one', async t => {
	const {drive, file, open, store, text} = openDrive(t);
	await store('one');
	const one = await file();
	const old = await open(one);
	await store('another');
	const young = await open(await file());
	t.deepEqual([await text(old), await text(young)], ['one', 'another']);
	t.is((await drive.getattr(one)).sizeBytes, 3);
	t.is((await drive.getattr(await file())).sizeBytes, 7);
	await failsWith(t, 'replaced', open(one));
	t.is(await text(await open(one, {...READ, asOpen: true})), 'one');
});

test('who was told a version gets no other, and the one that was opened for him is there for the inode he finds', async t => {
	const {drive, source, file, open, store, text} = openDrive(t);
	await store('one');
	const inode = await file();
	const {version} = await drive.getattr(inode);
	await store('another');
	await failsWith(t, 'replaced', open(inode, {...READ, version}));
	t.is(await text(await open(await file())), 'another');
	t.is(source.bodies.length, 0);
});

test('what a fill brings is the version that is stored in the end', async t => {
	const {drive, source, file, open} = openDrive(t);
	const inode = await file();
	t.deepEqual([(await drive.getattr(inode)).version, (await drive.getattr(inode)).validForMs], [undefined, 0]);
	const opening = open(inode);
	const body = await source.body();
	body.begin(100_000);
	body.send('b'.repeat(60_000));
	const handle = await opening;
	const {version, isWhole, validForMs} = await drive.getattr(inode);
	t.deepEqual([isWhole, validForMs], [false, 0]);
	body.send('b'.repeat(40_000));
	body.end();
	await until('it is whole', async () => (await drive.getattr(inode)).isWhole === true);
	t.true(version?.isSame((await drive.getattr(await file())).version));
	t.true((await drive.getattr(inode)).version?.isSame(version));
	await drive.release(handle);
	t.true(version?.isSame((await drive.getattr(inode)).version));
	await drive.release(await open(inode, {...READ, version}));
});

test('an inode that is read is not written, and one that is written neither read nor written by another', async t => {
	const {drive, file, open, store, text} = openDrive(t);
	await store('one');
	const [read, written] = [await file(), await file()];
	const reader = await open(read);
	await failsWith(t, 'replaced', open(read, WRITE));
	const writer = await open(written, WRITE);
	await drive.write(writer, Buffer.from('mine'), 0);
	await failsWith(t, 'replaced', open(written));
	await failsWith(t, 'replaced', open(written, WRITE));
	const other = await open(await file());
	t.is(await text(other), 'one');
	await drive.flush(writer);
	t.is(await text(await open(await file())), 'mine');
	t.deepEqual([await text(reader), await text(other)], ['one', 'one']);
	await drive.release(writer);
	t.is(await text(await open(written)), 'mine');
});

test('unlinking removes what every writer was about to store', async t => {
	const {cache, drive, file, open} = openDrive(t);
	const writers = [await open(await file(), WRITE), await open(await file(), WRITE)];
	for (const writer of writers) await drive.write(writer, Buffer.from('mine'), 0);
	await drive.unlink(await drive.lookup(drive.root, 'by-url'), encodeURIComponent(A));
	for (const writer of writers) {
		await drive.flush(writer);
		await drive.release(writer);
	}

	t.false(cache.isStored(keyOf(A)));
});

test('a change is told before the operation that makes it is over, with what is there by then', async t => {
	const {drive, file, open, store} = openDrive(t);
	const told: Array<[number, boolean]> = [];
	await store('one');
	const {version} = await drive.getattr(await file());
	drive.onChanged = (ino, now) => told.push([ino, now()?.isSame(version) === true]);
	const ino = inodeNumber(keyOf(A));
	const writer = await open(await file(), WRITE);
	await drive.write(writer, Buffer.from('mine'), 0);
	t.deepEqual(told, []);
	await drive.flush(writer);
	t.deepEqual(told.at(-1), [ino, false]);
	await drive.release(writer);
	told.length = 0;
	await drive.unlink(await drive.lookup(drive.root, 'by-url'), encodeURIComponent(A));
	t.deepEqual(told.at(-1), [ino, false]);
});

test('what is stored may be believed while it is fresh and its directory is watched; a name that is none for ever', async t => {
	const {cache, drive, file, store} = openDrive(t, {freshness: 60_000});
	await store('one');
	const validForMs = async () => (await drive.getattr(await file())).validForMs ?? -1;
	t.is(await validForMs(), 0);
	await cache.load();
	// What is put is not asked about.
	t.is(await validForMs(), Infinity);
	const absent = async (...names: [string, string]) => {
		const directory = await drive.lookup(drive.root, names[0]);
		const error = await t.throwsAsync<Error & {forMs?: number}>(async () => drive.lookup(directory, names[1]));
		return error?.forMs;
	};
	t.is(await absent('by-url', '.Trash'), Infinity);
	t.is(await absent('by-key', 'x'), Infinity);
	t.is(await absent('by-key', '0'.repeat(64)), 0);
});
