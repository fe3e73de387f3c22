import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {loadConfig} from '../../../src/config/load.js';
import {flagsOf, variableOf} from '../../../src/config/options.js';
import {UsageError} from '../../../src/config/usage-error.js';

type Env = Readonly<Record<string, string>>;

function load(t: ExecutionContext, yaml: string, env: Env = {}, flags: Readonly<Record<string, unknown>> = {}) {
	const directory = mkdtempSync(path.join(os.tmpdir(), 'larder-config-'));
	t.teardown(() => rmSync(directory, {recursive: true, force: true}));
	const configFile = path.join(directory, 'larder.yaml');
	writeFileSync(configFile, yaml);
	return loadConfig({env, flags, home: directory, directory, version: '1', configFile}).settings;
}

function complaint(t: ExecutionContext, yaml: string, env?: Env): string {
	const {message} = t.throws(() => load(t, yaml, env), {instanceOf: UsageError});
	t.notRegex(message, /\n|s3cret/);
	return message.replaceAll(/\S*\/larder-config-\w+\//g, '');
}

/** What is wrong with one host's fields. */
function wrong(t: ExecutionContext, fields: string, env?: Env): string {
	return complaint(t, `hosts:\n  a.test: ${fields}\n`, env).replace(/^larder\.yaml: hosts: a\.test: /, '');
}

function basic(credentials: string): string {
	return `Basic ${Buffer.from(credentials).toString('base64')}`;
}

test('hosts has what requests to each of them carry', t => {
	const yaml = `
hosts:
  media.example.org:
    freshness: http
    user-agent: me/1
    headers: {X-Api-Key: "\${MEDIA_KEY}"}
    cookies: {session: "a\${SESSION}b"}
    username: ann
    password: "\${PW}"
    netrc: false
  "*.example.org": {freshness: 1h, stream-unknown: true, token: "\${MEDIA_KEY}"}
  http://127.0.0.1:8080: {freshness: forever}
`;
	t.deepEqual(load(t, yaml, {MEDIA_KEY: 'k', SESSION: '${PW}', PW: 'a:ü'}).hosts, [
		{
			host: 'media.example.org',
			freshness: 'http',
			userAgent: 'me/1',
			headers: {'x-api-key': 'k', 'authorization': basic('ann:a:ü')},
			cookies: {session: 'a${PW}b'},
			netrc: false,
		},
		{host: '*.example.org', freshness: 3_600_000, streamUnknown: true, headers: {authorization: 'Bearer k'}},
		{host: 'http://127.0.0.1:8080', freshness: 'forever'},
	]);
});

test('a dollar is one, and $${ is ${', t => {
	const headers = (text: string) => load(t, `hosts: {a.test: {headers: {X: '${text}'}}}`).hosts[0]?.headers;
	t.deepEqual(headers('a$b$$c$'), {x: 'a$b$$c$'});
	t.deepEqual(headers('$${HOME} $${x}'), {x: '${HOME} ${x}'});
});

test('a variable that is not set is named with its host and field, one without a name is none', t => {
	t.is(
		complaint(t, 'hosts: {a.test: {cookies: {id: "s3cret${NO_SUCH}"}}}'),
		'larder.yaml: hosts: a.test: cookies.id names the variable NO_SUCH, which is not set',
	);
	for (const field of ['token', 'user-agent', 'password']) {
		t.is(
			wrong(
				t,
				`{username: u, ${field}: "\${A}"}`.replace('username: u, ', field === 'password' ? 'username: u, ' : ''),
			),
			`${field} names the variable A, which is not set`,
		);
	}

	t.is(wrong(t, '{headers: {X-Key: "${B}"}}'), 'headers.X-Key names the variable B, which is not set');
	for (const text of ['${}', '${a b}', 'x${', '${1}']) {
		t.regex(wrong(t, `{token: "${text}"}`), /^token has a \$\{ without the name of a variable/);
	}
});

test('a key that is none is told with the one it resembles', t => {
	t.is(wrong(t, '{tokem: x}'), 'unknown key "tokem"; did you mean "token"?');
	t.regex(wrong(t, '{colour: x}'), /^unknown key "colour"; the keys are freshness, user-agent, headers, /);
	t.regex(wrong(t, '{token=s3cret}'), /^an unknown key; the keys are /);
});

test('what HTTP does not allow in a header, and what larder decides itself, is refused', t => {
	const header = (name: string, value = 'x') =>
		wrong(t, `{headers: {${JSON.stringify(name)}: ${JSON.stringify(value)}}}`);
	for (const value of ['s3cret\r\nx: y', 's3cret\n', 's3cret\0'])
		t.is(header('X-Key', value), 'headers.X-Key has a control character');
	t.is(header('X-Key', 's3cret ü'), 'headers.X-Key is not one line of printable ASCII');
	for (const name of ['', 'a b', 'a:b', 'x\r\n', 'ü', 's3cret?'])
		t.is(header(name), 'headers has a name that HTTP does not allow');
	const ours = [
		'Host',
		'range',
		'If-Range',
		'if-none-match',
		'Accept-Encoding',
		'connection',
		'Content-Length',
		'Transfer-Encoding',
		'Proxy-Authorization',
		'TE',
	];
	for (const name of ours) t.is(header(name), `headers has ${name}, which larder decides itself`);
	t.is(header('Cookie'), 'headers has Cookie; write cookies for it');
	t.is(header('User-Agent'), 'headers has User-Agent; write user-agent for it');
	t.is(wrong(t, '{headers: {X-A: "1", x-a: "2"}}'), 'headers has x-a twice');
	t.is(wrong(t, '{token: "${T}"}', {T: 's3cret\n'}), 'token has a control character');
	t.is(wrong(t, '{user-agent: "a\\nb"}'), 'user-agent has a control character');
});

test('a cookie is one', t => {
	t.is(wrong(t, '{cookies: {a: "s3cret; b=1"}}'), 'cookies.a has a semicolon, which ends a cookie');
	t.is(wrong(t, '{cookies: {"a=s3cret": "1"}}'), 'cookies has a name that HTTP does not allow');
	t.regex(wrong(t, '{cookies: session=s3cret}'), /^cookies is no mapping/);
});

test('there is one way to log in, and all of it', t => {
	t.is(
		wrong(t, '{token: s3cret, username: u, password: p}'),
		'has token and username and password; expected one of them',
	);
	t.is(
		wrong(t, '{token: s3cret, headers: {authorization: x}}'),
		'has token and an Authorization header; expected one of them',
	);
	t.is(wrong(t, '{username: u}'), 'has a username without a password');
	t.is(wrong(t, '{password: s3cret}'), 'has a password without a username');
	t.is(wrong(t, '{username: "u:v", password: s3cret}'), 'username has a colon, which HTTP does not allow');
	t.is(wrong(t, '{token: ""}'), 'token is empty');
	t.is(wrong(t, '{token: 12345}'), 'token is no text; put it in quotes');
	t.deepEqual(load(t, 'hosts: {a.test: {headers: {Authorization: "Key k"}}}').hosts[0]?.headers, {
		authorization: 'Key k',
	});
});

test('what is no host, no mapping and no freshness is refused', t => {
	for (const host of [
		'a.test:80',
		'"http://*.a.test"',
		'http://a.test/x',
		'https://s3cret@a.test',
		'"*"',
		'10.0.0.0/40',
	]) {
		t.regex(
			complaint(t, `hosts: {${host}: {token: s3cret}}`),
			/^larder\.yaml: hosts: \S+: no host; expected one such as /,
		);
	}

	for (const yaml of ['hosts:', 'hosts: s3cret', 'hosts: [s3cret]'])
		t.regex(complaint(t, yaml), /^larder\.yaml: hosts: expected lines/);
	for (const fields of ['s3cret', '[s3cret]', '']) t.regex(wrong(t, fields), /^expected some of freshness, /);
	t.is(wrong(t, '{freshness: "60"}'), 'freshness is none; expected forever, http or a duration such as 1h');
	t.is(wrong(t, '{netrc: maybe}'), 'netrc is neither true nor false');
	t.is(wrong(t, '{stream-unknown: 1}'), 'stream-unknown is neither true nor false');
	t.deepEqual(load(t, 'hosts: none').hosts, []);
});

test('hosts is said in the file alone', t => {
	t.deepEqual(flagsOf('hosts'), []);
	t.is(variableOf('hosts'), undefined);
	t.deepEqual(load(t, '', {LARDER_HOSTS: 'a.test'}, {hosts: 'a.test'}).hosts, []);
});

test('YAML that is broken is not quoted', t => {
	for (const broken of [
		'*s3cret',
		'"s3cret',
		'[s3cret',
		'"\\s3cret"',
		'|s3cret',
		'@s3cret',
		'{s3cret: [}',
		'!!s3cret x\n   y: s3cret',
	]) {
		complaint(t, `hosts:\n  a.test:\n    token: ${broken}\n`);
	}

	complaint(t, 'hosts{token s3cret}');
	complaint(t, 'hosts:\n  a.test:\n    token "s3cret"\n    netrc: true\n');
});

test('freshness is a word or a duration with its unit', t => {
	const freshness = (value: string) => load(t, '', {LARDER_FRESHNESS: value}).freshness;
	t.deepEqual(['forever', 'http', '90s', '2d'].map(freshness), ['forever', 'http', 90_000, 172_800_000]);
	for (const value of ['90', '0s', 'never', '-1h'])
		t.throws(() => freshness(value), {message: /expected forever, http, or a duration/});
});

test('a proxy is a word or a URL, which is not shown', t => {
	const proxy = (value: string) => load(t, '', {}, {proxy: value}).proxy;
	for (const value of ['auto', 'none', 'http://u:p@proxy.test:3128', 'https://proxy.test/']) t.is(proxy(value), value);
	for (const value of [
		'proxy.test:3128',
		'socks5://u:s3cret@p.test',
		'http://u:s3cret@p:x',
		'http://p.test/path',
		'',
	]) {
		t.throws(() => proxy(value), {
			message: '--proxy: expected auto, none or a URL such as http://proxy.example.org:3128',
		});
	}
});

test('netrc is NETRC, else that of the home directory, where there is one', t => {
	const directory = mkdtempSync(path.join(os.tmpdir(), 'larder-netrc-'));
	t.teardown(() => rmSync(directory, {recursive: true, force: true}));
	const read = (env: Env, flags = {}) =>
		loadConfig({env, flags, home: directory, directory, version: '1', configFile: '/dev/null'}).settings.netrc;
	const [own, other] = ['.netrc', 'other'].map(name => path.join(directory, name)) as [string, string];
	t.is(read({}), undefined);
	for (const file of [own, other]) writeFileSync(file, '');
	t.is(read({}), own);
	t.is(read({NETRC: other}), other);
	t.is(read({NETRC: 'other'}), other);
	t.is(read({}, {netrc: 'none'}), undefined);
	t.is(read({}, {netrc: 'some'}), path.join(directory, 'some'));
});

test('who makes no request is not told that a variable of a secret is missing', t => {
	const directory = mkdtempSync(path.join(os.tmpdir(), 'larder-hosts-'));
	t.teardown(() => rmSync(directory, {recursive: true, force: true}));
	const configFile = path.join(directory, 'larder.yaml');
	writeFileSync(configFile, 'max-size: 1GB\nhosts:\n  a.test:\n    token: ${MISSING}\n');
	const request = {env: {}, flags: {}, home: directory, directory, version: '1', configFile};
	t.throws(() => loadConfig(request), {message: /MISSING/});
	const {settings} = loadConfig({...request, isLocal: true});
	t.deepEqual([settings.hosts, settings.maxSize], [[], 1_073_741_824]);
});

test('what every object has is no variable', t => {
	for (const name of ['constructor', 'toString', '__proto__']) {
		t.is(wrong(t, `{token: "\${${name}}"}`), `token names the variable ${name}, which is not set`);
	}
});

test('what is no host is not told where it may hold a secret', t => {
	const hosts = [
		'ann:s3cret@a.test',
		'https:ann:s3cret@a.test',
		'https://a.test/?token=s3cret',
		'https:\\ann:s3cret@a',
	];
	for (const host of hosts) {
		t.regex(complaint(t, `hosts: {'${host}': {token: x}}`), /^larder\.yaml: hosts: [^ ]*: no host; expected/, host);
	}

	t.regex(complaint(t, 'hosts: {? {token: s3cret} : {token: x}}'), /^larder\.yaml: hosts: …: no host; expected/);
});
