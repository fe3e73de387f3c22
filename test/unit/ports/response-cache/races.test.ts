/** What happens to what is stored while somebody else asks, writes or removes. */
import {readdirSync, rmSync} from 'node:fs';
import path from 'node:path';
import {setFlagsFromString} from 'node:v8';
import {runInNewContext} from 'node:vm';
import test from 'ava';
import {FileBackend} from '../../../../src/ports/response-cache/index.js';
import {temporaryDirectory} from '../../../helpers/cache.js';
import {setUpFetch} from '../../../helpers/response-cache.js';
import {until} from '../../../helpers/until.js';

const FOREVER = {freshness: 'forever'} as const;
const LARGE_BYTES = 1_000_000;

test('what is changed between its answer and its body is not kept', async t => {
	let isChanged = false;
	const {fetch, read, asked, origin} = await setUpFetch(t, {
		...FOREVER,
		// Asked once the answer is there, and nothing of the body.
		async filter() {
			if (!isChanged) await (await fetch(url, {method: 'DELETE'})).text();
			isChanged = true;
			return true;
		},
	});
	const url = origin.serve('/a', {size: LARGE_BYTES});
	await read(url);
	origin.serve('/a', {body: 'new'});
	t.is(await read(url), 'new');
	t.is(asked('/a'), 3);
});

for (const [what, asked, changed] of [
	['has a fragment', '/a#part', '/a'],
	['has its parameters in another order', '/a?x=1&y=2', '/a?y=2&x=1'],
] as const) {
	test(`what is on its way is not kept when its URL is changed, though one of the two ${what}`, async t => {
		const {fetch, read, origin} = await setUpFetch(t, FOREVER);
		const base = origin.serve('/a', {size: 500_000, rate: 2_000_000}).replace(/\/a$/, '');
		const old = await fetch(base + asked);
		origin.serve('/a', {body: 'new'});
		await (await fetch(base + changed, {method: 'DELETE'})).text();
		await old.arrayBuffer();
		t.is(await read(base + asked), 'new');
	});
}

test('what is on its way is not kept when the URL is changed that it has moved to', async t => {
	let isMoved = false;
	const {fetch, read, origin} = await setUpFetch(t, {
		...FOREVER,
		async fetch(input, init) {
			const response = await globalThis.fetch(input, init);
			// The answer of where it has moved to is there, and its maker has changed it since.
			if (isMoved && response.status === 200) {
				isMoved = false;
				origin.serve('/new', {body: 'new'});
				await (await fetch(moved, {method: 'DELETE'})).text();
			}

			return response;
		},
	});
	const moved = origin.serve('/new', {body: 'old'});
	const url = origin.serve('/a', {status: 301, headers: {location: '/new'}});
	isMoved = true;
	t.is(await read(url), 'old');
	t.deepEqual([await read(moved), await read(url)], ['new', 'new']);
});

for (const size of [4, LARGE_BYTES]) {
	test(`what takes the place of an entry while that is asked about keeps it, and nobody gets a part of each (${size} bytes)`, async t => {
		const meanwhile: Array<() => Promise<unknown>> = [];
		const transport: typeof globalThis.fetch = async (...args) => {
			const response = await globalThis.fetch(...args);
			await meanwhile.pop()?.();
			return response;
		};
		const {fetch, origin, clock} = await setUpFetch(t, {fetch: transport});
		const url = origin.serve('/a', {body: 'a'.repeat(size), maxAge: 60, etag: '"1"'});
		await (await fetch(url)).arrayBuffer();
		clock.advance(61_000);
		const {backend} = fetch;
		meanwhile.push(() => {
			const headers = {'etag': '"2"', 'cache-control': 'max-age=60'};
			return backend.saveResponse({method: 'GET', url}, new Response('b'.repeat(size + 1), {headers}));
		});
		const renewed = await fetch(url);
		t.deepEqual([renewed.headers.get('etag'), (await renewed.text())[0]], ['"1"', 'a']);
		const stored = await backend.getResponse(backend.createKey({method: 'GET', url}));
		t.deepEqual([stored?.headers.get('etag'), stored?.bodyBytes], ['"2"', size + 1]);
	});
}

test('a cache that cannot be written to does not come between a fetch and its answer', async t => {
	const {fetch, read, asked, origin, directory} = await setUpFetch(t, FOREVER);
	const url = origin.serve('/a', {body: 'body'});
	rmSync(path.join(directory, 'incoming'), {recursive: true});
	t.is(await read(url), 'body');
	t.is(await (await fetch(url, {method: 'HEAD'})).text(), '');
	t.is(await read(url), 'body');
	t.is(asked('/a'), 3);
});

test('a response that is forgotten without being read ends its request', async t => {
	setFlagsFromString('--expose-gc');
	const collect = runInNewContext('gc') as () => void;
	const {fetch, origin, directory} = await setUpFetch(t, FOREVER);
	const url = origin.serve('/a', {size: 100_000_000, rate: 10_000_000});
	await fetch(url);
	await until('nothing is on its way', () => {
		collect();
		return readdirSync(path.join(directory, 'incoming')).length === 0;
	});
	t.true(origin.bytesSent < 100_000_000);
});

test('what fills the cache to its limit is stored, or passed on, and nobody waits for room that there is not', async t => {
	const maxBytes = 8192;
	const {read, asked, origin} = await setUpFetch(t, {...FOREVER, maxBytes});
	const url = origin.serve('/a', {body: 'x'.repeat(maxBytes)});
	for (let i = 0; i < 2; i++) t.is((await read(url)).length, maxBytes);
	t.is(asked('/a'), 2);
	const backend = new FileBackend(temporaryDirectory(t), {maxBytes});
	t.teardown(() => backend.close());
	await t.throwsAsync(backend.responses.write('a', Buffer.alloc(maxBytes)), {code: 'too-large'});
	await backend.responses.write('a', Buffer.alloc(maxBytes - 1000));
	t.is(await backend.responses.size(), 1);
});
