import test from 'ava';
import {setImmediate} from 'node:timers/promises';
import {BatchWriter} from '../../../src/cache/batch-writer.js';

const MIB = 1024 * 1024;

test('what comes while a batch is written is the next batch, in order', async t => {
	const batches: string[] = [];
	let release: () => void = () => undefined;
	const writer = new BatchWriter(async chunks => {
		batches.push(Buffer.concat(chunks).toString());
		await new Promise<void>(resolve => (release = resolve));
	});
	void writer.add(Buffer.from('a'));
	while (batches.length === 0) await setImmediate();
	for (const letter of 'bcd') void writer.add(Buffer.from(letter));
	release();
	while (batches.length === 1) await setImmediate();
	release();
	await writer.end();
	t.deepEqual(batches, ['a', 'bcd']);
});

test('who adds more than may wait, waits', async t => {
	let release: () => void = () => undefined;
	const writer = new BatchWriter(() => new Promise(resolve => (release = resolve)));
	t.is(writer.add(Buffer.alloc(MIB)), undefined);
	const full = writer.add(Buffer.alloc(1));
	t.not(full, undefined);
	await setImmediate();
	release();
	await full;
});

test('how much may wait is asked each time, and may change', async t => {
	let [release, mayWait] = [() => undefined as void, 100];
	const writer = new BatchWriter(
		() => new Promise(resolve => (release = resolve)),
		() => mayWait,
	);
	t.is(writer.add(Buffer.alloc(100)), undefined);
	mayWait = 50;
	const full = writer.add(Buffer.alloc(1));
	t.not(full, undefined);
	mayWait = 200;
	t.is(writer.add(Buffer.alloc(99)), undefined);
	await setImmediate();
	release();
	await full;
});

test('after a failed write nothing more is written, and whoever adds or ends is told', async t => {
	let writes = 0;
	const writer = new BatchWriter(() => {
		writes++;
		return Promise.reject(new Error('disk'));
	});
	void writer.add(Buffer.from('a'));
	await t.throwsAsync(writer.end(), {message: 'disk'});
	t.throws(() => writer.add(Buffer.from('b')), {message: 'disk'});
	await setImmediate();
	await t.throwsAsync(writer.end(), {message: 'disk'});
	t.is(writes, 1);
});

test('ending without a chunk is done', async t => {
	await t.notThrowsAsync(new BatchWriter(() => Promise.reject(new Error('never called'))).end());
});
