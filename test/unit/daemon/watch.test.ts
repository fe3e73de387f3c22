import {appendFileSync, mkdirSync, renameSync, rmSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {watchConfig} from '../../../src/daemon/watch.js';
import {recordingLog, temporaryFolder} from './mounts.js';

/** A watched file; `changed` resolves at the next call back. */
async function watched(t: ExecutionContext, file: string) {
	const {log, lines} = recordingLog();
	let calls = 0;
	let wake: () => void = () => undefined;
	const watcher = await watchConfig([file], () => (calls++, wake()), log);
	t.teardown(() => watcher.close());
	const changed = () => new Promise<void>(resolve => (wake = resolve));
	return {changed, calls: () => calls, complaints: lines};
}

test('a write, a replacement by rename, a deletion and a new file are each noticed', async t => {
	const file = path.join(temporaryFolder(t), 'config.yaml');
	writeFileSync(file, 'a');
	const {changed, complaints} = await watched(t, file);

	for (const change of [
		() => appendFileSync(file, 'b'),
		() => (writeFileSync(`${file}~`, 'c'), renameSync(`${file}~`, file)),
		() => appendFileSync(file, 'd'),
		() => rmSync(file),
		() => writeFileSync(file, 'e'),
		() => appendFileSync(file, 'f'),
	]) {
		const noticed = changed();
		change();
		await noticed;
	}

	t.deepEqual(complaints, []);
});

test('a file created later is noticed, in a directory created later still', async t => {
	const file = path.join(temporaryFolder(t), 'later', 'still', 'config.yaml');
	const {changed, complaints} = await watched(t, file);
	for (let round = 0; round < 2; round++) {
		const created = changed();
		mkdirSync(path.dirname(file), {recursive: true});
		writeFileSync(file, 'a');
		await created;

		const removed = changed();
		rmSync(path.dirname(path.dirname(file)), {recursive: true});
		await removed;
	}

	t.deepEqual(complaints, []);
});

test('changes in quick succession call back once', async t => {
	const file = path.join(temporaryFolder(t), 'config.yaml');
	const {changed, calls} = await watched(t, file);
	const noticed = changed();
	for (let index = 0; index < 20; index++) writeFileSync(file, `${index}`);
	await noticed;
	t.is(calls(), 1);
});

test("a neighbour's change calls nobody", async t => {
	const folder = temporaryFolder(t);
	const file = path.join(folder, 'config.yaml');
	const {changed, calls} = await watched(t, file);
	writeFileSync(path.join(folder, 'config.yaml.swp'), '');
	const noticed = changed();
	writeFileSync(file, 'a');
	await noticed;
	t.is(calls(), 1);
});
