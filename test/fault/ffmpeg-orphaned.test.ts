import test from 'ava';
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import path from 'node:path';
import {allEnd, fakeFfmpeg, hang, hasEnded, pidsIn, scratch} from '../helpers/ffmpeg.js';

const MODULE = new URL('../../src/media/run-ffmpeg.js', import.meta.url).href;

test('when the daemon is killed with -9, the runner, ffmpeg and its children end', async t => {
	const directory = scratch(t);
	const pids = path.join(directory, 'pids');
	const conversion = {
		...{binary: fakeFfmpeg(directory, hang(pids)), input: '/dev/null', inputOptions: [], outputOptions: []},
		output: path.join(directory, 'out'),
	};
	const program = `
		import {runFfmpeg} from ${JSON.stringify(MODULE)};
		const limits = {timeoutMs: 60000, searchPath: '', signal: new AbortController().signal};
		await runFfmpeg(${JSON.stringify(conversion)}, limits);
	`;
	const daemon = spawn(process.execPath, ['--input-type=module', '-e', program], {stdio: 'ignore'});
	const exit = once(daemon, 'exit');
	const started = await pidsIn(pids);
	t.is(started.length, 3);
	t.false(started.some(hasEnded));

	daemon.kill('SIGKILL');
	await exit;
	t.true(await allEnd(started));
});
