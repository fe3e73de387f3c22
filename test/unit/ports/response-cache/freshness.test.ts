import test from 'ava';
import type {CacheError} from '../../../../src/ports/response-cache/index.js';
import type {CachedRequestInit} from '../../../../src/ports/response-cache/index.js';
import {Origin} from '../../../helpers/origin.js';
import {setUpFetch} from '../../../helpers/response-cache.js';
import {until} from '../../../helpers/until.js';

const control = (value: string) => ({'cache-control': value});

test('test_cache_control__expiration: max-age of the request and of the response count, the shorter one, and before Expires', async t => {
	const {read, asked, origin, clock} = await setUpFetch(t);
	const url = origin.serve('/a', {body: 'a', maxAge: 60, headers: {expires: new Date(0).toUTCString()}});
	await read(url);
	clock.advance(30_000);
	await read(url);
	t.is(asked('/a'), 1);
	await read(url, {headers: control('max-age=10')});
	t.is(asked('/a'), 2);
	clock.advance(61_000);
	await read(url, {headers: control('max-age=3600')});
	t.is(asked('/a'), 3);
	const unstored = origin.serve('/no', {body: 'no', headers: control('no-store, max-age=60')});
	for (const _ of [1, 2]) await read(unstored);
	t.is(asked('/no'), 2);
});

test('test_request__cache_control_disabled: where the origin does not decide, a request does not either', async t => {
	const {read, asked, origin} = await setUpFetch(t, {freshness: 'forever'});
	const url = origin.serve('/a', {body: 'a', headers: control('no-store')});
	for (const directive of ['no-cache', 'no-store', 'max-age=0']) await read(url, {headers: control(directive)});
	t.is(asked('/a'), 1);
});

test('test_request__skip_cache_read: no-cache asks again, and keeps the answer', async t => {
	const {read, asked, origin} = await setUpFetch(t);
	const url = origin.serve('/a', {sequence: [{body: '1', maxAge: 60}], body: '2', maxAge: 60});
	await read(url);
	t.is(await read(url, {headers: control('no-cache')}), '2');
	t.is(await read(url), '2');
	t.is(await read(url, {headers: {pragma: 'no-cache'}}), '2');
	t.is(asked('/a'), 3);
});

test('test_request__skip_cache_read_write: no-store neither reads nor writes, and max-age=0 asks', async t => {
	const {read, asked, origin, fetch} = await setUpFetch(t);
	const url = origin.serve('/a', {body: 'a', maxAge: 60});
	for (const _ of [1, 2]) await read(url, {headers: control('no-store')});
	t.deepEqual([asked('/a'), await fetch.backend.responses.size()], [2, 0]);
	for (const _ of [1, 2]) await read(url, {headers: control('max-age=0')});
	t.is(asked('/a'), 4);
});

test('test_response__skip_cache_write: no-store is not kept, max-age=0 is not used without asking', async t => {
	const {read, asked, origin, fetch} = await setUpFetch(t);
	const unstored = origin.serve('/no', {body: 'no', headers: control('no-store')});
	await read(unstored);
	t.is(await fetch.backend.responses.size(), 0);
	const stale = origin.serve('/stale', {body: 'stale', maxAge: 0, etag: '"1"'});
	for (const _ of [1, 2]) t.is(await read(stale), 'stale');
	t.deepEqual(
		origin.requestsOf('/stale').map(({status}) => status),
		[200, 304],
	);
	t.is(asked('/no'), 1);
});

for (const size of [4, 1_000_000]) {
	test(`test_conditional_request: what is stale and unchanged is renewed by a 304, and kept (${size} bytes)`, async t => {
		const {fetch, origin, clock} = await setUpFetch(t);
		const lastModified = new Date(1e12);
		const url = origin.serve('/a', {size, maxAge: 60, etag: '"1"', lastModified});
		const read = async () => (await (await fetch(url)).arrayBuffer()).byteLength;
		await read();
		clock.advance(61_000);
		origin.serve('/a', {size, maxAge: 600, etag: '"1"', lastModified});
		const renewed = await fetch(url);
		t.deepEqual(
			[renewed.status, renewed.headers.get('cache-control'), (await renewed.arrayBuffer()).byteLength],
			[200, 'max-age=600', size],
		);
		clock.advance(500_000);
		t.is(await read(), size);
		const [, second, third] = origin.requestsOf('/a');
		t.deepEqual([second?.status, second?.headers['if-none-match'], third], [304, '"1"', undefined]);
		t.is(second?.headers['if-modified-since'], lastModified.toUTCString());
	});
}

test('test_conditional_request_changed: what has changed is replaced', async t => {
	const {read, asked, origin, clock} = await setUpFetch(t);
	const url = origin.serve('/a', {body: 'old', maxAge: 60, etag: '"1"'});
	await read(url);
	clock.advance(61_000);
	origin.serve('/a', {body: 'new', maxAge: 60, etag: '"2"'});
	t.is(await read(url), 'new');
	t.is(await read(url), 'new');
	t.is(asked('/a'), 2);
});

test('a 304 about another version than the one that is stored is no answer', async t => {
	const {read, origin, clock} = await setUpFetch(t);
	const url = origin.serve('/a', {body: 'old', maxAge: 60, etag: '"1"'});
	await read(url);
	clock.advance(61_000);
	origin.serve('/a', {sequence: [{status: 304, etag: '"2"'}], body: 'new', maxAge: 60, etag: '"2"'});
	t.is(await read(url), 'new');
	t.is(origin.requests[2]?.headers['if-none-match'], undefined);
});

test('test_no_support_for_conditional_request: without a validator it is fetched anew, and where that fails what is stored is used', async t => {
	const {read, origin, clock} = await setUpFetch(t);
	const url = origin.serve('/a', {
		sequence: [
			{body: '1', maxAge: 60},
			{body: '2', maxAge: 60},
		],
		status: 500,
	});
	await read(url);
	clock.advance(61_000);
	t.is(await read(url), '2');
	clock.advance(61_000);
	t.is(await read(url), '2');
	t.true(origin.requests.every(({headers}) => headers['if-none-match'] === undefined));
});

test('test_init_from_request: what a request is given goes before the rule for its URL', async t => {
	const {read, asked, origin, clock} = await setUpFetch(t, {freshness: url => (url.endsWith('/a') ? 'forever' : 1000)});
	const [a, b] = [origin.serve('/a', {body: 'a'}), origin.serve('/b', {body: 'b'})];
	for (const url of [a, b]) await read(url);
	clock.advance(2000);
	await read(a, {freshness: 1000});
	await read(b, {freshness: 'forever'});
	t.deepEqual([asked('/a'), asked('/b')], [2, 1]);
});

test('test_init_from_settings: a URL has the rule that is said for it, -1 being forever and 0 nothing', async t => {
	const {read, asked, origin, clock, fetch} = await setUpFetch(t, {
		freshness: url => (url.endsWith('/a') ? 'forever' : 0),
	});
	const [a, b] = [origin.serve('/a', {body: 'a'}), origin.serve('/b', {body: 'b', maxAge: 60})];
	for (const url of [a, b, a, b]) await read(url);
	clock.advance(1e12);
	await read(a);
	t.deepEqual([asked('/a'), asked('/b'), await fetch.backend.responses.size()], [1, 2, 1]);
});

test('test_init_from_headers: the directives of a request are understood, however they are written', async t => {
	const {read, asked, origin, clock} = await setUpFetch(t);
	const url = origin.serve('/a', {body: 'a', maxAge: 6000});
	await read(url);
	clock.advance(3_000_000);
	for (const directive of ['max-age=3100', 'MAX-AGE="3100"', 'min-fresh=2900', 'max-age=bad', 'other, =']) {
		await read(url, {headers: control(directive)});
	}

	t.is(asked('/a'), 1);
	clock.advance(4_000_000);
	await read(url, {headers: control('max-stale=1100')});
	await read(url, {headers: control('max-stale')});
	t.is(asked('/a'), 1);
	await read(url, {headers: control('max-stale=900')});
	t.is(asked('/a'), 2);
	await read(url, {headers: control('min-fresh=6001')});
	t.is(asked('/a'), 3);
});

test('test_update_from_response: what the response says decides under http', async t => {
	const {read, asked, origin, clock} = await setUpFetch(t);
	const soon = origin.serve('/soon', {body: 'a', maxAge: 10});
	const late = origin.serve('/late', {body: 'b', headers: {expires: new Date(clock.now() + 3_600_000).toUTCString()}});
	for (const url of [soon, late]) await read(url);
	clock.advance(11_000);
	for (const url of [soon, late]) await read(url);
	t.deepEqual([asked('/soon'), asked('/late')], [2, 1]);
});

for (const expires of ['0', '-1', 'tomorrow', '2030-01-01', 'Thu, 32 Foo 2030 00:00:00 GMT']) {
	test(`test_get_expiration_datetime__*: an Expires of ${expires} is a time that has passed`, async t => {
		const {read, asked, origin} = await setUpFetch(t);
		const url = origin.serve('/a', {body: 'a', headers: {expires}});
		for (const _ of [1, 2]) await read(url);
		t.is(asked('/a'), 2);
	});
}

test('an origin that is not there, or fails, leaves what is stale to read, and is not asked again for a while', async t => {
	for (const failure of [
		{status: 503},
		{handle: (_: unknown, response: {destroy: () => void}) => response.destroy()},
	]) {
		const {read, asked, origin, clock} = await setUpFetch(t);
		const url = origin.serve('/a', {body: 'old', maxAge: 60});
		await read(url);
		clock.advance(61_000);
		origin.serve('/a', failure);
		for (const _ of [1, 2]) t.is(await read(url), 'old');
		const before = asked('/a');
		t.true(before >= 2);
		origin.serve('/a', {body: 'new', maxAge: 60});
		t.is(await read(url), 'old');
		clock.advance(31_000);
		t.is(await read(url), 'new');
		t.is(asked('/a'), before + 1);
	}
});

test('what its origin wants to be asked about first is not used without an answer', async t => {
	const {fetch, read, origin, clock} = await setUpFetch(t);
	const url = origin.serve('/a', {body: 'old', headers: control('max-age=60, must-revalidate')});
	await read(url);
	clock.advance(61_000);
	origin.serve('/a', {status: 503, body: 'failing'});
	t.is((await fetch(url)).status, 503);
	origin.serve('/a', {handle: (_, response) => response.destroy()});
	await t.throwsAsync(fetch(url), {instanceOf: TypeError});
});

test('stale-while-revalidate: what is stale is used at once, and renewed meanwhile', async t => {
	const {read, origin, clock} = await setUpFetch(t);
	const url = origin.serve('/a', {body: 'old', headers: control('max-age=60, stale-while-revalidate=60')});
	await read(url);
	clock.advance(61_000);
	origin.serve('/a', {body: 'new', maxAge: 60});
	t.is(await read(url), 'old');
	t.is(await until('it is renewed', async () => (await read(url)) === 'new'), true);
	t.is(origin.requests.length, 2);
});

test('an origin that takes long leaves what is stale to read, and its answer is kept', async t => {
	const {read, origin, clock} = await setUpFetch(t, {patienceMs: 20});
	const url = origin.serve('/a', {body: 'old', maxAge: 60});
	await read(url);
	clock.advance(61_000);
	origin.serve('/a', {body: 'new', maxAge: 60, delayMs: 200});
	t.is(await read(url), 'old');
	t.is(await until('it is renewed', async () => (await read(url)) === 'new'), true);
	t.is(origin.requests.length, 2);
});

test('404 and 410 are remembered for half a minute, or as they say, and take the place of what was there', async t => {
	const {fetch, asked, origin, clock} = await setUpFetch(t, {freshness: 1000});
	const url = origin.serve('/a', {body: 'a'});
	await (await fetch(url)).text();
	clock.advance(2000);
	origin.serve('/a', {status: 404, body: 'none'});
	for (const _ of [1, 2]) {
		const response = await fetch(url);
		t.deepEqual([response.status, await response.text()], [404, 'none']);
	}

	t.is(asked('/a'), 2);
	const status = async () => {
		const response = await fetch(url);
		await response.text();
		return response.status;
	};
	clock.advance(30_001);
	origin.serve('/a', {status: 410, headers: control('max-age=100')});
	for (const _ of [1, 2]) t.is(await status(), 410);
	clock.advance(99_000);
	t.is(await status(), 410);
	t.is(asked('/a'), 3);
	clock.advance(2000);
	origin.serve('/a', {status: 404, headers: control('no-store')});
	for (const _ of [1, 2]) t.is(await status(), 404);
	t.is(asked('/a'), 5);
});

for (const freshness of ['http', 'forever'] as const) {
	test(`Vary: an answer is used for who asks alike, under ${freshness}`, async t => {
		const {read, asked, origin} = await setUpFetch(t, {freshness});
		const url = origin.serve('/a', {
			handle: ({headers: {accept = ''}}, response) => {
				response.writeHead(200, {'vary': 'Accept', 'cache-control': 'max-age=60'});
				response.end(accept);
			},
		});
		for (const accept of ['a', 'a', 'b', 'b']) t.is(await read(url, {headers: {accept}}), accept);
		t.is(asked('/a'), 2);
		const both = await Promise.all(['c', 'd', 'c'].map(accept => read(url, {headers: {accept}})));
		t.deepEqual(both, ['c', 'd', 'c']);
		const any = origin.serve('/any', {body: 'x', maxAge: 60, headers: {vary: '*'}});
		for (const _ of [1, 2]) await read(any);
		t.is(asked('/any'), 2);
	});
}

test('the cache modes of fetch do what the standard says', async t => {
	const {fetch, read, asked, origin, clock} = await setUpFetch(t, {freshness: 60_000});
	const url = origin.serve('/a', {body: 'a', etag: '"1"'});
	const failure = await t.throwsAsync(fetch(url, {cache: 'only-if-cached'}), {instanceOf: TypeError});
	t.is((failure?.cause as CacheError).code, 'not-stored');
	const seen: unknown[] = [];
	const modes: readonly NonNullable<CachedRequestInit['cache']>[] = [
		...(['no-store', 'default', 'default', 'no-cache', 'reload', 'no-store'] as const),
	];
	for (const cache of modes) {
		await read(url, {cache});
		seen.push([cache, asked('/a'), origin.requests.at(-1)?.status]);
	}

	t.deepEqual(seen, [
		['no-store', 1, 200],
		['default', 2, 200],
		['default', 2, 200],
		['no-cache', 3, 304],
		['reload', 4, 200],
		['no-store', 5, 200],
	]);
	clock.advance(300_000);
	for (const cache of ['force-cache', 'only-if-cached'] as const) await read(url, {cache});
	t.is(asked('/a'), 5);
	await read(url, {cache: 'default'});
	t.is(asked('/a'), 6);
});

test('only-if-cached in a header is a 504 where nothing is stored that may be used', async t => {
	const {fetch, origin, clock} = await setUpFetch(t);
	const url = origin.serve('/a', {body: 'a', maxAge: 60});
	const only = {headers: control('only-if-cached')};
	t.is((await fetch(url, only)).status, 504);
	await (await fetch(url)).text();
	t.is((await fetch(url, only)).status, 200);
	clock.advance(61_000);
	t.is((await fetch(url, only)).status, 504);
	t.is(origin.requests.length, 1);
});

test('a conditional request and one for a part are their maker’s own business', async t => {
	const {fetch, read, origin} = await setUpFetch(t, {freshness: 'forever'});
	const url = origin.serve('/a', {body: '0123456789', etag: '"1"', ranges: true});
	await read(url);
	t.is((await fetch(url, {headers: {'if-none-match': '"1"'}})).status, 304);
	const part = await fetch(url, {headers: {range: 'bytes=2-4'}});
	t.deepEqual([part.status, await part.text()], [206, '234']);
	t.is(await read(url), '0123456789');
	t.is(origin.requests.length, 3);
});

test('HEAD is answered from what a GET has stored', async t => {
	const {fetch, read, origin} = await setUpFetch(t);
	const url = origin.serve('/a', {body: 'body', maxAge: 60, type: 'text/x'});
	await read(url);
	const head = await fetch(url, {method: 'HEAD'});
	t.deepEqual([head.status, head.headers.get('content-type'), await head.text()], [200, 'text/x', '']);
	t.is(origin.requests.length, 1);
});

test('a fetch that gets no connection fails as fetch does', async t => {
	const {fetch} = await setUpFetch(t);
	await t.throwsAsync(fetch(await Origin.refused()), {instanceOf: TypeError, message: 'fetch failed'});
	await t.throwsAsync(fetch('no url'), {instanceOf: TypeError});
});
