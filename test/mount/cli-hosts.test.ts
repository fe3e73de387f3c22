import {chmod, readdir, readFile, writeFile} from 'node:fs/promises';
import type {IncomingMessage, ServerResponse} from 'node:http';
import path from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {makeCertificate} from '../helpers/certificate.js';
import {startDrive, startOrigin, workDirectory} from '../helpers/drive.js';
import {larder, larderWith} from '../helpers/mount.js';
import {Origin} from '../helpers/origin.js';
import {TestProxy} from '../helpers/proxy.js';
import {run} from '../helpers/run.js';
import {startSecureOrigin} from '../helpers/secure-origin.js';
import {until} from '../helpers/until.js';

const made = makeCertificate();
const testTls = made ? test : test.skip;
const why = made ? '' : ' (skipped: no openssl)';
const certificate = made ?? {certificate: '', key: '', pem: {cert: '', key: ''}, remove: () => undefined};
const SECRETS = {TOKEN: 't0ken-s3cret', SESSION: 's3ssion-s3cret', KEY: 'k3y-s3cret'};

test.after.always(() => certificate.remove());

/** All that is in a directory, names and contents. */
async function everythingIn(directory: string): Promise<string> {
	const found = await readdir(directory, {recursive: true, withFileTypes: true});
	const files = found.filter(entry => entry.isFile()).map(entry => path.join(entry.parentPath, entry.name));
	const texts = await Promise.all(files.map(file => readFile(file, 'latin1').catch(() => '')));
	return [...files, ...texts].join('\n');
}

async function secondOrigin(t: ExecutionContext): Promise<Origin> {
	const origin = await Origin.start({host: '127.0.0.2'});
	t.teardown(() => origin.close());
	return origin;
}

/** Answers who brings the token, the cookie and the key; the others are refused. */
function demanding({headers}: IncomingMessage, response: ServerResponse): void {
	const {authorization, cookie, 'x-key': key} = headers;
	const isKnown =
		authorization === `Bearer ${SECRETS.TOKEN}` && cookie === `session=${SECRETS.SESSION}` && key === SECRETS.KEY;
	response.writeHead(isKnown ? 200 : 401).end(isKnown ? 'private' : 'who are you');
}

test('a drive fetches with the secrets of its configuration, and they are nowhere but with their origin', async t => {
	const directory = await workDirectory(t);
	const file = path.join(directory, 'larder.yaml');
	const [origin, other] = [await startOrigin(t), await secondOrigin(t)];
	const hosts = `
hosts:
  ${new URL(origin.url('/')).origin}:
    token: "\${TOKEN}"
    cookies: {session: "\${SESSION}"}
    headers: {X-Key: "\${KEY}"}
  127.0.0.2: {token: "other-s3cret"}
`;
	await writeFile(file, `${hosts}log-level: debug\nretries: 0\n`);
	const {mount} = await startDrive(t, {flags: ['--config', file], env: SECRETS});
	const url = origin.serve('/private', {handle: demanding});
	t.is((await run('cat', [mount.path(url)])).stdout, 'private');
	const away = origin.serve('/away', {redirect: other.serve('/there', {body: 'there'})});
	t.is((await run('cat', [mount.path(away)])).stdout, 'there');
	const {authorization, cookie, 'x-key': key} = other.requests[0]?.headers ?? {};
	t.deepEqual([authorization, cookie, key], [undefined, undefined, undefined]);
	const warned = mount.logLines.filter(line => line.includes('is not sent over http'));
	t.is(warned.length, 1, mount.log);
	t.true(warned[0]?.includes(`name it http://127.0.0.2:${other.port} there`));

	await writeFile(file, `${hosts.replace('other-', 'new-')}log-level: debug\nretries: 0\n`);
	await until('it is said what waits', () => mount.log.includes('"afterRestart":["hosts"]'));
	await writeFile(file, `${hosts.replace('token:', 'tokem:')}`);
	await until('it is said what is wrong', () =>
		mount.log.includes('unknown key \\"tokem\\"; did you mean \\"token\\"?'),
	);
	const {stdout} = await larder('ls', '--json', '--cache-dir', mount.cacheDir);
	t.true(stdout.includes(url));
	const synthetic = ['stats.json', 'downloads.json'].map(name => path.join(mount.directory, name));
	const shown = await Promise.all(synthetic.map(name => readFile(name, 'utf8')));
	const listings = await run('ls', [mount.directory, path.join(mount.directory, 'by-url')]);
	t.is(await mount.stop(), 0);
	for (const text of [mount.log, stdout, ...shown, listings.stdout, await everythingIn(mount.cacheDir)]) {
		t.notRegex(text, /s3cret/);
	}
});

test('larder get says in one line which variable is missing, and hosts is no flag', async t => {
	const file = path.join(await workDirectory(t), 'larder.yaml');
	await writeFile(file, 'hosts: {a.test: {token: "${NO_SUCH_VARIABLE}"}}\n');
	t.deepEqual(await larder('get', '--config', file, 'http://127.0.0.1/'), {
		code: 2,
		stdout: '',
		stderr: `larder: ${file}: hosts: a.test: token names the variable NO_SUCH_VARIABLE, which is not set\n`,
	});
	const {stdout} = await larder('mount', '--help');
	t.regex(stdout, /--proxy <auto\|none\|url>/);
	t.notRegex(stdout, /--hosts\b|LARDER_HOSTS\b/);
});

testTls(
	`larder get: a certificate of one's own, a login of the netrc file, a proxy of the environment${why}`,
	async t => {
		const directory = await workDirectory(t);
		const origin = await startSecureOrigin(certificate, {
			handle: ({headers}, response) => response.end(headers.authorization),
		});
		const proxy = await TestProxy.start();
		t.teardown(async () => {
			origin.close();
			await proxy.close();
		});
		const netrc = path.join(directory, 'netrc');
		await writeFile(netrc, 'machine 127.0.0.1 login ann password s3cret\nfoo s3cret\n');
		await chmod(netrc, 0o644);
		const environment = {
			...{LARDER_PROXY: '', LARDER_NETRC: '', NETRC: netrc},
			...{https_proxy: proxy.url.replace('//', '//me:pr0xy@'), no_proxy: 'no.test'},
		};
		const get = (flags: readonly string[], number: number, env: Readonly<Record<string, string>> = environment) =>
			larderWith(
				{env},
				'get',
				'-o',
				'-',
				'--retries',
				'0',
				'--cache-dir',
				directory,
				...flags,
				origin.url(`/${number}`),
			);
		const flags = ['--ca-file', certificate.certificate];
		const {code, stdout, stderr} = await get(flags, 1);
		t.deepEqual([code, stdout], [0, `Basic ${Buffer.from('ann:s3cret').toString('base64')}`], stderr);
		t.regex(stderr, /"msg":"others may read the netrc file"/);
		t.regex(stderr, /"line":2,"msg":"a line of the netrc file is not understood"/);
		t.notRegex(stderr, /s3cret|pr0xy/);
		t.is(proxy.requests.length, 1);
		await chmod(netrc, 0o600);
		t.notRegex((await get(flags, 2)).stderr, /others may read/);
		t.is(proxy.requests.length, 2);
		t.is((await get([...flags, '--proxy', 'none', '--netrc', 'none'], 3)).stdout, '');
		t.is(proxy.requests.length, 2);
		t.is((await get([...flags, '--proxy', proxy.url], 4)).code, 0);
		t.is(proxy.requests.length, 3);
		t.is((await get(flags, 6, {...environment, no_proxy: 'no.test,127.0.0.1'})).code, 0);
		t.is(proxy.requests.length, 3);
		const {stderr: untrusted} = await get([], 5);
		t.regex(untrusted, /self.signed certificate/);
	},
);

test('a named file that is missing, or has no certificate, is wrong usage', async t => {
	const directory = await workDirectory(t);
	const empty = path.join(directory, 'empty.pem');
	const broken = path.join(directory, 'broken.pem');
	await writeFile(empty, 'no certificate');
	await writeFile(broken, '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n');
	const get = (...flags: string[]) => larder('get', '--cache-dir', directory, ...flags, 'http://127.0.0.1/');
	const missing = path.join(directory, 'missing');
	const cases: Array<[flag: string, file: string, message: RegExp]> = [
		['--ca-file', missing, /^larder: ca-file: \S+ does not exist\n$/],
		['--ca-file', empty, /^larder: ca-file: \S+ has no certificate in it; expected PEM\n$/],
		['--ca-file', broken, /^larder: ca-file: \S+ has a certificate that cannot be read: .*\n$/],
		['--ca-file', directory, /^larder: ca-file: \S+ cannot be read: EISDIR/],
		['--netrc', missing, /^larder: netrc: \S+ does not exist\n$/],
	];
	for (const [flag, file, message] of cases) {
		const {code, stderr} = await get(flag, file);
		t.is(code, 2);
		t.regex(stderr, message);
	}
});
