/** `--fuse-fd`: the device is mounted by who starts larder. */
import test from 'ava';
import {chmod, mkdir, readdir, readFile, readlink, writeFile} from 'node:fs/promises';
import path from 'node:path';
import type {ExecutionContext} from 'ava';
import {fetchAll, isMounted, reading, startOrigin, workDirectory} from '../helpers/drive.js';
import {LARDER, larderWith, Mount} from '../helpers/mount.js';
import {IS_ROOT, NOT_ROOT} from '../helpers/root.js';
import {run} from '../helpers/run.js';

const asRoot = IS_ROOT ? test : test.skip;
const because = IS_ROOT ? '' : ` ${NOT_ROOT}`;

/** Opens the device, mounts it with mount(2), and becomes larder; `FD` in its arguments is the descriptor. */
const PARENT = `
import ctypes, os, sys
place, *words = sys.argv[1:]
fd = os.open('/dev/fuse', os.O_RDWR)
libc = ctypes.CDLL(None, use_errno=True)
options = f'fd={fd},rootmode=40000,user_id={os.getuid()},group_id={os.getgid()}'
nosuid_nodev = 6
if libc.mount(b'larder', place.encode(), b'fuse.larder', nosuid_nodev, options.encode()):
	sys.exit('mount: ' + os.strerror(ctypes.get_errno()))
os.set_inheritable(fd, True)
os.execvp(words[0], [word.replace('FD', str(fd)) for word in words])
`;

async function parentProgram(t: ExecutionContext): Promise<string> {
	const file = path.join(await workDirectory(t), 'parent.py');
	await writeFile(file, PARENT);
	return file;
}

/** Mounted by another program, which has become larder. */
async function start(t: ExecutionContext, flags: readonly string[]): Promise<Mount> {
	const directory = path.join(await workDirectory(t), 'mnt');
	await mkdir(directory);
	const by = ['python3', await parentProgram(t), directory];
	return Mount.start(t, {directory, by, flags, env: {LARDER_TRANSPORT: ''}});
}

asRoot(`a drive that others have mounted is served, where it is, and ends when they unmount it${because}`, async t => {
	const mount = await start(t, ['--fuse-fd', 'FD']);
	t.regex(mount.log, new RegExp(`"mountpoint":"${mount.directory}".*"transport":"kernel","msg":"mounted"`));
	const origin = await startOrigin(t);
	const url = origin.serve('/x', {size: 300_000});
	await fetchAll(mount, url);
	t.is(await reading(mount.path(url)), 'read 300000 bytes');
	t.is(origin.requests.length, 1);
	const children = (await readFile(`/proc/${mount.pid}/task/${mount.pid}/children`, 'utf8')).trim().split(' ');
	for (const child of children.filter(Boolean)) t.false((await filesOf(child)).includes('/dev/fuse'));
	t.is((await run('umount', [mount.directory])).code, 0);
	t.is(await mount.exited(), 0);
});

asRoot(`told to end, it lets go of the device, and the mount is left to who has made it${because}`, async t => {
	const mount = await start(t, ['--fuse-fd', 'FD']);
	t.is(await mount.stop(), 0);
	t.true(await isMounted(mount.directory));
	t.is(await reading(path.join(mount.directory, 'stats.json')), 'ENOTCONN');
	t.is((await run('umount', [mount.directory])).code, 0);
});

asRoot(`in a container without privileges a drive is mounted without fusermount3 and served${because}`, async t => {
	const base = await workDirectory(t);
	const directory = path.join(base, 'mnt');
	await mkdir(directory);
	await chmod(directory, 0o777);
	const script = path.join(base, 'script.sh');
	await writeFile(script, CONTAINER);
	const parent = await parentProgram(t);
	const {code, stdout, stderr} = await run(
		'unshare',
		['-m', '--propagation', 'private', 'bash', script, base, parent, process.execPath, LARDER],
		{deadlineMs: 40_000, env: {HOME: base, XDG_CONFIG_HOME: base, LARDER_TRANSPORT: ''}, cwd: '/'},
	);
	t.is(code, 0, stderr);
	t.is(stdout, 'by hand\n0\n', stderr);
});

test('what is no device is refused with one sentence, and fuse-native takes none', async t => {
	const base = await workDirectory(t);
	const file = path.join(base, 'file');
	await writeFile(file, '');
	const mount = (words: string) =>
		run(
			'bash',
			[
				'-c',
				`exec 7<"$1"; exec "$2" "$3" mount ${words} --cache-dir "$4"`,
				'bash',
				file,
				process.execPath,
				LARDER,
				`${base}/cache`,
			],
			{
				env: {XDG_CONFIG_HOME: base, LARDER_TRANSPORT: ''},
			},
		);
	for (const words of ['--fuse-fd 7', '/dev/fd/7']) {
		const {code, stderr} = await mount(words);
		t.is(code, 1, words);
		t.is(stderr, 'larder: the drive could not be mounted at /dev/fd/7: descriptor 7 is not open on /dev/fuse\n');
	}

	t.regex((await mount('--fuse-fd 99')).stderr, /: descriptor 99 is not open on \/dev\/fuse$/m);
	const native = await mount('--fuse-fd 7 --transport fuse-native');
	t.is(native.code, 2);
	t.is(native.stderr, 'larder: a device that is handed in needs the transport kernel, not fuse-native\n');
	t.is((await larderWith({}, 'mount', '--fuse-fd', '2')).code, 2);
});

async function filesOf(pid: string): Promise<string[]> {
	const descriptors = await readdir(`/proc/${pid}/fd`).catch(() => []);
	return Promise.all(descriptors.map(fd => readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')));
}

/** Nobody, who is root in a name space of users, on a machine where anybody may open the device. */
const CONTAINER = `
mknod "$1/fuse" c 10 229; chmod 666 "$1/fuse"; mount --bind "$1/fuse" /dev/fuse
cat > "$1/inside.sh" <<'END'
python3 "$2" "$1/mnt" "$3" "$4" mount /dev/fd/FD --cache-dir "$1/cache" &
for _ in $(seq 200); do [ -e "$1/mnt/stats.json" ] && break; sleep 0.1; done
printf 'by hand\\n' > "$1/mnt/by-url/http:%2F%2Fa.example%2Fx"
cat "$1/mnt/by-url/http:%2F%2Fa.example%2Fx"
umount "$1/mnt"
wait $!; echo $?
END
cd /
PATH=/usr/bin:/bin exec setpriv --reuid=65534 --regid=65534 --clear-groups unshare --user --map-root-user --mount bash "$1/inside.sh" "$@"
`;
