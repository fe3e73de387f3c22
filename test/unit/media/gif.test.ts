import test, {type ExecutionContext} from 'ava';
import {writeFileSync} from 'node:fs';
import path from 'node:path';
import {summarizeGif} from '../../../src/media/gif.js';
import {scratch} from '../../helpers/ffmpeg.js';
import {gif} from '../../helpers/gif.js';

const TWO_FRAMES = {width: 5, height: 3, frames: [{delay: 10}, {delay: 50}]};

function fileOf(t: ExecutionContext, bytes: Uint8Array): string {
	const file = path.join(scratch(t), 'a.gif');
	writeFileSync(file, bytes);
	return file;
}

test('size, number of frames and the last delay are read', async t => {
	t.deepEqual(await summarizeGif(fileOf(t, gif(TWO_FRAMES))), {width: 5, height: 3, frames: 2, lastDelay: 50});
});

test('the delay of one frame does not hold for the next that has none', async t => {
	const file = fileOf(t, gif({...TWO_FRAMES, frames: [{delay: 10}, {}]}));
	t.like(await summarizeGif(file), {frames: 2, lastDelay: 0});
});

test('blocks that lie across the chunks of the file are read', async t => {
	const frames = Array.from({length: 40}, (_, index) => ({delay: index + 1}));
	t.like(await summarizeGif(fileOf(t, gif({width: 201, height: 199, frames}))), {frames: 40, lastDelay: 40});
});

test('a GIF without its trailer, or with junk in its place, is complete', async t => {
	for (const end of ['', 'junk']) {
		t.like(await summarizeGif(fileOf(t, gif({...TWO_FRAMES, end: Buffer.from(end)}))), {frames: 2});
	}
});

test('what follows the trailer is not read', async t => {
	const whole = gif(TWO_FRAMES);
	t.like(await summarizeGif(fileOf(t, Buffer.concat([whole, whole]))), {frames: 2});
});

test('a GIF that ends inside a block is cut short, wherever it was cut', async t => {
	const whole = gif({...TWO_FRAMES, frames: [{delay: 10}]});
	const betweenBlocks = [25, 33];
	for (let length = 0; length < whole.length; length++) {
		const file = fileOf(t, whole.subarray(0, length));
		const message = betweenBlocks.includes(length) ? /no image/ : /cut short/;
		if (length === whole.length - 1) await t.notThrowsAsync(summarizeGif(file));
		else await t.throwsAsync(summarizeGif(file), {message});
	}
});

test('a GIF without an image is refused', async t => {
	await t.throwsAsync(summarizeGif(fileOf(t, gif({...TWO_FRAMES, frames: []}))), {message: /no image/});
});

test('a file that is no GIF is refused', async t => {
	await t.throwsAsync(summarizeGif(fileOf(t, Buffer.from('<!doctype html><html></html>'))), {message: /no GIF/});
});
