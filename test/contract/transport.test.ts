/** What a program sees of a drive, whichever way the kernel's requests come to it. */
import test, {type ExecutionContext} from 'ava';
import {evaluate, listed, plant, put, reading, sha256, startDrive, workDirectory} from '../helpers/drive.js';
import {Mount, type Transport} from '../helpers/mount.js';
import {generatedBody, type Origin} from '../helpers/origin.js';
import {run, sh} from '../helpers/run.js';
import {until} from '../helpers/until.js';

const URL_OF = (index: number) => `http://a.example/${index}`;

type Body = (t: ExecutionContext, drive: {mount: Mount; origin: Origin; transport: Transport}) => Promise<void>;

function both(title: string, body: Body): void {
	for (const transport of ['fuse-native', 'kernel'] as const satisfies readonly Transport[]) {
		test.serial(`${transport}: ${title}`, async t => body(t, {...(await startDrive(t, {transport})), transport}));
	}
}

both('what it was told to be mounted with is what it is mounted with', (t, {mount}) => {
	t.true(t.title.startsWith(/"transport":"([\w-]+)"/.exec(mount.log)?.[1] ?? 'none'));
	return Promise.resolve();
});

both(
	'a URL is read whole, in order, at random places and through mmap, with one request',
	async (t, {mount, origin}) => {
		const size = 3_000_017;
		const url = origin.serve('/film', {size});
		const expected = sha256(generatedBody(size));
		t.is((await run('sha256sum', [mount.path(url)])).stdout.slice(0, 64), expected);
		t.is((await run('sha256sum', [mount.path(url)])).stdout.slice(0, 64), expected);
		const places = `python3 -c "
import mmap, random, sys, hashlib
data = open('$1', 'rb', 0)
whole = mmap.mmap(data.fileno(), 0, prot=mmap.PROT_READ)
for _ in range(300):
	at = random.randrange(len(whole)); n = random.randrange(200000)
	data.seek(at); got = data.read(n)
	assert got == whole[at:at + n][:len(got)] and len(got) == min(n, len(whole) - at), (at, n, len(got))
print(hashlib.sha256(whole).hexdigest())"`;
		const {stdout, stderr} = await sh(places.replace('$1', mount.path(url)));
		t.is(stdout.trim(), expected, stderr);
		t.is(origin.requests.length, 1);
	},
);

both(
	'stat of a URL that is not stored asks where a lookup may wait, else it says size 0 before it was opened',
	async (t, {mount, origin, transport}) => {
		const told = {'fuse-native': '0 0 644 regular empty file', 'kernel': '12345 25 644 regular file'};
		const url = origin.serve('/x', {size: 12_345});
		const size = () => run('stat', ['-c', '%s %b %a %F', mount.path(url)]).then(({stdout}) => stdout.trim());
		t.is(await size(), told[transport]);
		t.is(origin.requests.length, transport === 'kernel' ? 1 : 0);
		t.is(await evaluate('fs.fstatSync(fs.openSync(f)).size', [mount.path(url)]), '12345');
	},
);

both(
	'what is copied in is stored when it is closed, and read back; what is appended to is refused',
	async (t, {mount}) => {
		const body = Buffer.from(generatedBody(2_500_003));
		t.is((await put(mount, URL_OF(1), body)).code, 0);
		t.is((await run('sha256sum', [mount.path(URL_OF(1))])).stdout.slice(0, 64), sha256(body));
		t.is((await run('stat', ['-c', '%s', mount.path(URL_OF(1))])).stdout.trim(), String(body.byteLength));
		t.is(await evaluate('fs.appendFileSync(f, "more")', [mount.path(URL_OF(1))]), 'EPERM');
		t.is(await evaluate('fs.truncateSync(f, 10)', [mount.path(URL_OF(1))]), 'EPERM');
		t.is((await put(mount, URL_OF(1), 'shorter')).code, 0);
		t.is((await run('cat', [mount.path(URL_OF(1))])).stdout, 'shorter');
		t.is((await run('cp', ['-p', '/etc/hostname', mount.path(URL_OF(2))])).code, 0);
		t.is((await run('cmp', ['/etc/hostname', mount.path(URL_OF(2))])).code, 0);
	},
);

both(
	'who has a file open keeps it when it is removed, and what is put in its place is another file',
	async (t, {mount}) => {
		await put(mount, URL_OF(1), 'the old one');
		const script = `
		exec 3< "$1"; head -c 3 <&3; rm "$1"; printf 'a new one' > "$1"; cat <&3; printf ' | '; cat "$1"`;
		t.is((await sh(script, mount.path(URL_OF(1)))).stdout, 'the old one | a new one');
	},
);

both('a removed file is gone from both directories', async (t, {mount}) => {
	await put(mount, URL_OF(1), 'one');
	t.deepEqual(await listed(mount, 'by-key'), [sha256(URL_OF(1))]);
	t.is((await run('rm', [mount.path(URL_OF(1))])).code, 0);
	t.deepEqual([await listed(mount), await listed(mount, 'by-key')], [[], []]);
	t.is(await evaluate('fs.unlinkSync(f)', [mount.path(URL_OF(1))]), 'ENOENT');
	t.is(await reading(`${mount.directory}/by-key/${sha256(URL_OF(1))}`), 'ENOENT');
});

both('what a failure is called is the same', async (t, {mount, origin}) => {
	const failing: Readonly<Record<string, string>> = {
		[mount.path(origin.serve('/404', {status: 404}))]: 'ENOENT',
		[mount.path(origin.serve('/403', {status: 403}))]: 'EACCES',
		[mount.path('http://127.0.0.1:1/nobody')]: 'EHOSTUNREACH',
		[`${mount.directory}/by-url/no-url`]: 'ENOENT',
		[`${mount.directory}/nothing`]: 'ENOENT',
		[`${mount.directory}/by-url`]: 'EISDIR',
		[`${mount.directory}/stats.json/x`]: 'ENOTDIR',
	};
	for (const [file, code] of Object.entries(failing)) t.is(await reading(file), code, file);
});

both('what a drive does not do is refused, each by its errno', async (t, {mount}) => {
	await put(mount, URL_OF(1), 'one');
	const file = mount.path(URL_OF(1));
	const other = mount.path(URL_OF(2));
	const refused: Readonly<Record<string, string>> = {
		'fs.mkdirSync(g.replace(/[^/]*$/, "dir"))': 'EPERM',
		'fs.renameSync(f, g)': 'EPERM',
		'fs.linkSync(f, g.replace(/[^/]*$/, "link"))': 'EPERM',
		'fs.symlinkSync(f, g.replace(/[^/]*$/, "link"))': 'EPERM',
		'fs.writeFileSync(g.replace(/[^/]*$/, "no-url"), "x")': 'EPERM',
		'fs.rmdirSync(f.replace(/[^/]*$/, ""))': 'EPERM',
		'fs.readlinkSync(f)': 'EINVAL',
		'fs.rmdirSync(f)': 'ENOTDIR',
	};
	for (const [expression, code] of Object.entries(refused)) {
		t.is(await evaluate(expression, [file, other]), code, expression);
	}
});

both('chmod, chown and times are accepted and change nothing', async (t, {mount}) => {
	await put(mount, URL_OF(1), 'one');
	const look = () => run('stat', ['-c', '%a %u %Y %s', mount.path(URL_OF(1))]).then(({stdout}) => stdout);
	const before = await look();
	for (const command of [
		['chmod', '600'],
		['chown', '1:1'],
		['touch', '-d', '2001-01-01'],
	]) {
		const [program = '', ...args] = command;
		t.is((await run(program, [...args, mount.path(URL_OF(1))])).code, 0, program);
	}

	t.is(await look(), before);
});

test.serial(
	'both list 3,000 entries alike: once each, from any place that was reached before, and again after rewinding',
	async t => {
		const cacheDir = await workDirectory(t);
		for (let index = 0; index < 3000; index++) await plant(cacheDir, URL_OF(index), String(index));
		const listings: string[] = [];
		for (const transport of ['fuse-native', 'kernel'] as const) {
			const mount = await Mount.start(t, {cacheDir, transport});
			await until('the store is read', () => mount.log.includes('store read'));
			const {stdout, stderr} = await run('python3', ['-c', SEEKING, `${mount.directory}/by-url`]);
			t.is(stderr, '', transport);
			listings.push(stdout);
			t.is(
				(await run('find', [`${mount.directory}/by-key`, '-type', 'f', '-size', '-2'])).stdout.split('\n').length,
				3001,
			);
			t.is((await run('ls', ['-l', `${mount.directory}/by-url`])).stdout.split('\n').length, 3002);
			t.is(await mount.stop(), 0);
		}

		t.is(listings[0], listings[1]);
		t.is(listings[0]?.split('\n').filter(name => name.startsWith('http')).length, 3000);
	},
);

/** Lists a directory in full, then from each of some places on; prints the names, sorted. */
const SEEKING = `
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
class Dirent(ctypes.Structure):
	_fields_ = [('ino', ctypes.c_ulong), ('off', ctypes.c_long), ('reclen', ctypes.c_ushort), ('type', ctypes.c_ubyte), ('name', ctypes.c_char * 256)]
libc.opendir.restype = ctypes.c_void_p
libc.readdir.restype = ctypes.POINTER(Dirent)
libc.telldir.restype = ctypes.c_long
for f in (libc.readdir, libc.telldir, libc.rewinddir, libc.closedir): f.argtypes = [ctypes.c_void_p]
libc.seekdir.argtypes = [ctypes.c_void_p, ctypes.c_long]
d = libc.opendir(sys.argv[1].encode())
def rest():
	names = []
	while True:
		place = libc.telldir(d)
		e = libc.readdir(d)
		if not e: return names
		names.append((place, e.contents.name))
whole = rest()
for index in (2500, 1, 700, 2999):
	libc.seekdir(d, whole[index][0])
	assert [n for _, n in rest()] == [n for _, n in whole[index:]], index
libc.rewinddir(d)
assert [n for _, n in rest()] == [n for _, n in whole]
libc.closedir(d)
assert len(set(n for _, n in whole)) == len(whole)
print('\\n'.join(sorted(n.decode() for _, n in whole)))
`;
