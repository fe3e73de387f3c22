import test from 'ava';
import {CacheError} from '../../../src/base/errors.js';
import {SYSTEM_TIMING, TransientError, withRetries} from '../../../src/http/retry.js';
import {failsWith, getText, NEVER, withClient} from './with-client.js';

const BUSY = {status: 503};

test('the first success ends the retries', withClient, async (t, {origin, client, delays}) => {
	const url = origin.serve('/x', {body: 'x', sequence: [BUSY, {status: 429}]});
	t.is(await getText(client, url), 'x');
	t.is(origin.requests.length, 3);
	t.is(delays.length, 2);
});

test(
	'the wait doubles, between half and all of its full length',
	withClient,
	async (t, {origin, clientWith, delays}) => {
		const url = origin.serve('/x', BUSY);
		await failsWith(t, 'origin-failed', clientWith({retries: 6}).get(url, {signal: NEVER}));
		const full = [250, 500, 1000, 2000, 4000, 4000];
		t.is(delays.length, full.length);
		for (const [index, fullMs] of full.entries()) {
			const delayMs = delays[index] ?? 0;
			t.true(delayMs >= fullMs / 2 && delayMs <= fullMs, `${delayMs} for ${fullMs}`);
		}
	},
);

test('no retries means one request', withClient, async (t, {origin, clientWith}) => {
	await failsWith(t, 'origin-failed', clientWith({retries: 0}).get(origin.serve('/x', BUSY), {signal: NEVER}));
	t.is(origin.requests.length, 1);
});

test('Retry-After is waited for, in seconds and as a date', withClient, async (t, {origin, client, delays}) => {
	const asking = (after: string) => ({status: 503, headers: {'retry-after': after}});
	const sequence = [asking('10'), asking('Thu, 01 Jan 2026 00:00:03 GMT')];
	t.is(await getText(client, origin.serve('/x', {body: 'x', sequence})), 'x');
	t.deepEqual(delays, [10_000, 3_000]);
});

test('a Retry-After of more than 10 s fails at once', withClient, async (t, {origin, client, delays}) => {
	for (const [path, after] of [
		['/s', '11'],
		['/d', 'Thu, 01 Jan 2026 00:00:11 GMT'],
	] as const) {
		const url = origin.serve(path, {status: 429, headers: {'retry-after': after}});
		await failsWith(t, 'origin-failed', client.get(url, {signal: NEVER}));
		t.is(origin.requestsOf(path).length, 1);
	}

	t.deepEqual(delays, []);
});

test('a retry starts again at the URL asked for', withClient, async (t, {origin, client}) => {
	const url = origin.serve('/from', {redirect: '/to'});
	origin.serve('/to', {body: 'x', sequence: [BUSY]});
	t.is(await getText(client, url), 'x');
	t.deepEqual(
		origin.requests.map(request => request.path),
		['/from', '/to', '/from', '/to'],
	);
});

test('a failure that is not transient is thrown at once', async t => {
	let attempts = 0;
	const failing = () => {
		attempts++;
		return Promise.reject(new CacheError('not-found', 'gone'));
	};
	const options = {retries: 5, timing: SYSTEM_TIMING, signal: NEVER, onRetry: () => undefined};
	await failsWith(t, 'not-found', withRetries(failing, options));
	t.is(attempts, 1);
});

test('the real wait ends as soon as the signal fires', async t => {
	const aborting = new AbortController();
	const waiting = SYSTEM_TIMING.delay(3_600_000, aborting.signal);
	aborting.abort();
	await t.notThrowsAsync(waiting);
});

test('what the caller gets at last is the last failure', async t => {
	let attempts = 0;
	const failing = () => Promise.reject(new TransientError('origin-failed', `attempt ${++attempts}`, {retryAfterMs: 0}));
	const options = {retries: 2, timing: SYSTEM_TIMING, signal: NEVER, onRetry: () => undefined};
	t.is(await failsWith(t, 'origin-failed', withRetries(failing, options)), 'attempt 3');
});
