import test, {type ExecutionContext} from 'ava';
import {mkdir, readFile} from 'node:fs/promises';
import path from 'node:path';
import {abortConnection, showConnections} from '../../src/daemon/connection.js';
import {thisHost} from '../../src/daemon/host.js';
import {mountAt} from '../../src/daemon/mount-table.js';
import {crash, watchdogOf} from '../helpers/crash.js';
import {
	contentsOf,
	evaluate,
	fetchAll,
	isMounted,
	listed,
	put,
	reading,
	startDrive,
	workDirectory,
} from '../helpers/drive.js';
import {larderWith, Mount, type Transport} from '../helpers/mount.js';
import {IS_ROOT} from '../helpers/root.js';
import {run} from '../helpers/run.js';
import {until} from '../helpers/until.js';

const host = thisHost(process.env);

type Body = (t: ExecutionContext, transport: Transport) => Promise<void>;

function both(title: string, body: Body): void {
	for (const transport of ['fuse-native', 'kernel'] as const) {
		test.serial(`${transport}: ${title}`, t => body(t, transport));
	}
}

both(
	'after kill -9 of daemon and watchdog a new drive there serves what was stored, and clears what was not',
	async (t, transport) => {
		const directory = path.join(await workDirectory(t), 'mnt');
		await mkdir(directory);
		const cacheDir = await workDirectory(t);
		const {mount, origin} = await startDrive(t, {directory, cacheDir, transport});
		const kept = origin.serve('/kept', {size: 300_000});
		const written = 'http://a.example/by-hand';
		await fetchAll(mount, kept);
		t.is((await put(mount, written, 'by hand')).code, 0);
		const cut = origin.serve('/cut', {size: 1_000_000, sequence: [{size: 1_000_000, stallAt: 600_000}]});
		const reader = reading(mount.path(cut), {deadlineMs: 20_000});
		await until('a part is on the disk', async () => (await contentsOf(cacheDir)).leftovers.length > 0);
		await crash(mount);
		t.regex(await reader, /^(ENOTCONN|ECONNABORTED|EIO)$/);
		t.true(await isMounted(directory));
		t.is(await reading(mount.path(kept)), 'ENOTCONN');

		const again = await Mount.start(t, {directory, cacheDir, transport});
		t.regex(again.log, /removed a dead mount/);
		await until('the leftovers are swept', async () => (await contentsOf(cacheDir)).leftovers.length === 0);
		t.is(await reading(again.path(kept)), 'read 300000 bytes');
		t.is(await reading(again.path(written)), 'read 7 bytes');
		t.deepEqual((await listed(again)).sort(), [kept, written].map(encodeURIComponent).sort());
		t.is(origin.requestsOf('/kept').length, 1);
		t.is(await reading(again.path(cut)), 'read 1000000 bytes');
		t.is(await again.stop(), 0);
		t.false(await isMounted(directory));
	},
);

both(
	'after kill -9 of the daemon alone its readers have an error and the mount is gone, within a second',
	async (t, transport) => {
		const {mount, origin} = await startDrive(t, {transport});
		const waiting = [
			reading(mount.path(origin.serve('/hung', {hang: true}))),
			reading(mount.path(origin.serve('/stalls', {size: 1_000_000, stallAt: 200_000}))),
		];
		await Promise.all([origin.received('/hung'), origin.received('/stalls')]);
		const from = performance.now();
		const killed = mount.stop('SIGKILL');
		await until('it is unmounted', async () => !(await isMounted(mount.directory)));
		const unmountedMs = performance.now() - from;
		for (const reader of waiting) t.regex(await reader, /^(ENOTCONN|ECONNABORTED|EIO)$/);
		await killed;
		const readersMs = performance.now() - from;
		t.log(`unmounted after ${unmountedMs.toFixed()} ms, the readers' processes over after ${readersMs.toFixed()} ms`);
		t.true(unmountedMs < 1000, `${unmountedMs} ms`);
		t.is(await evaluate('fs.readdirSync(f).length', [mount.directory]), '0');
	},
);

both('the watchdog is there before the drive, and does not hold its device', async (t, transport) => {
	const {mount} = await startDrive(t, {transport});
	const watchdog = await watchdogOf(mount);
	const descriptors = `fs.readdirSync(f).map(fd => { try { return fs.readlinkSync(f + '/' + fd) } catch { return '' } })`;
	t.notRegex(await evaluate(descriptors, [`/proc/${watchdog}/fd`]), /\/dev\/fuse/);
	const status = await readFile(`/proc/${watchdog}/status`, 'utf8');
	const residentKb = Number(/VmRSS:\s*(\d+)/.exec(status)?.[1]);
	t.log(`${residentKb} kB`);
	t.true(residentKb < 5000, `${residentKb} kB`);
});

both('a watchdog that is killed is replaced, and the next one does its work', async (t, transport) => {
	const {mount} = await startDrive(t, {transport});
	const first = await watchdogOf(mount);
	process.kill(first, 'SIGKILL');
	const next = await until('there is another one', async () => {
		const found = await watchdogOf(mount);
		return found === first ? 0 : found;
	});
	t.not(next, first);
	t.regex(mount.log, /"why":"SIGKILL","isReplaced":true.*the watchdog has died/);
	await until('it has opened the abort file', () =>
		evaluate('fs.readdirSync(f).includes("3")', [`/proc/${next}/fd`]).then(answer => answer === 'true' || !IS_ROOT),
	);
	await mount.stop('SIGKILL');
	await until('it is unmounted', async () => !(await isMounted(mount.directory)), 5000);
});

both('a drive that ends in order takes its watchdog with it', async (t, transport) => {
	const {mount} = await startDrive(t, {transport});
	const watchdog = await watchdogOf(mount);
	t.is(await mount.stop(), 0);
	await until('it is gone', () => isGone(watchdog), 5000);
	t.false(await isMounted(mount.directory));
});

both('another drive at the same place is none of the watchdog’s business', async (t, transport) => {
	const {mount} = await startDrive(t, {transport});
	const watchdog = await watchdogOf(mount);
	// Stopped, it neither notices nor tells its watchdog.
	process.kill(mount.pid, 'SIGSTOP');
	t.is((await run('umount', ['-l', mount.directory])).code, 0);
	const next = await Mount.start(t, {directory: mount.directory, transport});
	await mount.stop('SIGKILL');
	await until('it is gone', () => isGone(watchdog), 5000);
	t.regex(await evaluate('fs.readdirSync(f).join()', [next.directory]), /by-url/);
	t.is(await next.stop(), 0);
});

both('larder unmount takes away a dead mount', async (t, transport) => {
	const {mount} = await startDrive(t, {transport});
	await crash(mount);
	t.true(await isMounted(mount.directory));
	t.is((await larderWith({}, 'unmount', mount.directory)).code, 0);
	t.false(await isMounted(mount.directory));
});

both('a daemon whose connection is aborted from outside unmounts and ends with an error', async (t, transport) => {
	const {mount} = await startDrive(t, {transport});
	await showConnections(host);
	const found = await mountAt(host.mountInfo, mount.directory);
	if (found) await abortConnection(found, host);
	t.is(await mount.exited(), 1);
	t.regex(mount.log, /^larder: the connection of the drive at .+ was aborted from outside$/m);
	t.false(await isMounted(mount.directory));
});

function isGone(pid: number): boolean {
	try {
		process.kill(pid, 0);
		return false;
	} catch {
		return true;
	}
}
