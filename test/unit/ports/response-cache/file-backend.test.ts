import {existsSync, readFileSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {FileBackend, type FileBackendOptions, type KeyedRequest} from '../../../../src/ports/response-cache/index.js';
import {temporaryDirectory, TestClock} from '../../../helpers/cache.js';
import {all} from '../../../helpers/response-cache.js';

const URL_A = 'https://a.example/a';
const URL_B = 'https://a.example/b';

function open(t: ExecutionContext, options: FileBackendOptions = {}) {
	const clock = new TestClock();
	const backend = new FileBackend(temporaryDirectory(t), {clock, ...options});
	t.teardown(() => backend.close());
	const key = (url: string, rest: Partial<KeyedRequest> = {}) => backend.createKey({method: 'GET', url, ...rest});
	const save = (url: string, body: string, untilMs?: number) =>
		backend.saveResponse({method: 'GET', url}, new Response(body), untilMs);
	return {backend, clock, key, save};
}

const bytes = (text: string) => Buffer.from(text);
const JSON_TYPE = new Headers({'content-type': 'application/json'});
const FORM_TYPE = new Headers({'content-type': 'application/x-www-form-urlencoded'});

test('test_redirect_cache_path: redirects lie in the cache’s directory, and are no response', async t => {
	const {backend} = open(t);
	t.is(backend.redirects.file, path.join(backend.responses.directory, 'redirects.sqlite'));
	t.true(existsSync(backend.redirects.file));
	t.deepEqual([await all(backend.responses.keys()), await all(backend.responses.strangers())], [[], []]);
});

test('test_normalize_url_params: the order of parameters does not count, nor how the host is written', t => {
	const {key} = open(t);
	t.is(key('https://a.example/?b=2&a=1'), key('https://A.example:443/?a=1&b=2'));
	t.is(key('https://a.example/#part'), key('https://a.example/'));
	t.not(key('https://a.example/?a=1&b=2'), key('https://a.example/?a=2&b=1'));
	t.not(key('https://a.example/?a=%26b'), key('https://a.example/?a&b'));
	t.regex(key(URL_A), /^[0-9a-f]{64}$/);
});

test('test_encode_duplicate_params: a parameter that comes twice is not one that comes once', t => {
	const {key} = open(t);
	t.not(key('https://a.example/?a=1&a=2'), key('https://a.example/?a=1'));
	t.not(key('https://a.example/?a=1&a=2'), key('https://a.example/?a=2&a=1'));
});

test('test_encode_request_body: other bodies are other requests', t => {
	const {key} = open(t);
	const keys = ['', 'a=1', '{"a":1}', '{"a":2}'].map(body => key(URL_A, {method: 'POST', body: bytes(body)}));
	t.is(new Set([...keys, key(URL_A, {method: 'POST'})]).size, 5);
});

test('H6: a form and JSON of the same fields are other requests, and so are fields put together alike', t => {
	const {key} = open(t, {includeHeaders: true});
	const post = (body: string, headers: Headers) => key(URL_A, {method: 'POST', body: bytes(body), headers});
	t.not(post('a=1', FORM_TYPE), post('a=1', JSON_TYPE));
	t.not(post(new URLSearchParams({a: '1&b=2'}).toString(), FORM_TYPE), post('a=1&b=2', FORM_TYPE));
	const withHeader = (name: string, value: string) => key(URL_A, {headers: new Headers({[name]: value})});
	t.not(withHeader('ab', 'c'), withHeader('a', 'bc'));
	t.not(key('https://a.example/', {method: 'GET'}), key('https://a.example/', {method: 'HEAD'}));
	// The same without headers in the key.
	const {key: plain} = open(t);
	const form = {method: 'POST', body: bytes('{"a":"1"}'), headers: FORM_TYPE};
	t.not(plain(URL_A, form), plain(URL_A, {...form, headers: JSON_TYPE}));
});

test('who asks with other credentials is somebody else', t => {
	const {key} = open(t);
	const as = (headers: Record<string, string>) => key(URL_A, {headers: new Headers(headers)});
	const keys = [{}, {authorization: 'a'}, {authorization: 'b'}, {cookie: 'a'}].map(as);
	t.is(new Set(keys).size, 4);
	t.is(as({accept: 'a'}), as({}));
});

type Setup = ReturnType<typeof open>;

const HITS: Readonly<Record<string, (setup: Setup) => Promise<void>>> = {
	'a hit': async setup => void (await setup.save(URL_A, 'body')),
	'a hit through a redirect': async ({save, backend, key}) => {
		await save(URL_B, 'body');
		backend.redirects.set(key(URL_A), {target: key(URL_B), url: URL_B, untilMs: Infinity});
	},
};

for (const [what, save] of Object.entries(HITS)) {
	test(`test_get_response__*: ${what}`, async t => {
		const setup = open(t);
		await save(setup);
		t.is(await (await setup.backend.getResponse(setup.key(URL_A)))?.text(), 'body');
	});
}

test('test_get_response__*: a miss, and a redirect that leads nowhere or in a circle', async t => {
	const {backend, key} = open(t);
	t.is(await backend.getResponse(key(URL_A)), undefined);
	backend.redirects.set(key(URL_A), {target: key(URL_B), url: URL_B, untilMs: Infinity});
	t.is(await backend.getResponse(key(URL_A)), undefined);
	backend.redirects.set(key(URL_B), {target: key(URL_A), url: URL_A, untilMs: Infinity});
	t.is(await backend.getResponse(key(URL_A)), undefined);
});

test('test_get_response__*: what has expired is a miss, and is removed', async t => {
	const {backend, key, save, clock} = open(t);
	await save(URL_A, 'body', clock.now() + 60_000);
	t.true(await backend.hasUrl(URL_A));
	clock.advance(60_001);
	t.is(await backend.getResponse(key(URL_A)), undefined);
	t.is(await backend.responses.size(), 0);
});

test('test_get_response__*: what cannot be read, or is no response, is a miss and no exception', async t => {
	const {backend, key, save} = open(t);
	await save(URL_A, 'body');
	const [file = ''] = await all(backend.responses.paths());
	for (const text of ['', 'null', '{}', '[[[[', 'LARDER1 00000002 0000000000000\n{}']) {
		writeFileSync(file, text);
		t.is(await backend.getResponse(key(URL_A)), undefined);
	}

	await backend.responses.write(key(URL_A), 'text');
	t.is(await backend.getResponse(key(URL_A)), undefined);
});

test('test_get_response__*: a head that somebody else has made, in which something is amiss, is a miss and no exception', async t => {
	const {backend, key, save} = open(t);
	await save(URL_A, 'body');
	const [file = ''] = await all(backend.responses.paths());
	const whole = readFileSync(file, 'latin1');
	const [line = ''] = whole.split('\n');
	const [head, body] = [JSON.parse(whole.slice(line.length + 1, -4)) as object, whole.slice(-4)];
	const headers = {caching: {received: 1, headers: null, varied: {}}};
	const wrong = {
		...{status: 99, statusText: 1, headers: [1], caching: null, url: 1, requestUrl: undefined, method: null},
		...{storedAtMs: 'x', untilMs: 'soon', redirected: 1},
	};
	const heads = [
		headers,
		{headers: [['a']]},
		{headers: [['a b', 'c']]},
		{headers: [['a', 'b\nc']]},
		{statusText: 'ä\n'},
	];
	heads.push(...Object.entries(wrong).map(([name, value]) => ({[name]: value}) as never));
	for (const each of heads) {
		const json = JSON.stringify({...head, ...each});
		writeFileSync(file, `LARDER1 ${json.length.toString(16).padStart(8, '0')} 0000000000004\n${json}${body}`, 'latin1');
		t.is(await backend.getResponse(key(URL_A)), undefined, JSON.stringify(each));
		t.deepEqual(await all(backend.responses.values()), [], JSON.stringify(each));
	}

	writeFileSync(file, whole, 'latin1');
	t.is(await (await backend.getResponse(key(URL_A)))?.text(), 'body');
});

test('H1: a value that is no JSON any more is a miss', async t => {
	const {backend} = open(t);
	await backend.responses.write('a', {a: 1});
	const [file = ''] = await all(backend.responses.paths());
	writeFileSync(file, readFileSync(file, 'latin1').replace('{"a":1}', '{"a":1,'));
	t.is(await backend.responses.read('a'), undefined);
	t.deepEqual(await all(backend.responses.values()), []);
});

test('test_save_response: it is there under its key', async t => {
	const {backend, key, save} = open(t);
	t.is(await save(URL_A, 'body'), key(URL_A));
	const response = await backend.getResponse(key(URL_A));
	t.deepEqual([response?.url, await response?.text()], [URL_A, 'body']);
});

test('removing a response removes what leads to it', async t => {
	const {backend, key, save} = open(t);
	await save(URL_B, 'body');
	backend.redirects.set(key(URL_A), {target: key(URL_B), url: URL_B, untilMs: Infinity});
	await backend.delete(key(URL_B));
	t.deepEqual([await backend.getResponse(key(URL_A)), backend.redirects.keys()], [undefined, []]);
});

test('test_delete_url: removes what is stored of a URL, whoever asked for it', async t => {
	const {backend, save} = open(t);
	await save(URL_A, 'a');
	await save(URL_B, 'b');
	const headers = new Headers({authorization: 'x'});
	await backend.saveResponse({method: 'GET', url: URL_A, headers}, new Response('secret'));
	await backend.deleteUrl(URL_A);
	t.deepEqual(await backend.getUrls(), [URL_B]);
});

test('test_has_url: tells whether a URL is stored', async t => {
	const {backend, save} = open(t);
	await save(URL_A, 'a');
	t.deepEqual([await backend.hasUrl(URL_A), await backend.hasUrl(URL_B)], [true, false]);
});

test('test_get_urls: tells the URLs of all responses', async t => {
	const {backend, save} = open(t);
	for (const url of [URL_A, URL_B]) await save(url, url);
	await backend.responses.write('no response', 1);
	t.deepEqual((await backend.getUrls()).sort(), [URL_A, URL_B]);
});

test('test_is_cacheable: method, status, filter and being disabled decide', async t => {
	const {backend} = open(t);
	const ok = new Response('');
	const statuses = [200, 203, 404, 410, 206, 302, 403, 500];
	const cacheable = await Promise.all(statuses.map(status => backend.isCacheable('GET', new Response('', {status}))));
	t.deepEqual(cacheable, [true, true, true, true, false, false, false, false]);
	t.deepEqual(await Promise.all(['get', 'HEAD', 'POST'].map(method => backend.isCacheable(method, ok))), [
		true,
		true,
		false,
	]);
	await backend.disabled(async () => t.false(await backend.isCacheable('GET', ok)));
	t.true(await backend.isCacheable('GET', ok));
	const {backend: other} = open(t, {
		allowedMethods: ['POST'],
		allowedCodes: [500],
		filter: () => Promise.resolve(true),
	});
	t.true(await other.isCacheable('POST', new Response('', {status: 500})));
	const {backend: none} = open(t, {filter: () => false});
	t.false(await none.isCacheable('GET', ok));
});

test('test_delete_expired_responses: removes what has expired and what leads to it, and keeps the rest', async t => {
	const {backend, key, save, clock} = open(t);
	await save(URL_A, 'a', clock.now() + 60_000);
	await save(URL_B, 'b');
	for (const [from, to, untilMs] of [
		['https://a.example/1', URL_A, Infinity],
		['https://a.example/2', URL_B, Infinity],
		['https://a.example/3', URL_B, clock.now() + 60_000],
	] as const) {
		backend.redirects.set(key(from), {target: key(to), url: to, untilMs});
	}

	await backend.deleteExpiredResponses();
	t.is(backend.redirects.keys().length, 3);
	clock.advance(60_001);
	await backend.deleteExpiredResponses();
	t.deepEqual(await backend.getUrls(), [URL_B]);
	t.deepEqual(backend.redirects.keys(), [key('https://a.example/2')]);
});
