import {lookup} from 'node:dns';
import http from 'node:http';
import test from 'ava';
import {Agents} from '../../../src/http/agent.js';
import {Origin} from '../../helpers/origin.js';
import {until} from '../../helpers/until.js';

const CONNECT = {connectTimeoutMs: 5_000, lookup, proxyLookup: lookup};

function get(agents: Agents, url: string): Promise<string> {
	return new Promise((resolve, reject) => {
		const start = (agent: http.Agent) =>
			http.get(url, {agent}, answer => void answer.on('end', () => resolve(url)).resume());
		agents.observe(new URL(url), undefined, start).result.once('error', reject);
	});
}

test('over the bound of all hosts requests wait for a connection of any host, and go on', async t => {
	const origins = await Promise.all(['127.0.0.1', '127.0.0.2', '127.0.0.3'].map(host => Origin.start({host})));
	const agents = new Agents({...CONNECT, maxTotalSockets: 2});
	const hanging = origins.map(origin => origin.serve('/x', {body: 'x', delayMs: 20}));
	const urls = [...hanging, ...hanging, ...hanging];
	t.deepEqual(await Promise.all(urls.map(url => get(agents, url))), urls);
	agents.destroy();
	for (const origin of origins) await origin.close();
});

test('a connection that is kept for its host gives way to a request to another one', async t => {
	const [kept, other] = await Promise.all(['127.0.0.1', '127.0.0.2'].map(host => Origin.start({host})));
	if (!kept || !other) throw new Error('no origins');
	const agents = new Agents({...CONNECT, maxTotalSockets: 1});
	const urls = [kept.serve('/x', {body: 'x'}), other.serve('/y', {body: 'y'})] as const;
	await get(agents, urls[0]);
	t.is(await get(agents, urls[1]), urls[1]);
	await kept.disconnected();
	t.is(await get(agents, urls[0]), urls[0]);
	agents.destroy();
	await until(
		'both are let go',
		async () => (await Promise.all([kept.disconnected(), other.disconnected()])).length === 2,
	);
	await Promise.all([kept.close(), other.close()]);
});

test('who waits for a host that has a connection in use is asked for as soon as one is free', async t => {
	const hosts = ['127.0.0.1', '127.0.0.2', '127.0.0.3'];
	const [busy, quick, other] = await Promise.all(hosts.map(host => Origin.start({host})));
	if (!busy || !quick || !other) throw new Error('no origins');
	const agents = new Agents({...CONNECT, maxTotalSockets: 2});
	const hanging = [busy.serve('/a', {delayMs: 60_000}), busy.serve('/b', {delayMs: 60_000})];
	const failed = [t.throwsAsync(get(agents, hanging[0] ?? ''))];
	const first = get(agents, quick.serve('/x', {body: 'x', delayMs: 20}));
	const second = get(agents, quick.serve('/y', {body: 'y', delayMs: 20}));
	const third = get(agents, other.serve('/z', {body: 'z'}));
	failed.push(t.throwsAsync(get(agents, hanging[1] ?? '')));
	await Promise.all([first, second, third]);
	await until('all that can be asked is', () => Promise.resolve(busy.requests.length === 2));
	agents.destroy();
	await Promise.all(failed);
	for (const origin of [busy, quick, other]) await origin.close();
});
