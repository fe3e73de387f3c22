import {readdirSync} from 'node:fs';
import path from 'node:path';
import test from 'ava';
import {createCachedFetch, FileBackend} from '../../../../src/ports/response-cache/index.js';
import {temporaryDirectory} from '../../../helpers/cache.js';
import {generatedBody} from '../../../helpers/origin.js';
import {all, setUpFetch} from '../../../helpers/response-cache.js';
import {until} from '../../../helpers/until.js';

const FOREVER = {freshness: 'forever'} as const;

test('a response is the one that fetch gives, the first time and from the cache', async t => {
	const {fetch, origin} = await setUpFetch(t);
	const url = origin.serve('/a?x=1', {
		body: 'body',
		type: 'text/plain',
		maxAge: 60,
		headers: {'x-own': 'ü', 'set-cookie': ['a=1', 'b=2']},
	});
	const plain = await globalThis.fetch(url);
	for (const _ of ['live', 'cached']) {
		const response = await fetch(`${url}#part`);
		t.deepEqual(
			[response.status, response.statusText, response.ok, response.url, response.redirected, response.type],
			[200, 'OK', true, url, false, 'basic'],
		);
		t.deepEqual(
			[...response.headers].filter(([name]) => name !== 'date'),
			[...plain.headers].filter(([name]) => name !== 'date'),
		);
		const clone = response.clone();
		t.deepEqual([await response.text(), await clone.text(), clone.url], ['body', 'body', url]);
	}

	t.is(origin.requests.length, 2);
});

test('what is asked for is what it was when fetch was called, and what cannot be is refused as by fetch', async t => {
	const {fetch, origin, asked} = await setUpFetch(t);
	origin.serve('/b', {body: 'b'});
	const url = new URL(origin.serve('/a', {body: 'a', maxAge: 60}));
	for (const _ of ['live', 'cached']) {
		const asking = fetch(url);
		url.pathname = '/b';
		t.is(await (await asking).text(), 'a');
		url.pathname = '/a';
	}

	t.deepEqual([asked('/a'), asked('/b')], [1, 0]);
	for (const refused of ['no url', '/a', 'http://user:secret@127.0.0.1/']) {
		const {message} = await t.throwsAsync(fetch(refused), {instanceOf: TypeError}, refused);
		const {message: expected} = t.throws(() => new Request(refused), {instanceOf: TypeError});
		t.is(message, expected);
	}
});

for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
	test(`test_all_methods: the second ${method} is from the cache where that method is cached, and another parameter is another request`, async t => {
		const {fetch, origin} = await setUpFetch(t, {...FOREVER, allowedMethods: [method]});
		const url = origin.serve('/a', {body: 'body'});
		const hasBody = !['GET', 'HEAD'].includes(method);
		const bodies = hasBody ? ['a=1', 'a=1', 'a=2'] : [undefined, undefined];
		for (const body of bodies) {
			const response = await fetch(url, {method, ...(body !== undefined && {body})});
			t.is(await response.text(), method === 'HEAD' ? '' : 'body');
		}

		t.is(origin.requests.length, hasBody ? 2 : 1);
		for (const _ of [1, 2]) await (await fetch(`${url}?x=1`, {method})).text();
		t.is(origin.requests.length, hasBody ? 3 : 2);
	});
}

test('test_all_methods__ignore_parameters: names that are ignored do not tell requests apart', async t => {
	const options = {ignoredParameters: ['token', 'authorization'], allowedMethods: ['GET', 'POST']};
	const {read, origin} = await setUpFetch(t, {...FOREVER, ...options});
	const url = origin.serve('/a', {body: 'body'});
	await read(`${url}?a=1&token=1`);
	await read(`${url}?token=2&a=1`, {headers: {authorization: 'x'}});
	t.is(origin.requests.length, 1);
	const post = (body: string, type: string) => read(url, {method: 'POST', body, headers: {'content-type': type}});
	for (const token of [1, 2]) await post(`a=1&token=${token}`, 'application/x-www-form-urlencoded');
	t.is(origin.requests.length, 2);
	for (const token of [1, 2]) await post(JSON.stringify({a: 1, token}), 'application/json');
	t.is(origin.requests.length, 3);
	await post(JSON.stringify({a: 2, token: 1}), 'application/json');
	t.is(origin.requests.length, 4);
});

test('test_gather: of 500 URLs, 100 at a time, each is asked for once', async t => {
	const {read, origin} = await setUpFetch(t, FOREVER);
	const url = origin.serve('/a', {body: 'body'});
	for (let round = 0; round < 2; round++) {
		for (let at = 0; at < 500; at += 100) {
			await Promise.all(Array.from({length: 100}, (_, index) => read(`${url}?n=${at + index}`)));
		}
	}

	t.is(origin.requests.length, 500);
});

test('test_concurrent: of 100 requests at the same time one is made, and all get the whole body', async t => {
	const {fetch, read, origin, directory} = await setUpFetch(t);
	const url = origin.serve('/a', {size: 1_000_000, maxAge: 60, rate: 20_000_000, chunked: true});
	const bodies = await Promise.all(
		Array.from({length: 100}, async () => Buffer.from(await (await fetch(url)).arrayBuffer())),
	);
	t.true(bodies.every(body => body.equals(generatedBody(1_000_000))));
	t.is(origin.requests.length, 1);
	t.is((await read(url)).length > 0 && origin.requests.length, 1);
	t.is(readdirSync(path.join(directory, 'responses')).length, 1);
});

test('test_session__locks_do_not_leak: what was waited for is forgotten, whole or failed', async t => {
	const {read, origin, fetch} = await setUpFetch(t);
	const url = origin.serve('/a', {sequence: [{body: 'cut', announce: 10, maxAge: 60}], body: 'whole', maxAge: 60});
	await t.throwsAsync(Promise.all([read(url), read(url)]));
	t.is(await read(url), 'whole');
	t.is(await read(url), 'whole');
	t.is(origin.requests.length, 2);
	t.is(await fetch.backend.responses.size(), 1);
});

test('test_without_contextmanager: what was read is on the disk without an orderly close', async t => {
	const {read, origin, directory} = await setUpFetch(t, FOREVER);
	const url = origin.serve('/a', {body: 'body'});
	await read(url);
	const other = createCachedFetch({cacheName: directory, ...FOREVER});
	t.teardown(() => other.close());
	t.is(await (await other(url)).text(), 'body');
	t.is(origin.requests.length, 1);
});

test('test_context_manager: a backend closes with its scope', async t => {
	const directory = temporaryDirectory(t);
	let closed: FileBackend;
	{
		const backend = new FileBackend(directory);
		await backend.responses.write('a', 1);
		closed = backend;
		backend[Symbol.dispose]();
	}

	t.throws(() => closed.redirects.keys());
	t.is(await closed.responses.read('a'), 1);
});

test('test_autoclose: a fetch closes the backend that it has made', t => {
	const fetch = createCachedFetch({cacheName: temporaryDirectory(t)});
	fetch.close();
	t.throws(() => fetch.backend.redirects.keys());
	t.notThrows(() => fetch.close());
});

test('test_autoclose__disabled: a backend that was handed in stays open', t => {
	const backend = new FileBackend(temporaryDirectory(t));
	t.teardown(() => backend.close());
	createCachedFetch({backend}).close();
	t.deepEqual(backend.redirects.keys(), []);
});

test('test_request__expire_after: a request may have a rule of its own', async t => {
	const {read, origin, clock, asked} = await setUpFetch(t, FOREVER);
	const url = origin.serve('/a', {body: 'body'});
	await read(url);
	clock.advance(120_000);
	await read(url, {freshness: 300_000});
	t.is(asked('/a'), 1);
	await read(url, {freshness: 60_000});
	t.is(asked('/a'), 2);
	await read(url, {freshness: 60_000});
	t.is(asked('/a'), 2);
});

for (const [hops, status] of [1, 2, 3, 4].flatMap(count => [301, 302].map(code => [count, code] as const))) {
	test(`test_redirects: ${hops} of ${status} lead to the body, of which ${status === 301 ? 'one is kept under all names' : 'one is kept under the first'}`, async t => {
		const {fetch, origin} = await setUpFetch(t, FOREVER);
		origin.serve('/0', {body: 'body'});
		for (let hop = 1; hop <= hops; hop++) {
			const redirect = hop % 2 ? origin.url(`/${hop - 1}`) : `/${hop - 1}`;
			origin.serve(`/${hop}`, {status, redirect});
		}

		for (const _ of ['live', 'cached']) {
			const response = await fetch(origin.url(`/${hops}`));
			t.deepEqual([await response.text(), response.url, response.redirected], ['body', origin.url('/0'), true]);
		}

		t.is(origin.requests.length, hops + 1);
		if (status === 301) {
			for (let hop = 1; hop <= hops; hop++) t.is((await fetch(origin.url(`/${hop}`))).url, origin.url('/0'));
			t.false((await fetch(origin.url('/0'))).redirected);
			t.is(origin.requests.length, hops + 1);
		}

		t.is(await fetch.backend.responses.size(), 1);
	});
}

test('a redirect in a circle, and one to another scheme, fail as they do with fetch', async t => {
	const {fetch, origin} = await setUpFetch(t);
	origin.serve('/a', {redirect: '/b'});
	origin.serve('/b', {redirect: '/a'});
	origin.serve('/file', {redirect: 'file:///etc/passwd'});
	for (const name of ['/a', '/file']) await t.throwsAsync(fetch(origin.url(name)), {instanceOf: TypeError});
	const manual = await fetch(origin.url('/a'), {redirect: 'manual'});
	t.deepEqual([manual.status, manual.headers.get('location')], [302, '/b']);
	await t.throwsAsync(fetch(origin.url('/a'), {redirect: 'error'}), {instanceOf: TypeError});
});

test('credentials do not go along with a redirect to another origin, nor from what is remembered of one', async t => {
	const {read, origin} = await setUpFetch(t, FOREVER);
	const {origin: other} = await setUpFetch(t);
	other.serve('/secret', {body: 'body'});
	const url = origin.serve('/a', {status: 301, redirect: other.url('/secret')});
	for (const authorization of ['a', 'a', 'b']) await read(url, {headers: {authorization}});
	await read(url);
	await read(url, {headers: {authorization: 'c', cookie: 'd'}});
	t.true(other.requests.length >= 3);
	for (const {headers} of other.requests) t.deepEqual([headers.authorization, headers.cookie], [undefined, undefined]);
	t.deepEqual(
		origin.requests.map(({headers}) => headers.authorization),
		['a', 'b', undefined, 'c'],
	);
});

test('test_include_headers: other headers are another request where they count', async t => {
	const {read, origin} = await setUpFetch(t, {...FOREVER, includeHeaders: true});
	const url = origin.serve('/a', {body: 'body'});
	for (const accept of ['a', 'b', 'a', 'b']) await read(url, {headers: {accept}});
	t.is(origin.requests.length, 2);
});

test('test_streaming_requests: a cached body can be read again, by line and by chunk', async t => {
	const {fetch, read, origin} = await setUpFetch(t, FOREVER);
	const text = Array.from({length: 50_000}, (_, index) => `line ${index} ü`).join('\r\n');
	const url = origin.serve('/a', {body: text});
	await read(url);
	const key = fetch.backend.createKey({method: 'GET', url});
	const response = await fetch.backend.getResponse(key);
	t.is(await response?.text(), text);
	t.deepEqual(response && (await all(response.lines())), text.split('\r\n'));
	let chunks = 0;
	for await (const chunk of response?.stream(1000) ?? []) {
		chunks++;
		t.true(chunk.byteLength <= 1000);
	}

	t.is(chunks, Math.ceil(Buffer.byteLength(text) / 1000));
	const cached = await fetch(url);
	const reader = (cached.body as ReadableStream<Uint8Array>).getReader();
	t.true(((await reader.read()).value?.byteLength ?? 0) > 0);
	await reader.cancel();
	t.is((await read(url)).length, text.length);
});

test('test_streaming_request__ignored: a body that is not kept passes through, while it arrives', async t => {
	const {fetch, origin} = await setUpFetch(t);
	const url = origin.serve('/a', {size: 300_000, headers: {'cache-control': 'no-store'}, stallAt: 100_000});
	const response = await fetch(url);
	const reader = (response.body as ReadableStream<Uint8Array>).getReader();
	let received = 0;
	while (received < 100_000) received += (await reader.read()).value?.byteLength ?? 0;
	t.is(received, 100_000);
	await reader.cancel();
	t.is(await fetch.backend.responses.size(), 0);
});

test('a body is handed out while it arrives, and is kept when it is whole', async t => {
	const {fetch, origin} = await setUpFetch(t, FOREVER);
	let finish: () => void = () => undefined;
	const url = origin.serve('/a', {
		handle: (_, response) => {
			response.writeHead(200, {'content-length': 10});
			response.write('first');
			finish = () => response.end('later');
		},
	});
	const response = await fetch(url);
	const reader = (response.body as ReadableStream<Uint8Array>).getReader();
	t.is(Buffer.from((await reader.read()).value ?? []).toString(), 'first');
	t.is(await fetch.backend.responses.size(), 0);
	finish();
	t.is(Buffer.from((await reader.read()).value ?? []).toString(), 'later');
	t.true((await reader.read()).done);
	t.is(await fetch.backend.responses.size(), 1);
});

for (const [what, behaviour] of Object.entries({
	'cut': {size: 1_000_000, cutAt: 500_000},
	'shorter than it says': {size: 1000, announce: 2000},
	'chunked and cut': {size: 1_000_000, cutAt: 500_000, chunked: true as const},
})) {
	test(`a body that is ${what} is an error, and is not kept`, async t => {
		const {read, origin, fetch, directory} = await setUpFetch(t, FOREVER);
		const url = origin.serve('/a', behaviour);
		await t.throwsAsync(read(url), {instanceOf: TypeError});
		t.is(await fetch.backend.responses.size(), 0);
		await until('nothing is left', () => readdirSync(path.join(directory, 'incoming')).length === 0);
	});
}

test('a body larger than the cache may hold is handed out whole, and is not kept', async t => {
	const {fetch, origin, directory} = await setUpFetch(t, {...FOREVER, maxBytes: 500_000});
	for (const chunked of [{}, {chunked: true as const}]) {
		const url = origin.serve('/a', {size: 2_000_000, ...chunked});
		const body = Buffer.from(await (await fetch(url)).arrayBuffer());
		t.true(body.equals(generatedBody(2_000_000)));
		t.is(await fetch.backend.responses.size(), 0);
		t.deepEqual(readdirSync(path.join(directory, 'incoming')), []);
	}
});

test('a signal ends the one who gave it, and not the others', async t => {
	const {fetch, read, origin} = await setUpFetch(t, FOREVER);
	const url = origin.serve('/a', {size: 3_000_000, rate: 20_000_000});
	const leaving = new AbortController();
	const first = await fetch(url, {signal: leaving.signal});
	const second = read(url);
	const reading = t.throwsAsync(first.text(), {name: 'AbortError', any: true});
	leaving.abort();
	await reading;
	t.is((await second).length > 0 && origin.requests.length, 1);
	await t.throwsAsync(fetch(url, {signal: AbortSignal.abort()}), {name: 'AbortError', any: true});
	const hanging = fetch(origin.serve('/hang', {hang: true}), {signal: AbortSignal.timeout(20)});
	await t.throwsAsync(hanging, {name: 'TimeoutError', any: true});
});

test('a request that nobody waits for any more ends, be it for an answer that is not kept', async t => {
	const {fetch, origin} = await setUpFetch(t);
	let left = 0;
	const url = origin.serve('/hang', {handle: (_, response) => response.once('close', () => left++)});
	const leaving = new AbortController();
	const waiting = [fetch(url, {signal: leaving.signal}), fetch(url, {signal: leaving.signal})];
	await origin.received('/hang');
	leaving.abort();
	for (const each of waiting) await t.throwsAsync(each, {name: 'AbortError', any: true});
	await until('the request has ended', () => left === 1);

	const unstored = origin.serve('/a', {size: 1000, stallAt: 10, headers: {'cache-control': 'no-store'}});
	const reading = new AbortController();
	const response = await fetch(unstored, {signal: reading.signal});
	const body = t.throwsAsync(response.text(), {name: 'AbortError', any: true});
	reading.abort();
	await body;
});

test('when the last reader leaves a long body, its request ends', async t => {
	const {fetch, origin, directory} = await setUpFetch(t, FOREVER);
	const url = origin.serve('/a', {size: 100_000_000, rate: 10_000_000});
	const response = await fetch(url);
	await response.body?.cancel();
	await until('nothing is on its way', () => readdirSync(path.join(directory, 'incoming')).length === 0);
	t.true(origin.bytesSent < 100_000_000);
	t.is(await fetch.backend.responses.size(), 0);
});

test('test_disabled: meanwhile nothing is read or written, and what is stored stays', async t => {
	const {fetch, read, asked, origin} = await setUpFetch(t, FOREVER);
	const [a, b] = [origin.serve('/a', {body: 'a'}), origin.serve('/b', {body: 'b'})];
	await read(a);
	await fetch.backend.disabled(async () => {
		for (const url of [a, b]) await read(url);
	});
	t.deepEqual([asked('/a'), asked('/b')], [2, 1]);
	for (const url of [a, b]) await read(url);
	t.deepEqual([asked('/a'), asked('/b')], [2, 2]);
});

test('a method that may change something passes through, and what is stored of its URL is asked for again', async t => {
	const {fetch, read, asked, origin} = await setUpFetch(t, FOREVER);
	const url = origin.serve('/a', {body: 'body'});
	const named = origin.serve('/named', {body: 'named'});
	const elsewhere = origin.serve('/other', {body: 'other'});
	for (const each of [url, named, elsewhere]) await read(each);
	await read(url, {headers: {authorization: 'me'}});
	origin.serve('/a', {body: 'refused', status: 400});
	t.is((await fetch(url, {method: 'POST', body: 'x'})).status, 400);
	await read(url);
	t.is(asked('/a'), 3);
	origin.serve('/a', {body: 'new', headers: {'content-location': '/named', 'location': 'http://127.0.0.9/other'}});
	t.is(await (await fetch(url, {method: 'PUT', body: 'x'})).text(), 'new');
	for (const each of [url, named, elsewhere]) await read(each);
	await read(url, {headers: {authorization: 'me'}});
	t.deepEqual([asked('/a'), asked('/named'), asked('/other')], [6, 2, 1]);
});

test('what is no URL of HTTP is fetched, and not kept', async t => {
	const {fetch, read} = await setUpFetch(t, FOREVER);
	const blob = URL.createObjectURL(new Blob(['of a blob']));
	t.deepEqual([await read('data:text/plain,of%20itself'), await read(blob)], ['of itself', 'of a blob']);
	t.is(await fetch.backend.responses.size(), 0);
	URL.revokeObjectURL(blob);
	await t.throwsAsync(fetch(blob), {instanceOf: TypeError});
});

test('what is on its way while its URL is changed is not kept', async t => {
	const {fetch, read, asked, origin} = await setUpFetch(t, FOREVER);
	const url = origin.serve('/a', {size: 500_000, rate: 2_000_000});
	const old = await fetch(url);
	origin.serve('/a', {body: 'new'});
	await (await fetch(url, {method: 'DELETE'})).text();
	t.is(await read(url), 'new');
	t.is((await old.arrayBuffer()).byteLength, 500_000);
	t.is(await read(url), 'new');
	t.is(asked('/a'), 3);
});
