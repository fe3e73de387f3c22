import {existsSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {gifToMp4, never, scratch, testWithFfmpeg} from '../helpers/ffmpeg.js';
import {gif} from '../helpers/gif.js';

const WHOLE = gif({width: 64, height: 64, frames: [{delay: 10}, {delay: 10, color: 2}]});
const noise = (length: number) => Buffer.from(Array.from({length}, (_, index) => (index * 7919 + 13) % 251));

/** An image whose LZW data is noise in well-formed blocks of 200 bytes. */
const BAD_PIXELS = Buffer.concat([
	...[WHOLE.subarray(0, 25), Buffer.from([0x2c, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 2])],
	...[Buffer.from([200]), noise(200), Buffer.from([0, 0x3b])],
]);

const GARBAGE: Readonly<Record<string, Uint8Array>> = {
	'cut in its second frame': WHOLE.subarray(0, -500),
	'cut after its signature': WHOLE.subarray(0, 6),
	'header with noise behind it': Buffer.concat([WHOLE.subarray(0, 25), noise(3000)]),
	'header with noise as its only image': Buffer.concat([WHOLE.subarray(0, 25), Buffer.from([0x2c]), noise(9000)]),
	'GIF with another one behind it': Buffer.concat([WHOLE, WHOLE]),
	'empty file': new Uint8Array(),
};

for (const [what, bytes] of Object.entries(GARBAGE)) {
	testWithFfmpeg(`a GIF that is garbage (${what}) is refused with one line, and leaves no file`, async t => {
		const directory = scratch(t);
		const [input, output] = [path.join(directory, 'a.gif'), path.join(directory, 'out')];
		writeFileSync(input, bytes);
		const error = await t.throwsAsync(gifToMp4().run(input, output, never()));
		t.regex(error?.message ?? '', /^[^\n]{5,400}$/);
		t.false(existsSync(output));
	});
}

testWithFfmpeg('an image whose pixels are noise ends one way or the other, with a whole file or none', async t => {
	const directory = scratch(t);
	const [input, output] = [path.join(directory, 'a.gif'), path.join(directory, 'out')];
	writeFileSync(input, BAD_PIXELS);
	const done = await gifToMp4()
		.run(input, output, never())
		.then(
			() => true,
			() => false,
		);
	t.is(existsSync(output), done === true);
});
