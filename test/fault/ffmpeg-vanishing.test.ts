import test from 'ava';
import {existsSync, rmSync, symlinkSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {FFMPEG, fakeFfmpeg, gifToMp4, never, scratch, testWithFfmpeg} from '../helpers/ffmpeg.js';
import {gif} from '../helpers/gif.js';

function setUp(directory: string, ffmpegPath: string) {
	const [input, output] = [path.join(directory, 'a.gif'), path.join(directory, 'out')];
	writeFileSync(input, gif({width: 16, height: 16, frames: [{delay: 10}]}));
	const transform = gifToMp4({ffmpegPath, searchPath: ''});
	return {output, run: () => transform.run(input, output, never())};
}

testWithFfmpeg(
	'a binary that vanishes between two conversions fails the second, and works again when it is back',
	async t => {
		const directory = scratch(t);
		const ffmpegPath = path.join(directory, 'ffmpeg');
		symlinkSync(FFMPEG, ffmpegPath);
		const {output, run} = setUp(directory, ffmpegPath);
		await run();
		rmSync(output);

		rmSync(ffmpegPath);
		await t.throwsAsync(run(), {message: /configured: .* is not there/});
		t.false(existsSync(output));

		symlinkSync(FFMPEG, ffmpegPath);
		await run();
		t.true(existsSync(output));
	},
);

test('a binary that vanishes after it answered fluent-ffmpeg crashes the runner, not this process', async t => {
	const directory = scratch(t);
	const ffmpegPath = fakeFfmpeg(directory, 'exit 0');
	writeFileSync(`${ffmpegPath}.mortal`, '');
	const {output, run} = setUp(directory, ffmpegPath);
	await t.throwsAsync(run(), {message: /^ffmpeg could not be run: /});
	t.false(existsSync(output));
});
