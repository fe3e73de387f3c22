/** Parts as they come from an origin that does ranges, or that does none and says so in a way one can live with. */
import test from 'ava';
import type {RangeBody} from '../../../src/http/client.js';
import {RangesUnsupportedError, VersionChangedError} from '../../../src/http/range-errors.js';
import {generatedBody, Origin, type Behaviour} from '../../helpers/origin.js';
import {NEVER, readBody, withClient} from './with-client.js';

const SIZE = 200_000;
const BYTES = generatedBody(SIZE);
const GOOD: Behaviour = {size: SIZE, etag: '"v1"', ranges: true};
const VERSION = {lengthBytes: SIZE, etag: '"v1"'};
const MODIFIED = new Date(1_700_000_000_000);

const factsOf = ({range, lengthBytes, acceptsRanges}: RangeBody) => ({range, lengthBytes, acceptsRanges});

test('a part is the bytes asked for, at either end and up to the end', withClient, async (t, {origin, client}) => {
	const url = origin.serve('/x', GOOD);
	for (const range of [{start: 0, end: 1}, {start: 99_999, end: 150_001}, {start: SIZE - 1, end: SIZE}, {start: 7}]) {
		const {start, end = SIZE} = range;
		const part = await client.getRange(url, range, VERSION, {signal: NEVER});
		t.deepEqual(factsOf(part), {range: {start, end}, lengthBytes: SIZE, acceptsRanges: true});
		t.true(BYTES.subarray(start, end).equals(await readBody(part)));
	}

	t.deepEqual(
		origin.requests.map(({headers, status}) => [headers.range, headers['if-range'], status]),
		[
			['bytes=0-0', '"v1"', 206],
			['bytes=99999-150000', '"v1"', 206],
			['bytes=199999-199999', '"v1"', 206],
			['bytes=7-', '"v1"', 206],
		],
	);
	t.is(origin.connections, 1);
});

test('the answer to a GET is itself the version of its parts', withClient, async (t, {origin, client}) => {
	const bodies: Behaviour[] = [GOOD, {...GOOD, etag: 'W/"v1"'}, {size: SIZE, ranges: true, lastModified: MODIFIED}];
	const conditions = ['"v1"', undefined, MODIFIED.toUTCString()];
	for (const [index, behaviour] of bodies.entries()) {
		const url = origin.serve(`/${index}`, behaviour);
		const whole = await client.get(url, {signal: NEVER});
		whole.discard();
		t.true(whole.acceptsRanges);
		t.is(whole.hasStrongValidator, conditions[index] !== undefined);
		const part = await client.getRange(url, {start: SIZE - 5}, whole, {signal: NEVER});
		t.true(BYTES.subarray(-5).equals(await readBody(part)));
		t.is(origin.requests.at(-1)?.headers['if-range'], conditions[index]);
	}
});

test('a Last-Modified of the same second as the answer is not sent', withClient, async (t, {origin, client}) => {
	const headers = {date: MODIFIED.toUTCString()};
	const url = origin.serve('/x', {size: SIZE, ranges: true, lastModified: MODIFIED, headers});
	const whole = await client.get(url, {signal: NEVER});
	whole.discard();
	t.false(whole.hasStrongValidator);
	await readBody(await client.getRange(url, {start: 5}, whole, {signal: NEVER}));
	t.is(origin.requests.at(-1)?.headers['if-range'], undefined);
});

test('what an answer says of ranges is passed on', withClient, async (t, {origin, client}) => {
	const says = async (headers: Behaviour['headers'] = {}) => {
		const response = await client.get(origin.serve('/x', {body: 'x', headers}), {signal: NEVER});
		response.discard();
		return response.acceptsRanges;
	};
	t.true(await says({'accept-ranges': 'bytes'}));
	t.false(await says({'accept-ranges': 'none'}));
	t.is(await says(), undefined);
});

test('the length that a part tells is passed on where it was unknown', withClient, async (t, {origin, client}) => {
	const url = origin.serve('/x', GOOD);
	const part = await client.getRange(url, {start: 5}, {etag: '"v1"'}, {signal: NEVER});
	t.deepEqual(factsOf(part), {range: {start: 5, end: SIZE}, lengthBytes: SIZE, acceptsRanges: true});
	part.discard();
});

test('an answer with less says how far it goes, and ends there', withClient, async (t, {origin, client}) => {
	const url = origin.serve('/x', {...GOOD, ranges: {part: {end: 70_000}}});
	for (const range of [{start: 10}, {start: 10, end: 90_000}]) {
		const part = await client.getRange(url, range, VERSION, {signal: NEVER});
		t.deepEqual(part.range, {start: 10, end: 70_000});
		t.true(BYTES.subarray(10, 70_000).equals(await readBody(part)));
	}
});

test('a part may be chunked, and of a body of unknown length', withClient, async (t, {origin, client}) => {
	const headers = {'content-range': 'bytes 10-99/*'};
	const url = origin.serve('/x', {...GOOD, chunked: true, ranges: {headers}});
	const part = await client.getRange(url, {start: 10, end: 100}, VERSION, {signal: NEVER});
	t.deepEqual(factsOf(part), {range: {start: 10, end: 100}, lengthBytes: SIZE, acceptsRanges: true});
	t.true(BYTES.subarray(10, 100).equals(await readBody(part)));
});

test('redirects are followed with the range and its condition', withClient, async (t, {origin, client}) => {
	const other = await Origin.start();
	const url = origin.serve('/from', {redirect: other.serve('/to', GOOD)});
	const part = await client.getRange(url, {start: 5, end: 9}, {...VERSION, url: other.url('/to')}, {signal: NEVER});
	t.true(BYTES.subarray(5, 9).equals(await readBody(part)));
	await other.close();
	const sent = [...origin.requests, ...other.requests].map(({headers}) => [headers.range, headers['if-range']]);
	t.deepEqual(sent, [
		['bytes=5-8', '"v1"'],
		['bytes=5-8', '"v1"'],
	]);
});

test('a part is asked for again like a body', withClient, async (t, {origin, client, delays}) => {
	const url = origin.serve('/x', {...GOOD, sequence: [{status: 503}, {status: 429}]});
	const part = await client.getRange(url, {start: 5, end: 9}, VERSION, {signal: NEVER});
	t.is((await readBody(part)).length, 4);
	t.deepEqual(
		origin.requests.map(({headers}) => headers.range),
		['bytes=5-8', 'bytes=5-8', 'bytes=5-8'],
	);
	t.is(delays.length, 2);
});

test('a range of our own replaces what the caller sends as a header', withClient, async (t, {origin, client}) => {
	const headers = {'Range': 'bytes=0-1', 'If-Range': '"v0"', 'Accept-Encoding': 'br', 'X-Own': 'yes'};
	const part = await client.getRange(origin.serve('/x', GOOD), {start: 5}, VERSION, {signal: NEVER, headers});
	part.discard();
	const sent = origin.requests[0]?.headers ?? {};
	t.deepEqual(
		[sent.range, sent['if-range'], sent['accept-encoding'], sent['x-own']],
		['bytes=5-', '"v1"', 'identity', 'yes'],
	);
});

test('a range outside of the version is a RangeError, with no request', withClient, async (t, {origin, client}) => {
	const asked = client.getRange(origin.serve('/x', GOOD), {start: SIZE}, VERSION, {signal: NEVER});
	await t.throwsAsync(asked, {instanceOf: RangeError});
	t.is(origin.requests.length, 0);
});

test(
	'where the whole body comes, it is read from the start of the range on, if that is not too far',
	withClient,
	async (t, {origin, client}) => {
		const url = origin.serve('/x', {size: SIZE, etag: '"v1"'});
		const options = {signal: NEVER, maxSkipBytes: 100_000};
		for (const range of [{start: 0, end: 5}, {start: 99_999, end: 100_001}, {start: 100_000}]) {
			const {start, end = SIZE} = range;
			const part = await client.getRange(url, range, VERSION, options);
			t.deepEqual(factsOf(part), {range: {start, end}, lengthBytes: SIZE, acceptsRanges: false});
			t.true(BYTES.subarray(start, end).equals(await readBody(part)));
		}

		await t.throwsAsync(client.getRange(url, {start: 100_001}, VERSION, options), {
			instanceOf: RangesUnsupportedError,
			message: `${url} answered a range request with the whole body`,
		});
		await origin.disconnected();
	},
);

test(
	'without a limit only a range from the start is taken of a whole body',
	withClient,
	async (t, {origin, client}) => {
		const url = origin.serve('/x', {size: SIZE, etag: '"v1"'});
		t.true(BYTES.equals(await readBody(await client.getRange(url, {start: 0}, VERSION, {signal: NEVER}))));
		const asked = client.getRange(url, {start: 1}, VERSION, {signal: NEVER});
		await t.throwsAsync(asked, {instanceOf: RangesUnsupportedError});
	},
);

test('a whole body read to its end leaves its connection alone', withClient, async (t, {origin, client}) => {
	const url = origin.serve('/x', {size: SIZE, etag: '"v1"'});
	for (let count = 0; count < 2; count++) {
		await readBody(await client.getRange(url, {start: 5}, VERSION, {signal: NEVER, maxSkipBytes: 5}));
	}

	t.is(origin.connections, 1);
	await readBody(await client.getRange(url, {start: 5, end: 9}, VERSION, {signal: NEVER, maxSkipBytes: 5}));
	await origin.disconnected();
});

/** Whole bodies in the place of a part: what shows that it is still the version, and what does not. */
const WHOLE: [title: string, version: object, behaviour: Behaviour, expected: 'part' | 'unsupported' | 'changed'][] = [
	['the same ETag', VERSION, {etag: '"v1"'}, 'part'],
	['the same ETag on a body of unknown length', VERSION, {etag: '"v1"', chunked: true}, 'part'],
	['the same length, where there is no validator', {lengthBytes: SIZE}, {}, 'part'],
	['the same weak ETag and length', {lengthBytes: SIZE, etag: 'W/"v1"'}, {etag: 'W/"v1"'}, 'part'],
	['no validator and no length', {lengthBytes: SIZE}, {chunked: true}, 'unsupported'],
	['no length on either side', {etag: '"v1"'}, {etag: '"v1"', chunked: true}, 'unsupported'],
	['another encoding', VERSION, {etag: '"v1"', headers: {'content-encoding': 'gzip'}}, 'unsupported'],
	['no ETag, where one was asked for', VERSION, {}, 'changed'],
	['another ETag', VERSION, {etag: '"v2"'}, 'changed'],
	['another length', {lengthBytes: SIZE + 1}, {}, 'changed'],
	['a length before the range', {etag: '"v1"'}, {etag: '"v1"', size: 5, stallAt: 0}, 'changed'],
	['another Last-Modified', {lastModifiedMs: 1_600_000_000_000}, {lastModified: MODIFIED}, 'changed'],
];

for (const [title, version, behaviour, expected] of WHOLE) {
	test(`a whole body with ${title}: ${expected}`, withClient, async (t, {origin, client}) => {
		const url = origin.serve('/x', {size: SIZE, ...behaviour});
		const asked = client.getRange(url, {start: 5}, version, {signal: NEVER, maxSkipBytes: 5});
		if (expected === 'part') {
			t.true(BYTES.subarray(5).equals(await readBody(await asked)));
		} else {
			const instanceOf = expected === 'changed' ? VersionChangedError : RangesUnsupportedError;
			await t.throwsAsync(asked, {instanceOf, code: 'origin-failed'});
			await origin.disconnected();
		}
	});
}
