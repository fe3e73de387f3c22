import test from 'ava';
import {Origin, resolveTo} from '../../helpers/origin.js';
import {failsWith, getText, NEVER, readBody, withClient} from './with-client.js';

const SECRETS = {'Authorization': 'Bearer s3cret', 'Cookie': 'id=1', 'X-Own': 'kept'};

test(
	'301, 302, 303, 307 and 308 are followed, and the answer says where from',
	withClient,
	async (t, {origin, client}) => {
		const target = origin.serve('/dir/target.gif', {body: 'x'});
		for (const status of [301, 302, 303, 307, 308]) {
			const url = origin.serve(`/dir/${status}`, {status, redirect: 'target.gif', body: 'moved'});
			const response = await client.get(url, {signal: NEVER});
			t.is(response.url, target);
			t.is(response.filename, String(status), 'the name is of the URL asked for');
			t.is(String(await readBody(response)), 'x');
		}
	},
);

/** Location -> the path it leads to from `/dir/start`, `HOST` standing for the origin's. */
const LOCATIONS: Record<string, string> = {
	'http://HOST/abs': '/abs',
	'//HOST/scheme-relative': '/scheme-relative',
	'/root': '/root',
	'beside': '/dir/beside',
	'../up': '/up',
	'?q=1': '/dir/start?q=1',
	'/frag#part': '/frag',
	'/with space': '/with%20space',
	'/sch\u00c3\u00b6n': '/sch%c3%b6n',
	'/latin-\u00f6': '/latin-%f6',
};

test('Location may be relative and raw', withClient, async (t, {origin, client}) => {
	for (const [location, path] of Object.entries(LOCATIONS)) {
		const start = origin.serve('/dir/start', {redirect: location.replace('HOST', origin.host)});
		const target = origin.serve(path, {body: path});
		const response = await client.get(start, {signal: NEVER});
		t.is(String(await readBody(response)), path, location);
		t.is(response.url, target, location);
	}
});

test('a redirect away from http and https is refused', withClient, async (t, {origin, client}) => {
	for (const location of ['file:///etc/passwd', 'ftp://127.0.0.1/x', 'data:text/plain,x', 'javascript:1']) {
		const url = origin.serve('/x', {redirect: location});
		const message = await failsWith(t, 'origin-refused', client.get(url, {signal: NEVER}));
		const {protocol} = new URL(location);
		t.is(message, `${url}: denied: it redirects to a ${protocol} URL (guard: http and https only)`);
	}

	t.is(origin.requests.length, 4);
});

test('a redirect to nowhere is origin-failed', withClient, async (t, {origin, client}) => {
	for (const behaviour of [{status: 302}, {redirect: ''}, {redirect: 'http://'}, {redirect: 'http://a:b:c/'}]) {
		await failsWith(t, 'origin-failed', client.get(origin.serve('/x', behaviour), {signal: NEVER}));
	}

	t.is(origin.requests.length, 4);
});

test('a circle is noticed on its first turn', withClient, async (t, {origin, client}) => {
	const url = origin.serve('/a', {redirect: '/b'});
	origin.serve('/b', {redirect: '/a?'});
	origin.serve('/a?', {redirect: '/b'});
	const message = await failsWith(t, 'origin-failed', client.get(url, {signal: NEVER}));
	t.is(message, `${url} redirected in a circle, back to ${origin.url('/b')} after 3 redirects`);
	t.is(origin.requests.length, 3);
});

test('maxRedirects hops are followed and one more is not', withClient, async (t, {origin, clientWith}) => {
	for (let hop = 0; hop < 5; hop++) origin.serve(`/${hop}`, {redirect: `/${hop + 1}`});
	origin.serve('/3', {body: 'x'});
	t.is(await getText(clientWith({maxRedirects: 3}), origin.url('/0')), 'x');
	const message = await failsWith(
		t,
		'origin-failed',
		clientWith({maxRedirects: 2}).get(origin.url('/0'), {signal: NEVER}),
	);
	t.is(message, `${origin.url('/0')} redirected more than 2 times`);
	t.is(origin.requests.length, 4 + 3);
	await failsWith(t, 'origin-failed', clientWith({maxRedirects: 0}).get(origin.url('/0'), {signal: NEVER}));
	t.is(origin.requests.length, 4 + 3 + 1);
});

test('credentials stay within an origin', withClient, async (t, {origin, client}) => {
	const url = origin.serve('/from', {redirect: '/to'});
	origin.serve('/to', {body: 'x'});
	await getText(client, url, SECRETS);
	const {authorization, cookie, 'x-own': own} = origin.requestsOf('/to')[0]?.headers ?? {};
	t.deepEqual([authorization, cookie, own], ['Bearer s3cret', 'id=1', 'kept']);
});

test('credentials are dropped at another port, and do not come back', withClient, async (t, {origin, client}) => {
	const other = await Origin.start();
	const url = origin.serve('/from', {redirect: other.url('/via')});
	other.serve('/via', {redirect: origin.url('/to')});
	origin.serve('/to', {body: 'x'});
	await getText(client, url, SECRETS);
	await other.close();
	for (const {headers} of [...other.requests, ...origin.requestsOf('/to')]) {
		t.deepEqual([headers.authorization, headers.cookie, headers['x-own']], [undefined, undefined, 'kept']);
	}

	t.is(other.requests.length, 1);
});

test('credentials are dropped at another host', withClient, async (t, {origin, clientWith}) => {
	const url = `http://a.test:${origin.port}/from`;
	origin.serve('/from', {redirect: `http://sub.a.test:${origin.port}/to`});
	origin.serve('/to', {body: 'x'});
	await getText(clientWith({lookup: resolveTo('127.0.0.1')}), url, SECRETS);
	t.is(origin.requestsOf('/from')[0]?.headers.cookie, 'id=1');
	t.is(origin.requestsOf('/to')[0]?.headers.authorization, undefined);
	t.is(origin.requestsOf('/to')[0]?.headers.cookie, undefined);
});

test(
	'credentials in a URL stay within its origin, those in Location are used there',
	withClient,
	async (t, {origin, client}) => {
		const other = await Origin.start();
		origin.serve('/from', {redirect: '/here'});
		origin.serve('/here', {redirect: other.url('/there')});
		other.serve('/there', {redirect: `http://you:two@${other.host}/last`});
		other.serve('/last', {body: 'x'});
		const response = await client.get(`http://me:one@${origin.host}/from`, {signal: NEVER});
		t.is(String(await readBody(response)), 'x');
		t.is(response.url, other.url('/last'));
		await other.close();
		const sent = [...origin.requests, ...other.requests].map(({headers}) => headers.authorization);
		const basic = (credentials: string) => `Basic ${Buffer.from(credentials).toString('base64')}`;
		t.deepEqual(sent, [basic('me:one'), basic('me:one'), undefined, basic('you:two')]);
	},
);

test('the unread body of a redirect is given up', withClient, async (t, {origin, client}) => {
	const url = origin.serve('/from', {redirect: '/to', size: 50_000_000});
	origin.serve('/to', {hang: true});
	const aborting = new AbortController();
	const asked = client.get(url, {signal: aborting.signal});
	await origin.received('/to');
	t.is(origin.connections, 2);
	aborting.abort();
	await failsWith(t, 'aborted', asked);
	await origin.disconnected();
});
