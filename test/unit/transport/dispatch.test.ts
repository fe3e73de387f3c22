import {constants} from 'node:os';
import test from 'ava';
import {CacheError} from '../../../src/base/errors.js';
import {NO_LOG, type Fields, type Log} from '../../../src/base/log.js';
import {Dispatcher} from '../../../src/transport/dispatch.js';

const {ENOENT, EIO, ETIMEDOUT, EINTR} = constants.errno;

interface Line {
	readonly level: string;
	readonly message: string;
	readonly fields: Fields | undefined;
}

function remembering(): Log & {lines: Line[]} {
	const lines: Line[] = [];
	const write = (level: string) => (message: string, fields?: Fields) => lines.push({level, message, fields});
	return {lines, debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error')};
}

const never = () => new Promise<never>(() => undefined);
const untilAborted = (signal: AbortSignal) =>
	new Promise<never>((_resolve, reject) => {
		signal.addEventListener('abort', () => reject(signal.reason as Error));
	});

function operation(limitMs = 10_000, rest: {mustSettle?: boolean} = {}) {
	return {name: 'open', subject: () => 'https://a.example/x', limitMs, ...rest};
}

test('what an operation returns is its outcome', async t => {
	t.deepEqual(await new Dispatcher(NO_LOG).run(operation(), () => Promise.resolve(7)), {value: 7});
});

test('a named failure becomes its errno, with a line that says which file', async t => {
	const log = remembering();
	const failure = new CacheError('not-found', 'answered with status 404', {cause: new Error('why')});
	t.deepEqual(await new Dispatcher(log).run(operation(), () => Promise.reject(failure)), {errno: ENOENT});
	t.deepEqual(log.lines, [
		{
			level: 'warn',
			message: 'answered with status 404',
			fields: {operation: 'open', subject: 'https://a.example/x', code: 'not-found', cause: 'why'},
		},
	]);
});

test('a failure nobody expected is EIO, logged with its stack', async t => {
	const log = remembering();
	const work = () => Promise.reject(new TypeError('slip'));
	t.deepEqual(await new Dispatcher(log).run(operation(), work), {errno: EIO});
	t.is(log.lines[0]?.level, 'error');
	t.regex(String(log.lines[0]?.fields?.['error']), /slip\n\s+at /);
});

test('names that are not there make no noise', async t => {
	const log = remembering();
	await new Dispatcher(log).run(operation(), () => Promise.reject(new CacheError('not-stored', 'no')));
	t.deepEqual(
		log.lines.map(({level}) => level),
		['debug'],
	);
});

test('the same failure of the same file is logged once while it repeats', async t => {
	const log = remembering();
	const dispatcher = new Dispatcher(log);
	const work = () => Promise.reject(new CacheError('origin-failed', 'no'));
	for (let attempt = 0; attempt < 5; attempt++) await dispatcher.run(operation(), work);
	await dispatcher.run({...operation(), subject: () => 'another'}, work);
	t.is(log.lines.length, 2);
});

test('an operation that heeds its signal is answered at its deadline', async t => {
	t.deepEqual(await new Dispatcher(NO_LOG).run(operation(1), untilAborted), {errno: ETIMEDOUT});
});

test('an operation that does not heed its signal is answered all the same', async t => {
	t.deepEqual(await new Dispatcher(NO_LOG).run(operation(1), never), {errno: ETIMEDOUT});
});

test('an operation that holds a buffer of the caller is answered only when it has let go of it', async t => {
	let letGo: () => void = t.fail;
	const work = async (signal: AbortSignal) => {
		await untilAborted(signal).catch(() => undefined);
		await new Promise<void>(resolve => (letGo = resolve));
		throw signal.reason as Error;
	};
	const outcome = new Dispatcher(NO_LOG).run(operation(1, {mustSettle: true}), work);
	const early = await Promise.race([outcome, new Promise(resolve => setTimeout(resolve, 1500, 'still running'))]);
	t.is(early, 'still running');
	letGo();
	t.deepEqual(await outcome, {errno: ETIMEDOUT});
});

test('an operation that is interrupted is answered at once, whether it heeds its signal or not', async t => {
	const dispatcher = new Dispatcher(NO_LOG);
	const started = [dispatcher.start(operation(), untilAborted), dispatcher.start(operation(), never)];
	const other = dispatcher.run(operation(), () => Promise.resolve('other'));
	for (const one of started) if ('interrupt' in one) one.interrupt();
	const outcomes = started.map(async one => ('outcome' in one ? one.outcome : one));
	t.deepEqual(await Promise.all(outcomes), [{errno: EINTR}, {errno: EINTR}]);
	t.deepEqual(await other, {value: 'other'});
});

test('an operation that waits for nothing has its outcome at once, and its failures are those of any other', t => {
	const log = remembering();
	const dispatcher = new Dispatcher(log);
	t.deepEqual(
		dispatcher.start(operation(), () => 7),
		{value: 7},
	);
	const fail = () => {
		throw new CacheError('not-found', 'answered with status 404');
	};
	t.deepEqual(dispatcher.start(operation(), fail), {errno: ENOENT});
	t.is(log.lines.length, 1);
});

test('the signal of an operation that waits is its own: what others do, or an interruption, never fires it twice', async t => {
	const dispatcher = new Dispatcher(NO_LOG);
	const signals: AbortSignal[] = [];
	const keep = (signal: AbortSignal) => void signals.push(signal);
	dispatcher.start(operation(), keep);
	const waiting = dispatcher.start(operation(), signal => (keep(signal), untilAborted(signal)));
	dispatcher.start(operation(), keep);
	if ('interrupt' in waiting) waiting.interrupt();
	t.deepEqual('outcome' in waiting && (await waiting.outcome), {errno: EINTR});
	dispatcher.start(operation(), keep);
	t.deepEqual(
		signals.map(({aborted}) => aborted),
		[true, true, false, false],
	);
});

test('what runs when the drive is unmounted is interrupted', async t => {
	const dispatcher = new Dispatcher(NO_LOG);
	const outcomes = [dispatcher.run(operation(), untilAborted), dispatcher.run(operation(), never)];
	dispatcher.close();
	t.deepEqual(await Promise.all(outcomes), [{errno: EINTR}, {errno: EINTR}]);
});
