import test from 'ava';
import {existsSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {fakeFfmpeg, gifToMp4, never, scratch} from '../helpers/ffmpeg.js';
import {gif} from '../helpers/gif.js';

const CASES = {
	'exits with 1 and much noise': [
		'echo half > "$last"; for i in 1 2 3 4 5 6 7 8 9; do echo "noise $i" >&2; done; echo "bad \\033[31mnews" >&2; exit 1',
		/^ffmpeg exited with code 1: .*bad/,
	],
	'dies by a signal': ['echo half > "$last"; kill -SEGV $$', /^ffmpeg was killed with signal SIGSEGV$/],
	'kills the process that runs it': ['echo half > "$last"; kill -KILL $PPID; exit 1', /ended early \(SIGKILL\)$/],
	'claims success and wrote no frame': ['echo half > "$last"; echo progress=end', /wrote 0 of the GIF's 1 frames/],
	'claims success and wrote a frame too many': [
		'echo half > "$last"; echo frame=1; echo frame=2',
		/wrote 2 of the GIF's 1/,
	],
	'writes one endless line': [
		'echo half > "$last"; while :; do printf "%01000d" 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0; done',
		/ended early|did not finish/,
	],
} as const;

for (const [what, [body, message]] of Object.entries(CASES)) {
	test(`an ffmpeg that ${what} makes the run reject with one line, and leaves no file`, async t => {
		const directory = scratch(t);
		const [input, output] = [path.join(directory, 'a.gif'), path.join(directory, 'out')];
		writeFileSync(input, gif({width: 16, height: 16, frames: [{delay: 10}]}));
		const ffmpegPath = fakeFfmpeg(directory, body);
		const transform = gifToMp4({ffmpegPath});
		const error = await t.throwsAsync(transform.run(input, output, never()), {message});
		t.regex(error?.message ?? '', /^\P{Cc}+$/u);
		t.true((error?.message.length ?? 0) < 400);
		t.false(existsSync(output));
	});
}

test('without any ffmpeg a run rejects with the list of what was tried', async t => {
	const directory = scratch(t);
	const [input, output] = [path.join(directory, 'a.gif'), path.join(directory, 'out')];
	writeFileSync(input, gif({width: 16, height: 16, frames: [{delay: 10}]}));
	const transform = gifToMp4({ffmpegPath: '/nonexistent/ffmpeg', searchPath: ''});
	await t.throwsAsync(transform.run(input, output, never()), {
		message: /^no ffmpeg that works was found \(configured: .*; ffmpeg-static: .*; PATH: .*\)$/,
	});
	t.false(existsSync(output));
});
