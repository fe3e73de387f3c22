import {chmodSync, mkdirSync, realpathSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import test from 'ava';
import {thisHost, type Host} from '../../../src/daemon/host.js';
import {MountError} from '../../../src/daemon/mount-error.js';
import {prepareMountPoint} from '../../../src/daemon/mountpoint.js';
import {NO_LOG} from '../../../src/base/log.js';
import {canMount, fuseMount, recordingLog, temporaryFolder} from './mounts.js';

const ROOT: Host = {...thisHost(process.env), uid: 0, fuseDevice: '/dev/null', status: '/dev/null'};

/** Another machine or user, as far as the checks can see. */
function prepare(mountPoint: string, host: Partial<Host> = {}, allowOther = false): Promise<string> {
	return prepareMountPoint(mountPoint, {host: {...ROOT, ...host}, log: NO_LOG, allowOther});
}

test('an empty directory is accepted, by its real path', async t => {
	const folder = temporaryFolder(t);
	t.is(await prepare(`${folder}/../${path.basename(folder)}/`), realpathSync(folder));
});

test('a mount point that does not exist is named with the command that makes it', async t => {
	const missing = path.join(temporaryFolder(t), "my drive's");
	const error = await t.throwsAsync(prepare(missing), {instanceOf: MountError});
	t.is(error.exitCode, 1);
	const command = `mkdir -p '${missing.replace("'", String.raw`'\''`)}'`;
	t.is(error.message, `the mount point ${missing} does not exist; make it with: ${command}`);
});

test('a file is no mount point, and neither is what lies below it', async t => {
	const file = path.join(temporaryFolder(t), 'file');
	writeFileSync(file, '');
	await t.throwsAsync(prepare(file), {instanceOf: MountError, message: /is not a directory$/});
	await t.throwsAsync(prepare(`${file}/below`), {instanceOf: MountError, message: /not a directory$/});
});

test('a directory that is not empty is refused', async t => {
	const folder = temporaryFolder(t);
	writeFileSync(path.join(folder, '.hidden'), '');
	await t.throwsAsync(prepare(folder), {instanceOf: MountError, message: /is not empty/});
});

test('a machine without FUSE is told how to get it', async t => {
	const message = /^\/nonexistent is missing, so there is no FUSE here; load the module with: modprobe fuse/;
	await t.throwsAsync(prepare(temporaryFolder(t), {fuseDevice: '/nonexistent'}), {instanceOf: MountError, message});
});

test('root without CAP_SYS_ADMIN is told so before anything is mounted', async t => {
	const status = path.join(temporaryFolder(t), 'status');
	const folder = temporaryFolder(t);
	writeFileSync(status, 'CapPrm:\t000001ffffffffff\nCapEff:\t00000000a80425fb\n');
	await t.throwsAsync(prepare(folder, {status}), {instanceOf: MountError, message: /lacks CAP_SYS_ADMIN/});

	writeFileSync(status, 'CapEff:\t000001ffffffffff\n');
	await t.notThrowsAsync(prepare(folder, {status}));
});

test('a user without fusermount3 is told to install it, and with it needs nothing else', async t => {
	const bin = temporaryFolder(t);
	const folder = temporaryFolder(t);
	const host = {uid: process.getuid?.() || 12_345, searchPath: `/nonexistent:${bin}`};
	const message = /fusermount3 is not on PATH; install it with: apt-get install fuse3$/;
	await t.throwsAsync(prepare(folder, host), {instanceOf: MountError, message});

	writeFileSync(path.join(bin, 'fusermount'), '', {mode: 0o755});
	await t.notThrowsAsync(prepare(folder, host));
});

test("a user's --allow-other needs its line in fuse.conf, and root's does not", async t => {
	const bin = temporaryFolder(t);
	writeFileSync(path.join(bin, 'fusermount3'), '', {mode: 0o755});
	const fuseConf = path.join(bin, 'fuse.conf');
	const host = {uid: 12_345, searchPath: bin, fuseConf};
	writeFileSync(fuseConf, '# user_allow_other\n');
	const message = new RegExp(`unless ${fuseConf} has the line user_allow_other$`);
	await t.throwsAsync(prepare(temporaryFolder(t), host, true), {instanceOf: MountError, message});
	await t.notThrowsAsync(prepare(temporaryFolder(t), {...host, uid: 0}, true));

	writeFileSync(fuseConf, '# user_allow_other\nuser_allow_other\n');
	await t.notThrowsAsync(prepare(temporaryFolder(t), host, true));
});

test("a user is refused another's sticky directory", async t => {
	const bin = temporaryFolder(t);
	writeFileSync(path.join(bin, 'fusermount3'), '', {mode: 0o755});
	const sticky = path.join(bin, 'sticky');
	mkdirSync(sticky);
	chmodSync(sticky, 0o1777);
	const message = /belongs to another user/;
	await t.throwsAsync(prepare(sticky, {uid: 12_345, searchPath: bin}), {instanceOf: MountError, message});
});

const onFuse = canMount ? test : test.skip;
const title = (text: string) => (canMount ? text : `${text} (skipped: needs root and /dev/fuse)`);

onFuse(title('dead mounts are removed, each with a line in the log, and the mount point is accepted'), async t => {
	const folder = temporaryFolder(t);
	for (const source of ['larder', 'other']) fuseMount(t, folder, {source}).die();
	const {log, lines} = recordingLog();
	t.is(await prepareMountPoint(folder, {host: ROOT, log, allowOther: false}), folder);
	t.deepEqual(lines, ['warn: removed a dead mount', 'warn: removed a dead mount']);
});

onFuse(title('a mount that does not answer is left alone and named'), async t => {
	const folder = temporaryFolder(t);
	fuseMount(t, folder, {source: 'larder'});
	const message = `the fuse.test file system at ${folder} does not answer; end its process, or detach it with: larder unmount --force ${folder}`;
	await t.throwsAsync(prepare(folder), {instanceOf: MountError, message});
});

onFuse(title('a live mount is left alone and named, larder or not'), async t => {
	const folder = temporaryFolder(t);
	const other = temporaryFolder(t);
	// The kernel itself answers for a mount of another user: EACCES.
	fuseMount(t, folder, {source: 'larder', uid: 65_534});
	fuseMount(t, other, {source: 'else', uid: 65_534});
	const message = `a larder drive is already mounted at ${folder}; unmount it with: larder unmount ${folder}`;
	await t.throwsAsync(prepare(folder), {instanceOf: MountError, message});
	await t.throwsAsync(prepare(other), {message: `a fuse.test file system (else) is already mounted at ${other}`});
});
