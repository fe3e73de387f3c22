/** The drive's rules for what has no size before its end, over a transport that can hand that out. */
import test, {type ExecutionContext} from 'ava';
import {keyOf} from '../../../src/cache/url-cache.js';
import type {Capabilities} from '../../../src/fs/capabilities.js';
import {Drive} from '../../../src/fs/drive.js';
import type {Access, Inode} from '../../../src/fs/inode.js';
import {LOOPBACK_CAPABILITIES} from '../../../src/transport/loopback.js';
import {failsWith, HandSource, openUrlCache, TestClock} from '../../helpers/cache.js';

const NEVER = new AbortController().signal;
const A = 'https://a.example/a.txt';
const READ: Access = {read: true, write: false, truncate: false};

function openDrive(t: ExecutionContext, capabilities: Partial<Capabilities> = {}) {
	const source = new HandSource();
	const clock = new TestClock();
	const cache = openUrlCache(t, {source, clock, isStreamed: () => true});
	const can = {...LOOPBACK_CAPABILITIES, ...capabilities};
	const drive = new Drive(cache, {isReadOnly: false, isShared: false, capabilities: can, clock});
	const file = async () => drive.lookup(await drive.lookup(drive.root, 'by-url'), encodeURIComponent(A));
	const open = async (inode: Inode, access = READ) => drive.open(inode, access, NEVER);
	const text = async (handle: number) => {
		const buffer = Buffer.alloc(100);
		return String(buffer.subarray(0, await drive.read(handle, buffer, 0, NEVER)));
	};

	const begin = async (count = 1) => {
		const body = await source.body(count);
		body.begin();
		body.send('the first lines of it');
		return body;
	};
	return {cache, drive, source, file, open, text, begin};
}

test('a handle that was opened on a stream is one for its life, and those that are opened after its end are none', async t => {
	const {drive, file, open, text, begin} = openDrive(t);
	const inode = await file();
	const opening = open(inode);
	const body = await begin();
	const first = await opening;
	t.deepEqual([drive.isStream(first), (await drive.getattr(inode)).sizeBytes], [true, 0]);
	t.is(await text(first), 'the first lines of it');
	const second = await open(inode);
	t.true(drive.isStream(second));
	body.end();
	t.is(await drive.read(first, Buffer.alloc(10), 21, NEVER), 0);
	const {sizeBytes, isWhole} = await drive.getattr(inode);
	t.deepEqual([sizeBytes, isWhole], [21, true]);
	const third = await open(inode);
	t.deepEqual([drive.isStream(first), drive.isStream(second), drive.isStream(third)], [true, true, false]);
	for (const handle of [first, second, third]) t.is(await text(handle), 'the first lines of it');
});

test('who opens it to write as well waits for its end, also where a stream was kept for the inode that is looked up', async t => {
	const {drive, file, open, text, begin, cache} = openDrive(t);
	await cache.store(A, {data: Buffer.from('old'), mimetype: 'text/plain', filename: 'a'}, {durable: false});
	const told = await drive.getattr(await file());
	await cache.evict(keyOf(A));
	const reading = open(await file(), {...READ, version: told.version});
	const body = await begin();
	await failsWith(t, 'replaced', reading);
	const writing = open(await file(), {read: true, write: true, truncate: false});
	let isOpen = false;
	void writing.then(() => (isOpen = true));
	for (let turn = 0; turn < 20; turn++) await new Promise(resolve => setImmediate(resolve));
	t.false(isOpen);
	body.end();
	const handle = await writing;
	t.false(drive.isStream(handle));
	t.is(await text(handle), 'the first lines of it');
});

test('a transport that cannot open past the pages is given no stream', async t => {
	const {drive, file, open, begin} = openDrive(t, {directIo: false});
	const inode = await file();
	const opening = open(inode);
	(await begin()).end();
	const handle = await opening;
	t.deepEqual([drive.isStream(handle), (await drive.getattr(inode)).sizeBytes], [false, 21]);
});
