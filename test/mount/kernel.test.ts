/** What the kernel transport alone does. */
import test, {type ExecutionContext} from 'ava';
import {spawn, type ChildProcess} from 'node:child_process';
import {once} from 'node:events';
import {chmod, mkdir, readdir, readFile, readlink, writeFile} from 'node:fs/promises';
import path from 'node:path';
import {CAPTURED} from '../helpers/captured-requests.js';
import {evaluate, isMounted, listed, put, reading, startDrive, workDirectory} from '../helpers/drive.js';
import type {Mount, MountOptions} from '../helpers/mount.js';
import type {Origin} from '../helpers/origin.js';
import {IS_ROOT, NOT_ROOT} from '../helpers/root.js';
import {run} from '../helpers/run.js';
import {until} from '../helpers/until.js';

/** Long before any deadline of the drive's. */
const AT_ONCE_MS = 2000;
const PATIENT = ['--open-timeout', '60s', '--read-timeout', '60s', '--headers-timeout', '60s', '--idle-timeout', '60s'];

const asRoot = IS_ROOT ? test : test.skip;
const becauseRoot = IS_ROOT ? '' : ` ${NOT_ROOT}`;

function start(t: ExecutionContext, options: MountOptions = {}): Promise<{mount: Mount; origin: Origin}> {
	return startDrive(t, {...options, transport: 'kernel'});
}

/** A program that reads a file, until it is told to end. */
function reader(file: string): {child: ChildProcess; end: (signal: NodeJS.Signals) => Promise<number>} {
	const child = spawn('cat', [file], {stdio: ['ignore', 'ignore', 'ignore']});
	const exited = once(child, 'exit');
	const end = async (signal: NodeJS.Signals) => {
		const from = performance.now();
		child.kill(signal);
		await until('the reader is gone', () => child.exitCode !== null || child.signalCode !== null, 10_000);
		await exited;
		return performance.now() - from;
	};
	return {child, end};
}

for (const signal of ['SIGINT', 'SIGKILL'] as const) {
	test.serial(
		`${signal} ends a reader whose open waits for an origin that hangs, and its download with it`,
		async t => {
			const {mount, origin} = await start(t, {flags: PATIENT});
			const {end} = reader(mount.path(origin.serve('/hung', {hang: true})));
			await origin.received('/hung');
			const ms = await end(signal);
			t.log(`after ${ms.toFixed()} ms`);
			t.true(ms < AT_ONCE_MS, `${ms} ms`);
			await until('nothing is downloaded', async () => (await downloads(mount)).length === 0, 10_000);
		},
	);

	test.serial(
		`${signal} ends a reader that waits for bytes that do not come, and the download has no reader`,
		async t => {
			const {mount, origin} = await start(t, {flags: PATIENT});
			const {end} = reader(mount.path(origin.serve('/stalls', {size: 100_000_000, stallAt: 1_000_000})));
			await until('it has come as far as it comes', async () => {
				const [one] = await downloads(mount);
				return one?.bytes === 1_000_000;
			});
			const ms = await end(signal);
			t.log(`after ${ms.toFixed()} ms`);
			t.true(ms < AT_ONCE_MS, `${ms} ms`);
			await until('nobody waits for it', async () => (await downloads(mount)).every(({readers}) => readers === 0));
		},
	);
}

test.serial('a reader that is interrupted does not disturb the one beside it', async t => {
	const {mount, origin} = await start(t, {flags: PATIENT});
	const url = origin.serve('/late', {size: 100_000, delayMs: 2000});
	const other = reading(mount.path(url));
	await origin.received('/late');
	const {child, end} = reader(mount.path(url));
	await until('both wait', async () => (await readFile(`/proc/${child.pid}/wchan`, 'utf8')) === 'request_wait_answer');
	t.true((await end('SIGINT')) < AT_ONCE_MS);
	t.is(await other, 'read 100000 bytes');
	t.is(origin.requests.length, 1);
});

test.serial('signals that a program handles end none of its calls on what is stored', async t => {
	const {mount} = await start(t);
	const {code, stdout, stderr} = await run('python3', ['-c', UNDER_SIGNALS, mount.path('http://a.example/x')]);
	t.is(code, 0, stderr);
	const [signals, errors] = JSON.parse(stdout) as [number, string[]];
	t.deepEqual(errors, []);
	t.true(signals > 100, `${signals} signals`);
});

/** A signal each half of a millisecond, during open, write, close, read and stat by libc itself: nothing tries again. */
const UNDER_SIGNALS = `
import ctypes, errno, json, os, signal, sys, time
libc = ctypes.CDLL(None, use_errno=True)
for f in (libc.read, libc.write, libc.pread): f.restype = ctypes.c_ssize_t
count, errors = 0, []
def on(*_):
	global count
	count += 1
def call(f, *args):
	result = f(*args)
	if result == -1: errors.append(f"{f.__name__}: {errno.errorcode[ctypes.get_errno()]}")
	return result
name, data = os.fsencode(sys.argv[1]), os.urandom(1 << 20)
buffer, status = ctypes.create_string_buffer(1 << 20), ctypes.create_string_buffer(1 << 10)
def write(also):
	fd = call(libc.open, name, os.O_WRONLY | os.O_CREAT | also, 0o644)
	call(libc.write, fd, data, len(data))
	call(libc.close, fd)
# Until it is stored, a lookup waits for its origin, and may be interrupted.
write(0)
signal.signal(signal.SIGALRM, on)
signal.siginterrupt(signal.SIGALRM, True)
signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
began = time.time()
while not errors and (time.time() < began + 2 or count <= 100) and time.time() < began + 20:
	write(os.O_TRUNC)
	for _ in range(20):
		call(libc.stat, name, status)
		fd = call(libc.open, name, os.O_RDONLY)
		call(libc.pread, fd, buffer, 1 << 20, 0)
		call(libc.close, fd)
signal.setitimer(signal.ITIMER_REAL, 0)
print(json.dumps([count, errors]))
`;

test.serial('200 readers that wait for an origin are ended one after another, and leave nothing behind', async t => {
	const {mount, origin} = await start(t, {flags: PATIENT});
	const before = await resourcesOf(mount);
	const urls = Array.from({length: 200}, (_, index) => origin.serve(`/hung/${index}`, {hang: true}));
	const readers = urls.map(url => reader(mount.path(url)));
	await until('they wait', async () => (await downloads(mount)).length === 200);
	const times = await Promise.all(readers.map(({end}, index) => end(index % 2 === 0 ? 'SIGINT' : 'SIGKILL')));
	t.true(Math.max(...times) < 5 * AT_ONCE_MS, `${Math.max(...times)} ms`);
	await until('nothing is downloaded', async () => (await downloads(mount)).length === 0, 10_000);
	await until('its descriptors are those of before', async () => {
		const {descriptors} = await resourcesOf(mount);
		return descriptors <= before.descriptors + 2;
	});
	t.true((await resourcesOf(mount)).threads <= before.threads);
});

test('no child of the drive, and nobody else, holds its device', async t => {
	const {mount} = await start(t);
	const fds = await readdir(`/proc/${mount.pid}/fd`);
	const targets = await Promise.all(
		fds.map(fd => readlink(`/proc/${mount.pid}/fd/${fd}`).catch(() => 'closed by now')),
	);
	const devices = fds.filter((_, index) => targets[index] === '/dev/fuse');
	// One for requests and replies, one for notifications.
	t.is(devices.length, 2);
	const O_CLOEXEC = 0o2_000_000;
	for (const fd of devices) {
		const flags = await readFile(`/proc/${mount.pid}/fdinfo/${fd}`, 'utf8');
		t.not(parseInt(/flags:\s*(\d+)/.exec(flags)?.[1] ?? '0', 8) & O_CLOEXEC, 0);
	}
});

test('the drive ends by itself when somebody else unmounts it', async t => {
	const {mount} = await start(t);
	t.is((await run('umount', ['-l', mount.directory])).code, 0);
	t.is(await mount.exited(), 0);
});

asRoot(`who has a file open when the drive is unmounted gets an error, and the drive ends${becauseRoot}`, async t => {
	const {mount, origin} = await start(t, {flags: PATIENT});
	const hung = reading(mount.path(origin.serve('/hung', {hang: true})));
	await origin.received('/hung');
	t.is(await mount.stop(), 0);
	t.regex(await hung, /^E(INTR|NOTCONN|CONNABORTED|NOENT)$/);
	t.false(await isMounted(mount.directory));
});

asRoot(`what this kernel sends today is decoded${becauseRoot}`, async t => {
	const directory = await workDirectory(t);
	t.teardown(() => run('umount', ['-l', directory]));
	const program = path.resolve(import.meta.dirname, '../helpers/capture-requests.js');
	const {code, stdout, stderr} = await run(process.execPath, [program, directory], {deadlineMs: 30_000});
	t.is(code, 0, stderr);
	// Which it sends depends on its version; these every one does.
	for (const name of [
		'INIT',
		'LOOKUP',
		'OPEN',
		'READ',
		'WRITE',
		'CREATE',
		'READDIRPLUS',
		'SETATTR',
		'FLUSH',
		'RELEASE',
	]) {
		t.true(name in CAPTURED);
		t.regex(stdout, new RegExp(`^\\t${name}: '`, 'm'));
	}
});

test('who asks for access control lists and labels is told that there are none at all, and asks no more', async t => {
	const {mount, origin} = await start(t);
	const url = origin.serve('/x', {body: 'x'});
	await run('cat', [mount.path(url)]);
	const program = `
import errno, os, sys
for name in ['security.selinux', 'system.posix_acl_access', 'user.x']:
	try: print(os.getxattr(sys.argv[1], name))
	except OSError as error: print(errno.errorcode[error.errno])`;
	const {stdout, stderr} = await run('python3', ['-c', program, mount.path(url)]);
	t.is(stdout, 'ENOTSUP\nENOTSUP\nENODATA\n', stderr);
	t.is((await run('ls', ['-l', mount.path(url)])).stderr, '');
});

asRoot(`an ordinary user mounts with fusermount3, which sends the device${becauseRoot}`, async t => {
	const base = await workDirectory(t);
	const [directory, cacheDir] = [path.join(base, 'mnt'), path.join(base, 'cache')];
	await mkdir(directory);
	await chmod(directory, 0o777);
	const script = path.join(base, 'as-user.sh');
	await writeFile(script, AS_USER);
	const larder = path.resolve(import.meta.dirname, '../../src/cli/main.js');
	const {code, stdout, stderr} = await run(
		'unshare',
		['-m', '--propagation', 'private', 'bash', script, base, process.execPath, larder, directory, cacheDir],
		{deadlineMs: 30_000, env: {LARDER_TRANSPORT: 'kernel', LARDER_PASSTHROUGH: 'on', HOME: base}},
	);
	t.is(code, 0, stderr);
	t.is(stdout, 'by hand\n0\n');
	t.regex(stderr, /"transport":"kernel"/);
	t.regex(stderr, /(?:EPERM|6\.9).*cannot read stored files by itself here/);
});

/** In a name space of its own, where anybody may open the device. */
const AS_USER = `
mknod "$1/fuse" c 10 229; chmod 666 "$1/fuse"; mount --bind "$1/fuse" /dev/fuse
chown 65534:65534 "$4"
cat > "$1/user.sh" <<'END'
"$2" "$3" mount "$4" --cache-dir "$5" --log-format json &
for _ in $(seq 100); do grep -q " $4 " /proc/self/mountinfo && break; sleep 0.1; done
printf 'by hand\\n' > "$4/by-url/http:%2F%2Fa.example%2Fx"
cat "$4/by-url/http:%2F%2Fa.example%2Fx"
fusermount3 -u -z "$4"
wait $!; echo $?
END
exec setpriv --reuid=65534 --regid=65534 --clear-groups bash "$1/user.sh" "$@"
`;

test('a name that is no UTF-8 is not there, and never another one', async t => {
	const {mount} = await start(t);
	const url = 'http://a.example/\ufffd';
	await put(mount, url, 'there');
	t.is(await reading(mount.path(url)), 'read 5 bytes');
	const name = `Buffer.concat([Buffer.from(f.slice(0, f.lastIndexOf('%EF'))), Buffer.of(0xff)])`;
	t.is(await evaluate(`fs.statSync(${name})`, [mount.path(url)]), 'ENOENT');
});

test('the pages of a file stay for who opens it again, and go when there is another version', async t => {
	const {mount} = await start(t);
	const url = 'http://a.example/x';
	await put(mount, url, 'first');
	for (const _ of [1, 2, 3]) t.is((await run('cat', [mount.path(url)])).stdout, 'first');
	t.is(
		await evaluate('fs.readFileSync(f, "utf8")', [`${mount.directory}/by-key/${(await listed(mount, 'by-key'))[0]}`]),
		'first',
	);
	await put(mount, url, 'other');
	t.is((await run('cat', [mount.path(url)])).stdout, 'other');
	t.is(
		await evaluate('fs.readFileSync(f, "utf8")', [`${mount.directory}/by-key/${(await listed(mount, 'by-key'))[0]}`]),
		'other',
	);
});

interface Download {
	readonly bytes: number;
	readonly readers: number;
}

async function downloads(mount: Mount): Promise<Download[]> {
	return JSON.parse(await readFile(path.join(mount.directory, 'downloads.json'), 'utf8')) as Download[];
}

async function resourcesOf(mount: Mount): Promise<{descriptors: number; threads: number}> {
	return {
		descriptors: (await readdir(`/proc/${mount.pid}/fd`)).length,
		threads: (await readdir(`/proc/${mount.pid}/task`)).length,
	};
}
