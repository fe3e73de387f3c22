/** What a hostile origin may say of a body, and where it may lead: what is kept, what is told, and who is never connected to. */
import {readFileSync, statSync} from 'node:fs';
import type {LookupFunction} from 'node:net';
import net from 'node:net';
import test, {type ExecutionContext} from 'ava';
import type {UrlCache} from '../../src/cache/url-cache.js';
import {DEFAULT_HTTP_OPTIONS, HttpClient, type HttpOptions} from '../../src/http/client.js';
import {openCache} from '../../src/library/open.js';
import {entryFiles, failsWith, keptFiles, leftovers, openMediaCache, readWhole} from '../helpers/cache.js';
import {recordingLog, temporaryDirectory} from '../helpers/cache.js';
import {filesOf} from '../helpers/drive.js';
import {ODD_ANSWERS} from '../helpers/hostile-answers.js';
import {playedBy, tried} from '../helpers/no-way-out.js';
import {RawOrigin} from '../helpers/raw-origin.js';
import {until} from '../helpers/until.js';
import {NEVER, readBody} from '../unit/http/with-client.js';

/** A cache that asks once, and what it logs. */
function open(t: ExecutionContext, http: Partial<HttpOptions> = {}) {
	const directory = temporaryDirectory(t);
	const {log, lines} = recordingLog();
	const cache = openCache({directory, log, http: {retries: 0, ...http}});
	t.teardown(() => cache.close());
	return {cache, directory, lines};
}

function clientOf(t: ExecutionContext, http: Partial<HttpOptions> = {}): HttpClient {
	const client = new HttpClient({...DEFAULT_HTTP_OPTIONS, retries: 0, ...http}, recordingLog().log);
	t.teardown(() => client.close());
	return client;
}

async function read(cache: UrlCache, url: string): Promise<string | undefined> {
	return readWhole(await cache.open(url));
}

/** Nothing is stored, nor on its way. */
async function keptNothing(t: ExecutionContext, directory: string): Promise<void> {
	await until('nothing is on its way', () => leftovers(directory).length === 0);
	t.deepEqual([...entryFiles(directory), ...keptFiles(directory)], []);
}

function ok(body: string, ...headers: string[]): string {
	return ['HTTP/1.1 200 OK', `Content-Length: ${body.length}`, ...headers, '', body].join('\r\n');
}

function redirect(location: string, ...headers: string[]): string {
	return ['HTTP/1.1 302 Found', `Location: ${location}`, 'Content-Length: 0', ...headers, '', ''].join('\r\n');
}

for (const [what, row] of Object.entries(ODD_ANSWERS)) {
	test(`${what} is kept as it came, and described by what can be believed`, async t => {
		const origin = await RawOrigin.start(t);
		const {cache, directory} = open(t);
		const url = origin.serve('/file', row.answer);
		await read(cache, url);
		const {data, sidecar} = filesOf(directory, url);
		t.true(row.body.equals(readFileSync(data)));
		const text = readFileSync(sidecar, 'utf8');
		const {mimetype, filename, origin: said} = JSON.parse(text) as Record<string, unknown>;
		const {etag} = said as {etag?: string};
		t.deepEqual([mimetype, filename, etag], [row.mimetype, row.filename ?? 'file', row.etag]);
		t.true(statSync(sidecar).size < 1024);
	});
}

test('a body that comes encoded is told of in one line, and is never asked for in parts', async t => {
	const origin = await RawOrigin.start(t);
	const {cache, lines} = open(t);
	const url = origin.serve('/a.tar.gz', ok('abc', 'Content-Encoding: x-gzip', 'ETag: "a"', 'Accept-Ranges: bytes'));
	t.is(await read(cache, `${url}?token=sesame`), 'abc');
	const warnings = lines.filter(line => line.startsWith('warn'));
	const fields = JSON.stringify({url, encoding: '"x-gzip"'});
	t.deepEqual(warnings, [
		`warn a body was sent encoded though that was not asked for, and is kept as it came ${fields}`,
	]);
	const response = await clientOf(t).get(url, {signal: NEVER});
	response.discard();
	t.deepEqual([response.acceptsRanges, response.mimetype, response.filename], [false, undefined, 'a.tar.gz']);
});

test('what the library cannot store it reads into memory only where that can hold it', async t => {
	const origin = await RawOrigin.start(t);
	const directory = temporaryDirectory(t);
	const cache = openMediaCache(t, directory, {maxSizeMb: 1, http: {retries: 0}});
	const large = 'a'.repeat(2 * 1024 * 1024);
	t.is((await cache.getOrDownload(origin.serve('/large', ok(large)))).data.byteLength, large.length);
	const url = origin.serve('/lie', 'HTTP/1.1 200 OK\r\nContent-Length: 9007199254740991\r\n\r\nabc');
	const {message} = await failsWith(t, 'too-large', cache.getOrDownload(`${url}?token=sesame`));
	t.is(message, `${url} has more than the 512MB that are read into memory`);
	await until('both connections for it are closed', () => origin.open <= 1);
	await keptNothing(t, directory);
});

const HOSTILE_PARTS: Readonly<Record<string, string>> = {
	'a Content-Range with control characters': 'Content-Range: bytes \x9b31m\r\nETag: "a"',
	'a Content-Range of 10 KB': `Content-Range: bytes 0-${'9'.repeat(10_000)}/10\r\nETag: "a"`,
	'another ETag, with control characters': 'Content-Range: bytes 0-2/10\r\nETag: "\x9b31m"',
	'another ETag, of 1 KB': `Content-Range: bytes 0-2/10\r\nETag: "${'b'.repeat(1000)}"`,
};

for (const [what, headers] of Object.entries(HOSTILE_PARTS)) {
	test(`a part with ${what} is refused in a line that a terminal can show`, async t => {
		const origin = await RawOrigin.start(t);
		const answer = `HTTP/1.1 206 Partial Content\r\n${headers}\r\nContent-Length: 3\r\n\r\nabc`;
		const url = origin.serve('/file', Buffer.from(answer, 'latin1'));
		const version = {lengthBytes: 10, etag: '"a"'};
		const part = clientOf(t).getRange(url, {start: 0, end: 3}, version, {signal: NEVER});
		const {message} = await failsWith(t, 'origin-failed', part);
		t.notRegex(message, /\p{Cc}/u);
		t.true(message.length < 400, `${message.length}`);
	});
}

test('an answer that comes before the request is not taken for that to another URL', async t => {
	const origin = await RawOrigin.start(t);
	origin.onConnection = socket => {
		if (origin.connections === 1) socket.write(ok('early'));
	};
	const {cache} = open(t);
	origin.serve('/first', ok('first'));
	const second = origin.serve('/second', ok('second'));
	await read(cache, origin.url('/first')).catch(() => undefined);
	t.is(await read(cache, second), 'second');
});

test('neither credentials nor cookies go to another origin, and no cookie is kept', async t => {
	const [origin, other] = [await RawOrigin.start(t), await RawOrigin.start(t, '127.0.0.2')];
	const headers = {'Authorization': 'Bearer sesame', 'Cookie': 'id=sesame', 'Proxy-Authorization': 'Basic sesame'};
	const cookie = 'Set-Cookie: id=sesame; Domain=127.0.0.2; Path=/';
	other.serve('/to', ok('there', cookie));
	const away = origin.serve('/away', redirect(other.url('/to'), cookie)).replace('//', '//me:sesame@');
	const client = clientOf(t);
	t.is(String(await readBody(await client.get(`${away}?token=sesame`, {signal: NEVER, headers}))), 'there');
	const version = {lengthBytes: 5, etag: '"a"'};
	const part = client.getRange(`${away}?token=sesame`, {start: 0, end: 1}, version, {signal: NEVER, headers});
	await failsWith(t, 'origin-failed', part);
	t.is(other.requests.length, 2);
	for (const head of other.requests) t.notRegex(head, /sesame|authorization|cookie|referer/i);

	const {cache} = open(t);
	t.is(await read(cache, away), 'there');
	t.is(await read(cache, other.serve('/again', ok('again'))), 'again');
	for (const head of other.requests.slice(2)) t.notRegex(head, /sesame|authorization|cookie|referer/i);
	t.notRegex(origin.requests.slice(2).join(), /cookie/i);
});

/** A resolver for which each name is each of these in its turn, the last one for good. */
function resolving(...answers: ReadonlyArray<readonly string[]>): LookupFunction {
	let count = 0;
	return (_name, {all}, callback) => {
		const addresses = (answers[Math.min(count++, answers.length - 1)] ?? []).map(address => ({
			address,
			family: net.isIP(address),
		}));
		if (all) process.nextTick(callback, null, addresses);
		else process.nextTick(callback, null, addresses[0]?.address, addresses[0]?.family);
	};
}

/** Of the public internet; each is played by an origin on loopback. */
const PUBLIC = '93.184.215.14';
playedBy.set(PUBLIC, '127.0.0.1');

/** Where a name may move to. What is on the public internet is on the deny list. */
const FORBIDDEN: Readonly<Record<string, string>> = {
	'0.0.0.0': 'is the unspecified address',
	'10.1.2.3': 'is in a private network',
	'100.64.1.2': 'is in a network behind carrier-grade NAT',
	'169.254.1.2': 'is a link-local address',
	'169.254.169.254': 'is a cloud metadata address',
	'192.168.1.2': 'is in a private network',
	'203.0.114.7': 'is on the deny list',
	'fd00:ec2::254': 'is a cloud metadata address',
	'fe80::1': 'is a link-local address',
	'fc00::2': 'is a unique local address',
	'::ffff:10.1.2.4': 'is in a private network',
	'64:ff9b::a01:205': 'which leads to 10.1.2.5, is in a private network',
};
const GUARD = {networks: 'public', denyHosts: ['203.0.114.0/24']} as const;

for (const [address, rule] of Object.entries(FORBIDDEN)) {
	test(`a host that resolves to an allowed address first and then to ${address} is not connected to there`, async t => {
		const origin = await RawOrigin.start(t);
		const {cache, directory, lines} = open(t, {guard: GUARD, lookup: resolving([PUBLIC], [address])});
		const url = (path: string) => `http://me:sesame@moving.test:${origin.port}${path}?token=sesame`;
		origin.serve('/first', ok('first', 'Connection: close'));
		t.is(await read(cache, url('/first')), 'first');
		const {message} = await failsWith(t, 'origin-refused', cache.open(url('/second')));
		t.true(message.startsWith(`http://moving.test:${origin.port}/second: denied: `), message);
		t.true(message.includes(rule), message);
		t.deepEqual([tried.includes(address), origin.connections], [false, 1]);
		t.is(entryFiles(directory).length, 2);
		t.notRegex(lines.join(), /sesame/);
	});
}

test('of a host with an allowed and with forbidden addresses the allowed one alone is connected to', async t => {
	const origin = await RawOrigin.start(t);
	const forbidden = ['10.9.9.1', 'fe80::9', '169.254.9.9'];
	const {cache} = open(t, {guard: GUARD, lookup: resolving([...forbidden, PUBLIC])});
	origin.serve('/x', ok('abc'));
	t.is(await read(cache, `http://mixed.test:${origin.port}/x`), 'abc');
	for (const address of forbidden) t.false(tried.includes(address), address);
});

/** Redirects in the words of who wants something from inside. */
const INSIDE = [
	'http://169.254.169.254/latest/meta-data/',
	'http://0xa9fea9fe/latest/meta-data/',
	'http://[::ffff:a9fe:a9fe]/latest/meta-data/',
	'http://[fd00:ec2::254]/latest/meta-data/',
	'http://metadata.google.internal/computeMetadata/v1/',
	'//metadata/computeMetadata/v1/',
];

for (const location of INSIDE) {
	test(`a redirect to ${location} is denied where any network is allowed, and nobody is asked`, async t => {
		const origin = await RawOrigin.start(t);
		const {cache, directory} = open(t, {lookup: resolving(['10.8.8.8'])});
		const url = origin.serve('/away', redirect(location));
		const {message} = await failsWith(t, 'origin-refused', cache.open(url));
		t.regex(message, /denied: .* is a cloud metadata (address|host)/);
		t.deepEqual(
			tried.filter(address => /^(169\.254\.169|fd00|metadata|10\.8\.8\.8|::ffff:a9)/.test(address)),
			[],
		);
		await keptNothing(t, directory);
	});
}

test('without a guard an address beyond loopback is noted and refused, so that these tests would show it', async t => {
	const {cache} = open(t, {lookup: resolving(['10.7.7.7'])});
	await failsWith(t, 'origin-unreachable', cache.open('http://open.test/x'));
	await failsWith(t, 'origin-unreachable', cache.open('http://10.7.7.8/x'));
	t.deepEqual(
		tried.filter(address => address.startsWith('10.7.')),
		['10.7.7.7', '10.7.7.8'],
	);
});
