/** One node, one version: what the kernel transport does when a file is replaced, evicted or fetched anew. */
import {spawn, type ChildProcess} from 'node:child_process';
import {once} from 'node:events';
import {readFile} from 'node:fs/promises';
import path from 'node:path';
import {createInterface} from 'node:readline';
import test, {type ExecutionContext} from 'ava';
import {evaluate, fetchAll, plant, put, reading, sha256, startDrive, workDirectory} from '../helpers/drive.js';
import {larderWith, type Mount, type MountOptions} from '../helpers/mount.js';
import type {Behaviour, Origin} from '../helpers/origin.js';
import {run} from '../helpers/run.js';
import {until} from '../helpers/until.js';

/** A change that is announced is heard of long before this. */
const SOON_MS = 5000;
/** Long before any deadline of the drive's, and before any timeout of the kernel's. */
const AT_ONCE_MS = 2000;
const A = 'http://a.example/a';

function start(t: ExecutionContext, options: MountOptions = {}): Promise<{mount: Mount; origin: Origin}> {
	return startDrive(t, {...options, transport: 'kernel'});
}

const SIZE_STEP = 150_001;
/** A version is one letter, and has a length of its own: a mixture of two is seen at once. */
function bodyOf(letter: string): string {
	return letter.repeat((letter.charCodeAt(0) - 96) * SIZE_STEP);
}

function behaviourOf(letter: string): Behaviour {
	return {body: bodyOf(letter), etag: `"${letter}"`, ranges: true};
}

/** A program that does as it is told, a line at a time, and answers with a line. */
class Witness {
	readonly child: ChildProcess;
	readonly #answers: AsyncIterator<string>;

	constructor(t: ExecutionContext) {
		this.child = spawn('python3', ['-c', WITNESS], {stdio: ['pipe', 'pipe', 'inherit']});
		t.teardown(() => this.child.kill('SIGKILL'));
		if (this.child.stdout === null) throw new Error('no pipe');
		this.#answers = createInterface({input: this.child.stdout})[Symbol.asyncIterator]();
	}

	tell(...command: ReadonlyArray<string | number>): void {
		this.child.stdin?.write(JSON.stringify(command) + '\n');
	}

	async ask(...command: ReadonlyArray<string | number>): Promise<string> {
		this.tell(...command);
		return (await this.#answers.next()).value as string;
	}
}

/** Of what was read it tells the letters, each once, and how many there were. */
const WITNESS = `
import json, mmap, os, sys
fd, maps = None, None
def told(data): return ''.join(sorted(set(data.decode('latin1')))) + ' ' + str(len(data))
for line in sys.stdin:
	what, *args = json.loads(line)
	try:
		if what == 'open': fd = os.open(args[0], os.O_RDONLY); answer = 'open'
		elif what == 'map': maps = mmap.mmap(fd, 0, prot=mmap.PROT_READ); answer = 'mapped'
		elif what == 'pread': answer = told(os.pread(fd, args[1], args[0]))
		elif what == 'mapped': answer = told(maps[args[0]:args[0] + args[1]])
		elif what == 'again': answer = told(open('/proc/self/fd/%d' % fd, 'rb').read())
		elif what == 'size': answer = str(os.fstat(fd).st_size)
		elif what == 'chdir': os.chdir(args[0]); answer = 'there'
		elif what == 'cwd': answer = os.getcwd()
		elif what == 'close': maps = None; os.close(fd); answer = 'closed'
	except OSError as error: answer = os.strerror(error.errno)
	print(answer, flush=True)
`;

const told = (letter: string, bytes = bodyOf(letter).length) => `${letter} ${bytes}`;
const statSize = (file: string) => run('stat', ['-c', '%s', file]).then(({stdout}) => Number(stdout));
const readBack = async (file: string) => {
	const {stdout} = await run('cat', [file]);
	return `${[...new Set(stdout)].join('')} ${stdout.length}`;
};

type Replace = (mount: Mount, url: string) => Promise<unknown>;

const REPLACEMENTS: Readonly<Record<string, Replace>> = {
	'a put over it': (mount, url) => put(mount, url, bodyOf('b')),
	'rm and a put': async (mount, url) => {
		await run('rm', [mount.path(url)]);
		await put(mount, url, bodyOf('b'));
	},
	'rm under by-key and a put': async (mount, url) => {
		await run('rm', [path.join(mount.directory, 'by-key', sha256(url))]);
		await put(mount, url, bodyOf('b'));
	},
	'a touch': (mount, url) => run('touch', [mount.path(url)]),
	'a refresh by another process': (mount, url) => larderWith({}, 'refresh', '--cache-dir', mount.cacheDir, url),
};

for (const [how, replace] of Object.entries(REPLACEMENTS)) {
	test(`who has a file open keeps it through ${how}, mapped or not, and everybody else has the new one`, async t => {
		const {mount, origin} = await start(t);
		const url = origin.serve('/a', behaviourOf('a'));
		const file = mount.path(url);
		await fetchAll(mount, url);
		origin.serve('/a', behaviourOf('b'));
		const witness = new Witness(t);
		for (const command of [['open', file], ['map']]) await witness.ask(...command);
		t.is(await witness.ask('pread', 0, 4096), told('a', 4096));
		t.is(await statSize(file), bodyOf('a').length);
		await replace(mount, url);
		await until('its size is that of the new one', async () => (await statSize(file)) === bodyOf('b').length, SOON_MS);
		t.is(await readBack(file), told('b'));
		t.is(await witness.ask('size'), String(bodyOf('a').length));
		t.is(await witness.ask('mapped', 0, 10_000_000), told('a'));
		t.is(await witness.ask('pread', 100_000, 10_000_000), told('a', bodyOf('a').length - 100_000));
		t.is(await witness.ask('again'), told('a'));
		t.is(await readBack(file), told('b'));
		t.is(await readBack(path.join(mount.directory, 'by-key', sha256(url))), told('b'));
		t.is(await witness.ask('close'), 'closed');
		t.is(await readBack(file), told('b'));
	});
}

test('who writes a file has it to himself: readers have the old one until it is stored, and the last writer counts', async t => {
	const {mount} = await start(t);
	const file = mount.path(A);
	await put(mount, A, bodyOf('a'));
	const writer = (letter: string) => {
		const child = spawn('python3', ['-c', WRITER, file, letter, String(bodyOf(letter).length)], {
			stdio: ['pipe', 'pipe', 'inherit'],
		});
		t.teardown(() => child.kill('SIGKILL'));
		return child;
	};
	const [b, c] = [writer('b'), writer('c')];
	for (const {stdout} of [b, c]) await once(stdout, 'data');
	t.is(await readBack(file), told('a'));
	for (const [child, letter] of [
		[c, 'c'],
		[b, 'b'],
	] as const) {
		child.stdin.end('\n');
		t.deepEqual(await once(child, 'exit'), [0, null]);
		t.is(await readBack(file), told(letter));
		t.is(await statSize(file), bodyOf(letter).length);
	}
});

/** Writes half, says so, and the other half when it hears something. */
const WRITER = `
import os, sys
data = sys.argv[2].encode() * int(sys.argv[3])
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
os.write(fd, data[:1000])
print('half', flush=True)
sys.stdin.readline()
at = 1000
while at < len(data): at += os.write(fd, data[at:])
os.close(fd)
`;

test.serial('readers, mapping or not, see one version whole while it is put, evicted and fetched anew', async t => {
	const {mount, origin} = await start(t, {flags: ['--freshness', 'http', '--retries', '0']});
	const url = origin.serve('/a', behaviourOf('a'));
	const file = mount.path(url);
	t.is(await readBack(file), told('a'));
	const readers = ['mmap', 'pread', 'read', 'stat'].map(way =>
		run('python3', ['-c', READER, way, '6', String(SIZE_STEP), file], {deadlineMs: 60_000}),
	);
	let changes = 0;
	const ended = Promise.all(readers);
	let isOver = false;
	void ended.then(() => (isOver = true));
	while (!isOver) {
		const letter = 'abcdef'[changes % 6] ?? '';
		origin.serve('/a', behaviourOf(letter));
		if (changes % 3 === 0) await put(mount, url, bodyOf(letter));
		else if (changes % 3 === 1) await evaluate('fs.unlinkSync(f)', [file]);
		else await run('touch', [file]);
		changes++;
	}

	const seen = (await ended).map(({stdout, stderr}) => {
		t.is(stderr, '');
		return JSON.parse(stdout) as {way: string; rounds: number; stale: number; letters: string; wrong: string[]};
	});
	for (const {way, rounds, stale, letters, wrong} of seen) {
		t.log(`${way}: ${rounds} rounds, ${letters}`);
		t.deepEqual(wrong, [], way);
		t.true(rounds > 10, way);
		// The kernel opens once more what was replaced between its lookup and its open; one that is replaced again then, says so.
		t.true(stale <= 1 + rounds / 100, `${way}: ${stale} of ${rounds} rounds stale`);
	}

	t.log(`${changes} changes`);
	t.true(changes > 5);
	t.regex(mount.log, /^((?!failed unexpectedly|could not be taken|does not take).)*$/s);
});

/** Opens a file again and again; all that it reads of it is to be one letter, as often as that says. */
const READER = `
import errno, json, mmap, os, random, sys, time
way, seconds, step, file = sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
rounds, stale, letters, wrong = 0, 0, set(), []
end = time.time() + seconds
while time.time() < end and len(wrong) < 5:
	rounds += 1
	try:
		if way == 'stat':
			# While it is put it grows.
			if os.stat(file).st_size > 6 * step: wrong.append('too large')
			continue
		try: f = open(file, 'rb', 0)
		except OSError as error:
			if error.errno != errno.ESTALE: raise
			stale += 1
			continue
		with f:
			if way == 'read':
				data = b''
				while True:
					part = f.read(65536)
					if not part: break
					data += part
			elif way == 'pread':
				size = os.fstat(f.fileno()).st_size
				places = list(range(0, size, 50000)); random.shuffle(places)
				data = b''.join(os.pread(f.fileno(), 50000, at) for at in places)
				if len(data) != size: wrong.append('%d of %d bytes' % (len(data), size))
			else:
				with mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ) as whole: data = whole[:]
		seen = set(data.decode('latin1'))
		if len(seen) != 1: wrong.append('%s: %d bytes' % (''.join(sorted(seen)), len(data)))
		elif len(data) != (ord(max(seen)) - 96) * step: wrong.append('%d bytes of %s' % (len(data), max(seen)))
		letters |= seen
	except OSError as error:
		wrong.append(error.strerror)
print(json.dumps({'way': way, 'rounds': rounds, 'stale': stale, 'letters': ''.join(sorted(letters)), 'wrong': wrong}))
`;

test('what another process evicts is gone from a stat soon, though the kernel had its name and its pages', async t => {
	const {mount, origin} = await start(t);
	const url = origin.serve('/a', behaviourOf('a'));
	const file = mount.path(url);
	await fetchAll(mount, url);
	t.is(await statSize(file), bodyOf('a').length);
	origin.serve('/a', behaviourOf('b'));
	t.is((await larderWith({}, 'rm', '--cache-dir', mount.cacheDir, url)).code, 0);
	await until('it is not as long as it was', async () => (await statSize(file)) !== bodyOf('a').length, SOON_MS);
	t.is(await readBack(file), told('b'));
	t.is(await statSize(file), bodyOf('b').length);
});

test('what is removed and fetched again has the new bytes, under each of its names', async t => {
	const {mount, origin} = await start(t);
	const url = origin.serve('/a', behaviourOf('a'));
	const names = [mount.path(url), mount.path(url).replace('http%3A', 'http:')];
	for (const name of names) t.is(await readBack(name), told('a'));
	origin.serve('/a', behaviourOf('b'));
	t.is((await run('rm', [mount.path(url)])).code, 0);
	for (const name of names) t.not(await statSize(name), bodyOf('a').length);
	for (const name of names) t.is(await readBack(name), told('b'));
});

test('a stored file that was read before is opened and read again without a READ, and looked at without a request', async t => {
	const {mount} = await start(t);
	const size = 20_000_000;
	await put(mount, A, Buffer.alloc(size, 'a'));
	const file = mount.path(A);
	const sentWhile = async (work: () => Promise<void>) => {
		const from = await sentBy(mount);
		await work();
		return (await sentBy(mount)) - from;
	};
	const readThrice = async () => {
		for (const _ of [1, 2, 3]) t.is(await reading(file), `read ${size} bytes`);
	};
	const absent = path.join(mount.directory, 'by-url', '.Trash');
	const look = 'for i in range(1000):\n try: os.stat(sys.argv[1])\n except FileNotFoundError: pass';
	const lookOften = async () => {
		for (const name of [file, absent]) t.is((await run('python3', ['-c', `import os, sys\n${look}`, name])).code, 0);
	};
	// Names and pages are kept once the store is watched, for which a drive that answers does not wait.
	await until('names are kept', async () => (await sentWhile(lookOften)) < 200);
	// The first reading after that fills the pages. A READ is 256 KiB at most.
	await readThrice();
	t.true((await sentWhile(readThrice)) < 180);
	t.true((await sentWhile(lookOften)) < 200);
});

/** Opens files, reads nothing, and tells how many pages of each the kernel has: mincore(2). */
const RESIDENT = `
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
libc.mincore.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p]
for name in sys.argv[1:]:
	file = os.open(name, os.O_RDONLY)
	size = os.fstat(file).st_size
	pages = ctypes.create_string_buffer(-(-size // 4096))
	if libc.mincore(libc.mmap(None, size, 1, 1, file, 0), size, pages) != 0: sys.exit(os.strerror(ctypes.get_errno()))
	print(sum(page & 1 for page in pages.raw))
`;

test('a small stored file is all in the page cache once it is open, and a large one is not', async t => {
	const cacheDir = await workDirectory(t);
	const largest = 64 * 1024;
	const expected = new Map([
		[1, 1],
		[4096, 1],
		[10_000, 3],
		[largest, 16],
		[largest + 1, 0],
	]);
	const urlOf = (size: number) => `http://a.example/${size}`;
	for (const size of expected.keys()) await plant(cacheDir, urlOf(size), Buffer.alloc(size, 'x'));
	const {mount} = await start(t, {cacheDir, flags: ['--passthrough', 'off']});
	const files = [...expected.keys()].map(size => mount.path(urlOf(size)));
	const {stdout, stderr} = await run('python3', ['-c', RESIDENT, ...files]);
	t.is(stdout, [...expected.values()].map(pages => `${pages}\n`).join(''), stderr);
});

test('small stored files are read right, three hundred of them twice each', async t => {
	const {mount, origin} = await start(t);
	const urls = Array.from({length: 300}, (_, index) => origin.serve(`/${index}`, {body: `${index}`.repeat(5000)}));
	await fetchAll(mount, ...urls);
	const files = JSON.stringify(urls.map(url => mount.path(url)));
	const read = `JSON.parse(f).filter((file, index) => fs.readFileSync(file, 'utf8') !== String(index).repeat(5000)).length`;
	for (const _ of [1, 2]) t.is(await evaluate(read, [files]), '0');
});

test('a read that waits for its origin holds nobody up when the file is replaced meanwhile, and is ended by a signal', async t => {
	const {mount, origin} = await start(t, {flags: ['--read-timeout', '60s', '--idle-timeout', '60s']});
	const url = origin.serve('/a', {body: bodyOf('a'), stallAt: 70_000});
	const file = mount.path(url);
	const witness = new Witness(t);
	t.is(await witness.ask('chdir', path.dirname(file)), 'there');
	t.is(await witness.ask('open', file), 'open');
	t.is(await witness.ask('pread', 0, 4096), told('a', 4096));
	witness.tell('pread', 100_000, 4096);
	const wchan = () => readFile(`/proc/${witness.child.pid}/wchan`, 'utf8');
	await until('it waits', async () => /folio|request_wait_answer|fuse/.test(await wchan()));
	const from = performance.now();
	t.is((await put(mount, url, bodyOf('b'))).code, 0);
	t.is(await statSize(file), bodyOf('b').length);
	t.is(await readBack(file), told('b'));
	t.is((await run('rm', [file])).code, 0);
	t.is((await run('ls', [path.dirname(file)])).stdout, '');
	t.is((await put(mount, url, bodyOf('c'))).code, 0);
	t.is(await readBack(file), told('c'));
	const ms = performance.now() - from;
	t.log(`${ms.toFixed()} ms`);
	t.true(ms < 5 * AT_ONCE_MS, `${ms} ms`);
	t.regex(await wchan(), /folio|request_wait_answer|fuse/);
	witness.child.kill('SIGKILL');
	await once(witness.child, 'exit');
});

test('what could not be stored is shown to nobody, though the kernel had pages of it', async t => {
	const {mount} = await start(t, {flags: ['--max-size', '1MB']});
	const file = mount.path(A);
	await put(mount, A, bodyOf('a'));
	t.not((await put(mount, A, Buffer.alloc(5_000_000, 'b'))).code, 0);
	t.is(await readBack(file), told('a'));
	t.is(await statSize(file), bodyOf('a').length);
});

test('a file that was emptied is empty for who comes next', async t => {
	const {mount} = await start(t);
	const script = 'for i in $(seq 30); do echo full > "$1"; : > "$1"; cat "$1"; done';
	t.is((await run('sh', ['-c', script, 'sh', mount.path(A)])).stdout, '');
});

test('a program stays where it is when names are looked up anew', async t => {
	const {mount} = await start(t);
	await put(mount, A, bodyOf('a'));
	const [witness, other] = [new Witness(t), new Witness(t)];
	const directory = path.join(mount.directory, 'by-url');
	t.is(await other.ask('chdir', directory), 'there');
	t.is(await witness.ask('open', mount.path(A)), 'open');
	// It is open, so that all names are looked up anew.
	await put(mount, A, bodyOf('b'));
	t.is(await statSize(mount.path(A)), bodyOf('b').length);
	t.is(await other.ask('cwd'), directory);
	t.is(await other.ask('open', encodeURIComponent(A)), 'open');
	t.is(await other.ask('pread', 0, 10_000_000), told('b'));
});

/** How often a drive has written since it was started, mostly replies. */
async function sentBy(mount: Mount): Promise<number> {
	const io = await readFile(`/proc/${mount.pid}/io`, 'utf8');
	return Number(/^syscw: (\d+)$/m.exec(io)?.[1]);
}
