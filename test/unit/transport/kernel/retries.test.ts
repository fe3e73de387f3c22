import test from 'ava';
import type {DirectoryInode, FileInode} from '../../../../src/fs/inode.js';
import {Nodes} from '../../../../src/transport/kernel/nodes.js';
import {Retries} from '../../../../src/transport/kernel/retries.js';

const ROOT = {kind: 'directory'} as DirectoryInode;
const file = () => ({kind: 'file'}) as FileInode;
const [MINE, OTHER] = [11, 12];

function given() {
	const nodes = new Nodes(ROOT);
	const root = nodes.get(1);
	return {nodes, root, retries: new Retries(nodes), node: nodes.give(root, 'a', file())};
}

test('who could not open a node is given another one, that is his until he has opened it', t => {
	const {nodes, root, retries, node} = given();
	t.is(retries.give(MINE, root, 'a', file()), undefined);
	retries.add(MINE, node, true);
	t.is(retries.give(OTHER, root, 'a', file()), undefined);
	t.is(retries.give(MINE, root, 'b', file()), undefined);
	const own = retries.give(MINE, root, 'a', file());
	t.not(own, node);
	t.is(own?.reservation?.pid, MINE);
	// The VFS looks it up once to find that it is another, and once more.
	t.is(retries.give(MINE, root, 'a', file()), own);
	t.is(own?.lookups, 2);
	t.false(own !== undefined && retries.take(MINE, own));
	t.is(retries.give(MINE, root, 'a', file()), undefined);
	t.true(nodes.give(root, 'a') === own);
});

test('of two who could not open a node each is given his own', t => {
	const {root, retries, node} = given();
	retries.add(MINE, node, true);
	retries.add(OTHER, node, true);
	const [mine, others] = [MINE, OTHER].map(pid => retries.give(pid, root, 'a', file()));
	t.not(mine, others);
	const again = retries.give(MINE, root, 'a', file());
	t.is(again?.reservation?.pid, MINE);
});

test('who is led to the same node again has not come by its name', t => {
	const {retries, node} = given();
	retries.add(MINE, node, true);
	t.true(retries.take(MINE, node));
	t.false(retries.take(MINE, node));
});

test('threads that never come back are forgotten', t => {
	const {root, retries, node} = given();
	for (let pid = 100; pid < 1200; pid++) retries.add(pid, node, true);
	t.is(retries.give(100, root, 'a', file()), undefined);
	t.not(retries.give(1199, root, 'a', file()), undefined);
});
