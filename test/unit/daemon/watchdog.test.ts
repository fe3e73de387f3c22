import test from 'ava';
import path from 'node:path';
import {NO_LOG} from '../../../src/base/log.js';
import {thisHost} from '../../../src/daemon/host.js';
import {mountAt} from '../../../src/daemon/mount-table.js';
import {startWatchdog} from '../../../src/daemon/watchdog.js';
import {run} from '../../helpers/run.js';
import {until} from '../../helpers/until.js';
import {canMount, fuseMount, recordingLog, temporaryFolder} from './mounts.js';

const host = thisHost(process.env);
const onFuse = canMount ? test : test.skip;
const title = (text: string) => (canMount ? text : `${text} (skipped: needs root and /dev/fuse)`);

const DAEMON = path.resolve(import.meta.dirname, '../../../src/daemon');

/** Is killed as soon as it has mounted, or without having mounted anything. */
function killedDaemon(folder: string, {mounts}: {mounts: boolean}): Promise<unknown> {
	const program = `
		import {spawnSync} from 'node:child_process';
		import {openSync} from 'node:fs';
		import {thisHost} from '${DAEMON}/host.js';
		import {startWatchdog} from '${DAEMON}/watchdog.js';
		await startWatchdog('${folder}', {host: thisHost(process.env), log: console});
		const options = 'fd=3,rootmode=40000,user_id=0,group_id=0';
		if (${mounts}) {
			spawnSync('mount', ['-i', '-t', 'fuse.larder', '-o', options, 'larder', '${folder}'], {
				stdio: ['ignore', 'inherit', 'inherit', openSync('/dev/fuse', 'r+')],
			});
		}
		process.kill(process.pid, 'SIGKILL');
	`;
	return run(process.execPath, ['--input-type=module', '-e', program]);
}

onFuse(title('what was mounted is taken away, though the watchdog was not told yet'), async t => {
	const folder = temporaryFolder(t);
	t.teardown(() => run('umount', ['-l', folder]));
	await killedDaemon(folder, {mounts: true});
	await until('it is unmounted', async () => (await mountAt(host.mountInfo, folder)) === undefined, 5000);
	t.pass();
});

onFuse(title('what another program has mounted there stays, when the watchdog was told nothing'), async t => {
	const folder = temporaryFolder(t);
	fuseMount(t, folder, {source: 'larder', uid: 65_534});
	await killedDaemon(folder, {mounts: false});
	await until('the watchdog is gone', async () => (await run('pgrep', ['-f', `larder-watchdog ${folder}`])).code === 1);
	t.truthy(await mountAt(host.mountInfo, folder));
});

onFuse(
	title('told that the drive is unmounted, it goes without a word, and nothing is started in its place'),
	async t => {
		const folder = temporaryFolder(t);
		const {log, lines} = recordingLog();
		const watchdog = await startWatchdog(folder, {host, log});
		watchdog.guard('0:1');
		watchdog.dismiss();
		await until('it is gone', async () => (await run('pgrep', ['-f', `larder-watchdog ${folder}`])).code === 1);
		t.deepEqual(lines, []);
	},
);

test('dismissed before it was told of a drive, it goes too', async t => {
	const folder = temporaryFolder(t);
	const watchdog = await startWatchdog(folder, {host, log: NO_LOG});
	watchdog.dismiss();
	await until('it is gone', async () => (await run('pgrep', ['-f', `larder-watchdog ${folder}`])).code === 1);
	t.pass();
});
