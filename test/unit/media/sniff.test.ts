import test from 'ava';
import {randomBytes} from 'node:crypto';
import {SNIFF_BYTES, decideType, isGif} from '../../../src/media/sniff.js';

const ascii = (text: string, ...rest: number[]) => Buffer.concat([Buffer.from(text, 'latin1'), Buffer.from(rest)]);
const box = (brand: string) => Buffer.from(`\0\0\0\x18ftyp${brand}\0\0\0\0${brand}mp42`, 'latin1');

const HEADS = {
	avi: ascii('RIFF\0\0\0\0AVI LIST'),
	bmp: ascii('BM', 0x46, 0, 0, 0, 0, 0, 0, 0, 0x36, 0, 0, 0, 0x28, 0, 0, 0),
	empty: Buffer.alloc(0),
	gif: ascii('GIF89a', 1, 0, 1, 0, 0, 0, 0),
	gzip: Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]),
	heic: box('heic'),
	html: ascii('<!doctype html><title>a</title>'),
	jpeg: Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 0x10, 0x4a, 0x46, 0x49, 0x46, 0, 1]),
	latin1: ascii('BM', 0xe9, 0x74, 0xe9),
	matroska: Buffer.concat([
		Buffer.from([0x1a, 0x45, 0xdf, 0xa3, 0x8b, 0x42, 0x82, 0x88]),
		ascii('matroska', 0, 0, 0, 0, 0, 0),
	]),
	mp3: Buffer.from([0xff, 0xfb, 0x90, 0x64, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
	mp4: box('isom'),
	noise: Buffer.from([0, 1, 2, 3, 0xfe, 0x99, 0x80, 7]),
	ogg: Buffer.concat([
		ascii('OggS', 0, 2, ...Array<number>(20).fill(0), 1, 0x1e),
		ascii('\x01vorbis'),
		Buffer.alloc(24),
	]),
	pdf: ascii('%PDF-1.7\n%', 0xe2, 0xe3, 0, 0x0a),
	png: Buffer.concat([
		Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0x0d]),
		ascii('IHDR', ...Array<number>(17).fill(0)),
		ascii('\0\0\0\0IDAT'),
	]),
	text: Buffer.from('Größe\n'),
	textBM: ascii('BMW is a car.\r\n\tAnd so on.'),
	xml: ascii('<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>'),
	zip: Buffer.concat([Buffer.from([0x50, 0x4b, 3, 4, 20, 0, 0, 0, 8, 0]), Buffer.alloc(16), ascii('\x01\0\0\0a')]),
};

const TABLE: readonly [declared: string | undefined, head: keyof typeof HEADS, decided: string][] = [
	[undefined, 'gif', 'image/gif'],
	[undefined, 'mp4', 'video/mp4'],
	[undefined, 'avi', 'video/x-msvideo'],
	[undefined, 'matroska', 'video/x-matroska'],
	[undefined, 'zip', 'application/zip'],
	[undefined, 'text', 'text/plain'],
	[undefined, 'textBM', 'text/plain'],
	[undefined, 'xml', 'application/xml'],
	[undefined, 'noise', 'application/octet-stream'],
	[undefined, 'empty', 'application/octet-stream'],
	['', 'png', 'image/png'],
	['nonsense', 'png', 'image/png'],
	['application/octet-stream', 'jpeg', 'image/jpeg'],
	['Binary/Octet-Stream; x=1', 'mp3', 'audio/mpeg'],
	['application/force-download', 'pdf', 'application/pdf'],
	['application/octet-stream', 'noise', 'application/octet-stream'],

	['Text/HTML; charset=utf-8', 'html', 'text/html'],
	['text/html', 'empty', 'text/html'],
	['text/html', 'png', 'image/png'],
	['text/html', 'pdf', 'application/pdf'],
	['text/html', 'xml', 'text/html'],
	['text/plain', 'gif', 'image/gif'],
	['text/plain', 'zip', 'application/zip'],
	['text/plain', 'mp3', 'audio/mpeg'],
	['text/plain', 'textBM', 'text/plain'],
	['text/plain', 'latin1', 'text/plain'],
	['text/plain', 'noise', 'text/plain'],

	['image/png', 'png', 'image/png'],
	['image/apng', 'png', 'image/apng'],
	['image/png', 'gif', 'image/gif'],
	['image/png', 'mp4', 'video/mp4'],
	['image/gif', 'jpeg', 'image/jpeg'],
	['image/png', 'html', 'image/png'],
	['image/jpg', 'jpeg', 'image/jpeg'],
	['application/json', 'png', 'image/png'],
	['video/mp4', 'heic', 'image/heic'],
	['audio/mp3', 'mp3', 'audio/mp3'],
	['image/png', 'bmp', 'image/bmp'],
	['audio/wav', 'mp3', 'audio/mpeg'],

	['audio/mp4', 'mp4', 'audio/mp4'],
	['video/quicktime', 'mp4', 'video/quicktime'],
	['application/ogg', 'ogg', 'application/ogg'],
	['video/ogg', 'ogg', 'video/ogg'],
	['audio/webm', 'matroska', 'audio/webm'],
	['video/vnd.avi', 'avi', 'video/vnd.avi'],

	['image/svg+xml', 'xml', 'image/svg+xml'],
	['application/rss+xml', 'xml', 'application/rss+xml'],
	['application/epub+zip', 'zip', 'application/epub+zip'],
	['application/java-archive', 'zip', 'application/java-archive'],
	['application/vnd.android.package-archive', 'zip', 'application/vnd.android.package-archive'],
	['image/svg+xml', 'gzip', 'image/svg+xml'],
	['application/x-tgz', 'gzip', 'application/x-tgz'],
	['application/x-simulation', 'mp3', 'application/x-simulation'],
	['application/x-simulation', 'bmp', 'application/x-simulation'],
];

for (const [declared, head, decided] of TABLE) {
	test(`${head} declared ${declared === undefined ? 'as nothing' : `"${declared}"`} is ${decided}`, async t => {
		t.is(await decideType(declared, HEADS[head]), decided);
	});
}

test('a character cut in two at the end of the head does not make a text binary', async t => {
	t.is(await decideType(undefined, Buffer.from('Größe').subarray(0, 4)), 'text/plain');
});

test('only GIF87a and GIF89a begin a GIF', t => {
	t.true(isGif(Buffer.from('GIF87a…')));
	t.true(isGif(Buffer.from('GIF89a')));
	t.false(isGif(Buffer.from('GIF88a…')));
	t.false(isGif(Buffer.from('GIF89')));
	t.false(isGif(Buffer.from(' GIF89a')));
	t.false(isGif(new Uint8Array()));
});

test('hostile bytes behind every known signature are given some type', async t => {
	for (const head of Object.values(HEADS)) {
		for (const length of [0, 40, SNIFF_BYTES]) {
			const type = await decideType('image/png', Buffer.concat([head, randomBytes(length)]));
			t.regex(type, /^[\w-]+\/[\w.+-]+$/);
		}
	}
});
