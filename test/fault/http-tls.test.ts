/** Certificates: one that nobody vouches for, and one that is trusted. */
import {execFileSync, spawn} from 'node:child_process';
import {once} from 'node:events';
import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import https from 'node:https';
import type {AddressInfo} from 'node:net';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {text} from 'node:stream/consumers';
import test from 'ava';
import {failsWith, NEVER, withClient} from '../unit/http/with-client.js';

const directory = mkdtempSync(path.join(tmpdir(), 'larder-tls-'));
const certificate = path.join(directory, 'cert.pem');
const key = path.join(directory, 'key.pem');
const canSign = makeCertificate();
const testTls = canSign ? test : test.skip;
const why = canSign ? '' : ' (skipped: no openssl)';

test.after.always(() => rmSync(directory, {recursive: true}));

/** Self-signed, for 127.0.0.1. */
function makeCertificate(): boolean {
	const args = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=larder-test
		-addext subjectAltName=IP:127.0.0.1 -keyout ${key} -out ${certificate}`;
	try {
		execFileSync('openssl', args.split(/\s+/), {stdio: 'ignore'});
		return true;
	} catch {
		return false;
	}
}

/** Answers every request with "hello". */
async function secureOrigin() {
	let connections = 0;
	const options = {key: readFileSync(key), cert: readFileSync(certificate)};
	const server = https.createServer(options, (_request, response) => response.end('hello'));
	server.on('connection', () => connections++);
	server.listen(0, '127.0.0.1');
	await once(server, 'listening');
	const {port} = server.address() as AddressInfo;
	const close = () => {
		server.closeAllConnections();
		server.close();
	};
	return {url: `https://127.0.0.1:${port}/x`, connections: () => connections, close};
}

testTls(`a certificate nobody vouches for is origin-unreachable at once${why}`, withClient, async (t, {client}) => {
	const origin = await secureOrigin();
	const message = await failsWith(t, 'origin-unreachable', client.get(origin.url, {signal: NEVER}));
	origin.close();
	t.regex(message, /could not be asked for: .*self.signed certificate/);
	t.is(origin.connections(), 1);
});

/** Node reads its trusted certificates when it starts, so this client needs a process of its own. */
const TRUSTING_CLIENT = `
	const {HttpClient, DEFAULT_HTTP_OPTIONS} = await import(process.argv[1]);
	const log = {debug() {}};
	const client = new HttpClient({...DEFAULT_HTTP_OPTIONS, connectTimeoutMs: 2000}, log);
	for (let count = 0; count < 2; count++) {
		const {body} = await client.get(process.argv[2], {signal: new AbortController().signal});
		for await (const chunk of body) process.stdout.write(chunk);
	}
	client.close();
`;

testTls(`a trusted certificate connects once for two requests${why}`, async t => {
	const origin = await secureOrigin();
	const module = new URL('../../src/http/client.js', import.meta.url).href;
	const child = spawn(process.execPath, ['--input-type=module', '-e', TRUSTING_CLIENT, module, origin.url], {
		env: {...process.env, NODE_EXTRA_CA_CERTS: certificate},
		stdio: ['ignore', 'pipe', 'inherit'],
	});
	t.is(await text(child.stdout), 'hellohello');
	t.is(origin.connections(), 1);
	origin.close();
});
