import {randomBytes} from 'node:crypto';
import {closeSync, openSync, readSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {OUT_HEADER} from '../../../../src/transport/kernel/protocol/structs.js';
import {ReplyPipe} from '../../../../src/transport/kernel/reply-pipe.js';
import {temporaryDirectory} from '../../../helpers/cache.js';

const SIZE = 1024 * 1024 + 7;
const HEADER_BYTES = OUT_HEADER.sizeBytes;
const CONTENT = randomBytes(SIZE);

/** A pipe whose replies are read where the kernel would, and a file. */
function setUp(t: ExecutionContext) {
	const file = path.join(temporaryDirectory(t), 'file');
	writeFileSync(file, CONTENT);
	const fd = openSync(file, 'r');
	t.teardown(() => closeSync(fd));
	const sent: Buffer[] = [];
	const pipe = new ReplyPipe((end, length) => {
		const reply = Buffer.alloc(length);
		for (let at = 0; at < length;) at += readSync(end, reply, at, length - at, null);
		sent.push(reply);
		return true;
	});
	t.teardown(() => pipe.close());
	return {pipe, fd, file, sent};
}

test('a reply is a header and the bytes of the file, wherever they begin', t => {
	const {pipe, fd, sent} = setUp(t);
	const places = [
		[0, 262_144],
		[4096, 131_072],
		[12_345, 262_144],
		[SIZE - 65_536, 65_536],
	] as const;
	for (const [position, length] of places) {
		t.truthy(pipe.take(position + 1, fd, position, length));
		pipe.send();
		const reply = sent.pop() ?? Buffer.alloc(0);
		const {len, error, unique} = OUT_HEADER.at(new DataView(reply.buffer, reply.byteOffset), 0);
		t.deepEqual([len, error, unique], [HEADER_BYTES + length, 0, position + 1]);
		t.true(reply.subarray(HEADER_BYTES).equals(CONTENT.subarray(position, position + length)));
	}
});

test('what was not sent is not in the next reply', t => {
	const {pipe, fd, sent} = setUp(t);
	t.truthy(pipe.take(1, fd, 0, 65_536));
	t.truthy(pipe.take(2, fd, 65_536, 65_536));
	pipe.send();
	const [reply = Buffer.alloc(0)] = sent;
	t.true(reply.subarray(HEADER_BYTES).equals(CONTENT.subarray(65_536, 131_072)));
});

test('a file that ends early is no reply, and the next one is right', t => {
	const {pipe, fd, sent} = setUp(t);
	t.is(pipe.take(1, fd, SIZE - 1000, 65_536), undefined);
	t.is(pipe.take(1, fd, SIZE + 1000, 65_536), undefined);
	t.truthy(pipe.take(2, fd, 0, 65_536));
	pipe.send();
	t.true(sent[0]?.subarray(HEADER_BYTES).equals(CONTENT.subarray(0, 65_536)));
});

test('more than the pipe has room for, and a file that cannot be read so, are no reply', t => {
	const {pipe, fd, file} = setUp(t);
	t.is(pipe.take(1, fd, 0, 1024 * 1024), undefined);
	const write = openSync(file, 'a');
	t.teardown(() => closeSync(write));
	t.is(pipe.take(1, write, 0, 65_536), undefined);
});

const REFUSALS: Readonly<Record<string, () => boolean>> = {
	'says why': () => {
		throw new Error('EINVAL');
	},
	'has given its request up': () => false,
};

for (const [how, refuse] of Object.entries(REFUSALS)) {
	test(`after a reply that the kernel does not take, since it ${how}, the next one is whole`, t => {
		const {fd} = setUp(t);
		let refusals = 1;
		const replies: Buffer[] = [];
		const pipe = new ReplyPipe((end, length) => {
			if (refusals-- > 0) return refuse();
			const reply = Buffer.alloc(2 * length);
			replies.push(reply.subarray(0, readSync(end, reply)));
			return true;
		});
		t.teardown(() => pipe.close());
		t.truthy(pipe.take(1, fd, 0, 65_536));
		if (how === 'says why') t.throws(() => pipe.send(), {message: 'EINVAL'});
		else pipe.send();
		t.truthy(pipe.take(2, fd, 0, 4096));
		pipe.send();
		t.deepEqual(
			replies.map(({length}) => length),
			[HEADER_BYTES + 4096],
		);
		t.true(replies[0]?.subarray(HEADER_BYTES).equals(CONTENT.subarray(0, 4096)));
	});
}

test('who sends what was not taken is told so', t => {
	const {pipe, fd} = setUp(t);
	t.throws(() => pipe.send(), {message: 'there is no reply in the pipe'});
	t.truthy(pipe.take(1, fd, 0, 4096));
	pipe.send();
	t.throws(() => pipe.send(), {message: 'there is no reply in the pipe'});
});
