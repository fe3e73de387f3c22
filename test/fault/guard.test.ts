/** What the user did not mean is not asked for. 127.0.0.2 plays what is denied; nothing leaves loopback, also if the guard were broken. */
import {readdirSync} from 'node:fs';
import type {LookupAddress} from 'node:dns';
import type {LookupFunction} from 'node:net';
import path from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {hasCode, messageOf} from '../../src/base/errors.js';
import type {HttpClient} from '../../src/http/client.js';
import {Guard, type GuardPolicy} from '../../src/http/guard.js';
import {entryFiles, openMediaCache, temporaryDirectory} from '../helpers/cache.js';
import {larder} from '../helpers/mount.js';
import {reading, startDrive} from '../helpers/drive.js';
import {Origin} from '../helpers/origin.js';
import {failsWith, getText, NEVER, readBody, withClient} from '../unit/http/with-client.js';

const DENY: Partial<GuardPolicy> = {denyHosts: ['127.0.0.2/32']};

/** An origin at the denied address. */
async function startDenied(t: ExecutionContext): Promise<Origin> {
	const denied = await Origin.start({host: '127.0.0.2'});
	t.teardown(() => denied.close());
	return denied;
}

/** Resolves any name to each of these in its turn, the last one for good; `asked` counts. */
function resolving(...answers: ReadonlyArray<readonly string[]>) {
	let count = 0;
	const lookup: LookupFunction = (_name, {all}, callback) => {
		const addresses = (answers[Math.min(count++, answers.length - 1)] ?? []).map(addressOf);
		if (all) process.nextTick(callback, null, addresses);
		else process.nextTick(callback, null, addresses[0]?.address, addresses[0]?.family);
	};
	return {lookup, asked: () => count};
}

function addressOf(address: string): LookupAddress {
	return {address, family: address.includes(':') ? 6 : 4};
}

/** What a guarded lookup hands on: addresses, or why there are none. Nothing is connected to. */
function handedOn(guard: Guard, addresses: readonly string[], all: boolean): Promise<string> {
	return new Promise(resolve => {
		guard.guarded(resolving(addresses).lookup)('a.test', {all}, (error, found) => {
			if (error) return resolve(`denied: ${error.message}`);
			resolve(typeof found === 'string' ? found : found.map(({address}) => address).join());
		});
	});
}

async function lengthOf(client: HttpClient, url: string): Promise<number> {
	return (await readBody(await client.get(url, {signal: NEVER}))).byteLength;
}

test('of the addresses of a host only those that are allowed are handed on to be connected to', async t => {
	const guard = new Guard({networks: 'public'});
	const cases: Array<[addresses: string[], one: RegExp, all: RegExp]> = [
		[['1.1.1.1', '10.0.0.5'], /^1\.1\.1\.1$/, /^1\.1\.1\.1$/],
		[['10.0.0.5', '1.1.1.1', 'fe80::1', '2606:4700::1111'], /^denied: 10/, /^1\.1\.1\.1,2606:4700::1111$/],
		[['169.254.1.1'], /is a link-local address/, /is a link-local address/],
		[
			['192.168.1.1', '::1'],
			/is in a private network/,
			/^denied: 192\.168\.1\.1, an address of a\.test, is in a private/,
		],
		[['169.254.169.254'], /is a cloud metadata address/, /is a cloud metadata address/],
		[['fe80::1%eth0'], /is a link-local address/, /is a link-local address/],
	];
	for (const [addresses, one, all] of cases) {
		t.regex(await handedOn(guard, addresses, false), one);
		t.regex(await handedOn(guard, addresses, true), all);
	}
});

test('a host at a denied address is asked once and never connected to', withClient, async (t, {clientWith, delays}) => {
	const denied = await startDenied(t);
	const {lookup, asked} = resolving(['127.0.0.2']);
	const client = clientWith({lookup, guard: DENY});
	const url = `http://me:pw@a.test:${denied.port}/x?token=1`;
	t.is(
		await failsWith(t, 'origin-refused', client.get(url, {signal: NEVER})),
		`http://a.test:${denied.port}/x: denied: 127.0.0.2, an address of a.test, is on the deny list (guard: deny-hosts has 127.0.0.2/32)`,
	);
	t.deepEqual([asked(), delays.length, denied.connections], [1, 0, 0]);
	const range = client.getRange(url, {start: 0, end: 1}, {lengthBytes: 2, etag: '"a"'}, {signal: NEVER});
	await failsWith(t, 'origin-refused', range);
	t.is(denied.connections, 0);
});

test('a URL with a denied address in it is refused in any spelling', withClient, async (t, {clientWith}) => {
	const denied = await startDenied(t);
	const client = clientWith({guard: DENY});
	for (const host of ['127.0.0.2', '2130706434', '0x7f.2', '0177.0.0.2', '[::ffff:127.0.0.2]']) {
		await failsWith(t, 'origin-refused', client.get(`http://${host}:${denied.port}/`, {signal: NEVER}));
	}

	t.is(denied.connections, 0);
});

test('where one address of a host is denied the other one is asked', withClient, async (t, {origin, clientWith}) => {
	origin.serve('/x', {body: 'x'});
	const {lookup} = resolving(['127.0.0.2', '127.0.0.1']);
	t.is(await getText(clientWith({lookup, guard: DENY}), `http://a.test:${origin.port}/x`), 'x');
});

test('each hop is checked: a redirect to a denied address', withClient, async (t, {origin, clientWith}) => {
	const denied = await startDenied(t);
	denied.serve('/secret', {body: 'secret'});
	const {lookup} = resolving(['127.0.0.2']);
	const client = clientWith({lookup, guard: DENY});
	for (const target of [denied.url('/secret'), `http://b.test:${denied.port}/secret`]) {
		const url = origin.serve('/away', {redirect: target});
		const message = await failsWith(t, 'origin-refused', client.get(url, {signal: NEVER}));
		t.true(message.startsWith(`${target}: denied: 127.0.0.2`), message);
	}

	t.is(denied.connections, 0);
	t.is(origin.requests.length, 2);
});

test('a redirect away from http is denied, with the rule', withClient, async (t, {origin, client}) => {
	const url = origin.serve('/away', {redirect: 'file:///etc/passwd'});
	const message = await failsWith(t, 'origin-refused', client.get(url, {signal: NEVER}));
	t.is(message, `${url}: denied: it redirects to a file: URL (guard: http and https only)`);
});

test(
	'a host that moves to a denied address is denied at the next connection',
	withClient,
	async (t, {origin, clientWith}) => {
		const denied = await startDenied(t);
		origin.serve('/x', {body: 'x', headers: {connection: 'close'}});
		const {lookup, asked} = resolving(['127.0.0.1'], ['127.0.0.2']);
		const client = clientWith({lookup, guard: DENY});
		const url = `http://a.test:${origin.port}/x`;
		t.is(await getText(client, url), 'x');
		await failsWith(t, 'origin-refused', client.get(url, {signal: NEVER}));
		// What was resolved is what was connected to: there is no second question.
		t.deepEqual([asked(), denied.connections, origin.connections], [2, 0, 1]);
	},
);

test('a body that is announced as too large is not read', withClient, async (t, {origin, clientWith}) => {
	const client = clientWith({guard: {maxBytes: 1000}});
	const url = origin.serve('/x', {size: 1001});
	t.is(
		await failsWith(t, 'too-large', client.get(`${url}?q`, {signal: NEVER})),
		`${url}: denied: it has 1001 bytes (guard: max-file-size is 1000B)`,
	);
	t.is(await lengthOf(client, origin.serve('/fits', {size: 1000})), 1000);
});

test(
	'a body that does not say its length is ended where it grows too large',
	withClient,
	async (t, {origin, clientWith}) => {
		const client = clientWith({guard: {maxBytes: 1000}});
		t.is(await lengthOf(client, origin.serve('/fits', {size: 1000, chunked: true})), 1000);
		const url = origin.serve('/x', {size: 50_000_000, chunked: true});
		t.is(
			await failsWith(t, 'too-large', lengthOf(client, url)),
			`${url}: denied: it has more bytes than that (guard: max-file-size is 1000B)`,
		);
	},
);

test(
	'a part of what is too large is refused by the length of the whole',
	withClient,
	async (t, {origin, clientWith}) => {
		const client = clientWith({guard: {maxBytes: 1000}});
		const url = origin.serve('/x', {size: 2000, ranges: true, etag: '"v1"'});
		for (const lengthBytes of [2000, undefined]) {
			const part = client.getRange(url, {start: 0, end: 10}, {lengthBytes, etag: '"v1"'}, {signal: NEVER});
			t.regex(await failsWith(t, 'too-large', part), /it has 2000 bytes \(guard: max-file-size is 1000B\)$/);
		}
	},
);

test('the library stores nothing of what is denied, and asks once', async t => {
	const [origin, denied] = [await Origin.start(), await startDenied(t)];
	t.teardown(() => origin.close());
	const directory = temporaryDirectory(t);
	const cache = openMediaCache(t, directory, {http: {guard: {...DENY, maxBytes: 1000}}});
	const failing = async (url: string) => {
		const error: unknown = await cache.getOrDownload(url).catch((thrown: unknown) => thrown);
		return hasCode(error, 'origin-refused') ? 'refused' : hasCode(error, 'too-large') ? 'too large' : messageOf(error);
	};
	t.is(await failing(denied.serve('/x', {body: 'x'})), 'refused');
	t.is(await failing(origin.serve('/large', {size: 1001})), 'too large');
	t.is(await failing(origin.serve('/endless', {size: 5_000_000, chunked: true})), 'too large');
	t.deepEqual(entryFiles(directory), []);
	t.deepEqual([denied.connections, origin.requests.length], [0, 2]);
	t.deepEqual(readdirSync(path.join(directory, '.larder', 'partials')), []);
});

test('through the drive a denied URL is EACCES, one too large EFBIG, each with one line that names the rule', async t => {
	const flags = ['--deny-hosts', '127.0.0.2/32', '--max-file-size', '1000', '--retries', '3'];
	const {mount, origin} = await startDrive(t, {flags});
	const denied = await startDenied(t);
	const refused = denied.serve('/x', {body: 'x'});
	const large = origin.serve('/large', {size: 1001});
	const away = origin.serve('/away', {redirect: refused});
	t.is(await reading(mount.path(`${refused}?token=1`)), 'EACCES');
	t.is(await reading(mount.path(large)), 'EFBIG');
	t.is(await reading(mount.path(away)), 'EACCES');
	t.is(await reading(mount.path(origin.serve('/fits', {size: 1000}))), 'read 1000 bytes');
	t.is(denied.connections, 0);

	const lines = mount.logLines.map(line => JSON.parse(line) as {level: string; msg: string; subject?: string});
	const warnings = lines.filter(({level}) => level === 'warn').map(({msg}) => msg);
	const rule = '127.0.0.2 is on the deny list (guard: deny-hosts has 127.0.0.2/32)';
	t.deepEqual(warnings, [
		`${refused}: denied: ${rule}`,
		`${large}: denied: it has 1001 bytes (guard: max-file-size is 1000B)`,
		`${refused}: denied: ${rule}`,
	]);
	t.notRegex(mount.log, /token/);
});

test('a drive for other users too fetches nothing from loopback, unless told to', async t => {
	const {mount, origin} = await startDrive(t, {flags: ['--allow-other']});
	const url = origin.serve('/x', {body: 'x'});
	t.is(await reading(mount.path(url)), 'EACCES');
	t.is(origin.connections, 0);
	t.true(mount.log.includes(`${url}: denied: 127.0.0.1 is a loopback address (guard: networks is public)`));
	const told = await startDrive(t, {flags: ['--allow-other', '--allow-hosts', '127.0.0.1']});
	t.is(await reading(told.mount.path(told.origin.serve('/x', {body: 'x'}))), 'read 1 bytes');
});

test('larder get tells what is denied in one line', async t => {
	const denied = await startDenied(t);
	const url = denied.serve('/x', {body: 'x'});
	const directory = temporaryDirectory(t);
	const {code, stderr} = await larder('get', '--cache-dir', directory, '--networks', 'public', `${url}?token=1`);
	t.is(code, 1);
	t.regex(stderr, /127\.0\.0\.2 is a loopback address \(guard: networks is public\)/);
	t.notRegex(stderr, /token=1.*denied/);
	t.is(denied.connections, 0);
});
