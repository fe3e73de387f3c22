import {text} from 'node:stream/consumers';
import test from 'ava';
import {NO_LOG, type Log} from '../../../src/base/log.js';
import {DEFAULT_HTTP_OPTIONS, HttpClient} from '../../../src/http/client.js';
import {generatedBody, resolveTo} from '../../helpers/origin.js';
import {failsWith, getText, NEVER, readBody, withClient} from './with-client.js';

test('a GET resolves with what the headers say, and its body is the bytes', withClient, async (t, {origin, client}) => {
	const url = origin.serve('/cat', {
		body: 'GIF89a',
		type: 'Image/GIF; q=1',
		etag: '"v1"',
		lastModified: new Date(1_700_000_000_000),
	});
	const response = await client.get(url, {signal: NEVER});
	const {body, discard, caching, ...facts} = response;
	t.deepEqual(Object.keys(caching.headers), ['date', 'last-modified']);
	t.deepEqual(facts, {
		url,
		status: 200,
		lengthBytes: 6,
		mimetype: 'image/gif',
		filename: 'cat.gif',
		etag: '"v1"',
		lastModifiedMs: 1_700_000_000_000,
		acceptsRanges: undefined,
		hasStrongValidator: true,
	});
	t.is(typeof discard, 'function');
	t.is(await text(body), 'GIF89a');
});

test('headers that are missing or broken are undefined', withClient, async (t, {origin, client}) => {
	const url = origin.serve('/x', {chunked: true, headers: {'content-type': 'nonsense', 'last-modified': 'yesterday'}});
	const response = await client.get(url, {signal: NEVER});
	t.deepEqual(
		[response.lengthBytes, response.mimetype, response.etag, response.lastModifiedMs],
		[undefined, undefined, undefined, undefined],
	);
	t.is((await readBody(response)).length, 0);
});

test('a large body arrives byte for byte, announced or chunked', withClient, async (t, {origin, client}) => {
	const size = 3_000_017;
	const expected = generatedBody(size);
	const whole = await client.get(origin.serve('/known', {size}), {signal: NEVER});
	t.is(whole.lengthBytes, size);
	t.true(expected.equals(await readBody(whole)));
	const chunked = await client.get(origin.serve('/unknown', {size, chunked: true}), {signal: NEVER});
	t.is(chunked.lengthBytes, undefined);
	t.true(expected.equals(await readBody(chunked)));
});

test('a body is read once: a second reading is no empty body', withClient, async (t, {origin, client}) => {
	const response = await client.get(origin.serve('/x', {body: 'x', chunked: true}), {signal: NEVER});
	t.is(String(await readBody(response)), 'x');
	await t.throwsAsync(readBody(response), {instanceOf: TypeError});
});

test('an empty body is whole', withClient, async (t, {origin, client}) => {
	const response = await client.get(origin.serve('/empty', {body: ''}), {signal: NEVER});
	t.is(response.lengthBytes, 0);
	t.is((await readBody(response)).length, 0);
});

test('the stored bytes are asked for as they are, under our name', withClient, async (t, {origin, clientWith}) => {
	const url = origin.serve('/x', {body: 'x', headers: {'content-encoding': 'gzip'}});
	const client = clientWith({userAgent: 'larder/1'});
	t.is(await getText(client, url, {'Accept-Encoding': 'br', 'X-Own': 'yes'}), 'x');
	const headers = origin.requests[0]?.headers;
	t.is(headers?.['accept-encoding'], 'identity');
	t.is(headers?.['user-agent'], 'larder/1');
	t.is(headers?.['x-own'], 'yes');
});

test('a fragment is not sent, a query is', withClient, async (t, {origin, client}) => {
	origin.serve('/x', {body: 'x'});
	const url = origin.url('/x?a=1#part');
	const response = await client.get(url, {signal: NEVER});
	await readBody(response);
	t.is(response.url, url);
	t.is(origin.requests[0]?.path, '/x?a=1');
});

test('credentials in a URL are sent as Basic, decoded, and never logged', withClient, async (t, {origin}) => {
	const lines: string[] = [];
	const note = (message: string, fields?: unknown) => void lines.push(message + JSON.stringify(fields));
	const log: Log = {debug: note, info: note, warn: note, error: note};
	const timing = {now: () => 0, delay: () => Promise.resolve()};
	const client = new HttpClient({...DEFAULT_HTTP_OPTIONS, retries: 1}, log, timing);
	origin.serve('/x', {status: 503});
	const url = `http://m%40e:p%3Aw@${origin.host}/x?token=1`;
	const message = await failsWith(t, 'origin-failed', client.get(url, {signal: NEVER}));
	client.close();

	t.is(origin.requests[0]?.headers.authorization, `Basic ${Buffer.from('m@e:p:w').toString('base64')}`);
	t.is(lines.length, 1);
	t.notRegex(lines.join() + message, /p%3Aw|p:w|m@e|token/);
	t.regex(message, new RegExp(`^http://${origin.host}/x was answered with status 503$`));
});

test('what is no http or https URL is a bad name, with no request', withClient, async (t, {origin, client}) => {
	for (const url of ['', 'x', '/x', 'file:///etc/passwd', 'ftp://127.0.0.1/x', 'data:text/plain,x']) {
		await failsWith(t, 'bad-name', client.get(url, {signal: NEVER}));
	}

	t.is(origin.requests.length, 0);
});

test('one connection serves requests one after the other', withClient, async (t, {origin, client}) => {
	const url = origin.serve('/x', {size: 200_000});
	for (let count = 0; count < 3; count++) await getText(client, url);
	t.is(origin.requests.length, 3);
	t.is(origin.connections, 1);
});

test('a host name is resolved by the resolver given', withClient, async (t, {origin, clientWith}) => {
	origin.serve('/x', {body: 'x'});
	const url = `http://a.test:${origin.port}/x`;
	t.is(await getText(clientWith({lookup: resolveTo('127.0.0.1')}), url), 'x');
	t.is(origin.requests[0]?.headers.host, `a.test:${origin.port}`);
});

test('a consumer may take longer than the idle deadline over a chunk', withClient, async (t, {origin, clientWith}) => {
	const idleTimeoutMs = 500;
	const url = origin.serve('/x', {size: 1_000_000});
	const response = await clientWith({idleTimeoutMs}).get(url, {signal: NEVER});
	let received = 0;
	for await (const chunk of response.body) {
		if (received === 0) await new Promise(resolve => setTimeout(resolve, 2 * idleTimeoutMs));
		received += chunk.byteLength;
	}

	t.is(received, 1_000_000);
});

test(
	'a body that waits for its reader does not trip the idle deadline',
	withClient,
	async (t, {origin, clientWith}) => {
		const idleTimeoutMs = 500;
		const response = await clientWith({idleTimeoutMs}).get(origin.serve('/x', {size: 500_000}), {signal: NEVER});
		await new Promise(resolve => setTimeout(resolve, 2 * idleTimeoutMs));
		t.is((await readBody(response)).length, 500_000);
	},
);

test(
	'a body that comes slowly but steadily does not trip the idle deadline',
	withClient,
	async (t, {origin, clientWith}) => {
		const url = origin.serve('/x', {body: 'abcdefgh', dripMs: 30});
		t.is(await getText(clientWith({idleTimeoutMs: 150}), url), 'abcdefgh');
	},
);

test('an option that makes no sense is a RangeError at construction', t => {
	const make = (options: object) => () => new HttpClient({...DEFAULT_HTTP_OPTIONS, ...options}, NO_LOG);
	const wrong = [
		{idleTimeoutMs: 0},
		{connectTimeoutMs: Infinity},
		{headersTimeoutMs: NaN},
		{retries: -1},
		{maxRedirects: 0.5},
	];
	for (const options of wrong) t.throws(make(options), {instanceOf: RangeError}, JSON.stringify(options));
});
