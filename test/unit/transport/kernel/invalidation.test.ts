import test from 'ava';
import {VersionId} from '../../../../src/cache/version-id.js';
import type {Attributes, DirectoryInode} from '../../../../src/fs/inode.js';
import {Invalidation} from '../../../../src/transport/kernel/invalidation.js';
import {Nodes} from '../../../../src/transport/kernel/nodes.js';

const ROOT = {kind: 'directory'} as DirectoryInode;
const [OLD, NEW] = ['1 1 1', '2 1 1'].map(file => new VersionId(file)) as [VersionId, VersionId];
const INO = 77;
const of = (version: VersionId, ino = INO) => ({ino, version}) as unknown as Attributes;

/** Nodes, and what the kernel is told of them: `inode 2`, `epoch`. */
function told() {
	const nodes = new Nodes(ROOT);
	const notifications: string[] = [];
	const invalidation = new Invalidation(nodes, bytes => {
		const view = new DataView(bytes.buffer);
		// fuse_out_header, fuse_notify_inval_inode_out: linux/fuse.h
		const [length, code, unique] = [view.getUint32(0, true), view.getInt32(4, true), view.getBigUint64(8, true)];
		if (length !== bytes.byteLength || unique !== 0n) notifications.push('wrong');
		else if (code === 2 && length === 40) notifications.push(`inode ${view.getBigUint64(16, true)}`);
		else notifications.push(code === 8 && length === 16 ? 'epoch' : `code ${code}`);
		return Promise.resolve();
	});
	const node = (name: string, version: VersionId) => {
		const made = nodes.give(nodes.get(1), name);
		nodes.tell(made, of(version));
		return made;
	};
	return {nodes, invalidation, notifications, node};
}

test('the pages of what nobody has open are dropped when it is another version by now', async t => {
	const {nodes, invalidation, notifications, node} = told();
	const [gone, still] = [node('a', OLD), node('b', NEW)];
	invalidation.onChanged(INO, () => NEW);
	t.deepEqual(notifications, []);
	await invalidation.settled();
	t.deepEqual(notifications, [`inode ${gone.id}`]);
	t.true(nodes.give(nodes.get(1), 'a', undefined, NEW) !== gone);
	t.true(nodes.give(nodes.get(1), 'b', undefined, NEW) === still);
	t.deepEqual([...nodes.withIno(INO)], [still]);
});

test('of what somebody has open only the name is looked up anew, once for all; what is written is left alone', async t => {
	const {invalidation, notifications, node} = told();
	for (const name of ['a', 'b']) node(name, OLD).handles = 1;
	node('c', OLD).isWritten = true;
	invalidation.onChanged(INO, () => undefined);
	await invalidation.settled();
	t.deepEqual(notifications, ['epoch']);
});

test('nothing is told of what has not changed, of what the kernel was told nothing of, and of what it has forgotten', async t => {
	const {nodes, invalidation, notifications, node} = told();
	const [a, b] = [node('a', OLD), node('b', OLD)];
	nodes.give(nodes.get(1), 'c');
	invalidation.onChanged(INO, () => OLD);
	await invalidation.settled();
	nodes.forget(a.id, 1);
	nodes.forget(b.id, 1);
	invalidation.onChanged(INO, () => NEW);
	invalidation.onChanged(INO + 1, () => NEW);
	await invalidation.settled();
	t.deepEqual(notifications, []);
	t.deepEqual([...nodes.withIno(INO)], []);
});

test('names are believed for a second where they cannot be taken back', t => {
	const {invalidation} = told();
	t.is(invalidation.longestNameMs, 1000);
	invalidation.hasEpochs = true;
	t.is(invalidation.longestNameMs, 60_000);
});

test('what changes again while the kernel is told of it is looked at again', async t => {
	const {invalidation, notifications, node} = told();
	const first = node('a', OLD);
	let now = OLD;
	invalidation.onChanged(INO, () => now);
	await new Promise(setImmediate);
	now = NEW;
	invalidation.onChanged(INO, () => now);
	await invalidation.settled();
	t.deepEqual(notifications, [`inode ${first.id}`]);
});
