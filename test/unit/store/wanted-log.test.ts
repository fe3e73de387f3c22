import {appendFileSync, existsSync, statSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import test, {type ExecutionContext} from 'ava';
import type {Range} from '../../../src/base/range-set.js';
import {encodeRange} from '../../../src/store/range-record.js';
import {WantedLog, WantedLogWriter} from '../../../src/store/wanted-log.js';
import {temporaryDirectory} from '../../helpers/cache.js';
import {sh} from '../../helpers/run.js';
import {until} from '../../helpers/until.js';

const MODULE = new URL('../../../src/store/wanted-log.js', import.meta.url).href;

/** A log whose clock the test sets, and what it has heard. */
function setUp(t: ExecutionContext, onWanted: (range: Range) => void = () => undefined) {
	const partial = path.join(temporaryDirectory(t), 'partial');
	const heard: Range[] = [];
	const clock = {nowMs: 1_000_000};
	const hear = (range: Range) => {
		heard.push(range);
		onWanted(range);
	};
	const log = new WantedLog(partial, hear, () => clock.nowMs);
	t.teardown(() => log.remove());
	return {partial, heard, clock, log, file: `${partial}.wanted`, follow: () => follow(t, partial)};
}

function follow(t: ExecutionContext, partial: string): WantedLogWriter {
	const writer = WantedLogWriter.open(partial);
	if (writer === undefined) throw new Error('nobody listens');
	t.teardown(() => writer.close());
	return writer;
}

test('what several followers tell is heard without asking, each once and in order, beyond 2^32 too', async t => {
	const {heard, follow} = setUp(t);
	const writers = [follow(), follow()];
	const told = Array.from({length: 1000}, (_, index) => ({start: index * 2 ** 33, end: index * 2 ** 33 + 5}));
	for (const [index, range] of told.slice(0, 900).entries()) writers[index % 2]?.want(range);
	await until('it has heard', () => heard.length >= 900);
	for (const range of told.slice(900)) {
		writers[0]?.want(range);
		await new Promise(setImmediate);
	}

	await until('it has heard the rest', () => heard.length >= 1000);
	t.deepEqual(heard, told);
});

test('half a record is heard with its other half, and one that nobody would tell is passed over', t => {
	const {heard, log, file} = setUp(t);
	const record = encodeRange({start: 3, end: 7});
	appendFileSync(file, record.subarray(0, 10));
	log.isFollowed();
	t.deepEqual(heard, []);
	appendFileSync(file, record.subarray(10));
	for (const range of [
		{start: 7, end: 7},
		{start: 8, end: 7},
		{start: 0, end: 2 ** 53},
		{start: 2 ** 60, end: 2 ** 61},
	]) {
		appendFileSync(file, encodeRange(range));
	}

	appendFileSync(file, Buffer.alloc(16, 0xff));
	appendFileSync(file, encodeRange({start: 0, end: 2 ** 53 - 1}));
	log.isFollowed();
	t.deepEqual(heard, [
		{start: 3, end: 7},
		{start: 0, end: 2 ** 53 - 1},
	]);
});

test('it is followed for three seconds after a follower has said so, and not for being there', t => {
	const {clock, log, follow} = setUp(t);
	t.false(log.isFollowed());
	const [one, other] = [follow(), follow()];
	t.false(log.isFollowed());
	one.stay();
	t.true(log.isFollowed());
	clock.nowMs += 2999;
	t.true(log.isFollowed());
	clock.nowMs += 1;
	t.false(log.isFollowed());
	other.want({start: 0, end: 1});
	t.true(log.isFollowed());
	clock.nowMs += 3000;
	t.false(log.isFollowed());
});

test('what counts is when a follower has said so, and not when the owner asks', async t => {
	const {heard, clock, log, follow} = setUp(t);
	follow().want({start: 1, end: 2});
	await until('it has heard', () => heard.length === 1);
	clock.nowMs += 3000;
	t.false(log.isFollowed());
});

test('a listener that throws is asked again, and after the removal nobody is', async t => {
	const {heard, log, follow, file} = setUp(t, () => {
		throw new Error('a fault of the listener');
	});
	const follower = follow();
	follower.want({start: 1, end: 2});
	await until('it has heard', () => heard.length === 1);
	follower.want({start: 3, end: 4});
	await until('it has heard again', () => heard.length === 2);
	log.remove();
	log.remove();
	t.false(existsSync(file));
	follower.want({start: 5, end: 6});
	follower.stay();
	t.false(log.isFollowed());
	t.is(heard.length, 2);
});

test('who follows never fails: not where nobody listens, not with what is no range, not when it is closed', t => {
	const {partial, heard, log, follow} = setUp(t);
	t.is(WantedLogWriter.open(`${partial}.other`), undefined);
	const follower = follow();
	for (const end of [Infinity, NaN, -1, 0.5, 2 ** 70]) follower.want({start: 0, end});
	follower.close();
	follower.close();
	follower.want({start: 1, end: 2});
	follower.stay();
	t.false(log.isFollowed());
	t.deepEqual(heard, []);
});

test("a log that is there already is somebody else's, and stays", t => {
	const {partial, file} = setUp(t);
	t.throws(() => new WantedLog(partial, () => undefined), {code: 'EEXIST'});
	t.true(existsSync(file));
	t.is(statSync(file).mode & 0o777, 0o600);
});

test('where the system has no watch to give it hears all the same', async t => {
	const directory = temporaryDirectory(t);
	const program = path.join(directory, 'program.mjs');
	writeFileSync(
		program,
		`
			import {closeSync, openSync, watch} from 'node:fs';
			import {WantedLog, WantedLogWriter} from ${JSON.stringify(MODULE)};
			const heard = [];
			const files = [];
			try {
				for (;;) files.push(openSync('/dev/null'));
			} catch {}
			closeSync(files.pop());
			const log = new WantedLog(process.argv[2], range => heard.push(range));
			let refused;
			try {
				watch(process.argv[2] + '.wanted');
			} catch (error) {
				refused = error.code;
			}
			for (const file of files) closeSync(file);
			const follower = WantedLogWriter.open(process.argv[2]);
			follower.want({start: 1, end: 2});
			const deadlineAt = performance.now() + 5000;
			while (heard.length === 0 && performance.now() < deadlineAt) await new Promise(done => setTimeout(done, 20));
			console.log(JSON.stringify({refused, heard}));
			// Nothing is left to live for, though it is looked at on and on.
		`,
	);
	const partial = path.join(directory, 'partial');
	const {stdout, stderr} = await sh('ulimit -n 64 && exec "$@"', process.execPath, program, partial);
	t.is(stderr, '');
	t.deepEqual(JSON.parse(stdout), {refused: 'EMFILE', heard: [{start: 1, end: 2}]});
});
