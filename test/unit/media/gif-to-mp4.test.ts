import test, {type ExecutionContext} from 'ava';
import {execFileSync} from 'node:child_process';
import {existsSync, readFileSync, statSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {NO_LOG} from '../../../src/base/log.js';
import {createTransforms} from '../../../src/media/transforms.js';
import {
	FFMPEG,
	boxesOf,
	factsOf,
	gifToMp4,
	never,
	scratch,
	testWithFfmpeg,
	timesOf,
	topLeftPixels,
} from '../../helpers/ffmpeg.js';
import {gif, type GifShape} from '../../helpers/gif.js';

/** The header and the colour table of `gif()`. */
const HEADER_BYTES = 25;

/** Converts a GIF, given by its bytes or made by ffmpeg's test source, and checks what holds for every result. */
async function convert(t: ExecutionContext, source: GifShape | {readonly lavfi: string}) {
	const directory = scratch(t);
	const [input, output] = [path.join(directory, 'in put.gif'), path.join(directory, '100%d out.mp4')];
	if ('lavfi' in source) execFileSync(FFMPEG, ['-v', 'error', '-f', 'lavfi', '-i', source.lavfi, input]);
	else writeFileSync(input, gif(source));
	t.true(gifToMp4().appliesTo(readFileSync(input)));
	t.deepEqual(await gifToMp4().run(input, output, never()), {mimetype: 'video/mp4', extension: '.mp4'});

	const facts = factsOf(output);
	t.like(facts, {codec_name: 'h264', pix_fmt: 'yuv420p', codec_type: 'video', nb_streams: '1', has_b_frames: '0'});
	t.is(facts['nb_read_frames'], factsOf(input)['nb_read_frames']);
	t.deepEqual(timesOf(output), timesOf(input));
	return {facts, output};
}

testWithFfmpeg('an odd side loses one row or column', async t => {
	const {facts} = await convert(t, {lavfi: 'testsrc=size=101x77:rate=10:duration=0.5'});
	t.like(facts, {width: '100', height: '76'});
});

testWithFfmpeg('an even side stays, and the index stands before the media data', async t => {
	const {facts, output} = await convert(t, {lavfi: 'testsrc=size=64x48:rate=25:duration=0.4'});
	t.like(facts, {width: '64', height: '48', color_space: 'bt709', color_range: 'tv'});
	t.deepEqual(
		boxesOf(output).filter(name => name !== 'free'),
		['ftyp', 'moov', 'mdat'],
	);
});

testWithFfmpeg('a side of one pixel is doubled', async t => {
	t.like((await convert(t, {width: 1, height: 1, frames: [{delay: 10}]})).facts, {width: '2', height: '2'});
	t.like((await convert(t, {width: 1, height: 7, frames: [{delay: 10}]})).facts, {width: '2', height: '6'});
});

testWithFfmpeg('each frame is shown when the GIF shows it, and as long, the last one too', async t => {
	const {facts, output} = await convert(t, {
		...{width: 16, height: 16},
		frames: [{delay: 10}, {delay: 3, color: 1}, {delay: 7, color: 2}, {delay: 50, color: 3}],
	});
	t.deepEqual(timesOf(output), [
		{pts: '0.000000', duration: '0.100000'},
		{pts: '0.100000', duration: '0.030000'},
		{pts: '0.130000', duration: '0.070000'},
		{pts: '0.200000', duration: '0.500000'},
	]);
	t.is(facts['duration'], '0.700000');
});

testWithFfmpeg('frames that look the same are all kept', async t => {
	const frames = Array.from({length: 12}, () => ({delay: 4}));
	t.is((await convert(t, {width: 16, height: 16, frames})).facts['nb_read_frames'], '12');
});

testWithFfmpeg('a GIF of one frame is shown for as long as the frame says', async t => {
	const {facts} = await convert(t, {width: 17, height: 11, frames: [{delay: 250}]});
	t.like(facts, {nb_read_frames: '1', duration: '2.500000', width: '16', height: '10'});
});

testWithFfmpeg('a delay of 0 or 1 hundredths is 100 ms, as in browsers, in the last frame too', async t => {
	const {output} = await convert(t, {width: 16, height: 16, frames: [{delay: 0}, {delay: 1}, {delay: 2}, {}]});
	t.deepEqual(
		timesOf(output).map(({duration}) => duration),
		['0.100000', '0.100000', '0.020000', '0.100000'],
	);
});

testWithFfmpeg('a delay of eleven minutes is kept', async t => {
	const {facts} = await convert(t, {width: 16, height: 16, frames: [{delay: 10}, {delay: 65_535}, {delay: 3}]});
	t.is(facts['duration'], '655.480000');
});

testWithFfmpeg('what is transparent is white', async t => {
	const frames = [{delay: 10, transparent: true}];
	t.deepEqual(topLeftPixels((await convert(t, {width: 16, height: 16, frames})).output), ['ffffff']);
});

testWithFfmpeg('colours are those of the GIF', async t => {
	const frames = [
		{delay: 10, color: 1},
		{delay: 10, color: 3},
	];
	const pixels = topLeftPixels((await convert(t, {width: 16, height: 16, frames})).output);
	const off = (pixel: string, wanted: string) =>
		Math.max(
			...[0, 2, 4].map(at => Math.abs(parseInt(pixel.slice(at, at + 2), 16) - parseInt(wanted.slice(at, at + 2), 16))),
		);
	t.true(off(pixels[0] ?? '', '00ff00') <= 4, pixels.join());
	t.true(off(pixels[1] ?? '', '000000') <= 4, pixels.join());
});

testWithFfmpeg('a comment in the GIF does not go into the MP4', async t => {
	const directory = scratch(t);
	const [input, output] = [path.join(directory, 'a.gif'), path.join(directory, 'out')];
	const bytes = gif({width: 16, height: 16, frames: [{delay: 10}]});
	const comment = Buffer.from('\x21\xfe\x0ba   comment\0', 'latin1');
	writeFileSync(input, Buffer.concat([bytes.subarray(0, HEADER_BYTES), comment, bytes.subarray(HEADER_BYTES)]));
	t.is(factsOf(input)['tags_comment'], 'a   comment');

	await gifToMp4().run(input, output, never());
	t.false(readFileSync(output).includes('comment'));
});

testWithFfmpeg('the MP4 can be read by its owner only', async t => {
	const {output} = await convert(t, {width: 16, height: 16, frames: [{delay: 10}]});
	t.is(statSync(output).mode & 0o777, 0o600);
});

testWithFfmpeg('a file that exists in the place of the output is refused and left alone', async t => {
	const directory = scratch(t);
	const [input, output] = [path.join(directory, 'a.gif'), path.join(directory, 'out')];
	writeFileSync(input, gif({width: 16, height: 16, frames: [{delay: 10}]}));
	writeFileSync(output, 'mine');
	await t.throwsAsync(gifToMp4().run(input, output, never()), {code: 'EEXIST'});
	t.is(readFileSync(output, 'utf8'), 'mine');
});

testWithFfmpeg('of three GIFs to convert at the same time each becomes a file', async t => {
	const directory = scratch(t);
	const transform = gifToMp4();
	const input = path.join(directory, 'a.gif');
	writeFileSync(input, gif({width: 16, height: 16, frames: [{delay: 10}]}));
	const outputs = ['1', '2', '3'].map(name => path.join(directory, name));
	await Promise.all(outputs.map(output => transform.run(input, output, never())));
	t.true(outputs.every(output => existsSync(output)));
});

testWithFfmpeg('a GIF too large for H.264 is refused before ffmpeg is asked', async t => {
	const directory = scratch(t);
	const [input, output] = [path.join(directory, 'a.gif'), path.join(directory, 'out')];
	for (const [width, height] of [
		[65_535, 1],
		[8192, 8192],
		[0, 5],
	] as const) {
		const bytes = gif({width: 2, height: 2, frames: [{delay: 10}]});
		bytes.writeUInt16LE(width, 6);
		bytes.writeUInt16LE(height, 8);
		writeFileSync(input, bytes);
		await t.throwsAsync(gifToMp4().run(input, output, never()), {message: /pixels cannot be converted/});
		t.false(existsSync(output));
	}
});

test('no transform is made where GIFs are to be kept', t => {
	t.deepEqual(createTransforms({reencodeGif: false, ffmpegPath: undefined, timeoutMs: 1000, log: NO_LOG}), []);
});

test('GIF to MP4 applies to GIFs alone', t => {
	t.true(gifToMp4().appliesTo(Buffer.from('GIF87a')));
	t.false(gifToMp4().appliesTo(Buffer.from('\x89PNG\r\n')));
});
