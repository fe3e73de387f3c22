import test, {type ExecutionContext} from 'ava';
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {mkdir, readFile, readlink, writeFile} from 'node:fs/promises';
import path from 'node:path';
import {isMounted, listed, reading, startDrive, workDirectory} from '../helpers/drive.js';
import {larder, larderWith, type Transport} from '../helpers/mount.js';
import {IS_ROOT, NOT_ROOT} from '../helpers/root.js';
import {until} from '../helpers/until.js';

const because = IS_ROOT ? '' : ` ${NOT_ROOT}`;

function both(title: string, body: (t: ExecutionContext, transport: Transport) => Promise<void>): void {
	for (const transport of ['fuse-native', 'kernel'] as const) {
		(IS_ROOT ? test.serial : test.skip)(`${transport}: ${title}${because}`, t => body(t, transport));
	}
}

/** Readers of a drive that is stopped, each of them waiting. */
async function stoppedWithReaders(t: ExecutionContext, transport: Transport) {
	const {mount, origin} = await startDrive(t, {transport});
	const file = mount.path(origin.serve('/hung', {hang: true}));
	const readers = [reading(file), reading(path.join(mount.directory, 'stats.json'))];
	await origin.received('/hung');
	process.kill(mount.pid, 'SIGSTOP');
	readers.push(reading(path.join(mount.directory, 'stats.json')));
	return {mount, readers};
}

both(
	'unmounting a drive that is stopped says that it does not answer, and with --force its readers have an error',
	async (t, transport) => {
		const {mount, readers} = await stoppedWithReaders(t, transport);
		const plain = await larder('unmount', mount.directory);
		t.is(plain.code, 1);
		const hint = `take it away all the same with: larder unmount --force ${mount.directory}`;
		t.is(plain.stderr, `larder: the daemon of the drive at ${mount.directory} does not answer; ${hint}\n`);
		t.true(await isMounted(mount.directory));

		const from = performance.now();
		t.deepEqual(await larder('unmount', '--force', mount.directory), {code: 0, stdout: '', stderr: ''});
		t.false(await isMounted(mount.directory));
		const [hung, , late] = await Promise.all(readers);
		t.log(`readers were free ${(performance.now() - from).toFixed()} ms after the command began`);
		t.regex(`${hung} ${late}`, /^(ENOTCONN|ECONNABORTED|EIO) (ENOTCONN|ECONNABORTED|EIO)$/);
		process.kill(mount.pid, 'SIGCONT');
		t.is(await mount.exited(), 0);
	},
);

both('--force takes away a drive whose event loop is blocked', async (t, transport) => {
	const blocker = path.join(await workDirectory(t), 'blocker.cjs');
	await writeFile(blocker, `process.on('SIGUSR2', () => { for (;;); });`);
	const {mount} = await startDrive(t, {transport, env: {NODE_OPTIONS: `--require ${blocker}`}});
	process.kill(mount.pid, 'SIGUSR2');
	const reader = spawn('ls', [mount.directory], {stdio: 'ignore'});
	const exited = once(reader, 'exit');
	await until('it waits for the drive', async () => (await waitsFor(reader.pid)) === 'request_wait_answer');
	t.is((await larder('unmount', '--force', mount.directory)).code, 0);
	t.not((await exited)[0], 0);
	t.false(await isMounted(mount.directory));
	await mount.stop('SIGKILL');
});

both('--force takes away a drive that programs use, and its daemon ends', async (t, transport) => {
	const {mount} = await startDrive(t, {transport});
	const user = spawn('sleep', ['60'], {cwd: mount.directory, stdio: 'ignore'});
	t.teardown(() => user.kill());
	await until('it is used', async () => (await readlink(`/proc/${user.pid}/cwd`)) === mount.directory);
	t.regex((await larder('unmount', mount.directory)).stderr, /is in use; close sleep \(\d+\), then try again$/m);
	t.deepEqual(await larder('unmount', '--force', mount.directory), {code: 0, stdout: '', stderr: ''});
	t.is(await mount.exited(), 0);
});

both('another user may not, and the drive goes on', async (t, transport) => {
	const {mount} = await startDrive(t, {transport});
	const {code, stderr} = await asNobody('unmount', '--force', mount.directory);
	t.is(code, 1);
	t.is(stderr, `larder: the drive at ${mount.directory} is another user's: only they and root may unmount it\n`);
	t.true((await listed(mount, '.')).includes('by-url'));
});

test.serial('what is no larder drive is not taken away by force', async t => {
	const directory = path.join(await workDirectory(t), 'mnt');
	await mkdir(directory);
	const {code, stderr} = await larder('unmount', '--force', directory);
	t.is(code, 1);
	t.is(stderr, `larder: nothing is mounted at ${directory}\n`);
	t.regex(
		(await larder('unmount', '--force', '/proc')).stderr,
		/^larder: what is mounted at \/proc is proc \(proc\), not/,
	);
});

function asNobody(...args: string[]) {
	return larderWith({uid: 65_534, cwd: '/'}, ...args);
}

/** The function of the kernel in which a process waits. */
function waitsFor(pid: number | undefined): Promise<string> {
	return readFile(`/proc/${pid}/wchan`, 'utf8').catch(() => '');
}
