/** Origins that cannot be reached, or take too long to answer. */
import type {LookupFunction} from 'node:net';
import test from 'ava';
import {CacheError} from '../../src/base/errors.js';
import {failToResolve, Origin, resolveTo} from '../helpers/origin.js';
import {failsWith, getText, NEVER, Silence, withClient} from '../unit/http/with-client.js';

/** Counts how often `lookup` is asked, which is once for each connection tried. */
function counted(lookup: LookupFunction): {lookup: LookupFunction; asked: () => number} {
	let count = 0;
	return {
		asked: () => count,
		lookup: (...question) => {
			count++;
			lookup(...question);
		},
	};
}

test('a refused connection is tried again, then origin-unreachable', withClient, async (t, {clientWith, delays}) => {
	const {lookup, asked} = counted(resolveTo('127.0.0.1'));
	const {port} = new URL(await Origin.refused());
	const message = await failsWith(
		t,
		'origin-unreachable',
		clientWith({lookup}).get(`http://a.test:${port}/x?q`, {signal: NEVER}),
	);
	t.regex(message, new RegExp(`^http://a.test:${port}/x could not be asked for: .*ECONNREFUSED`));
	t.is(asked(), 3);
	t.is(delays.length, 2);
});

test('a host of which no address answers is told with each of them', withClient, async (t, {clientWith}) => {
	const addresses = ['127.0.0.1', '127.0.0.2'].map(address => ({address, family: 4}));
	const client = clientWith({lookup: (_name, _options, callback) => process.nextTick(callback, null, addresses)});
	const {port} = new URL(await Origin.refused());
	const message = await failsWith(t, 'origin-unreachable', client.get(`http://a.test:${port}/`, {signal: NEVER}));
	for (const {address} of addresses) t.true(message.includes(`ECONNREFUSED ${address}:${port}`), message);
});

test('a name that does not exist is origin-unreachable at once', withClient, async (t, {clientWith}) => {
	const {lookup, asked} = counted(failToResolve('ENOTFOUND'));
	const message = await failsWith(
		t,
		'origin-unreachable',
		clientWith({lookup}).get('http://a.test/x', {signal: NEVER}),
	);
	t.is(message, 'http://a.test/x could not be asked for: getaddrinfo ENOTFOUND a.test');
	t.is(asked(), 1);
});

test('a resolver in trouble is asked again, then origin-unreachable', withClient, async (t, {clientWith}) => {
	const {lookup, asked} = counted(failToResolve('EAI_AGAIN'));
	await failsWith(t, 'origin-unreachable', clientWith({lookup}).get('http://a.test/x', {signal: NEVER}));
	t.is(asked(), 3);
});

test("a resolver's CacheError is thrown as it is", withClient, async (t, {clientWith}) => {
	const refusal = new CacheError('origin-refused', 'private addresses are not asked');
	const {lookup, asked} = counted((_name, _options, callback) => process.nextTick(callback, refusal, '', 4));
	const error = await t.throwsAsync(clientWith({lookup}).get('http://a.test/x', {signal: NEVER}));
	t.is(error, refusal);
	t.is(asked(), 1);
});

test(
	'a resolver that does not answer runs into the connect deadline, each time',
	withClient,
	async (t, {clientWith}) => {
		const {lookup, asked} = counted(() => undefined);
		const client = clientWith({lookup, connectTimeoutMs: 50});
		const message = await failsWith(t, 'origin-timeout', client.get('http://a.test/x', {signal: NEVER}));
		t.is(message, 'http://a.test/x could not be asked for: no connection within 50ms');
		t.is(asked(), 3);
	},
);

test(
	'the connect deadline covers TLS, comes before the headers deadline, and frees the connection',
	withClient,
	async (t, {clientWith}) => {
		const silence = await Silence.start();
		const client = clientWith({connectTimeoutMs: 100, headersTimeoutMs: 20, retries: 1});
		const message = await failsWith(t, 'origin-timeout', client.get(silence.url, {signal: NEVER}));
		t.regex(message, /no connection within 100ms$/);
		await silence.close();
		t.is(silence.connections, 2);
	},
);

test(
	'an origin that does not answer is origin-timeout after one request, and the connection is closed',
	withClient,
	async (t, {origin, clientWith}) => {
		const url = origin.serve('/x', {hang: true});
		const client = clientWith({headersTimeoutMs: 60, connectTimeoutMs: 5000});
		const message = await failsWith(t, 'origin-timeout', client.get(url, {signal: NEVER}));
		t.is(message, `${url} was not answered within 60ms`);
		t.is(origin.requests.length, 1);
		await origin.disconnected();
	},
);

test(
	'the headers deadline holds on a connection used before, and not for the body',
	withClient,
	async (t, {origin, clientWith}) => {
		const client = clientWith({headersTimeoutMs: 800});
		t.is(await getText(client, origin.serve('/slow-body', {body: 'abcd', dripMs: 300})), 'abcd');
		await failsWith(t, 'origin-timeout', client.get(origin.serve('/x', {hang: true}), {signal: NEVER}));
		t.is(origin.connections, 1);
	},
);

test('the connect deadline ends with the connection', withClient, async (t, {origin, clientWith}) => {
	const client = clientWith({connectTimeoutMs: 50});
	t.is(await getText(client, origin.serve('/x', {body: 'x', delayMs: 120})), 'x');
});

test('a connection closed without an answer is tried again', withClient, async (t, {origin, client}) => {
	const dropped = {handle: (request: {socket: {destroy(): unknown}}) => void request.socket.destroy()};
	t.is(await getText(client, origin.serve('/x', {body: 'x', sequence: [dropped, dropped]})), 'x');
	t.is(origin.requests.length, 3);
	await failsWith(t, 'origin-unreachable', client.get(origin.serve('/y', dropped), {signal: NEVER}));
	t.is(origin.requestsOf('/y').length, 3);
});

test('a kept connection that turns out closed costs no wait', withClient, async (t, {origin, client, delays}) => {
	const dropped = {handle: (request: {socket: {destroy(): unknown}}) => void request.socket.destroy()};
	t.is(await getText(client, origin.serve('/first', {body: '1'})), '1');
	t.is(await getText(client, origin.serve('/second', {body: '2', sequence: [dropped]})), '2');
	t.deepEqual(delays, [0]);
	t.is(origin.connections, 2);
	t.is(origin.requestsOf('/second').length, 2);
});
