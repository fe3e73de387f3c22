/** Origins that do ranges wrong, or another version's: not a byte of theirs may be used. */
import test from 'ava';
import {messageOf} from '../../src/base/errors.js';
import type {HttpClient} from '../../src/http/client.js';
import {RangesUnsupportedError, VersionChangedError} from '../../src/http/range-errors.js';
import type {BodyVersion} from '../../src/http/validators.js';
import {generatedBody, type Behaviour, type RangeFault} from '../helpers/origin.js';
import {failsWith, NEVER, readBody, withClient} from '../unit/http/with-client.js';

const SIZE = 1000;
const MODIFIED = new Date(1_700_000_000_000);
const VERSION = {lengthBytes: SIZE, etag: '"v1"', lastModifiedMs: MODIFIED.getTime()};
const GOOD: Behaviour = {size: SIZE, etag: '"v1"', lastModified: MODIFIED, ranges: true};
const WITHOUT_RANGES: Behaviour = {size: SIZE, etag: '"v1"', lastModified: MODIFIED};
/** A body of which nothing comes: the connection ends only when it is given up. */
const ENDLESS: Behaviour = {size: 10, stallAt: 0};
const RANGE = {start: 100, end: 200};

const getPart = (client: HttpClient, url: string, version: BodyVersion = VERSION, signal = NEVER) =>
	client.getRange(url, RANGE, version, {signal});

const faulty = (fault: RangeFault): Behaviour => ({...GOOD, ranges: {ignoresIfRange: true, ...fault}});
const says = (contentRange: string | undefined) => faulty({headers: {'content-range': contentRange}});

/** What leaves nothing but a plain download, with the end of the sentence that says so. */
const UNSUPPORTED: Record<string, [behaviour: Behaviour, how: string]> = {
	'a whole body': [WITHOUT_RANGES, 'with the whole body'],
	'no Content-Range': [says(undefined), 'with the Content-Range ""'],
	'a Content-Range without a total': [says('bytes 100-199'), 'with the Content-Range "bytes 100-199"'],
	'a Content-Range of another unit': [says('items 100-199/1000'), 'with the Content-Range "items 100-199/1000"'],
	'a Content-Range that names no part': [says('bytes */1000'), 'with the Content-Range "bytes */1000"'],
	'an earlier part': [faulty({part: {start: 0}}), 'with bytes [0, 200) for [100, 200)'],
	'a later part': [faulty({part: {start: 101}}), 'with bytes [101, 200) for [100, 200)'],
	'more than the part': [faulty({part: {end: 201}}), 'with bytes [100, 201) for [100, 200)'],
	'a Content-Length that is too large': [{...GOOD, announce: 101}, 'with 101 bytes for [100, 200)'],
	'a Content-Length that is too small': [{...GOOD, announce: 99}, 'with 99 bytes for [100, 200)'],
	'several parts': [faulty({headers: {'content-type': 'multipart/byteranges; boundary=x'}}), 'with several parts'],
	'an encoded part': [faulty({headers: {'content-encoding': 'gzip'}}), 'with a part of another encoding'],
	'416 though there is such a part': [{status: 416, headers: {'content-range': `bytes */${SIZE}`}}, 'with status 416'],
	'416 without a length': [{status: 416}, 'with status 416'],
	'501': [{status: 501}, 'with status 501'],
};

for (const [title, [behaviour, how]] of Object.entries(UNSUPPORTED)) {
	test(`${title} is no part, found out with one request`, withClient, async (t, {origin, client}) => {
		const url = origin.serve('/x', {...ENDLESS, ...behaviour});
		const message = `${url} answered a range request ${how}`;
		await t.throwsAsync(getPart(client, url), {instanceOf: RangesUnsupportedError, code: 'origin-failed', message});
		t.is(origin.requests.length, 1);
		await origin.disconnected();
	});
}

/** How another version shows itself, with the end of the sentence that says so. */
const CHANGED: Record<string, [behaviour: Behaviour, why: string]> = {
	'a whole body with another ETag': [{...GOOD, etag: '"v2"'}, 'its ETag is "v2", not "v1"'],
	'a part with another ETag': [{...faulty({}), etag: '"v2"'}, 'its ETag is "v2", not "v1"'],
	'a part whose ETag became weak': [{...faulty({}), etag: 'W/"v1"'}, 'its ETag is W/"v1", not "v1"'],
	'a part with another Last-Modified': [
		{...GOOD, lastModified: new Date(MODIFIED.getTime() + 1000)},
		`its Last-Modified is ${MODIFIED.getTime() + 1000}, not ${MODIFIED.getTime()}`,
	],
	'a part of a longer body': [{...GOOD, size: SIZE + 1}, 'its length is 1001, not 1000'],
	'a part of a shorter body': [{...GOOD, size: SIZE - 1}, 'its length is 999, not 1000'],
	'several parts with another ETag': [
		{...faulty({headers: {'content-type': 'multipart/byteranges; boundary=x'}}), etag: '"v2"'},
		'its ETag is "v2", not "v1"',
	],
	'412': [{status: 412}, 'a precondition failed'],
	'416 with another length': [{status: 416, headers: {'content-range': 'bytes */99'}}, 'its length is 99, not 1000'],
};

for (const [title, [behaviour, why]] of Object.entries(CHANGED)) {
	test(`${title} is another version, found out with one request`, withClient, async (t, {origin, client}) => {
		const url = origin.serve('/x', {...ENDLESS, ...behaviour});
		const message = `${url} has changed since its beginning was fetched: ${why}`;
		await t.throwsAsync(getPart(client, url), {instanceOf: VersionChangedError, code: 'origin-failed', message});
		t.is(origin.requests.length, 1);
		await origin.disconnected();
	});
}

test('a part beyond the end of the version is another version', withClient, async (t, {origin, client}) => {
	const url = origin.serve('/x', faulty({part: {end: 999}, headers: {'content-range': 'bytes 100-1000/*'}}));
	const asked = client.getRange(url, {start: 100}, VERSION, {signal: NEVER});
	await t.throwsAsync(asked, {instanceOf: VersionChangedError, message: /: it has a byte 1000$/});
});

test(
	'a 416 with a length before the part is another version, though the length was unknown',
	withClient,
	async (t, {origin, client}) => {
		const url = origin.serve('/x', {...GOOD, size: 99});
		await t.throwsAsync(getPart(client, url, {etag: '"v1"'}), {
			instanceOf: VersionChangedError,
			message: /: its length is 99$/,
		});
	},
);

test('a part from another URL counts only with the same strong validator', withClient, async (t, {origin, client}) => {
	const version = {...VERSION, url: origin.url('/first')};
	const cases: [behaviour: Behaviour, version: BodyVersion, isTaken: boolean][] = [
		[GOOD, version, true],
		[{...faulty({headers: {etag: undefined}})}, version, false],
		[{...GOOD, etag: 'W/"v1"'}, {...version, etag: 'W/"v1"'}, false],
		[{size: SIZE, ranges: true}, {url: version.url, lengthBytes: SIZE}, false],
	];
	for (const [behaviour, known, isTaken] of cases) {
		const url = origin.serve('/x', {redirect: '/second'});
		origin.serve('/second', behaviour);
		const asked = getPart(client, url, known);
		if (isTaken) t.is((await readBody(await asked)).length, 100);
		else await t.throwsAsync(asked, {instanceOf: VersionChangedError, message: /: it comes from another URL than/});
	}
});

test('a body that changes between two parts is noticed', withClient, async (t, {origin, client}) => {
	const changed = {...GOOD, etag: '"v2"'};
	for (const ranges of [true, {ignoresIfRange: true}] as const) {
		const url = origin.serve('/x', {...changed, ranges, sequence: [GOOD]});
		t.true(
			generatedBody(SIZE)
				.subarray(100, 200)
				.equals(await readBody(await getPart(client, url))),
		);
		await t.throwsAsync(getPart(client, url), {instanceOf: VersionChangedError});
	}
});

test('a part to a plain GET is refused', withClient, async (t, {origin, client}) => {
	const url = origin.serve('/x', {...GOOD, status: 206, headers: {'content-range': 'bytes 0-999/1000'}});
	t.is(await failsWith(t, 'origin-failed', client.get(url, {signal: NEVER})), `${url} was answered with status 206`);
});

test('a part that is cut fails with both numbers', withClient, async (t, {origin, client}) => {
	for (const chunked of [undefined, true] as const) {
		const url = origin.serve('/x', {...GOOD, cutAt: 40, ...(chunked && {chunked})});
		const message = await failsWith(t, 'origin-failed', getPart(client, url).then(readBody));
		t.is(message, `${url} ended after 40 bytes, before the 100 bytes it announced`);
	}
});

test('a chunked part that is shorter than it says fails', withClient, async (t, {origin, client}) => {
	const part = {part: {end: 150}, headers: {'content-range': 'bytes 100-199/1000'}};
	const url = origin.serve('/x', {...faulty(part), chunked: true});
	const message = await failsWith(t, 'origin-failed', getPart(client, url).then(readBody));
	t.is(message, `${url} ended after 50 bytes, before the 100 bytes it announced`);
});

test(
	'a chunked part that is longer than it says fails, and brings not one byte too many',
	withClient,
	async (t, {origin, client}) => {
		const part = {part: {end: 201}, headers: {'content-range': 'bytes 100-199/1000'}};
		const url = origin.serve('/x', {...faulty(part), chunked: true});
		let received = 0;
		const reading = async () => {
			for await (const chunk of (await getPart(client, url)).body) received += chunk.byteLength;
		};
		const message = await failsWith(t, 'origin-failed', reading());
		t.is(message, `${url} sent more than the 100 bytes it announced, of which ${received} bytes were read`);
		t.true(received <= 100);
	},
);

test('a whole body in the place of a part fails where it is cut', withClient, async (t, {origin, client}) => {
	for (const [cutAt, announcing] of [
		[50, {}],
		[150, {}],
		[150, {chunked: true}],
	] as const) {
		const url = origin.serve('/x', {size: SIZE, etag: '"v1"', cutAt, ...announcing});
		const part = await client.getRange(url, RANGE, VERSION, {signal: NEVER, maxSkipBytes: 100});
		const message = await failsWith(t, 'origin-failed', readBody(part));
		t.is(message, `${url} ended after ${cutAt} bytes, before the 1000 bytes it announced`);
	}
});

test('a chunked whole body that does not end where the version does fails', withClient, async (t, {origin, client}) => {
	for (const ending of [{size: SIZE - 1}, {size: SIZE + 1}, {size: SIZE, cutAt: SIZE}]) {
		const url = origin.serve('/x', {...ending, etag: '"v1"', chunked: true});
		const part = await client.getRange(url, {start: 100}, VERSION, {signal: NEVER, maxSkipBytes: 100});
		await failsWith(t, 'origin-failed', readBody(part));
	}
});

test('an invalid Content-Length of a part is origin-failed, as of a body', withClient, async (t, {origin, client}) => {
	const head = 'HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 100-199/1000\r\n';
	const handle: Behaviour['handle'] = (_request, {socket}) =>
		void socket?.write(`${head}Content-Length: 9007199254740993\r\n\r\n`);
	const message = await failsWith(t, 'origin-failed', getPart(client, origin.serve('/x', {handle})));
	t.regex(message, /announced a length of "9007199254740993" bytes$/);
	await origin.disconnected();
});

test('other statuses mean what they mean for a body', withClient, async (t, {origin, client}) => {
	for (const [status, code] of [
		[404, 'not-found'],
		[403, 'origin-refused'],
		[400, 'origin-failed'],
		[503, 'origin-failed'],
	] as const) {
		const message = await failsWith(t, code, getPart(client, origin.serve(`/${status}`, {status})));
		t.regex(message, new RegExp(`was answered with status ${status}$`));
		t.is(origin.requestsOf(`/${status}`).length, status === 503 ? 3 : 1);
	}
});

test('a part that stalls is origin-timeout', withClient, async (t, {origin, clientWith}) => {
	const url = origin.serve('/x', {...GOOD, stallAt: 40});
	const part = await getPart(clientWith({idleTimeoutMs: 60}), url);
	t.is(await failsWith(t, 'origin-timeout', readBody(part)), `${url} sent nothing for 60ms after 40 bytes`);
});

test('aborting ends a part, before its headers and within it', withClient, async (t, {origin, client}) => {
	for (const behaviour of [{hang: true}, {...GOOD, stallAt: 40}] as const) {
		const aborting = new AbortController();
		const url = origin.serve('/x', behaviour);
		const reading = getPart(client, url, VERSION, aborting.signal).then(readBody);
		await origin.received('/x', origin.requests.length + 1);
		aborting.abort();
		await failsWith(t, 'aborted', reading);
		await origin.disconnected();
	}
});

test(
	'a part given up frees its connection, read or not, cut out of a whole body or not',
	withClient,
	async (t, {origin, client}) => {
		for (const ranges of [true, undefined] as const) {
			const url = origin.serve('/x', {size: 50_000_000, etag: '"v1"', ...(ranges && {ranges})});
			const version = {lengthBytes: 50_000_000, etag: '"v1"'};
			const options = {signal: NEVER, maxSkipBytes: 10};
			const unread = await client.getRange(url, {start: 10}, version, options);
			unread.discard();
			unread.discard();
			await failsWith(t, 'aborted', readBody(unread));
			const begun = await client.getRange(url, {start: 10}, version, options);
			for await (const chunk of begun.body) {
				t.true(chunk.byteLength > 0);
				break;
			}

			await origin.disconnected();
		}
	},
);

test('a part is read once: a second reading is no empty part', withClient, async (t, {origin, client}) => {
	for (const ranges of [true, undefined] as const) {
		const url = origin.serve('/x', {size: SIZE, etag: '"v1"', ...(ranges && {ranges})});
		const part = await client.getRange(url, RANGE, VERSION, {signal: NEVER, maxSkipBytes: 100});
		t.is((await readBody(part)).length, 100);
		await t.throwsAsync(readBody(part), {instanceOf: TypeError});
	}
});

test('messages of a changed body hold no query', withClient, async (t, {origin, client}) => {
	origin.serve('/x', {...GOOD, etag: '"v2"'});
	const error = await t.throwsAsync(getPart(client, origin.url('/x?token=1')));
	t.notRegex(messageOf(error), /token/);
});
