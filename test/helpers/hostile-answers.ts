/** What an origin may send that is no file, byte for byte, and what is to come of it. */
import type {Socket} from 'node:net';
import {gzipSync} from 'node:zlib';
import type {RawAnswer} from './raw-origin.js';

export interface HostileAnswer {
	readonly answer: RawAnswer;
	/** Of who reads it. */
	readonly errno: 'EACCES' | 'EFBIG' | 'EHOSTUNREACH' | 'EIO' | 'ENOENT' | 'ETIMEDOUT';
	/** What the line in the log says; `URL` is the one that was asked for, without credentials and query. */
	readonly line: string;
}

export interface OddAnswer {
	readonly answer: RawAnswer;
	/** What is stored. */
	readonly body: Buffer;
	readonly mimetype: string;
	/** Undefined where it is the URL's. */
	readonly filename?: string;
	/** Of the ETag that is kept. */
	readonly etag?: string;
}

/** Where the answers lead to. */
export interface Targets {
	/** A URL at an address that is denied. */
	readonly denied: string;
	/** A URL on which each redirect leads to another one, and never to a file. */
	readonly endless: string;
	/** A URL that is answered with 404. */
	readonly missing: string;
	/** The path of the answer itself. */
	readonly self: string;
}

/** In one segment, each character one byte. */
function bytes(...texts: string[]): Buffer {
	return Buffer.from(texts.join(''), 'latin1');
}

function ok(headers: string, body = ''): Buffer {
	return bytes(`HTTP/1.1 200 OK\r\n${headers}\r\n\r\n${body}`);
}

function chunked(body: string): Buffer {
	return ok('Transfer-Encoding: chunked', body);
}

function redirect(location: string): Buffer {
	return bytes(`HTTP/1.1 302 Found\r\nLocation: ${location}\r\nContent-Length: 0\r\n\r\n`);
}

/** Sends and closes. */
function closing(data: Buffer): RawAnswer {
	return socket => void socket.end(data);
}

/** Sends `head`, and then `piece` as fast as it is taken, for ever. */
function flood(head: Buffer, piece: string): RawAnswer {
	return socket => {
		const more = () => {
			while (!socket.destroyed && socket.write(piece));
		};
		socket.on('drain', more);
		socket.write(head);
		more();
	};
}

/** Sends `head`, and then `piece` again and again, for ever. */
export function drip(head: Buffer | string, piece: string, everyMs: number): RawAnswer {
	return (socket: Socket) => {
		socket.write(head);
		const timer = setInterval(() => socket.write(piece), everyMs);
		socket.once('close', () => clearInterval(timer));
	};
}

const LARGE = 'a'.repeat(65_536);
const NO_HTTP = 'URL was answered with something that is no valid HTTP';
const CUT = 'URL ended after ';
const OUTGROWN = 'the body has outgrown what it may take of the budget';

export function hostileAnswers(targets: Targets): Readonly<Record<string, HostileAnswer>> {
	return {...LENGTHS, ...CHUNKS, ...HEADERS, ...STATUSES, ...redirects(targets)};
}

const LENGTHS: Readonly<Record<string, HostileAnswer>> = {
	'two lengths': {answer: ok('Content-Length: 3\r\nContent-Length: 4', 'abcd'), errno: 'EIO', line: NO_HTTP},
	'two lengths in one': {answer: ok('Content-Length: 3, 4', 'abcd'), errno: 'EIO', line: NO_HTTP},
	'a length with a sign': {answer: ok('Content-Length: +3', 'abc'), errno: 'EIO', line: NO_HTTP},
	'a length below 0': {answer: ok('Content-Length: -3', 'abc'), errno: 'EIO', line: NO_HTTP},
	'a hexadecimal length': {answer: ok('Content-Length: 0x3', 'abc'), errno: 'EIO', line: NO_HTTP},
	'an empty length': {answer: ok('Content-Length: ', 'abc'), errno: 'EIO', line: NO_HTTP},
	'a length beyond 64 bits': {answer: ok('Content-Length: 18446744073709551616', 'abc'), errno: 'EIO', line: NO_HTTP},
	'a length that no number holds': {
		answer: ok('Content-Length: 9007199254740993', 'abc'),
		errno: 'EIO',
		line: 'URL announced a length of "9007199254740993" bytes',
	},
	'the length of all disks': {
		answer: ok('Content-Length: 9007199254740991', 'abc'),
		errno: 'EFBIG',
		line: '8PB do not fit the budget of',
	},
	'a length and chunks': {
		answer: ok('Content-Length: 3\r\nTransfer-Encoding: chunked', '3\r\nabc\r\n0\r\n\r\n'),
		errno: 'EIO',
		line: NO_HTTP,
	},
	'a length, and nothing': {answer: closing(ok('Content-Length: 10')), errno: 'EIO', line: `${CUT}0 bytes`},
	'more than the length': {answer: ok('Content-Length: 3', 'abcd'), errno: 'EIO', line: 'URL sent more than'},
	'a body without an end': {answer: flood(ok('X-Own: yes'), LARGE), errno: 'EFBIG', line: OUTGROWN},
};

const CHUNKS: Readonly<Record<string, HostileAnswer>> = {
	'a chunk size that is none': {answer: chunked('zz\r\nabc\r\n0\r\n\r\n'), errno: 'EIO', line: CUT},
	'a chunk size below 0': {answer: chunked('-3\r\nabc\r\n0\r\n\r\n'), errno: 'EIO', line: CUT},
	'a chunk size beyond 64 bits': {answer: chunked('fffffffffffffffff\r\nabc'), errno: 'EIO', line: CUT},
	'a chunk of 8 EiB': {
		answer: chunked('7fffffffffffffff\r\nabc'),
		errno: 'ETIMEDOUT',
		line: 'URL sent nothing for 1s',
	},
	'a chunk longer than its size': {answer: chunked('3\r\nabcdef\r\n0\r\n\r\n'), errno: 'EIO', line: CUT},
	'an endless chunk extension': {answer: flood(chunked('3;'), LARGE), errno: 'EIO', line: CUT},
	'endless trailers': {answer: flood(chunked('3\r\nabc\r\n0\r\n'), `X-Own: ${LARGE}\r\n`), errno: 'EIO', line: CUT},
	'chunks without an end': {answer: flood(chunked(''), `10000\r\n${LARGE}\r\n`), errno: 'EFBIG', line: OUTGROWN},
	'chunks of a gzip': {
		answer: ok('Transfer-Encoding: gzip, chunked', '3\r\nabc\r\n0\r\n\r\n'),
		errno: 'EIO',
		line: 'URL was answered with the Transfer-Encoding "gzip, chunked"',
	},
	'a transfer coding of its own': {
		answer: ok('Transfer-Encoding: x\x9b31m', 'abc'),
		errno: 'EIO',
		line: 'URL was answered with the Transfer-Encoding "x\\u009b31m"',
	},
};

const HEADERS: Readonly<Record<string, HostileAnswer>> = {
	'a header without a colon': {answer: ok('Content-Length: 3\r\nnonsense', 'abc'), errno: 'EIO', line: NO_HTTP},
	'a space before the colon': {answer: ok('Content-Length : 3', 'abc'), errno: 'EIO', line: NO_HTTP},
	'a folded header': {answer: ok('X-Own: a\r\n b\r\nContent-Length: 3', 'abc'), errno: 'EIO', line: NO_HTTP},
	'a bare CR in a header': {
		answer: ok('X-Own: a\rSet-Cookie: b\r\nContent-Length: 3', 'abc'),
		errno: 'EIO',
		line: NO_HTTP,
	},
	'a NUL in a header': {answer: ok('X-Own: a\0b\r\nContent-Length: 3', 'abc'), errno: 'EIO', line: NO_HTTP},
	'an escape in a type': {
		answer: ok('Content-Type: text/\x1b[31m\r\nContent-Length: 3', 'abc'),
		errno: 'EIO',
		line: NO_HTTP,
	},
	'lines without CR': {answer: bytes('HTTP/1.1 200 OK\nContent-Length: 3\n\nabc'), errno: 'EIO', line: NO_HTTP},
	'one header of any length': {answer: flood(bytes('HTTP/1.1 200 OK\r\nX-Own: '), LARGE), errno: 'EIO', line: NO_HTTP},
	'any number of headers': {
		answer: flood(bytes('HTTP/1.1 200 OK\r\n'), 'X-Own: a\r\n'.repeat(1000)),
		errno: 'EIO',
		line: NO_HTTP,
	},
	'a header that drips': {
		answer: drip('HTTP/1.1 200 OK\r\nX-Own: ', 'a', 20),
		errno: 'ETIMEDOUT',
		line: 'URL was not answered within 1s',
	},
};

const STATUSES: Readonly<Record<string, HostileAnswer>> = {
	'101, and another protocol': {
		answer: bytes('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: own\r\n\r\nabc'),
		errno: 'EIO',
		line: 'URL was answered with status 101',
	},
	'interim answers only': {
		answer: flood(bytes(''), 'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(1000)),
		errno: 'EIO',
		line: 'URL sent interim answers only',
	},
	'304, which nobody asked for': {
		answer: bytes('HTTP/1.1 304 Not Modified\r\nETag: "x"\r\n\r\n'),
		errno: 'EIO',
		line: 'URL was answered with status 304',
	},
	'206 without a Content-Range': {
		answer: bytes('HTTP/1.1 206 Partial Content\r\nContent-Length: 3\r\n\r\nabc'),
		errno: 'EIO',
		line: 'URL was answered with status 206',
	},
	'206 of all of it': {
		answer: bytes('HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-2/3\r\nContent-Length: 3\r\n\r\nabc'),
		errno: 'EIO',
		line: 'URL was answered with status 206',
	},
	'204': {answer: bytes('HTTP/1.1 204 No Content\r\n\r\n'), errno: 'EIO', line: 'URL was answered with status 204'},
	'status 000': {answer: bytes('HTTP/1.1 000 No\r\n\r\n'), errno: 'EIO', line: 'URL was answered with status 0'},
	'status 999': {answer: bytes('HTTP/1.1 999 No\r\n\r\n'), errno: 'EIO', line: 'URL was answered with status 999'},
	'status 1000': {answer: bytes('HTTP/1.1 1000 No\r\n\r\n'), errno: 'EIO', line: NO_HTTP},
	'HTTP/0.9': {answer: closing(bytes('<html>abc</html>')), errno: 'EIO', line: NO_HTTP},
	'another protocol': {answer: bytes('220 mail.example ESMTP\r\n'), errno: 'EIO', line: NO_HTTP},
	'a closed connection': {answer: closing(bytes('')), errno: 'EHOSTUNREACH', line: 'URL could not be asked for'},
	'half a status line': {
		answer: closing(bytes('HTTP/1.1 20')),
		errno: 'EHOSTUNREACH',
		line: 'URL could not be asked for',
	},
};

function redirects({denied, endless, missing, self}: Targets): Readonly<Record<string, HostileAnswer>> {
	const elsewhere = (scheme: string) => `URL: denied: it redirects to a ${scheme}: URL (guard: http and https only)`;
	return {
		'a redirect to file:': {answer: redirect('file:///etc/passwd'), errno: 'EACCES', line: elsewhere('file')},
		'a redirect to ftp:': {answer: redirect('ftp://me:sesame@127.0.0.1/x'), errno: 'EACCES', line: elsewhere('ftp')},
		'a redirect to data:': {answer: redirect('data:text/plain,sesame'), errno: 'EACCES', line: elsewhere('data')},
		'a redirect to a denied address': {
			answer: redirect(denied.replace('//', '//me:sesame@')),
			errno: 'EACCES',
			line: `${denied}: denied: 127.0.0.2 is on the deny list (guard: deny-hosts has 127.0.0.2/32)`,
		},
		'a redirect to a denied address in other words': {
			answer: redirect(denied.replace('127.0.0.2', '0x7f.2')),
			errno: 'EACCES',
			line: `${denied}: denied: 127.0.0.2 is on the deny list`,
		},
		'a redirect to itself': {answer: redirect(self), errno: 'EIO', line: 'URL redirected in a circle'},
		'a redirect with no end': {answer: redirect(endless), errno: 'EIO', line: 'URL redirected more than 10 times'},
		'a redirect to no URL': {
			answer: redirect('http://[sesame'),
			errno: 'EIO',
			line: 'URL redirected to something that is no URL',
		},
		'a redirect with a line break': {
			answer: redirect(`${missing}\r\nX-Own: yes`),
			errno: 'ENOENT',
			line: `${missing} was answered with status 404`,
		},
		'a redirect with a bare CR': {answer: redirect('/missing\rX-Own: yes'), errno: 'EIO', line: NO_HTTP},
	};
}

/** A gzip of 4,000 bytes for each MiB. */
function bomb(sizeMib: number): Buffer {
	const member = gzipSync(Buffer.alloc(1024 * 1024));
	return Buffer.concat(Array.from({length: sizeMib}, () => member));
}

/** Much of nothing, packed: far more than the memory that a test allows. */
const BOMB = bomb(512);
const ABC = Buffer.from('abc');
const PLAIN = {body: ABC, mimetype: 'text/plain'};

/** What is stored all the same: the bytes as they came, described by what can be believed. */
export const ODD_ANSWERS: Readonly<Record<string, OddAnswer>> = {
	'a gzip bomb': {
		answer: Buffer.concat([
			ok(`Content-Encoding: gzip\r\nContent-Type: text/html\r\nContent-Length: ${BOMB.byteLength}`),
			BOMB,
		]),
		body: BOMB,
		mimetype: 'application/gzip',
	},
	'a gzip bomb of no length': {
		answer: closing(Buffer.concat([ok('Content-Encoding: gzip'), BOMB])),
		body: BOMB,
		mimetype: 'application/gzip',
	},
	'an encoding that nobody knows': {
		answer: ok('Content-Encoding: \x9b31m\r\nContent-Type: image/png\r\nContent-Length: 3', 'abc'),
		...PLAIN,
	},
	'some interim answers': {
		answer: bytes('HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n'.repeat(20), String(ok('Content-Length: 3', 'abc'))),
		...PLAIN,
	},
	'a name that leads elsewhere': {
		answer: ok('Content-Disposition: attachment; filename="../../etc/passwd"\r\nContent-Length: 3', 'abc'),
		...PLAIN,
		filename: 'passwd',
	},
	'a name with control characters': {
		answer: ok(
			"Content-Disposition: attachment; filename*=UTF-8''a%00b%0A%1B%5B31m%C2%9B.txt\r\nContent-Length: 3",
			'abc',
		),
		...PLAIN,
		filename: 'a_b__[31m_.txt',
	},
	'a type that is none': {answer: ok('Content-Type: text/\x9b31m\r\nContent-Length: 3', 'abc'), ...PLAIN},
	'a type of 10 KB': {answer: ok(`Content-Type: a/${'b'.repeat(10_000)}\r\nContent-Length: 3`, 'abc'), ...PLAIN},
	'an ETag of 10 KB': {answer: ok(`ETag: "${'b'.repeat(10_000)}"\r\nContent-Length: 3`, 'abc'), ...PLAIN},
	'an ETag with control characters': {
		answer: ok('ETag: "\x9b31m"\r\nContent-Length: 3', 'abc'),
		...PLAIN,
		etag: '"\x9b31m"',
	},
	'a date that is none': {answer: ok('Last-Modified: \x9b31m\r\nContent-Length: 3', 'abc'), ...PLAIN},
	'a date in 275760': {
		answer: ok('Last-Modified: Sat, 13 Sep 275760 00:00:00 GMT\r\nContent-Length: 3', 'abc'),
		...PLAIN,
	},
};
