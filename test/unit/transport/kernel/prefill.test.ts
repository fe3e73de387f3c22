import {closeSync, openSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {Node} from '../../../../src/transport/kernel/nodes.js';
import {Prefill} from '../../../../src/transport/kernel/prefill.js';
import {NOTIFY} from '../../../../src/transport/kernel/protocol/flags.js';
import {NOTIFY_STORE_OUT, OUT_HEADER} from '../../../../src/transport/kernel/protocol/structs.js';
import {temporaryDirectory} from '../../../helpers/cache.js';

const LARGEST = 64 * 1024;

/** A file that is held open; where its disk is slow nothing is taken from it. */
function backingOf(t: ExecutionContext, content: string, {isSlow = false, sizeBytes = content.length} = {}) {
	const file = path.join(temporaryDirectory(t), 'file');
	writeFileSync(file, content);
	const fd = openSync(file, 'r');
	t.teardown(() => closeSync(fd));
	return {fd, sizeBytes, takeAtOnce: (take: (fd: number) => number) => (isSlow ? undefined : take(fd))};
}

function setUp() {
	const sent: Buffer[] = [];
	const prefill = new Prefill((notification, length) => sent.push(Buffer.from(notification.subarray(0, length))));
	const nodeOf = (id: number) => new Node(id, undefined, 'x', undefined);
	return {prefill, sent, nodeOf};
}

test('all of a small file is given to the kernel, once', t => {
	const {prefill, sent, nodeOf} = setUp();
	const node = nodeOf(7);
	const content = 'abc'.repeat(20_000);
	const backing = backingOf(t, content);
	t.deepEqual([prefill.fill(node, backing), prefill.fill(node, backing), sent.length], [true, true, 1]);
	const [{buffer, byteOffset, byteLength} = Buffer.alloc(0)] = sent;
	const view = new DataView(buffer, byteOffset);
	const {len, error, unique} = OUT_HEADER.at(view, 0);
	t.deepEqual([len, error, unique], [byteLength, NOTIFY.STORE, 0]);
	const {nodeid, offset, size} = NOTIFY_STORE_OUT.at(view, OUT_HEADER.sizeBytes);
	t.deepEqual([nodeid, offset, size], [7, 0, content.length]);
	t.is(sent[0]?.toString('latin1', OUT_HEADER.sizeBytes + NOTIFY_STORE_OUT.sizeBytes), content);
});

test('a large file, an empty one, one on a slow disk and one that has become shorter are not given', t => {
	const {prefill, sent, nodeOf} = setUp();
	const files = [
		backingOf(t, 'x'.repeat(LARGEST + 1)),
		backingOf(t, ''),
		backingOf(t, 'slow', {isSlow: true}),
		backingOf(t, 'short', {sizeBytes: 100}),
	];
	for (const [index, backing] of files.entries()) t.false(prefill.fill(nodeOf(index + 2), backing));
	t.deepEqual(sent, []);
	t.true(prefill.fill(nodeOf(9), backingOf(t, 'x'.repeat(LARGEST))));
});

test('a file that the kernel does not take, or that was written meanwhile, is not given, and tried again', t => {
	let refusals = 1;
	const prefill = new Prefill(() => {
		if (refusals-- > 0) throw new Error('ENOMEM');
	});
	const node = new Node(2, undefined, 'x', undefined);
	const backing = backingOf(t, 'content');
	const written = {
		...backing,
		takeAtOnce() {
			throw new Error('another program changed it');
		},
	};
	t.false(prefill.fill(node, backing));
	t.false(prefill.fill(node, written));
	t.true(prefill.fill(node, backing));
});
