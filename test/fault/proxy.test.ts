/** Requests through a proxy: what it is told, and what becomes of them when it does not let them through. */
import test, {type ExecutionContext} from 'ava';
import type {HttpOptions} from '../../src/http/client.js';
import {makeCertificate} from '../helpers/certificate.js';
import {failToResolve, Origin, resolveTo} from '../helpers/origin.js';
import {TestProxy, type ProxyOptions} from '../helpers/proxy.js';
import {startSecureOrigin} from '../helpers/secure-origin.js';
import {failsWith, getText, NEVER, readBody, withClient} from '../unit/http/with-client.js';

const made = makeCertificate();
const testTls = made ? test : test.skip;
const why = made ? '' : ' (skipped: no openssl)';
const certificate = made ?? {certificate: '', key: '', pem: {cert: '', key: ''}, remove: () => undefined};
const TRUSTING: Partial<HttpOptions> = {ca: [certificate.pem.cert]};

test.after.always(() => certificate.remove());

async function startProxy(t: ExecutionContext, options: ProxyOptions = {}): Promise<TestProxy> {
	const proxy = await TestProxy.start(options);
	t.teardown(() => proxy.close());
	return proxy;
}

async function secureOrigin(t: ExecutionContext, body = 'hello') {
	const origin = await startSecureOrigin(certificate, {handle: (_request, response) => response.end(body)});
	t.teardown(() => origin.close());
	return origin;
}

function through(proxy: {url: string}): Pick<HttpOptions, 'proxyFor' | 'lookup'> {
	// Nobody here knows a name: the proxy does.
	return {proxyFor: () => proxy.url, lookup: failToResolve('ENOTFOUND')};
}

test('a request over http asks the proxy for the whole URL, by name', withClient, async (t, {origin, clientWith}) => {
	const proxy = await startProxy(t);
	origin.serve('/x', {body: 'x'});
	const client = clientWith(through(proxy));
	const url = `http://a.test:${origin.port}/x?q=1`;
	for (let count = 0; count < 2; count++) t.is(await getText(client, url), 'x');
	t.deepEqual(
		proxy.requests.map(({line}) => line),
		[`GET ${url}`, `GET ${url}`],
	);
	t.is(proxy.connections, 1, 'the connection is kept');
	t.is(origin.requests[0]?.headers.host, `a.test:${origin.port}`);
});

testTls(`a request over https is tunnelled, and the tunnel kept${why}`, withClient, async (t, {clientWith}) => {
	const [proxy, origin] = [await startProxy(t), await secureOrigin(t)];
	const client = clientWith({...TRUSTING, ...through(proxy)});
	for (let count = 0; count < 3; count++) t.is(await getText(client, `https://a.test:${origin.port}/x`), 'hello');
	t.deepEqual(
		proxy.requests.map(({line}) => line),
		[`CONNECT a.test:${origin.port}`],
	);
	t.is(origin.connections(), 1);
	client.close();
	await proxy.disconnected();
});

testTls(`a large body comes whole through a tunnel${why}`, withClient, async (t, {clientWith}) => {
	const body = 'larder'.repeat(1_000_000);
	const [proxy, origin] = [await startProxy(t), await secureOrigin(t, body)];
	const client = clientWith({...TRUSTING, ...through(proxy)});
	t.true(
		(await readBody(await client.get(`https://a.test:${origin.port}/x`, {signal: NEVER}))).equals(Buffer.from(body)),
	);
});

testTls(
	`a proxy of https, and an origin of https behind it${why}`,
	withClient,
	async (t, {origin: plain, clientWith}) => {
		const [proxy, origin] = [await startProxy(t, {certificate}), await secureOrigin(t)];
		const client = clientWith({...TRUSTING, ...through(proxy)});
		t.is(await getText(client, `https://a.test:${origin.port}/x`), 'hello');
		plain.serve('/x', {body: 'plain'});
		t.is(await getText(client, `http://a.test:${plain.port}/x`), 'plain');
		t.is(proxy.requests.length, 2);
	},
);

testTls(`the certificate is that of the origin, not of its proxy${why}`, withClient, async (t, {clientWith}) => {
	const [proxy, origin] = [await startProxy(t), await secureOrigin(t)];
	const client = clientWith({...TRUSTING, ...through(proxy)});
	const message = await failsWith(
		t,
		'origin-unreachable',
		client.get(`https://b.test:${origin.port}/x`, {signal: NEVER}),
	);
	t.regex(message, /b\.test/);
	await proxy.disconnected();
});

testTls(`a proxy of https proves to be itself, not the origin${why}`, withClient, async (t, {clientWith}) => {
	const origin = await secureOrigin(t);
	const url = `https://a.test:${origin.port}/x`;
	for (const name of ['proxy.test', 'a.test']) {
		const own = makeCertificate(`DNS:${name}`) ?? certificate;
		const proxy = await startProxy(t, {certificate: own});
		own.remove();
		const proxyFor = () => `https://me:secret@proxy.test:${proxy.port}`;
		const ca = [certificate.pem.cert, own.pem.cert];
		const client = clientWith({ca, proxyFor, lookup: resolveTo('127.0.0.1')});
		if (name === 'proxy.test') t.is(await getText(client, url), 'hello');
		else t.regex(await failsWith(t, 'origin-unreachable', client.get(url, {signal: NEVER})), /Host: proxy\.test/);
		t.is(proxy.requests.length, name === 'proxy.test' ? 1 : 0);
	}
});

testTls(`credentials of the proxy go to it alone${why}`, withClient, async (t, {origin: plain, clientWith}) => {
	const [proxy, origin] = [await startProxy(t), await secureOrigin(t)];
	const proxyFor = () => proxy.url.replace('//', '//me:s%40crit@');
	const client = clientWith({...TRUSTING, proxyFor});
	plain.serve('/x', {body: 'plain'});
	t.is(await getText(client, `https://127.0.0.1:${origin.port}/x`), 'hello');
	t.is(await getText(client, plain.url('/x')), 'plain');
	const basic = `Basic ${Buffer.from('me:s@crit').toString('base64')}`;
	t.deepEqual(
		proxy.requests.map(({headers}) => headers['proxy-authorization']),
		[basic, basic],
	);
	t.is(origin.requests[0]?.headers['proxy-authorization'], undefined);
	t.is(proxy.requests[0]?.headers.authorization, undefined);
});

for (const [status, requests] of [
	[407, 1],
	[403, 1],
	[502, 3],
] as const) {
	test(
		`a proxy that answers CONNECT with ${status} is origin-unreachable, with its name`,
		withClient,
		async (t, {clientWith}) => {
			const proxy = await startProxy(t, {refuse: status});
			const client = clientWith({proxyFor: () => proxy.url.replace('//', '//me:secret@')});
			const message = await failsWith(t, 'origin-unreachable', client.get('https://127.0.0.1/x?q=1', {signal: NEVER}));
			const tail = status === 407 ? ': it does not take the credentials in its URL' : '';
			const what = `the proxy 127.0.0.1:${proxy.port} answered with status ${status}${tail}`;
			t.is(message, `https://127.0.0.1/x could not be asked for: ${what}`);
			t.is(proxy.requests.length, requests);
			await proxy.disconnected();
		},
	);
}

test('a proxy that asks for credentials says so, for http and https alike', withClient, async (t, {clientWith}) => {
	const proxy = await startProxy(t, {refuse: 407});
	const client = clientWith(through(proxy));
	for (const scheme of ['http', 'https']) {
		const message = await failsWith(t, 'origin-unreachable', client.get(`${scheme}://a.test/x`, {signal: NEVER}));
		t.regex(
			message,
			/^https?:\/\/a\.test\/x could not be asked for: .* status 407: it asks for credentials, in its URL$/,
		);
	}
});

testTls(`a 407 that comes through a tunnel is the origin's${why}`, withClient, async (t, {clientWith}) => {
	const proxy = await startProxy(t);
	const origin = await startSecureOrigin(certificate, {handle: (_request, response) => response.writeHead(407).end()});
	t.teardown(() => origin.close());
	const client = clientWith({...TRUSTING, ...through(proxy)});
	const url = `https://a.test:${origin.port}/x`;
	const message = await failsWith(t, 'origin-refused', client.get(url, {signal: NEVER}));
	t.is(message, `${url} was answered with status 407`);
});

test('what a proxy refuses by itself is no sign that a host is not there', withClient, async (t, {clientWith}) => {
	const proxy = await startProxy(t, {refuse: 403});
	const client = clientWith(through(proxy));
	for (let count = 0; count < 7; count++)
		await failsWith(t, 'origin-unreachable', client.get('https://a.test/', {signal: NEVER}));
	t.is(proxy.requests.length, 7);
});

test('a proxy that is not there is origin-unreachable', withClient, async (t, {clientWith}) => {
	const refused = await Origin.refused();
	const client = clientWith({proxyFor: () => refused});
	for (const scheme of ['http', 'https']) {
		const message = await failsWith(t, 'origin-unreachable', client.get(`${scheme}://127.0.0.2/x`, {signal: NEVER}));
		t.regex(message, new RegExp(`ECONNREFUSED ${new URL(refused).host}`));
	}
});

test('the connect deadline covers the tunnel, and frees its connection', withClient, async (t, {clientWith}) => {
	const proxy = await startProxy(t, {hang: true});
	const client = clientWith({...through(proxy), connectTimeoutMs: 200, retries: 1});
	const message = await failsWith(t, 'origin-timeout', client.get('https://a.test/x', {signal: NEVER}));
	t.regex(message, /no connection within 200ms$/);
	t.true(proxy.connections > 0);
	await proxy.disconnected();
});

test('a tunnel on its way is closed with the client', withClient, async (t, {clientWith}) => {
	const proxy = await startProxy(t, {hang: true});
	const client = clientWith(through(proxy));
	const asked = client.get('https://a.test/x', {signal: NEVER});
	const failed = failsWith(t, 'aborted', asked);
	while (proxy.requests.length === 0) await new Promise(resolve => setImmediate(resolve));
	client.close();
	await failed;
	await proxy.disconnected();
});

test('a proxy of another kind is asked for nothing, and its URL is not told', withClient, async (t, {clientWith}) => {
	const client = clientWith({proxyFor: () => 'socks5://me:secret@127.0.0.1:1080'});
	const message = await failsWith(t, 'origin-unreachable', client.get('http://127.0.0.1/x', {signal: NEVER}));
	t.is(message, 'http://127.0.0.1/x could not be asked for: its proxy is no http or https URL');
});

test(
	'the guard looks at a name before the proxy does, and denies what it cannot resolve',
	withClient,
	async (t, {origin, clientWith}) => {
		const proxy = await startProxy(t);
		const guards = [{networks: 'public'}, {denyHosts: ['127.0.0.0/8']}, {allowHosts: ['10.0.0.0/8']}] as const;
		for (const guard of guards) {
			const inside = clientWith({proxyFor: () => proxy.url, lookup: resolveTo('127.0.0.1'), guard});
			const message = await failsWith(
				t,
				'origin-refused',
				inside.get(`http://a.test:${origin.port}/x`, {signal: NEVER}),
			);
			t.regex(message, /^http:\/\/a\.test:\d+\/x: denied: 127\.0\.0\.1, an address of a\.test, is /);
			const unknown = clientWith({...through(proxy), guard}).get('https://a.test/x', {signal: NEVER});
			t.regex(
				await failsWith(t, 'origin-refused', unknown),
				/denied: a\.test cannot be resolved here, .*ENOTFOUND a\.test/,
			);
			const literal = clientWith({...through(proxy), guard}).get('http://127.0.0.2/x', {signal: NEVER});
			await failsWith(t, 'origin-refused', literal);
		}

		t.is(proxy.connections, 0);
	},
);

test(
	'the guard lets pass what is public or allowed by name, and the proxy itself',
	withClient,
	async (t, {origin, clientWith}) => {
		const proxy = await startProxy(t);
		origin.serve('/x', {body: 'x'});
		const url = `http://a.test:${origin.port}/x`;
		const open = clientWith({proxyFor: () => proxy.url, lookup: resolveTo('1.1.1.1'), guard: {networks: 'public'}});
		t.is(await getText(open, url), 'x');
		const named = clientWith({...through(proxy), guard: {networks: 'public', allowHosts: ['a.test']}});
		t.is(await getText(named, url), 'x');
		const listed = clientWith({...through(proxy), guard: {allowHosts: ['b.test']}});
		await failsWith(t, 'origin-refused', listed.get(url, {signal: NEVER}));
		t.is(proxy.requests.length, 2);
	},
);

test('each redirect has the proxy of its own URL', withClient, async (t, {origin, clientWith}) => {
	const proxy = await startProxy(t);
	origin.serve('/from', {redirect: `http://b.test:${origin.port}/to`});
	origin.serve('/to', {body: 'x'});
	const proxyFor = (url: string) => (new URL(url).hostname === 'b.test' ? proxy.url : '');
	t.is(await getText(clientWith({proxyFor, lookup: resolveTo('127.0.0.1')}), `http://a.test:${origin.port}/from`), 'x');
	t.deepEqual(
		proxy.requests.map(({line}) => line),
		[`GET http://b.test:${origin.port}/to`],
	);
});
