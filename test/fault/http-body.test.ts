/** Bodies that stop, stall, or are not what was announced: none may pass for whole. */
import type {IncomingMessage, ServerResponse} from 'node:http';
import test from 'ava';
import {messageOf, systemCode} from '../../src/base/errors.js';
import type {Behaviour} from '../helpers/origin.js';
import {failsWith, getText, NEVER, readBody, withClient} from '../unit/http/with-client.js';

/** Sends `pieces`, each in a segment of its own, as the whole answer, headers included. */
function raw(...pieces: string[]) {
	return (_request: IncomingMessage, response: ServerResponse) => {
		const {socket} = response;
		socket?.setNoDelay();
		for (const piece of pieces) socket?.write(piece);
	};
}

const KNOWN = 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n';
const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';

test('a body cut short fails with both numbers', withClient, async (t, {origin, client}) => {
	for (const cutAt of [0, 1, 65_536, 99_999]) {
		const url = origin.serve('/x', {size: 100_000, cutAt});
		const response = await client.get(url, {signal: NEVER});
		const message = await failsWith(t, 'origin-failed', readBody(response));
		t.is(message, `${url} ended after ${cutAt} bytes, before the 100000 bytes it announced`);
	}
});

test(
	'a body shorter than announced fails though the connection closes in order',
	withClient,
	async (t, {origin, client}) => {
		const url = origin.serve('/x', {body: '12345', announce: 9});
		const message = await failsWith(t, 'origin-failed', getText(client, url));
		t.is(message, `${url} ended after 5 bytes, before the 9 bytes it announced`);
		t.is(origin.requests.length, 1, 'no retry once the answer is out');
	},
);

test('a chunked body that is cut fails, in a chunk and between two', withClient, async (t, {origin, client}) => {
	const url = origin.serve('/x', {size: 100_000, chunked: true, cutAt: 50_000});
	const message = await failsWith(t, 'origin-failed', getText(client, url));
	t.is(message, `${url} ended after 50000 bytes, before its announced end`);

	const cut = [`${CHUNKED}a\r\n12345`, `${CHUNKED}5\r\n12345\r\n`, `${CHUNKED}5\r\n12345\r\n0\r\n`];
	for (const [index, text] of cut.entries()) {
		const handle = (_request: IncomingMessage, {socket}: ServerResponse) => void socket?.end(text);
		await failsWith(t, 'origin-failed', getText(client, origin.serve(`/${index}`, {handle})));
	}
});

test(
	'a chunked body with trailers, or whose end comes split, is whole though read late',
	withClient,
	async (t, {origin, client}) => {
		const head = 'HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n';
		const endings = [['0\r\nX-Sum: 1\r\n\r\n'], ['0', '\r', '\n\r', '\n']];
		for (const [index, ending] of endings.entries()) {
			const handle = async (_request: IncomingMessage, {socket}: ServerResponse) => {
				socket?.setNoDelay();
				for (const piece of [head, ...ending]) await new Promise(resolve => socket?.write(piece, resolve));
				socket?.end();
			};
			const url = origin.serve(`/${index}`, {handle: (request, response) => void handle(request, response)});
			const response = await client.get(url, {signal: NEVER});
			await origin.disconnected();
			t.is(String(await readBody(response)), 'abc');
		}
	},
);

test('a body that ends with its connection is whole', withClient, async (t, {origin, client}) => {
	const handle = (_request: IncomingMessage, {socket}: ServerResponse) =>
		void socket?.end('HTTP/1.0 200 OK\r\n\r\n12345');
	const response = await client.get(origin.serve('/x', {handle}), {signal: NEVER});
	t.is(response.lengthBytes, undefined);
	t.is(String(await readBody(response)), '12345');
});

test('a stalled body is origin-timeout, and its connection is closed', withClient, async (t, {origin, clientWith}) => {
	for (const chunked of [undefined, true] as const) {
		const url = origin.serve('/x', {size: 1000, stallAt: 600, ...(chunked && {chunked})});
		const message = await failsWith(t, 'origin-timeout', getText(clientWith({idleTimeoutMs: 60}), url));
		t.is(message, `${url} sent nothing for 60ms after 600 bytes`);
		await origin.disconnected();
	}
});

/** Answers of 10 announced bytes with more behind, as segments. */
const SURPLUS: Record<string, string[]> = {
	'with the headers': [`${KNOWN}1234567890more`],
	'with the headers, on a closing connection': [
		'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 10\r\n\r\n1234567890more',
	],
	'with the whole body': [KNOWN, '1234567890more'],
	'with its end': [`${KNOWN}123456789`, '0more'],
};

for (const [where, pieces] of Object.entries(SURPLUS)) {
	test(`surplus bytes in one segment ${where} fail the body`, withClient, async (t, {origin, client}) => {
		const url = origin.serve('/x', {handle: raw(...pieces)});
		const message = await failsWith(t, 'origin-failed', getText(client, url));
		t.regex(message, /^http:\S+\/x sent more than the 10 bytes it announced, of which \d+ bytes were read$/);
		await origin.disconnected();
	});
}

test('a long body with surplus bytes fails, whatever was read before', withClient, async (t, {origin, client}) => {
	for (const [body, announce] of [
		['x'.repeat(200_000), 195_541],
		['x'.repeat(5_000_000), 4_999_999],
	] as const) {
		const url = origin.serve('/x', {body, announce});
		const error = await t.throwsAsync(getText(client, url));
		t.regex(messageOf(error), new RegExp(`sent more than the ${announce} bytes it announced`));
		t.regex(systemCode(error?.cause) ?? '', /^HPE_/);
	}
});

test(
	'surplus bytes after a chunked body fail it: node-fetch alone would lose what it buffers',
	withClient,
	async (t, {origin, client}) => {
		const url = origin.serve('/x', {handle: raw(`${CHUNKED}a\r\n1234567890\r\n0\r\n\r\nmore`)});
		const message = await failsWith(t, 'origin-failed', getText(client, url));
		t.is(message, `${url} sent more than its announced end, of which 0 bytes were read`);
	},
);

test('surplus bytes that come while the body is read fail it', withClient, async (t, {origin, client}) => {
	const answered: ServerResponse[] = [];
	const url = origin.serve('/x', {
		handle: (_request, response) => {
			answered.push(response);
			response.socket?.write(`${KNOWN}123456789`);
		},
	});
	const {body} = await client.get(url, {signal: NEVER});
	const chunks = body[Symbol.asyncIterator]();
	t.is(String((await chunks.next()).value), '123456789');
	answered[0]?.socket?.write('0more');
	t.is(String((await chunks.next()).value), '0');
	await failsWith(t, 'origin-failed', chunks.next());
});

const FORGED = 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged';

for (const surplus of ['more', FORGED]) {
	const title = `"${surplus.slice(0, 8)}" sent after a whole body is not taken for the next answer`;
	test(title, withClient, async (t, {origin, client}) => {
		const answered: ServerResponse[] = [];
		const first: Behaviour = {
			handle: (_request, response) => {
				answered.push(response);
				response.end('first');
			},
		};
		const url = origin.serve('/x', {body: 'second', sequence: [first]});
		t.is(await getText(client, url), 'first');
		answered[0]?.req.socket.write(surplus);
		await origin.disconnected();
		t.is(await getText(client, url), 'second');
		t.is(origin.connections, 2);
	});
}

test('a second answer behind the first is not taken for the next answer', withClient, async (t, {origin, client}) => {
	const url = origin.serve('/x', {body: 'second', sequence: [{handle: raw(`${KNOWN}1234567890${FORGED}`)}]});
	t.is(await getText(client, url), '1234567890');
	t.is(await getText(client, url), 'second');
	t.is(origin.connections, 2);
});

/** Headers that do not say how long the body is, or say it twice. */
const LENGTHS = [
	'Content-Length: 3\r\nContent-Length: 4',
	'Content-Length: 3, 4',
	'Content-Length: -3',
	'Content-Length: 3x',
	'Content-Length: 99999999999999999999999',
	'Content-Length: 9007199254740993',
	'Content-Length: 3\r\nTransfer-Encoding: chunked',
	'Transfer-Encoding: chunked\r\nContent-Length: 3',
];

test(
	'a conflicting or invalid Content-Length is origin-failed, after one request',
	withClient,
	async (t, {origin, client}) => {
		for (const [index, lines] of LENGTHS.entries()) {
			const url = origin.serve(`/${index}`, {handle: raw(`HTTP/1.1 200 OK\r\n${lines}\r\n\r\nabcd`)});
			const message = await failsWith(t, 'origin-failed', client.get(url, {signal: NEVER}));
			t.true(message.startsWith(url), `${lines}: ${message}`);
			t.is(origin.requestsOf(`/${index}`).length, 1, lines);
		}
	},
);

test('an answer that is no HTTP is origin-failed, after one request', withClient, async (t, {origin, client}) => {
	const url = origin.serve('/x', {handle: raw('220 mail.example ESMTP\r\n')});
	await failsWith(t, 'origin-failed', client.get(url, {signal: NEVER}));
	t.is(origin.requests.length, 1);
});
