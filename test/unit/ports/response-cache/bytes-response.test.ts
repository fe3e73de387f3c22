import test from 'ava';
import {bytesResponse} from '../../../../src/ports/response-cache/bytes-response.js';
import {promised} from '../../../../src/ports/response-cache/file-cache.js';
import {all} from '../../../helpers/response-cache.js';

const JSON_TEXT = '\ufeff{"a": "ü"}';
const BODIES = {'JSON with a byte order mark': JSON_TEXT, 'no JSON': 'ü{', 'nothing': ''};
const INIT = {status: 203, statusText: 'so', headers: {'content-type': 'text/plain', 'x-own': '1'}};

/** What is done with a response, and what it comes to. */
const WAYS: Readonly<Record<string, (response: Response) => Promise<unknown>>> = {
	arrayBuffer: async response => Buffer.from(await response.arrayBuffer()).toString('hex'),
	text: response => response.text(),
	json: response => response.json(),
	blob: async response => Buffer.from(await (await response.blob()).arrayBuffer()).toString('hex'),
	stream: async response => Buffer.concat(await all(response.body as ReadableStream<Uint8Array>)).toString('hex'),
	async buffer(response) {
		const reader = (response.body as ReadableStream<Uint8Array>).getReader({mode: 'byob'});
		const {value, done} = await reader.read(new Uint8Array(100));
		const next = await reader.read(new Uint8Array(100));
		reader.releaseLock();
		return [Buffer.from(value ?? []).toString('hex'), done, next.done];
	},
	cancel: async response => response.body?.cancel(),
	lock: response => Promise.resolve(response.body?.getReader().closed instanceof Promise),
	async clone(response) {
		const clone = response.clone();
		const texts = await Promise.all([clone.text(), response.text()]);
		return [texts, response.bodyUsed, clone.bodyUsed];
	},
	async left(response) {
		const clone = response.clone();
		const text = await response.text();
		return [text, await clone.arrayBuffer().then(({byteLength}) => byteLength)];
	},
};

/** The same of both, failures by their names. */
async function outcome(way: string, response: Response): Promise<unknown> {
	const told = await promised(() => WAYS[way]?.(response)).catch((error: Error) => error.name);
	return [told, response.bodyUsed];
}

for (const [what, text] of Object.entries(BODIES)) {
	test(`a response over bytes is read as one of Node's, whatever was done with it before: ${what}`, async t => {
		const bytes = Buffer.from(text);
		for (const first of Object.keys(WAYS)) {
			for (const second of Object.keys(WAYS)) {
				const [ours, nodes] = [bytesResponse(bytes, INIT), new Response(bytes, INIT)];
				t.deepEqual(await outcome(first, ours), await outcome(first, nodes), first);
				t.deepEqual(await outcome(second, ours), await outcome(second, nodes), `${first}, ${second}`);
				t.deepEqual([...ours.headers, ours.status, ours.statusText], [...nodes.headers, 203, 'so']);
			}
		}

		t.is(bytes.toString(), text);
	});
}

test('what is read can be changed, and ways to read can be replaced', async t => {
	const bytes = Buffer.from('abc');
	new Uint8Array(await bytesResponse(bytes, {}).arrayBuffer()).fill(0);
	const {value} = await (bytesResponse(bytes, {}).body as ReadableStream<Uint8Array>).getReader().read();
	value?.fill(0);
	t.is(bytes.toString(), 'abc');
	const response = bytesResponse(bytes, {});
	Object.assign(response, {json: () => Promise.resolve('mine')});
	t.is(await response.json(), 'mine');
	t.is(await Response.prototype.text.call(response), 'abc');
});
