import {closeSync, openSync, readFileSync} from 'node:fs';
import test from 'ava';
import {NO_LOG} from '../../../src/base/log.js';
import {thisHost} from '../../../src/daemon/host.js';
import {MountError} from '../../../src/daemon/mount-error.js';
import {parseMountInfo} from '../../../src/daemon/mount-table.js';
import {unmount} from '../../../src/daemon/unmount.js';
import {canMount, fuseMount, recordingLog, temporaryFolder} from './mounts.js';

const host = thisHost(process.env);

/** Holds a directory without asking its file system; open(2), not in Node's constants. */
const O_PATH = 0o10000000;

function isMounted(folder: string): boolean {
	return parseMountInfo(readFileSync('/proc/self/mountinfo', 'utf8')).some(({mountPoint}) => mountPoint === folder);
}

test('where nothing is mounted, that is said', async t => {
	const folder = temporaryFolder(t);
	const message = `nothing is mounted at ${folder}`;
	await t.throwsAsync(unmount(folder, {host, log: NO_LOG}), {instanceOf: MountError, message});
});

test('what is no larder drive stays mounted and is named', async t => {
	const message = /^what is mounted at \/proc is proc \(proc\), not a larder drive$/;
	await t.throwsAsync(unmount('/proc', {host, log: NO_LOG}), {instanceOf: MountError, message});
	t.true(isMounted('/proc'));
});

const onFuse = canMount ? test : test.skip;
const title = (text: string) => (canMount ? text : `${text} (skipped: needs root and /dev/fuse)`);

onFuse(title('a drive is unmounted'), async t => {
	const folder = temporaryFolder(t);
	fuseMount(t, folder, {source: 'larder', uid: 65_534});
	await unmount(folder, {host, log: NO_LOG});
	t.false(isMounted(folder));
});

onFuse(title('a dead drive is unmounted'), async t => {
	const folder = temporaryFolder(t);
	fuseMount(t, folder, {source: 'larder'}).die();
	const {log, lines} = recordingLog();
	await unmount(folder, {host, log});
	t.false(isMounted(folder));
	t.deepEqual(lines, ['warn: removed a dead mount']);
});

onFuse(title('a drive in use stays mounted, and the program that uses it is named'), async t => {
	const folder = temporaryFolder(t);
	fuseMount(t, folder, {source: 'larder', uid: 65_534});
	const descriptor = openSync(folder, O_PATH);
	t.teardown(() => closeSync(descriptor));
	const error = await t.throwsAsync(unmount(folder, {host, log: NO_LOG}), {instanceOf: MountError});
	const [, program, pid] = /is in use; close (\S+) \((\d+)\), then try again$/.exec(error.message) ?? [];
	t.is(Number(pid), process.pid);
	t.truthy(program);
	t.true(isMounted(folder));
});
