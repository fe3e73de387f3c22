import test from 'ava';
import {existsSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {fakeFfmpeg, gifToMp4, hang, hasEnded, never, pidsIn, scratch} from '../helpers/ffmpeg.js';
import {gif} from '../helpers/gif.js';

const TIMEOUT_MS = 5000;

function hanging(directory: string) {
	const files = {
		input: path.join(directory, 'a.gif'),
		output: path.join(directory, 'out'),
		pids: path.join(directory, 'pids'),
	};
	writeFileSync(files.input, gif({width: 16, height: 16, frames: [{delay: 10}]}));
	const ffmpegPath = fakeFfmpeg(directory, hang(files.pids));
	const make = (timeoutMs: number) => gifToMp4({ffmpegPath, timeoutMs});
	return {...files, make};
}

test('an ffmpeg that hangs is killed at its deadline, with its children, and leaves no file', async t => {
	const {input, output, pids, make} = hanging(scratch(t));
	await t.throwsAsync(make(TIMEOUT_MS).run(input, output, never()), {
		message: 'ffmpeg did not finish within 5s',
	});
	t.false(existsSync(output));
	t.true((await pidsIn(pids)).every(hasEnded));
});

test('an abort kills a running ffmpeg, with its children, and leaves no file', async t => {
	const {input, output, pids, make} = hanging(scratch(t));
	const abort = new AbortController();
	const run = make(60_000).run(input, output, abort.signal);
	const started = await pidsIn(pids);
	t.true(existsSync(output));
	t.false(started.some(hasEnded));

	abort.abort();
	await t.throwsAsync(run, {code: 'aborted'});
	t.false(existsSync(output));
	t.true(started.every(hasEnded));
});

test('an abort before the run starts nothing', async t => {
	const {input, output, pids, make} = hanging(scratch(t));
	await t.throwsAsync(make(60_000).run(input, output, AbortSignal.abort()), {code: 'aborted'});
	t.false(existsSync(output));
	t.false(existsSync(pids));
});

test('a conversion that waits behind two that hang can be aborted', async t => {
	const {input, output, pids, make} = hanging(scratch(t));
	const transform = make(60_000);
	const [running, waiting] = [new AbortController(), new AbortController()];
	const runs = ['1', '2'].map(suffix => transform.run(input, output + suffix, running.signal));
	const third = transform.run(input, `${output}3`, waiting.signal);
	const started = await pidsIn(pids);

	waiting.abort();
	await t.throwsAsync(third, {code: 'aborted'});
	running.abort();
	for (const run of runs) await t.throwsAsync(run, {code: 'aborted'});
	t.true(started.every(hasEnded));
});
