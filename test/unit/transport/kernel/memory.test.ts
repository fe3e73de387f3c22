import test from 'ava';
import type {Attributes, Dentry} from '../../../../src/fs/inode.js';
import {Listing} from '../../../../src/transport/kernel/listing.js';
import {ProtocolError} from '../../../../src/transport/kernel/protocol/protocol-error.js';
import {ReplyBuffers} from '../../../../src/transport/kernel/reply-buffers.js';
import {RequestMemory} from '../../../../src/transport/kernel/request-memory.js';

test('requests stay as they were when the buffer that they came in is read into again', t => {
	const memory = new RequestMemory();
	const buffer = Buffer.alloc(10_000);
	const kept = Array.from({length: 3000}, (_, index) => {
		const length = index % 100 === 0 ? 10_000 : 40 + (index % 200);
		buffer.fill(index % 251);
		return {index, region: memory.keep(buffer, length), length};
	});
	for (const {index, region, length} of kept) {
		const {bytes, view, at} = region;
		t.is(region.length, length);
		t.is(view.getUint8(at), index % 251);
		if (!bytes.subarray(at, at + length).every(byte => byte === index % 251)) t.fail(`request ${index} has changed`);
	}
});

test('a buffer for a reply has room for what was asked for, and is used again', t => {
	const buffers = new ReplyBuffers();
	for (const sizeBytes of [0, 1, 4096, 4097, 131_072, 1_000_000]) {
		const buffer = buffers.take(sizeBytes);
		t.true(buffer.bytes.byteLength >= 16 + sizeBytes);
		buffers.give(buffer);
		t.is(buffers.take(sizeBytes), buffer);
	}
});

test('more than a kernel may ask for is refused before there is memory for it', t => {
	t.throws(() => new ReplyBuffers().take(2 ** 31), {instanceOf: ProtocolError});
});

test('the offsets of a listing stay, nothing is asked for before it is read, and what was gone on from is not kept', t => {
	const asked: string[] = [];
	const attributes = (ino: number): Attributes => {
		return {kind: 'file', ino, permissions: 0o644, sizeBytes: ino, modifiedAtMs: 0};
	};
	function* files(): Iterable<Dentry> {
		for (const [index, name] of ['a', 'b', 'c'].entries()) {
			asked.push(name);
			yield {name, attributes: () => attributes(10 + index)};
		}
	}

	const listing = new Listing();
	t.is(listing.at(0), undefined);
	listing.rewind({...attributes(7), kind: 'directory'}, files());
	t.deepEqual(
		[0, 1].map(at => [listing.at(at)?.name, listing.at(at)?.ino, listing.attributesAt(at)]),
		[
			['.', 7, undefined],
			['..', 7, undefined],
		],
	);
	t.deepEqual(asked, []);
	t.is(listing.at(3)?.name, 'b');
	t.is(listing.attributesAt(3)?.sizeBytes, 11);
	t.deepEqual(asked, ['a', 'b']);
	const {name, ino, next, mode = 0} = listing.at(2) ?? {};
	t.deepEqual([name, ino, next, mode >>> 12], ['a', 10, 3, 8]);
	t.is(listing.attributesAt(2), undefined);
	t.is(listing.at(4)?.name, 'c');
	t.is(listing.attributesAt(4)?.sizeBytes, 12);
	t.deepEqual(asked, ['a', 'b', 'c']);
	t.is(listing.at(5), undefined);
	t.is(listing.attributesAt(4), undefined);
});

test('a listing does not tell what a file was before it was changed, whether they are few or very many', t => {
	const files = Array.from({length: 3}, (_, index): Dentry => {
		const attributes: Attributes = {kind: 'file', ino: 10 + index, permissions: 0o644, sizeBytes: 1, modifiedAtMs: 0};
		return {name: `${index}`, attributes: () => attributes};
	});
	const listing = new Listing();
	const begin = () =>
		listing.rewind({kind: 'directory', ino: 7, permissions: 0o755, sizeBytes: 0, modifiedAtMs: 0}, files);
	const told = () => [2, 3, 4].map(at => listing.at(at) && listing.attributesAt(at)?.ino);
	begin();
	t.deepEqual(told(), [10, 11, 12]);
	begin();
	listing.noteChange(11);
	t.deepEqual(told(), [10, undefined, 12]);
	begin();
	t.deepEqual(told(), [10, 11, 12]);
	begin();
	for (let ino = 100; ino < 20_000; ino++) listing.noteChange(ino);
	t.deepEqual(told(), [undefined, undefined, undefined]);
	t.is(listing.at(4)?.name, '2');
});
