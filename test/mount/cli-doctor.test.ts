/** `larder doctor`, with what it looks for really missing. */
import test, {type ExecutionContext} from 'ava';
import {chmod, mkdir, writeFile} from 'node:fs/promises';
import path from 'node:path';
import {crash} from '../helpers/crash.js';
import {startDrive, workDirectory} from '../helpers/drive.js';
import {LARDER} from '../helpers/mount.js';
import {packageWithout} from '../helpers/package-without.js';
import {IS_ROOT, mountTmpfs, NOT_ROOT} from '../helpers/root.js';
import {run} from '../helpers/run.js';

const asRoot = IS_ROOT ? test.serial : test.skip;
const because = IS_ROOT ? '' : ` ${NOT_ROOT}`;

interface Finding {
	readonly check: string;
	readonly level: 'ok' | 'warning' | 'problem';
	readonly says: string;
}

interface Machine {
	/** The program, where it is another copy. */
	readonly program?: string;
	/** Shell that is run before, in a name space of mounts of its own. */
	readonly before?: string;
	/** What runs the program: `setpriv --reuid=65534`. */
	readonly by?: string;
	readonly env?: Readonly<Record<string, string>>;
	readonly flags?: readonly string[];
	readonly cacheDir?: string;
}

/** Asks, and where a mount would not work tries one, which must then fail. */
async function doctor(t: ExecutionContext, machine: Machine = {}) {
	const base = await workDirectory(t);
	const {program = LARDER, before = ':', by = '', env = {}, flags = [], cacheDir = path.join(base, 'cache')} = machine;
	const directory = path.join(base, 'mnt');
	await mkdir(directory);
	await chmod(directory, 0o777);
	const larder = (...args: string[]) => {
		const script = `${before}; exec ${by} "$@"`;
		const all = [process.execPath, program, ...args, '--cache-dir', cacheDir, ...flags];
		return run('unshare', ['-m', '--propagation', 'private', 'sh', '-c', script, 'sh', ...all], {
			env: {XDG_CONFIG_HOME: base, HOME: base, LARDER_TRANSPORT: '', ...env},
			cwd: '/',
		});
	};
	const {code, stdout, stderr} = await larder('doctor', '--json');
	t.is(stderr, '');
	const {mountable, findings} = JSON.parse(stdout) as {mountable: boolean; findings: Finding[]};
	t.is(code, mountable ? 0 : 1, stdout);
	t.is(
		mountable,
		findings.every(({level}) => level !== 'problem'),
	);
	if (!mountable) t.not((await larder('mount', directory)).code ?? 0, 0, stdout);
	const of = (check: string) => {
		const found = findings.find(finding => finding.check === check);
		return `${found?.level}: ${found?.says}`;
	};
	return {code, findings, of, levels: new Set(findings.map(({level}) => level))};
}

asRoot(`where all is there it says so, and which transport is used and why${because}`, async t => {
	const {code, of} = await doctor(t);
	t.is(code, 0);
	t.regex(of('configuration'), /^ok: there is none at /);
	t.is(of('/dev/fuse'), 'ok: it can be opened');
	t.is(of('transport'), 'ok: fuse-native is used (which is the default)');
	t.regex(of('kernel'), /^ok: Linux \S+ speaks FUSE 7\.\d+, and a mount that was tried worked$/);
	t.regex(of('cache directory'), /^ok: .+ can be made \(\w+\)$/);
	const asked = await doctor(t, {flags: ['--transport', 'auto']});
	t.is(asked.of('transport'), 'ok: kernel is used (transport is auto, flag)');
});

asRoot(`without the device a mount would not work${because}`, async t => {
	const other = await doctor(t, {before: 'mount --bind /dev/null /dev/fuse'});
	t.is(
		other.of('/dev/fuse'),
		'problem: /dev/fuse is not the FUSE device: make it with: mknod -m 666 /dev/fuse c 10 229',
	);
	const missing = await doctor(t, {before: 'mount -t tmpfs tmpfs /dev'});
	t.regex(missing.of('/dev/fuse'), /^problem: \/dev\/fuse is missing, so there is no FUSE here; load the module/);
	t.is(missing.code, 1);
});

asRoot(`root without CAP_SYS_ADMIN is told, and that passthrough needs it${because}`, async t => {
	const {code, of} = await doctor(t, {by: 'setpriv --bounding-set=-sys_admin --inh-caps=-sys_admin'});
	t.is(code, 1);
	t.regex(of('permission'), /^problem: root may not mount here, because it lacks CAP_SYS_ADMIN/);
	t.is(of('passthrough'), 'ok: not possible: it is for root alone (CAP_SYS_ADMIN)');
});

asRoot(`a user needs fusermount3 on PATH, and with it a mount works${because}`, async t => {
	const device =
		'mknod /tmp/fuse-$$ c 10 229; chmod 666 /tmp/fuse-$$; mount --bind /tmp/fuse-$$ /dev/fuse; rm /tmp/fuse-$$';
	const by = 'setpriv --reuid=65534 --regid=65534 --clear-groups';
	const user = {before: device, by};
	const empty = await workDirectory(t);
	const without = await doctor(t, user);
	t.is(without.code, 0, JSON.stringify(without.findings));
	t.regex(without.of('permission'), /^ok: \S+fusermount3? mounts for this user$/);
	t.regex(without.of('kernel'), /a mount that was tried worked$/);

	const setpriv = (await run('sh', ['-c', 'command -v setpriv'])).stdout.trim();
	const helperless = await doctor(t, {before: `${device}; PATH=${empty}`, by: by.replace('setpriv', setpriv)});
	t.regex(helperless.of('permission'), /^problem: only root can mount here, because fusermount3 is not on PATH/);
	t.regex(helperless.of('ffmpeg'), /^(ok: \S+ffmpeg-static\S+ works|warning: no ffmpeg that works was found)/);
});

asRoot(`without koffi, fuse-native or both it says what is used, and why${because}`, async t => {
	const noKoffi = await doctor(t, {program: await packageWithout(t, ['koffi']), flags: ['--transport', 'auto']});
	t.regex(noKoffi.of('transport'), /^warning: fuse-native is used, because koffi does not load/);
	t.is(noKoffi.code, 0);

	const noBinding = await packageWithout(t, ['fuse-native', 'ffmpeg-static']);
	const byDefault = await doctor(t, {program: noBinding});
	t.regex(byDefault.of('transport'), /^warning: kernel is used, because fuse-native is not installed/);
	t.is(byDefault.code, 0);
	const asked = await doctor(t, {program: noBinding, flags: ['--transport', 'fuse-native']});
	t.regex(asked.of('transport'), /^problem: none can be used: fuse-native is not installed: npm install fuse-native/);

	const neither = await doctor(t, {program: await packageWithout(t, ['fuse-native', 'koffi'])});
	t.regex(neither.of('transport'), /^problem: none can be used: fuse-native is not installed: .+; koffi does not load/);
});

asRoot(`what is wrong with the cache directory is named${because}`, async t => {
	const disk = await workDirectory(t);
	mountTmpfs(t, disk, 'size=2m');
	const small = await doctor(t, {cacheDir: path.join(disk, 'cache')});
	t.is(small.of('cache directory'), `warning: ${disk}/cache is in memory (tmpfs), and gone with the next boot`);
	t.regex(small.of('disk space'), /^warning: max-size is 10GB, but the disk has room for 2MB: free some, or say less/);
	t.is(small.code, 0);
	const fitting = await doctor(t, {cacheDir: disk, flags: ['--max-size', '1MB']});
	t.regex(fitting.of('disk space'), /^ok: .+ are free, and max-size is 1MB$/);

	const user = 'setpriv --reuid=65534 --regid=65534 --clear-groups';
	const locked = path.join(disk, 'locked');
	await mkdir(locked, {mode: 0o700});
	const unwritable = await doctor(t, {cacheDir: locked, by: user});
	t.regex(unwritable.of('cache directory'), /^problem: \S+locked cannot be written to \(EACCES\); choose another/);
});

test('a configuration that cannot be read is one problem', async t => {
	const file = path.join(await workDirectory(t), 'config.yaml');
	await writeFile(file, 'max-size: lots\n');
	const {code, stdout} = await run(process.execPath, [LARDER, 'doctor', '--config', file]);
	t.is(code, 1);
	t.regex(stdout, /^problem {2}configuration {4}\S+: max-size is "lots"; expected .+\n$/);
});

asRoot(`drives that are dead or do not answer are named, with the command that takes them away${because}`, async t => {
	const [{mount: dead}, {mount: silent}] = [await startDrive(t), await startDrive(t)];
	await crash(dead);
	process.kill(silent.pid, 'SIGSTOP');
	const {code, of} = await doctor(t);
	process.kill(silent.pid, 'SIGCONT');
	t.is(code, 0);
	t.true(of('drives').startsWith('warning: '));
	t.true(of('drives').includes(`${dead.directory} is dead: larder unmount ${dead.directory}`), of('drives'));
	const hint = `${silent.directory} does not answer: larder unmount --force ${silent.directory}`;
	t.true(of('drives').includes(hint), of('drives'));
});
