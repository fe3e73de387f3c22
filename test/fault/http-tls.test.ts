/** Certificates: one that nobody vouches for, and one that is trusted. */
import {spawn} from 'node:child_process';
import {text} from 'node:stream/consumers';
import test from 'ava';
import {makeCertificate} from '../helpers/certificate.js';
import {startSecureOrigin} from '../helpers/secure-origin.js';
import {failsWith, getText, NEVER, withClient} from '../unit/http/with-client.js';

const certificate = makeCertificate();
const testTls = certificate ? test : test.skip;
const why = certificate ? '' : ' (skipped: no openssl)';

test.after.always(() => certificate?.remove());

async function secureOrigin() {
	if (!certificate) throw new Error('no openssl');
	return startSecureOrigin(certificate);
}

testTls(`a certificate nobody vouches for is origin-unreachable at once${why}`, withClient, async (t, {client}) => {
	const origin = await secureOrigin();
	const message = await failsWith(t, 'origin-unreachable', client.get(origin.url('/x'), {signal: NEVER}));
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
	const child = spawn(process.execPath, ['--input-type=module', '-e', TRUSTING_CLIENT, module, origin.url('/x')], {
		env: {...process.env, NODE_EXTRA_CA_CERTS: certificate?.certificate},
		stdio: ['ignore', 'pipe', 'inherit'],
	});
	t.is(await text(child.stdout), 'hellohello');
	t.is(origin.connections(), 1);
	origin.close();
});

testTls(`certificates that are named are trusted, and nobody besides${why}`, withClient, async (t, {clientWith}) => {
	const origin = await secureOrigin();
	const client = clientWith({ca: [certificate?.pem.cert ?? '']});
	t.is(await getText(client, origin.url('/x')), 'hello');
	t.is(await getText(client, origin.url('/y')), 'hello');
	t.is(origin.connections(), 1);
	const others = makeCertificate();
	await failsWith(
		t,
		'origin-unreachable',
		clientWith({ca: [others?.pem.cert ?? '']}).get(origin.url('/x'), {signal: NEVER}),
	);
	others?.remove();
	origin.close();
});
