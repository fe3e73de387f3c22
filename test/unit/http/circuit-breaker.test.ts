import test from 'ava';
import {CacheError} from '../../../src/base/errors.js';
import {CircuitBreaker, CircuitOpenError} from '../../../src/http/circuit-breaker.js';
import {TransientError} from '../../../src/http/retry.js';
import {recordingLog} from '../../helpers/cache.js';

const HOST = 'https://a.example/x';
const REFUSED = 'https://a.example/x could not be asked for: connect ECONNREFUSED';

/** A breaker with a clock that stands still until it is told, and a host that answers or fails when it is told. */
function setUp() {
	const {log, lines} = recordingLog();
	let now = Date.UTC(2026, 0, 1);
	const breaker = new CircuitBreaker({now: () => now}, log);
	let asked = 0;
	const ask = (work: () => Promise<string>, url = HOST) =>
		breaker.run(new URL(url), () => {
			asked++;
			return work();
		});
	const fail = (error: Error = new TransientError('origin-unreachable', REFUSED), url = HOST) =>
		ask(() => Promise.reject(error), url).catch((thrown: unknown) => thrown);
	return {
		...{ask, fail, lines},
		asked: () => asked,
		advance: (ms: number) => (now += ms),
		open: async (url = HOST) => {
			for (let count = 0; count < 5; count++) await fail(undefined, url);
		},
	};
}

/** A request whose answer the test gives. */
function pending() {
	let answer!: (text: string) => void; // set below, before it can be called
	let refuse!: (error: Error) => void;
	const outcome = new Promise<string>((resolve, reject) => ([answer, refuse] = [resolve, reject]));
	return {outcome, answer, refuse};
}

const answering = () => Promise.resolve('answer');

test('after five attempts without an answer the next fails at once, with the code and the reason of the last', async t => {
	const {fail, ask, asked, advance, lines} = setUp();
	for (let count = 0; count < 4; count++) await fail();
	t.deepEqual(lines, []);
	const late = new CacheError('origin-timeout', 'https://a.example/y was not answered within 20s');
	await fail(late);
	advance(1001);
	const error = await t.throwsAsync(ask(answering), {instanceOf: CircuitOpenError});
	t.is(
		error.message,
		'a.example:443 has not answered 5 times; not asked again for 9 s: https://a.example/y was not answered within 20s',
	);
	t.like(error, {code: 'origin-timeout', notAskedForMs: 8999});
	t.is(asked(), 5);
	t.is(lines.length, 1);
	t.regex(lines[0] ?? '', /^warn a host does not answer .*"host":"a.example:443","failures":5,"notAskedForMs":10000/);
});

test('the failure that opens the circuit, and those after it, are not worth a retry; those before it are', async t => {
	const {fail} = setUp();
	for (let count = 0; count < 4; count++) t.true((await fail()) instanceof TransientError);
	for (let count = 0; count < 2; count++) t.false((await fail()) instanceof TransientError);
});

test('after ten seconds one request is let through and no other, and its answer closes the circuit', async t => {
	const {open, ask, asked, advance, lines} = setUp();
	await open();
	advance(9_999);
	await t.throwsAsync(ask(answering), {instanceOf: CircuitOpenError});
	advance(1);
	const probe = pending();
	const probing = ask(() => probe.outcome);
	for (let count = 0; count < 3; count++) {
		const error = await t.throwsAsync(ask(answering), {instanceOf: CircuitOpenError});
		t.regex(error.message, /^a.example:443 has not answered 5 times; being asked by another request: /);
	}

	t.is(asked(), 6);
	probe.answer('answer');
	t.is(await probing, 'answer');
	t.deepEqual(await Promise.all([ask(answering), ask(answering)]), ['answer', 'answer']);
	t.deepEqual(lines.slice(1), ['info a host answers again {"host":"a.example:443"}']);
});

test('a probe that fails opens it for twice as long, two minutes at most, and an answer makes it ten seconds again', async t => {
	const {open, fail, ask, asked, advance, lines} = setUp();
	await open();
	let expected = 5;
	for (const seconds of [10, 20, 40, 80, 120, 120]) {
		advance(seconds * 1000 - 1);
		await fail();
		t.is(asked(), expected, `before ${seconds} s`);
		advance(1);
		await fail();
		t.is(asked(), ++expected, `after ${seconds} s`);
	}

	advance(120_000);
	await ask(answering);
	await open();
	advance(10_000);
	t.is(await ask(answering), 'answer');
	t.deepEqual(
		lines.map(line => line.split(' ', 1)[0]),
		['warn', ...Array<string>(6).fill('debug'), 'info', 'warn', 'info'],
	);
});

test('an answer in between begins the count anew, be it no valid HTTP', async t => {
	const {fail, ask, asked, lines} = setUp();
	for (const alive of [() => ask(answering), () => fail(new CacheError('origin-failed', 'no valid HTTP'))]) {
		for (let count = 0; count < 4; count++) await fail();
		await alive();
	}

	for (let count = 0; count < 4; count++) await fail();
	t.is(asked(), 14);
	t.deepEqual(lines, []);
});

test('what says nothing of the host opens no circuit and closes none', async t => {
	const {fail, open, asked, advance} = setUp();
	const cause = Object.assign(new Error('too many open files'), {code: 'EMFILE'});
	const others = [
		new CacheError('aborted', 'the reader has left'),
		new CacheError('origin-refused', 'the resolver forbids it'),
		new TransientError('origin-unreachable', 'a connection from before was closed', {retryAfterMs: 0}),
		new CacheError('origin-unreachable', 'nothing left to connect with', {cause}),
		new TypeError('a slip'),
	];
	for (let round = 0; round < 5; round++) for (const error of others) t.is(await fail(error), error);
	await open();
	advance(10_000);
	const before = asked();
	for (const error of others) t.is(await fail(error), error);
	t.is(asked(), before + others.length);
	await fail();
	t.true((await fail()) instanceof CircuitOpenError);
});

test('many that fail at once open it once, for as long as one', async t => {
	const {ask, advance, lines} = setUp();
	const requests = Array.from({length: 50}, pending);
	const asking = requests.map(({outcome}) => ask(() => outcome));
	for (const {refuse} of requests) refuse(new TransientError('origin-unreachable', REFUSED));
	t.true((await Promise.allSettled(asking)).every(({status}) => status === 'rejected'));
	t.is(lines.length, 1);
	advance(10_000);
	t.is(await ask(answering), 'answer');
});

test('failures of requests that began before the last answer do not open it', async t => {
	const {ask, open, advance, lines} = setUp();
	const requests = Array.from({length: 20}, pending);
	const asking = requests.map(({outcome}) => ask(() => outcome));
	await open();
	advance(10_000);
	await ask(answering);
	for (const {refuse} of requests) refuse(new TransientError('origin-unreachable', REFUSED));
	await Promise.allSettled(asking);
	t.is(await ask(answering), 'answer');
	t.deepEqual(
		lines.map(line => line.split(' ', 1)[0]),
		['warn', 'info'],
	);
});

test('an answer to a request that began before it opened closes it', async t => {
	const {ask, open} = setUp();
	const early = pending();
	const asking = ask(() => early.outcome);
	await open();
	early.answer('late');
	t.is(await asking, 'late');
	t.is(await ask(answering), 'answer');
});

test('each host has a circuit for each of its ports', async t => {
	const {ask, open} = setUp();
	await open('http://a.example/x');
	await open('http://[::1]:8080/');
	const message = async (url: string) => (await t.throwsAsync(ask(answering, url))).message.split(' ', 1)[0];
	t.is(await message('http://a.example:80/other?query'), 'a.example:80');
	t.is(await message('http://[::1]:8080/y'), '[::1]:8080');
	for (const url of ['https://a.example/x', 'http://a.example:8080/', 'http://b.example/', 'http://[::1]/']) {
		t.is(await ask(answering, url), 'answer');
	}
});

test('a clock that is set back does not keep it open', async t => {
	const {ask, open, advance} = setUp();
	await open();
	advance(-3_600_000);
	t.is(await ask(answering), 'answer');
});

test('a thousand hosts are remembered, and who was asked longest ago is forgotten first', async t => {
	const {ask, fail, open} = setUp();
	await open('http://first.example/');
	await open('http://second.example/');
	for (let index = 0; index < 998; index++) await fail(undefined, `http://${index}.example/`);
	t.true((await fail(undefined, 'http://first.example/')) instanceof CircuitOpenError);
	await fail(undefined, 'http://one-more.example/');
	t.true((await fail(undefined, 'http://first.example/')) instanceof CircuitOpenError);
	t.is(await ask(answering, 'http://second.example/'), 'answer');
});
