import {existsSync, mkdirSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {bootedAtMs, bootId} from '../../../src/base/process-identity.js';
import {Synced, type SyncedOptions} from '../../../src/store/synced.js';
import {recordingLog, temporaryDirectory, TestClock} from '../../helpers/cache.js';
import {run} from '../../helpers/run.js';
import {until} from '../../helpers/until.js';

const BOOT = 'bbbbbbbb-0000-4000-8000-000000000002';
const EARLIER_BOOT = 'aaaaaaaa-0000-4000-8000-000000000001';
/** When the machine of the tests was started, and when all of it was on the disk the last time before that. */
const BOOTED_AT_MS = 1_700_000_000_000;
const LAST_SYNC_MS = BOOTED_AT_MS - 60_000;
const SUSPECT_MS = LAST_SYNC_MS + 1000;

/** A sync that counts its runs, and fails where the test says so. */
class CountingSync {
	runs = 0;
	running = 0;
	mostAtOnce = 0;
	failure: Error | undefined;
	/** Each run waits for it. */
	gate: Promise<void> = Promise.resolve();

	readonly run = async (): Promise<void> => {
		this.runs++;
		this.mostAtOnce = Math.max(this.mostAtOnce, ++this.running);
		await this.gate;
		this.running--;
		if (this.failure !== undefined) throw this.failure;
	};
}

/** The parts that a test looks at; whatever is opened with them is closed with the test. */
function setUp(t: ExecutionContext, last?: {bootId: string; at: number} | string) {
	const directory = temporaryDirectory(t);
	const file = path.join(directory, '.larder', 'synced');
	mkdirSync(path.dirname(file));
	if (last !== undefined) writeFileSync(file, typeof last === 'string' ? last : JSON.stringify(last));
	const {log, lines} = recordingLog();
	const [clock, sync] = [new TestClock(), new CountingSync()];
	const open = (options: Partial<SyncedOptions> = {}): Synced => {
		const boot = {bootId: BOOT, bootedAtMs: BOOTED_AT_MS};
		const synced = new Synced({file, directory, ...boot, clock, log, syncFileSystem: sync.run, ...options});
		t.teardown(() => synced.close());
		return synced;
	};
	const read = () => JSON.parse(readFileSync(file, 'utf8')) as {bootId: string; at: number};
	return {directory, file, clock, sync, lines, open, read};
}

const ofEarlierBoot = {bootId: EARLIER_BOOT, at: LAST_SYNC_MS / 1000};

/** A promise that is resolved by hand. */
function makeGate(): {gate: Promise<void>; release: () => void} {
	let release: () => void = () => undefined;
	const gate = new Promise<void>(resolve => (release = resolve));
	return {gate, release};
}

test('after a first start nothing is suspect, and the file says of this boot that all is on the disk', async t => {
	const {directory, file, sync, lines, open, read} = setUp(t);
	const beforeMs = Date.now();
	const synced = open();
	t.false(synced.hasSuspects);
	t.false(synced.isSuspect(SUSPECT_MS));

	await synced.close();
	t.is(sync.runs, 1);
	t.deepEqual(Object.keys(read()), ['bootId', 'at']);
	t.is(read().bootId, BOOT);
	t.true(read().at * 1000 < beforeMs && read().at * 1000 > beforeMs - 10_000);
	t.is(statSync(file).mode & 0o777, 0o600);
	t.deepEqual(readdirSync(path.join(directory, '.larder')), ['synced']);
	t.deepEqual(lines, []);
});

test('a first start does not wait to be closed or marked', async t => {
	const {file, open} = setUp(t);
	open();
	await until('the file is written', () => existsSync(file));
	t.pass();
});

test('within one boot nothing is suspect, and nothing is synced that nobody marked', async t => {
	const {sync, open} = setUp(t, {bootId: BOOT, at: LAST_SYNC_MS / 1000});
	const synced = open();
	t.false(synced.hasSuspects);
	t.false(synced.isSuspect(SUSPECT_MS));
	await synced.settle();
	await synced.close();
	t.is(sync.runs, 0);
});

test('in another boot what was written between the last sync and the boot is suspect', t => {
	const synced = setUp(t, ofEarlierBoot).open();
	t.true(synced.hasSuspects);
	t.deepEqual(
		[LAST_SYNC_MS - 1, LAST_SYNC_MS, LAST_SYNC_MS + 1, BOOTED_AT_MS - 1, BOOTED_AT_MS, Date.now()].map(ms =>
			synced.isSuspect(ms),
		),
		[false, false, true, true, false, false],
	);
});

test('a sync while there are suspects does not forget them', async t => {
	const {sync, open, read} = setUp(t, ofEarlierBoot);
	const synced = open();
	synced.markDirty();
	await synced.close();
	t.is(sync.runs, 1);
	t.deepEqual(read(), ofEarlierBoot);
	t.true(synced.isSuspect(SUSPECT_MS));

	const afterAnotherCut = open({bootId: 'cccccccc-0000-4000-8000-000000000003', bootedAtMs: Date.now()});
	t.true(afterAnotherCut.isSuspect(SUSPECT_MS));
	t.true(afterAnotherCut.isSuspect(BOOTED_AT_MS + 1));
});

test('once settled nothing is suspect, and the file is of this boot', async t => {
	const {sync, open, read} = setUp(t, ofEarlierBoot);
	const synced = open();
	const settling = synced.settle();
	t.false(synced.hasSuspects);
	t.false(synced.isSuspect(SUSPECT_MS));

	await settling;
	t.is(sync.runs, 1);
	t.is(read().bootId, BOOT);
	t.false(open().hasSuspects);
});

test('a sync that began before the suspects were settled does not stand for what was done about them', async t => {
	const {sync, open, read} = setUp(t, ofEarlierBoot);
	const synced = open();
	const {gate, release} = makeGate();
	sync.gate = gate;
	synced.markDirty();
	const closing = synced.close();
	await until('the sync runs', () => sync.running === 1);

	const second = makeGate();
	sync.gate = second.gate;
	const settling = synced.settle();
	release();
	await closing;
	const afterFirst = read();
	second.release();
	await settling;
	t.deepEqual(afterFirst, ofEarlierBoot);
	t.is(read().bootId, BOOT);
	t.is(sync.runs, 2);
});

test('settling twice is settling once', async t => {
	const {sync, open} = setUp(t, ofEarlierBoot);
	const synced = open();
	await Promise.all([synced.settle(), synced.settle()]);
	await synced.settle();
	t.is(sync.runs, 1);
});

test('where the suspects cannot be synced away the file keeps them for the next start', async t => {
	const {sync, lines, open, read} = setUp(t, ofEarlierBoot);
	sync.failure = new Error('Input/output error');
	await open().settle();
	t.deepEqual(read(), ofEarlierBoot);
	t.is(lines.length, 1);
	t.true(open().isSuspect(SUSPECT_MS));
});

test('what is marked is synced within 5 s, all marks by one sync', async t => {
	const {sync, open, read} = setUp(t, {bootId: BOOT, at: 0});
	const synced = open();
	for (let mark = 0; mark < 100; mark++) synced.markDirty();
	await until('the file is written', () => read().at > 0, 8000);
	t.is(sync.runs, 1);

	await synced.close();
	t.is(sync.runs, 1, 'nothing was left to sync');
});

test('what is marked while a sync runs is synced by another one, after it', async t => {
	const {sync, open} = setUp(t);
	const {gate, release} = makeGate();
	sync.gate = gate;
	const synced = open();
	await until('the first sync runs', () => sync.running === 1);
	synced.markDirty();
	const closing = synced.close();
	release();
	await closing;
	t.is(sync.runs, 2);
	t.is(sync.mostAtOnce, 1);
});

test('the time written is that of before the sync: what is stored while it runs is not taken for synced', async t => {
	const {sync, clock, open, read} = setUp(t);
	const {gate, release} = makeGate();
	sync.gate = gate;
	const synced = open();
	await until('the sync runs', () => sync.running === 1);
	const storedMs = clock.now();
	clock.advance(60_000);
	release();
	await synced.close();
	t.true(read().at * 1000 < storedMs);
});

test('a file that is stamped with a coarse clock right after a sync is suspect in the next boot', async t => {
	const {directory, clock, open} = setUp(t);
	await open().close();
	const data = path.join(directory, 'x.dat');
	writeFileSync(data, 'not synced any more');

	const next = open({bootId: EARLIER_BOOT, bootedAtMs: clock.now() + 60_000});
	const stampMs = statSync(data).mtimeMs;
	t.true(next.isSuspect(stampMs));
	t.true(next.isSuspect(Math.floor(stampMs / 2000) * 2000), 'as FAT would stamp it');
	t.false(next.isSuspect(stampMs - 60_000));
});

test('close syncs what is marked, and no mark is followed by a sync after it', async t => {
	const {sync, open} = setUp(t, {bootId: BOOT, at: 0});
	const synced = open();
	synced.markDirty();
	await synced.close();
	t.is(sync.runs, 1);
	await synced.close();
	t.is(sync.runs, 1);
});

test('another process that has synced later keeps its time', async t => {
	const {clock, open, read} = setUp(t, {bootId: BOOT, at: 0});
	const [slow, fast] = [open(), open({clock: {now: () => clock.now() + 1000}})];
	fast.markDirty();
	await fast.close();
	const {at} = read();
	t.true(at > 0);

	slow.markDirty();
	await slow.close();
	t.is(read().at, at);

	clock.advance(120_000);
	slow.markDirty();
	await slow.close();
	t.true(read().at > at);
});

test('a time that is still to come gives way: the clock was set back', async t => {
	const {clock, open, read} = setUp(t);
	clock.advance(60_000);
	const before = open();
	before.markDirty();
	await before.close();
	const {at} = read();
	clock.advance(-30_000);
	const after = open();
	after.markDirty();
	await after.close();
	t.true(read().at < at);
});

test('a sync that fails is one line of the log, and the time is not moved on until one succeeds', async t => {
	const before = {bootId: BOOT, at: 1};
	const {sync, lines, open, read} = setUp(t, before);
	sync.failure = new Error('Input/output error');
	const synced = open();
	synced.markDirty();
	await synced.close();
	await synced.close();
	t.is(sync.runs, 2, 'what was not synced is tried again');
	t.deepEqual(read(), before);
	t.is(lines.length, 1);
	t.regex(lines[0] ?? '', /^warn .*Input\/output error/);

	sync.failure = undefined;
	await synced.close();
	t.true(read().at > 1);
	t.is(lines.length, 1);
});

test('a failed sync is tried again when more is marked', async t => {
	const {sync, lines, open, read, file} = setUp(t);
	sync.failure = new Error('Input/output error');
	const synced = open();
	await until('the sync has failed', () => lines.length === 1);
	sync.failure = undefined;
	synced.markDirty();
	await until('the file is written', () => existsSync(file), 10_000);
	t.is(read().bootId, BOOT);
	t.is(sync.runs, 2);
});

test('a file that cannot be written is one line of the log', async t => {
	const {file, lines, open} = setUp(t);
	mkdirSync(path.join(file, 'in the way'), {recursive: true});
	const synced = open();
	for (let mark = 0; mark < 3; mark++) {
		synced.markDirty();
		await synced.close();
	}

	t.false(synced.hasSuspects);
	t.deepEqual(
		lines.map(line => line.split(':')[0]),
		['warn what a power cut may have damaged is not known {"reason"', 'warn the store cannot be synced'],
	);
	t.deepEqual(readdirSync(path.dirname(file)), ['synced']);
});

for (const text of ['', '{"bootId": "aaaa', 'null', '{"at": 5}', '{"bootId": "x", "at": 1e999}', '\0'.repeat(70)]) {
	test(`a file with ${JSON.stringify(text.slice(0, 30))} suspects nothing, is noted, and written anew`, async t => {
		const {lines, open, read} = setUp(t, text);
		const synced = open();
		t.false(synced.hasSuspects);
		await synced.close();
		t.is(read().bootId, BOOT);
		t.is(lines.length, 1);
	});
}

test('an earlier boot that ended before its file says leaves nothing suspect, and the file is written anew', async t => {
	const {open, read} = setUp(t, {bootId: EARLIER_BOOT, at: BOOTED_AT_MS / 1000});
	const synced = open();
	t.false(synced.hasSuspects);
	await synced.close();
	t.is(read().bootId, BOOT);
});

test('what a crash left of writing the file is removed, what another process is writing stays', async t => {
	const {file, clock, open} = setUp(t, {bootId: BOOT, at: 0});
	const directory = path.dirname(file);
	const oldSeconds = clock.now() / 1000 - 120;
	for (const name of ['synced.1.aa', 'synced.2.bb', 'synced-not-ours', 'other.1.aa']) {
		writeFileSync(path.join(directory, name), '');
		if (name !== 'synced.2.bb') utimesSync(path.join(directory, name), oldSeconds, oldSeconds);
	}

	await open().close();
	t.deepEqual(readdirSync(directory).sort(), ['other.1.aa', 'synced', 'synced-not-ours', 'synced.2.bb']);
});

const MODULES = new URL('../../../src/', import.meta.url).href;

/** Runs `script` in a process of its own with `synced` as the daemon would make it, and `sync` from `searchPath`. */
async function inProcess(t: ExecutionContext, script: string, searchPath = process.env['PATH'] ?? '') {
	const {directory, file, read} = setUp(t);
	const program = `
		import {bootedAtMs, bootId} from '${MODULES}base/process-identity.js';
		import {SYSTEM_CLOCK} from '${MODULES}base/clock.js';
		import {Synced} from '${MODULES}store/synced.js';
		const log = {warn: (message, fields) => console.log(message, fields.reason)};
		const [file, directory] = process.argv.slice(1);
		const boot = {bootId: bootId(), bootedAtMs: bootedAtMs()};
		const synced = new Synced({file, directory, ...boot, clock: SYSTEM_CLOCK, log});
		${script}
	`;
	const args = ['--input-type=module', '-e', program, file, directory];
	const {code, stdout, stderr} = await run(process.execPath, args, {env: {PATH: searchPath}});
	t.deepEqual([code, stderr], [0, '']);
	return {printed: stdout, directory, file, read};
}

/** A directory to search programs in, with a `sync` of the test's own. */
function fakeSync(t: ExecutionContext, script: string): string {
	const directory = temporaryDirectory(t);
	writeFileSync(path.join(directory, 'sync'), `#!/bin/sh\n${script}\n`, {mode: 0o755});
	return directory;
}

test('the sync of the system is what is run, on the file system of the store', async t => {
	const {printed, read} = await inProcess(t, 'await synced.close();');
	t.is(printed, '');
	t.is(read().bootId, bootId());
	t.true(read().at * 1000 > bootedAtMs());

	const argsFile = path.join(temporaryDirectory(t), 'args');
	const {directory} = await inProcess(t, 'await synced.close();', fakeSync(t, `echo "$@" > '${argsFile}'`));
	t.is(readFileSync(argsFile, 'utf8'), `-f ${directory}\n`);
});

for (const [what, script, reason] of [
	[
		'complains',
		'echo "sync: error syncing: Input/output error" >&2; exit 1',
		'sync: error syncing: Input/output error',
	],
	['says nothing', 'exit 3', 'sync ended with code 3'],
	['is killed', 'kill -9 $$', 'sync ended with SIGKILL'],
] as const) {
	test(`a sync that fails and ${what} moves no time on, and the log has the reason`, async t => {
		const {printed, file} = await inProcess(t, 'await synced.close();', fakeSync(t, script));
		t.true(printed.endsWith(`${reason}\n`), printed);
		t.false(existsSync(file));
	});
}

test('where there is no sync the log says so', async t => {
	const {printed, file} = await inProcess(t, 'await synced.close();', '/nonexistent');
	t.regex(printed, /ENOENT\n$/);
	t.false(existsSync(file));
});

test('what is marked does not keep a process from ending', async t => {
	const script = `
		await synced.close();
		const again = new Synced({file, directory, ...boot, clock: SYSTEM_CLOCK, log});
		const markedAt = performance.now();
		again.markDirty();
		process.on('exit', () => console.log(performance.now() - markedAt));
	`;
	const {printed} = await inProcess(t, script);
	t.true(Number(printed) < 2500, `${printed} ms`);
});
