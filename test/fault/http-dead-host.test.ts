/** A host that is not there, for a moment or for an hour, and comes back. */
import {readdirSync} from 'node:fs';
import type {LookupFunction} from 'node:net';
import path from 'node:path';
import test from 'ava';
import {DEFAULT_HTTP_OPTIONS, HttpClient} from '../../src/http/client.js';
import {openCache} from '../../src/library/open.js';
import {failsWith, MIB, readWhole, recordingLog, temporaryDirectory, TestClock} from '../helpers/cache.js';
import {Origin, resolveTo} from '../helpers/origin.js';
import {until} from '../helpers/until.js';
import {getText, NEVER} from '../unit/http/with-client.js';

/** Every name is this machine; `attempts` counts the connections that were tried. */
function countingLookup(): {lookup: LookupFunction; attempts: () => number} {
	const lookup = resolveTo('127.0.0.1');
	let attempts = 0;
	return {
		attempts: () => attempts,
		lookup: (...question) => {
			attempts++;
			lookup(...question);
		},
	};
}

test('a dead host is tried five times by however many ask, waits for no retry then, and is asked when it is back', async t => {
	const {lookup, attempts} = countingLookup();
	const {log, lines} = recordingLog();
	const [clock, delays] = [new TestClock(), [] as number[]];
	const delay = (delayMs: number) => Promise.resolve(void delays.push(delayMs));
	const timing = {now: () => clock.now(), delay};
	const client = new HttpClient({...DEFAULT_HTTP_OPTIONS, lookup, retries: 3}, log, timing);
	t.teardown(() => client.close());
	const {port} = new URL(await Origin.refused());
	const get = (name: string) => client.get(`http://a.test:${port}/${name}?token=sesame`, {signal: NEVER});

	const messages: string[] = [];
	for (const name of ['1', '2', '3']) messages.push((await failsWith(t, 'origin-unreachable', get(name))).message);
	t.is(attempts(), 5);
	t.is(delays.length, 3);
	t.regex(messages[1] ?? '', new RegExp(`^http://a.test:${port}/2 could not be asked for: .*ECONNREFUSED`));
	t.regex(
		messages[2] ?? '',
		new RegExp(`^a.test:${port} has not answered 5 times; not asked again for \\d+ s: http://a.test:${port}/2 could`),
	);
	t.is(lines.filter(line => line.startsWith('warn')).length, 1);
	t.false([...messages, ...lines].join('\n').includes('sesame'));

	clock.advance(10_000);
	await failsWith(t, 'origin-unreachable', get('probe'));
	t.deepEqual([attempts(), delays.length], [6, 3]);

	const origin = await Origin.start({port: Number(port)});
	t.teardown(() => origin.close());
	clock.advance(20_000);
	origin.serve('/busy', {status: 503});
	await failsWith(t, 'origin-failed', get('busy'));
	origin.serve('/x', {body: 'back'});
	t.is(await getText(client, `http://a.test:${port}/x`), 'back');
	t.deepEqual(lines.filter(line => !line.startsWith('debug')).slice(1), [
		`info a host answers again {"host":"a.test:${port}"}`,
	]);
});

test('a host that answers with errors is asked every time', async t => {
	const {log, lines} = recordingLog();
	const [origin, client] = [await Origin.start(), new HttpClient({...DEFAULT_HTTP_OPTIONS, retries: 0}, log)];
	t.teardown(() => (client.close(), origin.close()));
	for (const status of [500, 503, 404]) {
		const url = origin.serve(`/${status}`, {status});
		for (let count = 0; count < 6; count++) await t.throwsAsync(client.get(url, {signal: NEVER}));
	}

	t.is(origin.requests.length, 18);
	t.deepEqual(lines, []);
});

test('of an answer that leads to a dead host, the dead host alone is left in peace', async t => {
	const {log} = recordingLog();
	const [origin, client] = [await Origin.start(), new HttpClient({...DEFAULT_HTTP_OPTIONS, retries: 0}, log)];
	t.teardown(() => (client.close(), origin.close()));
	const moved = origin.serve('/moved', {redirect: await Origin.refused()});
	for (let count = 0; count < 7; count++) await failsWith(t, 'origin-unreachable', client.get(moved, {signal: NEVER}));
	t.is(origin.requests.length, 7);
	t.is(await getText(client, origin.serve('/here', {body: 'here'})), 'here');
});

test('offline for an hour and back: nothing is lost, a hundred opens make 24 attempts, and it is asked within two minutes', async t => {
	const {lookup, attempts} = countingLookup();
	const {log, lines} = recordingLog();
	const [clock, directory] = [new TestClock(), temporaryDirectory(t)];
	const cache = openCache({directory, clock, log, http: {lookup, retries: 1}});
	t.teardown(() => cache.close());
	const origin = await Origin.start();
	const {port} = origin;
	const url = (name: string) => `http://a.test:${port}/${name}`;
	const film = {size: 24 * MIB, ranges: true, etag: '"one"'} as const;
	origin.serve('/stored', {body: 'stored'});
	origin.serve('/film', film);
	t.is(await readWhole(await cache.open(url('stored'))), 'stored');
	(await cache.open(url('film'))).close();
	const partials = () => readdirSync(path.join(directory, '.larder', 'partials'));
	await until('what was begun is put away', () => partials().length === 2);
	await origin.close();

	const before = attempts();
	for (let round = 0; round < 20; round++) {
		const names = ['film', ...[1, 2, 3, 4].map(index => `${round}/${index}`)];
		await Promise.all(names.map(name => failsWith(t, 'origin-unreachable', cache.open(url(name)))));
		t.is(await readWhole(await cache.open(url('stored'))), 'stored');
		clock.advance(180_000);
	}

	t.is(attempts() - before, 5 + 19);
	t.is(partials().length, 2);
	await failsWith(t, 'origin-unreachable', cache.open(url('last')));

	const back = await Origin.start({port});
	t.teardown(() => back.close());
	back.serve('/film', film);
	back.serve('/new', {body: 'new'});
	clock.advance(120_000);
	t.is(await readWhole(await cache.open(url('new'))), 'new');
	(await cache.open(url('film'))).close();
	t.regex(back.requestsOf('/film')[0]?.headers.range ?? '', /^bytes=[1-9]/);
	const said = lines.filter(line => line.includes(`a.test:${port}"`) && !line.startsWith('debug'));
	t.deepEqual(
		said.map(line => line.split(' ', 1)[0]),
		['warn', 'info'],
		said.join('\n'),
	);
});
