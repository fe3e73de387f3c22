/** The drive's rules without a kernel: operations as a transport calls them. */
import {setImmediate} from 'node:timers/promises';
import test, {type ExecutionContext} from 'ava';
import {keyOf} from '../../../src/cache/url-cache.js';
import {Drive, type DriveOptions} from '../../../src/fs/drive.js';
import type {Inode} from '../../../src/fs/inode.js';
import {KERNEL_CAPABILITIES} from '../../../src/transport/kernel/transport.js';
import {FUSE_NATIVE_CAPABILITIES} from '../../../src/transport/fuse-native.js';
import {
	failsWith,
	HandSource,
	MIB,
	openUrlCache,
	readWhole,
	temporaryDirectory,
	TestClock,
	type CacheSetup,
} from '../../helpers/cache.js';
import {until} from '../../helpers/until.js';

const NEVER = new AbortController().signal;
const A = 'https://a.example/a.txt';
const NAME = encodeURIComponent(A);
const [READ, WRITE] = [
	{read: true, write: false, truncate: false},
	{read: false, write: true, truncate: true},
];

function openDrive(t: ExecutionContext, options: Partial<DriveOptions> = {}, setup: CacheSetup = {}) {
	const source = new HandSource();
	const cache = openUrlCache(t, {source, ...setup});
	const capabilities = FUSE_NATIVE_CAPABILITIES;
	const clock = new TestClock();
	const drive = new Drive(cache, {isReadOnly: false, isShared: false, capabilities, clock, ...options});

	const find = async (...names: string[]) => {
		let inode: Inode = drive.root;
		for (const name of names) inode = await drive.lookup(inode, name);
		return inode;
	};

	const text = async (handle: number, length = 100, position = 0) => {
		const buffer = Buffer.alloc(length);
		return String(buffer.subarray(0, await drive.read(handle, buffer, position, NEVER)));
	};

	const names = async (directory: string) => Array.from(await drive.readdir(await find(directory)), ({name}) => name);
	const file = () => find('by-url', NAME);
	const open = async (access = READ) => drive.open(await file(), access, NEVER);
	const stored = async () => readWhole(await cache.openStored(keyOf(A)));
	const store = (body: string) =>
		cache.store(A, {data: Buffer.from(body), mimetype: 'text/plain', filename: 'a.txt'}, {durable: false});
	return {cache, drive, source, find, file, names, open, store, stored, text};
}

test('a URL is a file of 0 bytes before it is opened, is downloaded by the open, and listed afterwards', async t => {
	const {drive, source, file, names, open, text} = openDrive(t);
	t.is((await drive.getattr(await file())).sizeBytes, 0);
	t.deepEqual(await names('by-url'), []);
	t.is(source.bodies.length, 0);
	const opening = open();
	(await source.body()).answer('body');
	const handle = await opening;
	t.is((await drive.getattr(await file())).sizeBytes, 4);
	t.is(await text(handle), 'body');
	t.is(await text(handle, 2, 1), 'od');
	await drive.release(handle);
	await until('it is listed', async () => (await names('by-url')).length > 0);
	t.deepEqual(await names('by-url'), [NAME]);
	t.deepEqual(await names('by-key'), [keyOf(A)]);
	const top = Array.from(drive.root.list(), ({name}) => name);
	t.deepEqual(top, ['by-url', 'by-key', 'stats.json', 'downloads.json']);
});

test('where lookups wait a name is told as its origin has it, and to be asked for anew', async t => {
	const {cache, drive, source, file, find, names, open, store, text} = openDrive(t, {
		capabilities: KERNEL_CAPABILITIES,
	});
	// A lookup is not patient, and the first one starts what tells whether another process is at it.
	await cache.load();
	const asking = drive.announce(await file(), NEVER);
	(await source.body()).answer('body');
	await asking;
	const told = await drive.getattr(await file());
	t.like(told, {sizeBytes: 4, permissions: 0o644, isProvisional: true});
	t.deepEqual(await names('by-url'), []);
	await failsWith(t, 'not-stored', find('by-key', keyOf(A)));
	const handle = await open();
	t.is((await drive.getattr(await file())).modifiedAtMs, told.modifiedAtMs);
	t.is(await text(handle), 'body');
	await drive.release(handle);
	t.is(source.bodies.length, 1);
	await store('stored');
	await drive.announce(await file(), NEVER);
	t.like(await drive.getattr(await file()), {sizeBytes: 6, isProvisional: false});
});

test('where one lookup keeps the others waiting, or nobody can end it, nobody is asked', async t => {
	for (const lack of [{parallelLookup: false}, {interrupt: false}]) {
		const {drive, source, file} = openDrive(t, {capabilities: {...KERNEL_CAPABILITIES, ...lack}});
		await drive.announce(await file(), NEVER);
		t.is((await drive.getattr(await file())).sizeBytes, 0);
		t.is(source.bodies.length, 0);
	}
});

test('what is being written or read is not asked about, and what is only told of may be written', async t => {
	const {cache, drive, source, file, stored} = openDrive(t, {capabilities: KERNEL_CAPABILITIES});
	// A lookup is not patient, and the first one starts what tells whether another process is at it.
	await cache.load();
	const asking = drive.announce(await file(), NEVER);
	(await source.body()).answer('theirs');
	await asking;
	const inode = await file();
	const handle = await drive.open(inode, {...WRITE, truncate: false}, NEVER);
	await drive.write(handle, Buffer.from('mine'), 0);
	await drive.announce(inode, NEVER);
	t.like(await drive.getattr(inode), {sizeBytes: 4, isProvisional: false});
	await drive.flush(handle);
	await drive.release(handle);
	t.is(await stored(), 'mine');
	t.is(source.bodies.length, 1);
});

test('names that are none are not there, under any directory', async t => {
	const {find} = openDrive(t);
	for (const path of [['x'], ['by-url', 'x'], ['by-key', 'x'], ['by-key', keyOf(A)], ['by-url', 'file%3A%2F%2F%2Fx']]) {
		const error: unknown = await find(...path).catch((thrown: unknown) => thrown);
		t.regex(String(error), /CacheError: there is no/, path.join('/'));
	}

	await failsWith(t, 'not-permitted', find('stats.json', 'x'));
});

test('unlinking evicts, under either name; who has the file open reads on, and who opens it next downloads', async t => {
	const {drive, source, find, open, store, stored, text} = openDrive(t);
	for (const [directory, name] of [
		['by-url', NAME],
		['by-key', keyOf(A)],
	] as const) {
		await store('old');
		const handle = await open();
		await drive.unlink(await find(directory), name);
		t.is(await stored(), undefined);
		t.is(await text(handle), 'old');
		const opening = open();
		(await source.body(source.bodies.length + 1)).answer('new');
		const next = await opening;
		t.deepEqual([await text(handle), await text(next)], ['old', 'new']);
		await drive.release(handle);
		await drive.release(next);
		t.is(await stored(), 'new');
	}
});

test('unlinking what is not stored is ENOENT, and what is at the top stays', async t => {
	const {drive, find} = openDrive(t);
	await t.throwsAsync(drive.unlink(await find('by-url'), NAME), {name: 'CacheError', message: /not stored/});
	await failsWith(t, 'bad-name', drive.unlink(await find('by-url'), 'x'));
	await failsWith(t, 'not-permitted', drive.unlink(drive.root, 'stats.json'));
});

test('while a file is open every open of it gets the same version, whatever is stored meanwhile', async t => {
	const {drive, file, open, store, text} = openDrive(t);
	await store('one');
	const [first, lookedUpBefore] = [await open(), await file()];
	await store('another');
	const second = await drive.open(lookedUpBefore, READ, NEVER);
	t.deepEqual([await text(first), await text(second)], ['one', 'one']);
	t.is((await drive.getattr(await file())).sizeBytes, 3);
	await drive.release(first);
	await drive.release(second);
	const third = await open();
	t.is(await text(third), 'another');
	await drive.release(third);
});

test('of two who look a name up and then both open it, both have one version', async t => {
	const {drive, file, store, text} = openDrive(t);
	await store('one');
	const [one, two] = [await file(), await file()];
	const first = await drive.open(one, READ, NEVER);
	await store('another');
	const second = await drive.open(two, READ, NEVER);
	t.is(await text(second), 'one');
	await drive.release(first);
	await drive.release(second);
});

test('what is written is stored at each flush, and stat sees it grow before', async t => {
	const {drive, file, open, stored} = openDrive(t);
	const handle = await open(WRITE);
	t.is(await drive.write(handle, Buffer.from('world'), 6), 5);
	t.is((await drive.getattr(await file())).sizeBytes, 11);
	await drive.write(handle, Buffer.from('hello '), 0);
	t.is(await stored(), undefined);
	await drive.flush(handle);
	t.is(await stored(), 'hello world');
	await drive.write(handle, Buffer.from('HELLO'), 0);
	await drive.flush(handle);
	await drive.write(handle, Buffer.from('lost'), 0);
	await drive.release(handle);
	t.is(await stored(), 'HELLO world');
});

test('a file that is created and never written is not stored, one that is truncated and never written is empty', async t => {
	const {drive, open, store, stored} = openDrive(t);
	for (const before of [undefined, 'stored']) {
		if (before !== undefined) await store(before);
		const handle = await open(WRITE);
		await drive.flush(handle);
		await drive.release(handle);
		t.is(await stored(), before && '');
	}
});

test('what is stored is only written as a whole; what is not needs no truncation', async t => {
	const {drive, file, open, store, stored} = openDrive(t);
	const inPlace = {...WRITE, truncate: false};
	const first = await open(inPlace);
	await drive.write(first, Buffer.from('rsync'), 0);
	await drive.flush(first);
	await drive.release(first);
	t.is(await stored(), 'rsync');

	await store('stored');
	const second = await open(inPlace);
	await failsWith(t, 'not-permitted', drive.write(second, Buffer.from('x'), 0));
	await failsWith(t, 'not-permitted', drive.truncate(await file(), second, 3));
	await failsWith(t, 'not-permitted', drive.truncate(await file(), undefined, 0));
	await drive.truncate(await file(), second, 0);
	await drive.write(second, Buffer.from('y'), 0);
	await drive.flush(second);
	await drive.release(second);
	t.is(await stored(), 'y');
	const reading = await open();
	await failsWith(t, 'not-permitted', drive.write(reading, Buffer.from('x'), 0));
	await drive.release(reading);
});

test('a name that is unlinked while what was written is about to be stored is not there afterwards', async t => {
	for (const text of ['written', '']) {
		const {drive, find, file, store, stored, names} = openDrive(t);
		await store('before');
		const handle = await drive.open(await file(), WRITE, NEVER);
		if (text !== '') await drive.write(handle, Buffer.from(text), 0);
		// close(2) has returned: an empty file is stored when its handle is released, any other when it is flushed.
		const storing = Promise.resolve(text === '' ? drive.release(handle) : drive.flush(handle));
		await drive.unlink(await find('by-url'), NAME);
		await storing;
		t.deepEqual(await names('by-url'), []);
		t.is(await stored(), undefined);
	}
});

test('a name that is unlinked while it is written is not stored', async t => {
	const {drive, find, open, stored} = openDrive(t);
	const handle = await open(WRITE);
	await drive.write(handle, Buffer.from('x'), 0);
	await drive.unlink(await find('by-url'), NAME);
	await drive.flush(handle);
	await drive.release(handle);
	t.is(await stored(), undefined);
});

test('a writer waits for the reader who is about to leave', async t => {
	const {drive, open, store, stored} = openDrive(t);
	await store('stored');
	const reader = await open();
	const opening = open(WRITE);
	await setImmediate();
	await drive.release(reader);
	const writer = await opening;
	await drive.write(writer, Buffer.from('new'), 0);
	await drive.flush(writer);
	await drive.release(writer);
	t.is(await stored(), 'new');
});

test('a writer is refused while another program reads on, and a reader while another writes on', async t => {
	const {drive, open, store, text} = openDrive(t);
	await store('stored');
	const reader = await open();
	await failsWith(t, 'busy', open(WRITE));
	t.is(await text(reader), 'stored');
	await drive.release(reader);
	const writer = await open(WRITE);
	await drive.write(writer, Buffer.from('x'), 0);
	await failsWith(t, 'busy', open());
	await failsWith(t, 'busy', open(WRITE));
	await drive.flush(writer);
	const after = await open();
	t.is(await text(after), 'x');
	await drive.release(after);
	await drive.release(writer);
});

test('a put over a download that a reader waits for: the reader gets the one or the other, whole', async t => {
	const {drive, source, open, stored, text} = openDrive(t);
	const reading = open();
	const body = await source.body();
	const writer = await open(WRITE);
	await drive.write(writer, Buffer.from('put'), 0);
	body.answer('downloaded');
	const [outcome] = await Promise.allSettled([reading]);
	await drive.flush(writer);
	await drive.release(writer);
	t.is(await stored(), 'put');
	// EBUSY would do: what must not be is an open that succeeds and cannot be read.
	if (outcome.status === 'fulfilled') {
		t.true(['put', 'downloaded'].includes(await text(outcome.value)));
		await drive.release(outcome.value);
	}
});

test('a reader who gives up leaves the file as if it had not come', async t => {
	const {drive, source, file, open, text} = openDrive(t);
	const leaving = new AbortController();
	const opening = Promise.resolve(drive.open(await file(), READ, leaving.signal));
	const body = await source.body();
	leaving.abort(new Error('interrupted'));
	await t.throwsAsync(opening, {message: 'interrupted'});
	t.true(body.signal.aborted);
	const again = open();
	(await source.body(2)).answer('body');
	t.is(await text(await again), 'body');
});

test('a body larger than the budget is refused at the open, and evicts nothing', async t => {
	const {cache, source, open} = openDrive(t, {}, {limitBytes: MIB});
	await cache.store(
		'https://a.example/other',
		{data: Buffer.from('x'), mimetype: 'a/b', filename: 'x'},
		{durable: false},
	);
	const opening = open();
	(await source.body()).begin(2 * MIB);
	await failsWith(t, 'too-large', opening);
	t.is(cache.stats().entries, 1);
});

test('a read-only drive reads, and refuses all else as such', async t => {
	const {drive, find, open, store, text} = openDrive(t, {isReadOnly: true});
	await store('stored');
	const handle = await open();
	t.is(await text(handle), 'stored');
	await failsWith(t, 'read-only', open(WRITE));
	await failsWith(t, 'read-only', drive.unlink(await find('by-url'), NAME));
	await failsWith(t, 'read-only', drive.unlink(await find('by-key'), keyOf(A)));
	t.is((await drive.getattr(await find('by-url', NAME))).permissions, 0o444);
	t.is((await drive.getattr(await find('by-url'))).permissions, 0o555);
	await drive.release(handle);
});

test('a shared drive does not list queries under by-url, but all by key', async t => {
	const {cache, names} = openDrive(t, {isShared: true});
	const media = {data: Buffer.from('x'), mimetype: 'a/b', filename: 'x'};
	for (const url of [A, `${A}?token=1`, 'https://me:pw@a.example/']) await cache.store(url, media, {durable: false});
	t.deepEqual(await names('by-url'), [NAME]);
	t.is((await names('by-key')).length, 3);
});

test('a dentry has the attributes that a lookup of its name gives', async t => {
	const {drive, find, store} = openDrive(t);
	await store('stored');
	for (const directory of ['by-url', 'by-key']) {
		for (const dentry of await drive.readdir(await find(directory))) {
			t.deepEqual(dentry.attributes(), await drive.getattr(await find(directory, dentry.name)));
			t.is(dentry.attributes().sizeBytes, 6);
		}
	}
});

test('stats.json says what the cache counts, and directories are not opened', async t => {
	const {cache, drive, find, store, text} = openDrive(t);
	await store('stored');
	const handle = await drive.open(await find('stats.json'), READ, NEVER);
	t.deepEqual(JSON.parse(await text(handle, 10_000)), JSON.parse(JSON.stringify(cache.stats())));
	await drive.release(handle);
	const directory = await find('by-url');
	const opening = Promise.resolve().then(() => drive.open(directory, READ, NEVER));
	await failsWith(t, 'not-permitted', opening);
});

test('statfs has the budget as the size of the file system', async t => {
	const {drive, store} = openDrive(t, {}, {limitBytes: MIB, directory: temporaryDirectory(t)});
	await store('stored');
	t.like(await drive.statfs(), {totalBytes: MIB, freeBytes: MIB, maxNameBytes: 1023});
});
