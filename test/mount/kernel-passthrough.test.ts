/** Stored files that the kernel reads by itself, without asking the drive. */
import test, {type ExecutionContext} from 'ava';
import {execFileSync, spawn} from 'node:child_process';
import {once} from 'node:events';
import {readFileSync} from 'node:fs';
import {mkdir, writeFile} from 'node:fs/promises';
import path from 'node:path';
import {createInterface} from 'node:readline';
import {evaluate, fetchAll, plant, put, sha256, startDrive, workDirectory} from '../helpers/drive.js';
import type {Mount, MountOptions} from '../helpers/mount.js';
import {generatedBody, type Origin} from '../helpers/origin.js';
import {IS_ROOT, NOT_ROOT} from '../helpers/root.js';
import {run, sh} from '../helpers/run.js';

const URL_OF = (index: number) => `http://a.example/${index}`;
const SIZE = 3_000_017;
const REFUSAL = /cannot read stored files by itself/;

const asRoot = IS_ROOT && isOffered() ? test : test.skip;
const because = IS_ROOT ? (isOffered() ? '' : ' (skipped: Linux 6.9 has it first)') : ` ${NOT_ROOT}`;

function isOffered(): boolean {
	const [major = 0, minor = 0] = readFileSync('/proc/sys/kernel/osrelease', 'utf8').split('.').map(Number);
	return major > 6 || (major === 6 && minor >= 9);
}

type Passthrough = 'auto' | 'on' | 'off';

function start(
	t: ExecutionContext,
	passthrough: Passthrough,
	options: MountOptions = {},
): Promise<{mount: Mount; origin: Origin}> {
	return startDrive(t, {...options, transport: 'kernel', flags: ['--passthrough', passthrough]});
}

/** A program that has a file open, and does what it is told with it, a line of Python each. */
class Holder {
	private constructor(
		private readonly say: (line: string) => void,
		private readonly answers: AsyncIterator<string>,
	) {}

	static async of(t: ExecutionContext, file: string, mode = 'rb'): Promise<Holder> {
		const program = `
import hashlib, mmap, os, sys
f = open(sys.argv[1], sys.argv[2], 0)
def at(position, count): return os.pread(f.fileno(), count, position)
print('open', flush=True)
for line in sys.stdin:
	try: print(eval(line), flush=True)
	except OSError as error: print(error.errno, flush=True)`;
		const child = spawn('python3', ['-c', program, file, mode], {stdio: ['pipe', 'pipe', 'inherit']});
		const exited = once(child, 'exit');
		t.teardown(async () => {
			child.kill('SIGKILL');
			await exited;
		});
		const answers = createInterface({input: child.stdout})[Symbol.asyncIterator]();
		const holder = new Holder(line => child.stdin.write(`${line}\n`), answers);
		t.is((await answers.next()).value, 'open');
		return holder;
	}

	async do(expression: string): Promise<string> {
		this.say(expression);
		return String((await this.answers.next()).value);
	}
}

/** Whether the file is read while the drive stands still. */
async function isReadWithoutDrive(mount: Mount, holder: Holder): Promise<boolean> {
	process.kill(mount.pid, 'SIGSTOP');
	const timer = setTimeout(() => process.kill(mount.pid, 'SIGCONT'), 700);
	const from = performance.now();
	await holder.do('len(at(1_000_000, 300_000))');
	const isQuick = performance.now() - from < 500;
	clearTimeout(timer);
	process.kill(mount.pid, 'SIGCONT');
	return isQuick;
}

for (const passthrough of ['on', 'off'] as const) {
	asRoot(
		`passthrough ${passthrough}: a stored file is read whole, at random places and through mmap${because}`,
		async t => {
			// Nothing of it has been read by the drive, so the kernel has no pages of it.
			const [cacheDir, url] = [await workDirectory(t), URL_OF(1)];
			await plant(cacheDir, url, generatedBody(SIZE));
			const {mount} = await start(t, passthrough, {cacheDir});
			const holder = await Holder.of(t, mount.path(url));
			t.is(await isReadWithoutDrive(mount, holder), passthrough === 'on');
			const expected = sha256(generatedBody(SIZE));
			t.is((await run('sha256sum', [mount.path(url)])).stdout.slice(0, 64), expected);
			const script = `
import mmap, random, sys, hashlib
data = open(sys.argv[1], 'rb', 0)
whole = mmap.mmap(data.fileno(), 0, prot=mmap.PROT_READ)
for _ in range(300):
	at = random.randrange(len(whole)); n = random.randrange(200000)
	data.seek(at); got = data.read(n)
	assert got == whole[at:at + n][:len(got)] and len(got) == min(n, len(whole) - at), (at, n, len(got))
print(hashlib.sha256(whole).hexdigest())`;
			const {stdout, stderr} = await run('python3', ['-c', script, mount.path(url)]);
			t.is(stdout.trim(), expected, stderr);
			t.notRegex(mount.log, REFUSAL);
		},
	);
}

asRoot(`a file that was opened while it came is asked for until the last has closed it${because}`, async t => {
	const {mount, origin} = await start(t, 'on');
	const url = origin.serve('/slow', {size: SIZE, rate: SIZE});
	// Open(2) returns with the first bytes.
	const first = await Holder.of(t, mount.path(url));
	await fetchAll(mount, url);
	const second = await Holder.of(t, mount.path(url));
	const digest = 'hashlib.sha256(at(0, 4_000_000)).hexdigest()';
	const expected = sha256(generatedBody(SIZE));
	t.deepEqual([await first.do(digest), await second.do(digest)], [expected, expected]);
	await first.do('f.close()');
	const third = await Holder.of(t, mount.path(url));
	t.is(await third.do(digest), expected);
	await second.do('f.close()');
	await third.do('f.close()');
	const last = await Holder.of(t, mount.path(url));
	t.true(await isReadWithoutDrive(mount, last));
	t.is(await last.do(digest), expected);
});

asRoot(`who has a stored file open keeps its bytes when it is removed and another is put there${because}`, async t => {
	const {mount} = await start(t, 'on');
	const [old, other] = [Buffer.alloc(2_000_000, 'old'), Buffer.alloc(1_000_000, 'new')];
	await put(mount, URL_OF(1), old);
	const holder = await Holder.of(t, mount.path(URL_OF(1)));
	const mapped = await Holder.of(t, mount.path(URL_OF(1)));
	await mapped.do('globals().update(m=mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ))');
	t.is((await run('rm', [mount.path(URL_OF(1))])).code, 0);
	t.is((await put(mount, URL_OF(1), other)).code, 0);
	const digest = 'hashlib.sha256(at(0, 4_000_000)).hexdigest()';
	t.is(await holder.do(digest), sha256(old));
	t.is(await mapped.do('hashlib.sha256(m).hexdigest()'), sha256(old));
	const another = await Holder.of(t, mount.path(URL_OF(1)));
	t.is(await another.do(digest), sha256(other));
	t.is(await holder.do(digest), sha256(old));
});

asRoot(`who writes a file does not disturb those for whom the kernel reads it, nor they him${because}`, async t => {
	const {mount} = await start(t, 'on');
	await put(mount, URL_OF(1), 'what is stored');
	const holder = await Holder.of(t, mount.path(URL_OF(1)));
	const writer = await Holder.of(t, mount.path(URL_OF(1)), 'r+b');
	const reader = await Holder.of(t, mount.path(URL_OF(1)));
	for (const one of [holder, writer, reader]) t.is(await one.do('at(0, 100)'), "b'what is stored'");
	await writer.do('f.close()');
	t.is((await put(mount, URL_OF(1), 'something else')).code, 0);
	t.is(await holder.do('at(0, 100)'), "b'what is stored'");
	t.is((await run('cat', [mount.path(URL_OF(1))])).stdout, 'something else');
	t.true(await isReadWithoutDrive(mount, holder));
});

asRoot(`3,000 opens leave no file open in the kernel, and each counts as one access${because}`, async t => {
	const {mount} = await start(t, 'on');
	await put(mount, URL_OF(1), 'x');
	const program =
		'for (let i = 0; i < 3000; i++) {const d = fs.openSync(f); fs.readSync(d, Buffer.alloc(9)); fs.closeSync(d);}';
	const before = openInKernel();
	const {hits = 0} = await mount.stats();
	t.is(await evaluate(`(() => {${program}})()`, [mount.path(URL_OF(1))]), 'undefined');
	t.is((await mount.stats())['hits'], hits + 3000);
	// Other programs open and close files as well.
	t.true(openInKernel() - before < 2000, `${openInKernel() - before}`);
});

for (const passthrough of ['on', 'auto'] as const) {
	const says = passthrough === 'on' ? 'one line says so' : 'nobody is told';
	asRoot(
		`passthrough ${passthrough}: where a store cannot be read so, it is read all the same, and ${says}${because}`,
		async t => {
			const base = await workDirectory(t);
			// One file system over another is one too many.
			const [lower, upper, work, merged] = ['lower', 'upper', 'work', 'merged'].map(name => path.join(base, name)) as [
				...[string, string, string, string],
			];
			for (const directory of [lower, upper, work, merged]) await mkdir(directory);
			const options = `lowerdir=${lower},upperdir=${upper},workdir=${work}`;
			execFileSync('mount', ['-t', 'overlay', '-o', options, 'overlay', merged]);
			t.teardown(() => execFileSync('umount', ['-l', merged]));
			// Pages of a small one are given to the kernel, and it reads no file.
			const [planted, another] = ['planted', 'another'].map(text => text.padEnd(100_000, '.')) as [string, string];
			await plant(merged, URL_OF(1), planted);
			await plant(merged, URL_OF(2), another);
			const {mount} = await start(t, passthrough, {cacheDir: merged});
			t.is(
				(await sh('cat "$1" "$2" "$1"', mount.path(URL_OF(1)), mount.path(URL_OF(2)))).stdout,
				planted + another + planted,
			);
			t.is(mount.logLines.filter(line => REFUSAL.test(line)).length, passthrough === 'on' ? 1 : 0);
		},
	);
}

asRoot(`what another program writes into a stored file is seen by who has it open${because}`, async t => {
	const {mount} = await start(t, 'on');
	await put(mount, URL_OF(1), 'as it was');
	const holder = await Holder.of(t, mount.path(URL_OF(1)));
	await writeFile(path.join(mount.cacheDir, `${sha256(URL_OF(1))}.dat`), 'is other!');
	t.is(await holder.do('at(0, 100)'), "b'is other!'");
});

/** Files that are open in this machine, by whomever: proc_sys_fs(5). */
function openInKernel(): number {
	return Number(readFileSync('/proc/sys/fs/file-nr', 'utf8').split('\t')[0]);
}
