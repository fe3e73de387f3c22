import test from 'ava';
import {SyntheticFile} from '../../../src/fs/synthetic/synthetic-file.js';
import {failsWith, TestClock} from '../../helpers/cache.js';

const NEVER = new AbortController().signal;
const READ = {read: true, write: false, truncate: false};

/** A file that says how often it was rendered, ever longer. */
function counting() {
	const clock = new TestClock();
	let renderings = 0;
	return {clock, file: new SyntheticFile(7, () => `${'x'.repeat(renderings)}${++renderings}`, clock)};
}

test('what stat announces is what open then reads, and both are new after a while', async t => {
	const {clock, file} = counting();
	t.like(file.attributes(), {ino: 7, sizeBytes: 1, permissions: 0o444});
	const handle = await file.open(READ);
	const buffer = Buffer.alloc(10);
	t.is(await handle.read(buffer, 0, NEVER), 1);
	await handle.release();
	clock.advance(600);
	t.is(file.attributes().sizeBytes, 2);
});

test('while any handle is open all share one rendering', async t => {
	const {clock, file} = counting();
	const first = await file.open(READ);
	clock.advance(10_000);
	const second = await file.open(READ);
	t.is(file.attributes().sizeBytes, 1);
	await first.release();
	clock.advance(10_000);
	t.is(file.attributes().sizeBytes, 1);
	await second.release();
	t.is(file.attributes().sizeBytes, 2);
});

test('a read beyond the end is empty, and a write is refused', async t => {
	const {file} = counting();
	const handle = await file.open(READ);
	t.is(await handle.read(Buffer.alloc(10), 100, NEVER), 0);
	await failsWith(t, 'not-permitted', handle.write(Buffer.from('x'), 0));
	await failsWith(t, 'not-permitted', handle.truncate(0));
	await handle.flush();
	await failsWith(t, 'not-permitted', file.open({...READ, write: true}));
});
