import test from 'ava';
import {VersionId} from '../../../../src/cache/version-id.js';
import type {Attributes, DirectoryInode, FileInode} from '../../../../src/fs/inode.js';
import {Nodes} from '../../../../src/transport/kernel/nodes.js';
import {ProtocolError} from '../../../../src/transport/kernel/protocol/protocol-error.js';

const ROOT = {kind: 'directory'} as DirectoryInode;
const file = () => ({kind: 'file'}) as FileInode;

test('a name is one node for as long as the kernel remembers it', t => {
	const nodes = new Nodes(ROOT);
	const root = nodes.get(1);
	const node = nodes.give(root, 'a', file());
	t.is(nodes.give(root, 'a', file()), node);
	t.is(nodes.get(node.id), node);
	nodes.forget(node.id, 1);
	t.is(nodes.get(node.id), node);
	nodes.forget(node.id, 1);
	t.throws(() => nodes.get(node.id), {instanceOf: ProtocolError});
	t.is(nodes.size, 1);
	t.not(nodes.give(root, 'a', file()).id, node.id);
});

test('what is made under a name after its unlink is another node, and the old one stays for who has it', t => {
	const nodes = new Nodes(ROOT);
	const root = nodes.get(1);
	const old = nodes.give(root, 'a', file());
	nodes.detach(old);
	const young = nodes.give(root, 'a', file());
	t.not(young.id, old.id);
	t.is(nodes.get(old.id), old);
	nodes.forget(old.id, 1);
	t.is(nodes.give(root, 'a'), young);
});

test('what was only listed gets its inode when it is looked up, and keeps it when it is listed again', t => {
	const nodes = new Nodes(ROOT);
	const root = nodes.get(1);
	const node = nodes.give(root, 'a');
	t.is(node.inode, undefined);
	const inode = file();
	nodes.give(root, 'a', inode);
	nodes.give(root, 'a');
	t.is(node.inode, inode);
	t.is(node.lookups, 3);
});

test('the root is never forgotten, and to forget what is not there does no harm', t => {
	const nodes = new Nodes(ROOT);
	nodes.forget(1, 1_000_000);
	nodes.forget(77, 1);
	t.is(nodes.get(1).inode, ROOT);
});

test('a name that leads to another version by now is another node, unless somebody writes it', t => {
	const nodes = new Nodes(ROOT);
	const root = nodes.get(1);
	const [old, young] = ['1 1 1', '2 1 1'].map(file => new VersionId(file));
	const told = (version: VersionId | undefined) => ({ino: 5, version}) as unknown as Attributes;
	const node = nodes.give(root, 'a', file(), undefined);
	nodes.tell(node, told(undefined));
	t.is(nodes.give(root, 'a', file(), old), node);
	nodes.tell(node, told(old));
	nodes.tell(node, told(young));
	t.is(node.version, old);
	t.is(nodes.give(root, 'a', file(), old), node);
	node.isWritten = true;
	t.is(nodes.give(root, 'a', file(), young), node);
	node.isWritten = false;
	const other = nodes.give(root, 'a', file(), young);
	t.not(other, node);
	nodes.tell(other, told(young));
	t.deepEqual([...nodes.withIno(5)], [other, node]);
	nodes.forget(node.id, 4);
	t.deepEqual([...nodes.withIno(5)], [other]);
	t.not(nodes.give(root, 'a', file(), undefined), other);
});

test('the inode of a node stays while it is open', t => {
	const nodes = new Nodes(ROOT);
	const root = nodes.get(1);
	const [first, second] = [file(), file()];
	const node = nodes.give(root, 'a', first);
	node.handles = 1;
	nodes.give(root, 'a', second);
	t.is(node.inode, first);
	node.handles = 0;
	nodes.give(root, 'a', second);
	t.is(node.inode, second);
});
