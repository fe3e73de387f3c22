import test from 'ava';
import type {ErrorCode} from '../../../src/base/errors.js';
import {parseRetryAfter} from '../../../src/http/status.js';
import {failsWith, getText, NEVER, NOW, withClient} from './with-client.js';

/** Statuses that are final, by what they fail with. */
const FINAL: [ErrorCode, number[]][] = [
	['not-found', [404, 410]],
	['origin-refused', [401, 403, 407, 451]],
	['origin-failed', [204, 206, 300, 304, 305, 400, 405, 416, 418, 501, 505, 507]],
];

for (const [code, statuses] of FINAL) {
	test(`${statuses.join(', ')} are ${code}, after one request`, withClient, async (t, {origin, client}) => {
		for (const status of statuses) {
			const url = origin.serve(`/${status}`, {status, body: status === 204 || status === 304 ? '' : 'no'});
			const message = await failsWith(t, code, client.get(url, {signal: NEVER}));
			t.is(message, `${url} was answered with status ${status}`);
			t.is(origin.requestsOf(`/${status}`).length, 1);
		}
	});
}

test(
	'408, 425, 429, 500, 502, 503 and 504 are asked again, then origin-failed',
	withClient,
	async (t, {origin, client}) => {
		for (const status of [408, 425, 429, 500, 502, 503, 504]) {
			const url = origin.serve(`/${status}`, {status, body: 'busy'});
			const message = await failsWith(t, 'origin-failed', client.get(url, {signal: NEVER}));
			t.is(message, `${url} was answered with status ${status}`);
			t.is(origin.requestsOf(`/${status}`).length, 3);
		}
	},
);

test('203 is accepted like 200', withClient, async (t, {origin, client}) => {
	t.is(await getText(client, origin.serve('/x', {status: 203, body: 'x'})), 'x');
});

test('the connection of a refused answer is given up', withClient, async (t, {origin, client}) => {
	const url = origin.serve('/x', {status: 404, size: 50_000_000});
	await failsWith(t, 'not-found', client.get(url, {signal: NEVER}));
	await origin.disconnected();
	t.is(origin.connections, 1);
});

test('Retry-After is seconds or a date, and never in the past', t => {
	t.is(parseRetryAfter(null, NOW), undefined);
	t.is(parseRetryAfter('7', NOW), 7_000);
	t.is(parseRetryAfter('0', NOW), 0);
	t.is(parseRetryAfter('Thu, 01 Jan 2026 00:00:07 GMT', NOW), 7_000);
	t.is(parseRetryAfter('Wed, 31 Dec 2025 23:59:59 GMT', NOW), 0);
	for (const broken of ['', 'soon', '-1', '1.5', '1e3']) t.is(parseRetryAfter(broken, NOW), undefined, broken);
});
