import test from 'ava';
import {filenameFor, mimetypeOf} from '../../../src/http/headers.js';

/** Content-Disposition -> name, for a URL whose own name is `url.bin`. */
const DISPOSITIONS: Record<string, string> = {
	'attachment; filename="me.gif"': 'me.gif',
	'inline; filename=me.gif': 'me.gif',
	'attachment; filename="plain.gif"; filename*=UTF-8\'\'sch%C3%B6n.gif': 'schön.gif',
	'attachment; filename*=UTF-8\'\'sch%C3%B6n.gif; filename="plain.gif"': 'schön.gif',
	"attachment; filename*=iso-8859-1'en'%A3.gif": '£.gif',
	'attachment; filename="a;b.gif"': 'a;b.gif',
	'attachment; filename="say \\"hi\\".gif"': 'say _hi_.gif',
	'attachment; filename="../../etc/passwd.txt"': 'passwd.txt',
	'attachment; filename="/abs/me.gif"': 'me.gif',
	'attachment; filename=".htaccess"': 'htaccess',
	'attachment; filename="...gif"': 'gif',
	'attachment; filename="a\u0000b.gif"': 'a_b.gif',
	"attachment; filename*=UTF-8''%E2%80%AEfig.exe": 'fig.exe',
	'attachment; filename="  me.gif . "': 'me.gif',
	// As Node shows the bytes of UTF-8, and of Latin-1.
	'attachment; filename="sch\u00c3\u00b6n.gif"': 'schön.gif',
	'attachment; filename="sch\u00f6n.gif"': 'schön.gif',
	// Nothing to use: the URL's name.
	'attachment': 'url.bin',
	'': 'url.bin',
	'attachment; filename=': 'url.bin',
	'attachment; filename=".."': 'url.bin',
	'attachment; filename="/"': 'url.bin',
	'attachment; filename="never closed': 'url.bin',
	"attachment; filename*=UTF-8''%E0%A4%A": 'url.bin',
	';;;=;"': 'url.bin',
};

test('the name in Content-Disposition is used, made harmless, and a broken header falls back to the URL', t => {
	for (const [header, name] of Object.entries(DISPOSITIONS)) {
		t.is(filenameFor('https://a.example/url.bin', header, undefined), name, header);
	}
});

const URLS: Record<string, string> = {
	'https://a.example/files/me.gif': 'me.gif',
	'https://a.example/files/me.gif?size=big#top': 'me.gif',
	'https://a.example/na%20me.gif': 'na me.gif',
	'https://a.example/%E6%97%A5.gif': '日.gif',
	'https://a.example/bad%E6.gif': 'bad%E6.gif',
	'https://a.example/a%2Fb.gif': 'a_b.gif',
	'https://a.example/a%00b.gif': 'a_b.gif',
	'https://a.example/talk:1.gif': 'talk_1.gif',
	'https://a.example/%2E%2E%2Fme.gif': '_me.gif',
	'https://a.example/.hidden.gif': 'hidden.gif',
	'https://a.example/files/': 'download',
	'https://a.example': 'download',
	'https://a.example/%20': 'download',
	'not a url': 'download',
};

test('without Content-Disposition the last segment of the path is the name, else "download"', t => {
	for (const [url, name] of Object.entries(URLS)) t.is(filenameFor(url, null, undefined), name, url);
});

const EXTENSIONS: [url: string, mimetype: string | undefined, name: string][] = [
	['https://a.example/cat', 'image/gif', 'cat.gif'],
	['https://a.example/cat', undefined, 'cat'],
	['https://a.example/cat', 'x-made/up', 'cat'],
	['https://a.example/cat.png', 'image/gif', 'cat.png'],
	['https://a.example/', 'video/mp4', 'download.mp4'],
	['https://a.example/talk v1. final', 'video/mp4', 'talk v1. final.mp4'],
	['https://a.example/cat.', 'image/gif', 'cat.gif'],
];

test('a name without an extension gets the one of its type, when there is one', t => {
	for (const [url, mimetype, name] of EXTENSIONS) t.is(filenameFor(url, null, mimetype), name, url);
});

test('a long name is cut at a code point to 255 bytes and keeps its extension', t => {
	const long = filenameFor(`https://a.example/${'é'.repeat(200)}.gif`, null, undefined);
	t.is(long, `${'é'.repeat(125)}.gif`);
	t.is(Buffer.byteLength(filenameFor(`https://a.example/${'日'.repeat(100)}`, null, 'image/gif')), 251 + 4 - 2);
	t.is(filenameFor(`https://a.example/${'a'.repeat(300)}`, null, undefined), 'a'.repeat(255));
	t.is(filenameFor(`https://a.example/a.${'b'.repeat(300)}`, null, undefined), `a.${'b'.repeat(253)}`);
});

test('what follows the extension of a cut name is never half a surrogate pair', t => {
	const name = filenameFor(`https://a.example/${'😀'.repeat(80)}.gif`, null, undefined);
	t.is(name, `${'😀'.repeat(62)}.gif`);
	t.true(name.isWellFormed());
});

test('the type is the essence of Content-Type in lower case, or nothing when it is no type', t => {
	t.is(mimetypeOf('image/gif'), 'image/gif');
	t.is(mimetypeOf('Image/GIF; charset=binary'), 'image/gif');
	t.is(mimetypeOf(' application/vnd.api+json ;x=y'), 'application/vnd.api+json');
	for (const broken of [null, '', 'gif', 'image/', '/gif', 'image/gif, image/png', 'image /gif', 'image/g/if']) {
		t.is(mimetypeOf(broken), undefined, String(broken));
	}
});
