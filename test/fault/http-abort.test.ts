/** Whoever asked leaves: the connection must go, at whatever point. */
import test from 'ava';
import {NO_LOG} from '../../src/base/log.js';
import {DEFAULT_HTTP_OPTIONS, HttpClient} from '../../src/http/client.js';
import {SYSTEM_TIMING} from '../../src/http/retry.js';
import {generatedBody} from '../helpers/origin.js';
import {failsWith, getText, NEVER, readBody, Silence, withClient} from '../unit/http/with-client.js';

test('a signal that has fired makes no request', withClient, async (t, {origin, client}) => {
	const url = origin.serve('/x', {body: 'x'});
	const message = await failsWith(t, 'aborted', client.get(url, {signal: AbortSignal.abort()}));
	t.is(message, `the request for ${url} was aborted`);
	t.is(origin.connections, 0);
});

test('aborting while connecting frees the connection', withClient, async (t, {client}) => {
	const silence = await Silence.start();
	const aborting = new AbortController();
	const asked = client.get(silence.url, {signal: aborting.signal});
	await silence.connected();
	aborting.abort();
	await failsWith(t, 'aborted', asked);
	await silence.close();
	t.is(silence.connections, 1);
});

test('aborting while a name is resolved ends the request', withClient, async (t, {clientWith}) => {
	const aborting = new AbortController();
	const lookup = () => aborting.abort();
	await failsWith(t, 'aborted', clientWith({lookup}).get('http://a.test/', {signal: aborting.signal}));
});

test(
	'aborting before the headers frees the connection, with the reason as cause',
	withClient,
	async (t, {origin, client}) => {
		const aborting = new AbortController();
		const asked = client.get(origin.serve('/x', {hang: true}), {signal: aborting.signal});
		await origin.received('/x');
		const reason = new Error('the reader left');
		aborting.abort(reason);
		const error = await t.throwsAsync(asked);
		t.is(error?.cause, reason);
		await origin.disconnected();
		t.is(origin.requests.length, 1);
	},
);

test('aborting between two chunks ends the body and frees the connection', withClient, async (t, {origin, client}) => {
	const aborting = new AbortController();
	const url = origin.serve('/x', {size: 50_000_000});
	const {body} = await client.get(url, {signal: aborting.signal});
	const chunks = body[Symbol.asyncIterator]();
	t.false((await chunks.next()).done);
	aborting.abort();
	await failsWith(t, 'aborted', chunks.next());
	await origin.disconnected();
});

test('aborting while a chunk is waited for ends the wait', withClient, async (t, {origin, client}) => {
	const aborting = new AbortController();
	const {body} = await client.get(origin.serve('/x', {size: 10, stallAt: 5}), {signal: aborting.signal});
	const chunks = body[Symbol.asyncIterator]();
	t.deepEqual(await chunks.next(), {done: false, value: generatedBody(5)});
	const waiting = chunks.next();
	aborting.abort();
	await failsWith(t, 'aborted', waiting);
	await origin.disconnected();
});

test('aborting while the body waits for its reader frees the connection', withClient, async (t, {origin, client}) => {
	const aborting = new AbortController();
	const response = await client.get(origin.serve('/x', {size: 50_000_000}), {signal: aborting.signal});
	aborting.abort();
	await origin.disconnected();
	await failsWith(t, 'aborted', readBody(response));
});

test('aborting between two attempts makes no further one', async t => {
	const aborting = new AbortController();
	const timing = {...SYSTEM_TIMING, delay: () => Promise.resolve(aborting.abort())};
	const client = new HttpClient(
		{
			...DEFAULT_HTTP_OPTIONS,
			lookup: (name, _options, callback) => {
				t.pass();
				process.nextTick(callback, Object.assign(new Error(name), {code: 'EAI_AGAIN'}), '', 4);
			},
		},
		NO_LOG,
		timing,
	);
	t.plan(2);
	await failsWith(t, 'aborted', client.get('http://a.test/', {signal: aborting.signal}));
	client.close();
});

test(
	'discard frees the connection, as often as it is called, and the body is gone',
	withClient,
	async (t, {origin, client}) => {
		const response = await client.get(origin.serve('/x', {size: 50_000_000}), {signal: NEVER});
		response.discard();
		response.discard();
		await origin.disconnected();
		await failsWith(t, 'aborted', readBody(response));
	},
);

test('a body given up is gone though all of it had come', withClient, async (t, {origin, client}) => {
	const response = await client.get(origin.serve('/x', {body: 'x'}), {signal: NEVER});
	response.discard();
	await failsWith(t, 'aborted', readBody(response));
});

test('leaving the loop frees the connection', withClient, async (t, {origin, client}) => {
	const response = await client.get(origin.serve('/x', {size: 50_000_000}), {signal: NEVER});
	for await (const chunk of response.body) {
		t.true(chunk.byteLength > 0);
		break;
	}

	await origin.disconnected();
});

test('discarding a body that was read leaves its connection alone', withClient, async (t, {origin, client}) => {
	const aborting = new AbortController();
	const url = origin.serve('/x', {body: 'x'});
	const response = await client.get(url, {signal: aborting.signal});
	await readBody(response);
	response.discard();
	aborting.abort();
	t.is(await getText(client, url), 'x');
	t.is(origin.connections, 1);
});

test('one that leaves does not disturb another', withClient, async (t, {origin, client}) => {
	const url = origin.serve('/x', {size: 2_000_000});
	const [left, stays] = await Promise.all([client.get(url, {signal: NEVER}), client.get(url, {signal: NEVER})]);
	left.discard();
	t.is((await readBody(stays)).length, 2_000_000);
});

test('closing the client aborts what is going on and what comes later', withClient, async (t, {origin, client}) => {
	const hanging = client.get(origin.serve('/hang', {hang: true}), {signal: NEVER});
	const reading = readBody(await client.get(origin.serve('/x', {size: 10, stallAt: 5}), {signal: NEVER}));
	await origin.received('/hang');
	client.close();
	await failsWith(t, 'aborted', hanging);
	await failsWith(t, 'aborted', reading);
	await failsWith(t, 'aborted', client.get(origin.url('/x'), {signal: NEVER}));
	await origin.disconnected();
});
