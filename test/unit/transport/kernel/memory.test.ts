import test from 'ava';
import type {Dentry} from '../../../../src/fs/inode.js';
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

test('the offsets of a listing stay, and nothing is asked for before it is read', t => {
	const asked: string[] = [];
	function* names(): Iterable<Dentry> {
		for (const name of ['a', 'b', 'c']) {
			asked.push(name);
			yield {name} as Dentry;
		}
	}

	const listing = new Listing();
	t.is(listing.at(0), undefined);
	listing.rewind(names());
	t.is(listing.at(1)?.name, 'b');
	t.deepEqual(asked, ['a', 'b']);
	t.is(listing.at(0)?.name, 'a');
	t.is(listing.at(3), undefined);
	t.is(listing.at(2)?.name, 'c');
	t.deepEqual(asked, ['a', 'b', 'c']);
});
