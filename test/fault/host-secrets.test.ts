/** What belongs to one host never goes to another: 127.0.0.1 and 127.0.0.2 play the hosts. */
import type {IncomingHttpHeaders} from 'node:http';
import test, {type ExecutionContext} from 'ava';
import type {HostRule} from '../../src/base/host-rule.js';
import {parseNetrc} from '../../src/http/netrc.js';
import {makeCertificate} from '../helpers/certificate.js';
import {Origin} from '../helpers/origin.js';
import {startSecureOrigin, type SecureOrigin} from '../helpers/secure-origin.js';
import {getText, NEVER, readBody, withClient} from '../unit/http/with-client.js';

const made = makeCertificate();
const testTls = made ? test : test.skip;
const why = made ? '' : ' (skipped: no openssl)';
const certificate = made ?? {certificate: '', key: '', pem: {cert: '', key: ''}, remove: () => undefined};
const ca = [certificate.pem.cert];

test.after.always(() => certificate.remove());

/** An origin of https; what it is asked for by a path with `?to=` leads there. */
async function redirecting(t: ExecutionContext, host: string): Promise<SecureOrigin> {
	const origin = await startSecureOrigin(certificate, {
		host,
		handle(request, response) {
			const to = new URL(request.url ?? '', 'https://a.test').searchParams.get('to');
			if (to === null) response.end('hello');
			else response.writeHead(302, {location: to}).end();
		},
	});
	t.teardown(() => origin.close());
	return origin;
}

function secretsOf({authorization, cookie, 'x-key': key}: IncomingHttpHeaders) {
	return [authorization, cookie, key];
}

function basic(credentials: string): string {
	return `Basic ${Buffer.from(credentials).toString('base64')}`;
}

const A: HostRule = {host: '127.0.0.1', headers: {'authorization': 'Bearer a', 'x-key': 'a'}, cookies: {id: 'a'}};
const B: HostRule = {host: '127.0.0.2', headers: {'x-key': 'b'}};
const OF_A = ['Bearer a', 'id=a', 'a'];
const OF_B = [undefined, undefined, 'b'];

testTls(`each hop has what its own host's rules say${why}`, withClient, async (t, {clientWith}) => {
	const [a, b] = [await redirecting(t, '127.0.0.1'), await redirecting(t, '127.0.0.2')];
	const client = clientWith({ca, hosts: [A, B]});
	const back = a.url('/end');
	const there = b.url(`/via?to=${encodeURIComponent(back)}`);
	t.is(await getText(client, a.url(`/start?to=${encodeURIComponent(there)}`)), 'hello');
	t.deepEqual(
		a.requests.map(({headers}) => secretsOf(headers)),
		[OF_A, OF_A],
	);
	t.deepEqual(
		b.requests.map(({headers}) => secretsOf(headers)),
		[OF_B],
	);
});

testTls(`secrets of a host do not follow it to http${why}`, withClient, async (t, {origin, clientWith}) => {
	const a = await redirecting(t, '127.0.0.1');
	const client = clientWith({ca, hosts: [A]});
	const plain = origin.serve('/plain', {body: 'plain'});
	t.is(await getText(client, a.url(`/?to=${encodeURIComponent(plain)}`)), 'plain');
	t.deepEqual(secretsOf(a.requests[0]?.headers ?? {}), OF_A);
	t.deepEqual(secretsOf(origin.requests[0]?.headers ?? {}), [undefined, undefined, undefined]);
});

test(
	'an origin of http that is named gets its secrets, another port does not',
	withClient,
	async (t, {origin, clientWith}) => {
		const other = await Origin.start();
		t.teardown(() => other.close());
		const client = clientWith({hosts: [{...A, host: `http://127.0.0.1:${origin.port}`}]});
		await getText(client, origin.serve('/x', {redirect: other.serve('/y', {body: 'y'})}));
		t.deepEqual(secretsOf(origin.requests[0]?.headers ?? {}), OF_A);
		t.deepEqual(secretsOf(other.requests[0]?.headers ?? {}), [undefined, undefined, undefined]);
	},
);

testTls(`parts are asked for with what the whole is${why}`, withClient, async (t, {clientWith}) => {
	const a = await redirecting(t, '127.0.0.1');
	const client = clientWith({ca, hosts: [{...A, userAgent: 'me/1'}]});
	const part = client.getRange(a.url('/x'), {start: 0, end: 1}, {lengthBytes: 5, etag: '"x"'}, {signal: NEVER});
	await t.throwsAsync(part);
	const headers = a.requests[0]?.headers ?? {};
	t.deepEqual([secretsOf(headers), headers['user-agent'], headers.range], [OF_A, 'me/1', 'bytes=0-0']);
});

testTls(
	`credentials in a URL go before those of its host, and of the netrc file${why}`,
	withClient,
	async (t, {clientWith}) => {
		const [a, b] = [await redirecting(t, '127.0.0.1'), await redirecting(t, '127.0.0.2')];
		const netrc = () => parseNetrc('machine 127.0.0.1 login n password 1\nmachine 127.0.0.2 login n password 2');
		const client = clientWith({ca, hosts: [A], netrc});
		const withCredentials = (url: string) => url.replace('//', '//u:p@');
		await getText(client, withCredentials(a.url('/x')));
		await getText(client, a.url('/y'));
		await getText(client, withCredentials(b.url('/x')));
		await getText(client, b.url(`/y?to=${encodeURIComponent(a.url('/z'))}`));
		const sent = (origin: SecureOrigin) => origin.requests.map(({headers}) => headers.authorization);
		t.deepEqual(sent(a), [basic('u:p'), 'Bearer a', 'Bearer a']);
		t.deepEqual(sent(b), [basic('u:p'), basic('n:2')]);
	},
);

test('no login of the netrc file goes over http', withClient, async (t, {origin, clientWith}) => {
	const netrc = () => parseNetrc('default login n password 1');
	const url = origin.serve('/x', {body: 'x'});
	await readBody(await clientWith({netrc}).get(url, {signal: NEVER}));
	const hosts = [{host: new URL(url).origin, netrc: true}];
	await readBody(await clientWith({netrc, hosts}).get(url, {signal: NEVER}));
	t.deepEqual(
		origin.requests.map(({headers}) => headers.authorization),
		[undefined, basic('n:1')],
	);
});
