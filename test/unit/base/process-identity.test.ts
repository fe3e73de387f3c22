import test, {type ExecutionContext} from 'ava';
import {spawn, type ChildProcess} from 'node:child_process';
import {once} from 'node:events';
import {mkdtempSync, readFileSync, rmSync, symlinkSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {createInterface} from 'node:readline';
import {Worker} from 'node:worker_threads';
import {bootedAtMs, bootId, isAlive, thisProcess, type ProcessIdentity} from '../../../src/base/process-identity.js';
import {until} from '../../helpers/until.js';

const MODULE = new URL('../../../src/base/process-identity.js', import.meta.url).href;
/** A program that says who it is and stays until it is killed. */
const STAYING = `
	import {thisProcess} from ${JSON.stringify(MODULE)};
	console.log(JSON.stringify(thisProcess()));
	setInterval(() => undefined, 60_000);
`;
const STAYING_ARGS = ['--input-type=module', '-e', STAYING];

/** Starts a program that prints an identity; it is killed with the test. */
async function start(t: ExecutionContext, program: string, args: readonly string[]) {
	const child = spawn(program, args, {stdio: ['ignore', 'pipe', 'inherit']});
	t.teardown(() => child.kill('SIGKILL'));
	const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
	return {child, identity: JSON.parse(line) as ProcessIdentity};
}

async function kill(child: ChildProcess): Promise<void> {
	child.kill('SIGKILL');
	await once(child, 'exit');
}

function stateOf(pid: number): string {
	return /\) (\S)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1] ?? '';
}

test('this process is alive, under its number and the boot id of the kernel', t => {
	const {pid, bootId} = thisProcess();
	t.is(pid, process.pid);
	t.is(bootId, readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim());
	t.true(isAlive(thisProcess()));
});

test('an identity has its three fields and no more, and goes through JSON', t => {
	t.deepEqual(Object.keys(thisProcess()), ['pid', 'startTime', 'bootId']);
	t.true(isAlive(JSON.parse(JSON.stringify(thisProcess())) as ProcessIdentity));
});

test('this process is who it is also from another thread', async t => {
	const program = `
		import {parentPort} from 'node:worker_threads';
		import {thisProcess} from ${JSON.stringify(MODULE)};
		parentPort.postMessage(thisProcess());
	`;
	const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(program)}`));
	const [seen] = (await once(worker, 'message')) as [ProcessIdentity];
	t.deepEqual(seen, thisProcess());
});

test('the start time is the one that ps counts from the boot on', t => {
	const uptimeSeconds = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]);
	const startedSeconds = Number(thisProcess().startTime) / 100; // USER_HZ, time(7)
	t.true(Math.abs(uptimeSeconds - startedSeconds - process.uptime()) < 2);
});

test('another process is alive as it says itself, and dead once it is killed', async t => {
	const {child, identity} = await start(t, process.execPath, STAYING_ARGS);
	t.is(child.pid, identity.pid);
	t.true(isAlive(identity));

	await kill(child);
	t.false(isAlive(identity));
});

test('a process of the same number that started at another time is another one', async t => {
	const {identity} = await start(t, process.execPath, STAYING_ARGS);
	t.false(isAlive({...identity, startTime: String(Number(identity.startTime) - 1)}));
	t.false(isAlive({...identity, startTime: ''}));
});

test('no process outlives the boot it was started in', t => {
	t.false(isAlive({...thisProcess(), bootId: '00000000-0000-4000-8000-000000000000'}));
});

test('a stopped process is alive', async t => {
	const {child, identity} = await start(t, process.execPath, STAYING_ARGS);
	child.kill('SIGSTOP');
	await until('the process is stopped', () => stateOf(identity.pid) === 'T');
	t.true(isAlive(identity));
});

test('a zombie is dead', async t => {
	// What the shell becomes knows of no child and so never waits for it.
	const script = '"$0" "$@" & exec sleep 600';
	const {identity} = await start(t, '/bin/sh', ['-c', script, process.execPath, ...STAYING_ARGS]);
	t.true(isAlive(identity));

	process.kill(identity.pid, 'SIGKILL');
	await until('the process is a zombie', () => stateOf(identity.pid) === 'Z');
	t.false(isAlive(identity));
});

for (const name of ['a b', 'x) Z 1 (y', '((', ') ) )', 'line\nend', '\u{1f36f}\u{1f36f}\u{1f36f}\u{1f36f}']) {
	test(`a program named ${JSON.stringify(name)} is alive until it is killed`, async t => {
		const directory = mkdtempSync(path.join(tmpdir(), 'larder-test-'));
		t.teardown(() => rmSync(directory, {recursive: true}));
		const program = path.join(directory, name);
		symlinkSync(process.execPath, program);

		const {child, identity} = await start(t, program, STAYING_ARGS);
		t.is(child.pid, identity.pid);
		t.true(isAlive(identity));

		await kill(child);
		t.false(isAlive(identity));
	});
}

test('a number that no process has is dead', t => {
	t.false(isAlive({...thisProcess(), pid: 2 ** 30}));
});

test('the boot lies before this process, by as much as the machine is up', t => {
	const uptimeMs = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]) * 1000;
	t.true(Math.abs(Date.now() - uptimeMs - bootedAtMs()) < 3000);
	t.is(bootedAtMs() % 1000, 0);
	t.regex(bootId(), /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/);
});
