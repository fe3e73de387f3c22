import test from 'ava';
import {VersionId} from '../../../src/cache/version-id.js';
import {identityOf} from '../../../src/store/entry.js';

const file = (ino: bigint, mtimeNs = 1n, size = 1n) => identityOf({ino, size, mtimeNs});

test('two are the same where they are the same file with the same bytes, and nothing else is', t => {
	t.true(new VersionId(file(1n)).isSame(new VersionId(file(1n))));
	for (const other of [file(2n), file(1n, 2n), file(1n, 1n, 2n)]) {
		t.false(new VersionId(file(1n)).isSame(new VersionId(other)));
	}

	t.false(new VersionId(file(1n)).isSame(undefined));
	const coming = new VersionId();
	t.true(coming.isSame(coming));
	t.false(coming.isSame(new VersionId()));
	t.false(coming.isSame(new VersionId(file(1n))));
});

test('what is on its way is the entry that it becomes, from the moment that is there', t => {
	const coming = new VersionId();
	coming.publishes(1n);
	const stored = new VersionId(file(1n));
	t.true(coming.isSame(stored) && stored.isSame(coming));
	t.false(coming.isSame(new VersionId(file(2n))));
	coming.settle(file(1n));
	t.true(coming.isSame(stored) && stored.isSame(coming));
	t.false(coming.isSame(new VersionId(file(1n, 2n))));
});

test('what was not stored is no entry, though its file number may be used again', t => {
	const coming = new VersionId();
	coming.publishes(1n);
	coming.settle(undefined);
	t.false(coming.isSame(new VersionId(file(1n))));
	t.true(coming.isSame(coming));
});
