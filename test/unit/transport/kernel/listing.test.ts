import test from 'ava';
import type {Attributes, Dentry} from '../../../../src/fs/inode.js';
import {Listing} from '../../../../src/transport/kernel/listing.js';

const DIRECTORY = {kind: 'directory', ino: 1, permissions: 0o755} as Attributes;
const NAMES = ['a', 'b', 'c', 'd', 'e'];
const dentry = (name: string, index: number): Dentry => ({
	name,
	attributes: () => ({kind: 'file', ino: 10 + index, permissions: 0o644, sizeBytes: index}) as Attributes,
});

/** A listing of `NAMES`, whose clock stands until it is set. */
function listing(list: Iterable<Dentry> = NAMES.map(dentry)) {
	const clock = {ms: 0};
	return {of: new Listing(() => clock.ms).rewind(DIRECTORY, list), clock};
}

/** Names and sizes from an offset on; where it is to be looked up, the name alone. */
function told(of: Listing, from: number, count = Infinity): string[] {
	const entries: string[] = [];
	for (let at = from; at < from + count; at++) {
		const facts = of.at(at);
		if (facts === undefined) break;
		entries.push(`${facts.name} ${of.attributesAt(at)?.sizeBytes ?? ''}`.trim());
	}

	return entries;
}

test('what was made ready is what would have been read, wherever reading goes on, and none of it twice', t => {
	for (const ready of [0, 1, 2, 5, 100]) {
		const {of} = listing();
		t.deepEqual(told(of, 0, 3), ['.', '..', 'a 0']);
		of.prepare(ready);
		of.prepare(ready);
		t.deepEqual(told(of, 3, 1), ['b 1']);
		of.prepare(ready);
		t.deepEqual(told(of, 1), ['..', 'a', 'b 1', 'c 2', 'd 3', 'e 4']);
		of.prepare(ready);
		t.deepEqual(told(of, 7), []);
	}
});

test('no more than was asked for is made ready', t => {
	let read = 0;
	const {of} = listing(
		(function* () {
			for (const [index, name] of NAMES.entries()) {
				read++;
				yield dentry(name, index);
			}
		})(),
	);
	of.prepare(2);
	of.prepare(2);
	t.is(read, 2);
	told(of, 0, 3);
	of.prepare(2);
	t.is(read, 3);
});

test('who goes back to the beginning is told what is there then', t => {
	const {of} = listing();
	of.prepare(3);
	of.rewind(DIRECTORY, [dentry('new', 7)]);
	t.deepEqual(told(of, 0), ['.', '..', 'new 7']);
});

test('what was made ready and has changed since is looked up, be it the last of all', t => {
	const {of} = listing();
	told(of, 0, 2);
	of.prepare(5);
	for (const ino of [11, 14]) of.noteChange(ino);
	t.deepEqual(told(of, 2, 5), ['a 0', 'b', 'c 2', 'd 3', 'e']);
	t.is(of.at(6)?.name, 'e');
	of.noteChange(14);
	t.is(of.attributesAt(6), undefined, 'it had no room in the last reply, and is asked for again');
});

test('what was read over a second ago is looked up: how long it may be believed was said then', t => {
	const {of, clock} = listing();
	told(of, 0, 2);
	of.prepare(2);
	clock.ms = 1000;
	t.deepEqual(told(of, 2, 1), ['a 0']);
	clock.ms = 1001;
	t.deepEqual(told(of, 3), ['b', 'c 2', 'd 3', 'e 4']);
});

test('what goes wrong while it is made ready is told to who asks, after what was read before', t => {
	const {of} = listing(
		(function* () {
			yield dentry('a', 0);
			throw new Error('the store is gone');
		})(),
	);
	of.prepare(10);
	of.prepare(10);
	t.deepEqual(told(of, 0, 3), ['.', '..', 'a 0']);
	for (let time = 0; time < 2; time++) t.throws(() => of.at(3), {message: 'the store is gone'});
});
