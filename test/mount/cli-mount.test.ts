import test, {type ExecutionContext} from 'ava';
import {mkdir, symlink, writeFile} from 'node:fs/promises';
import path from 'node:path';
import {isMounted, startDrive, workDirectory} from '../helpers/drive.js';
import {LARDER, larderWith, Mount} from '../helpers/mount.js';
import {run, sh, type Result} from '../helpers/run.js';

/** What a user's mistake looks like: the code, and one line that says what is wrong; never a stack. */
function assertRefused(t: ExecutionContext, {code, stdout, stderr}: Result, expected: number, reason: RegExp): void {
	t.is(code, expected, stderr);
	t.regex(stderr, reason);
	t.regex(stderr, /^larder: [^\n]+\n$/);
	t.is(stdout, '');
}

test('a mount point that is missing, not empty, no directory or over the cache is refused with one line and exit 1', async t => {
	const directory = await workDirectory(t);
	const inside = (name: string) => path.join(directory, name);
	await mkdir(inside('full'));
	await writeFile(inside('full/file'), '');
	await mkdir(inside('empty'));
	const mount = (mountpoint: string, cacheDir = inside('cache')) =>
		larderWith({}, 'mount', mountpoint, '--cache-dir', cacheDir);

	assertRefused(t, await mount(inside('missing')), 1, /missing does not exist; make it with: mkdir -p/);
	assertRefused(t, await mount(inside('full')), 1, /full is not empty/);
	assertRefused(t, await mount(inside('full/file')), 1, /file is not a directory/);
	assertRefused(t, await mount(inside('full/file/below')), 1, /below something that is not a directory/);
	assertRefused(t, await mount(inside('empty'), inside('empty/cache')), 1, /must lie apart/);
	assertRefused(t, await mount(inside('empty'), inside('empty')), 1, /must lie apart/);
	assertRefused(t, await mount(inside('empty'), directory), 1, /must lie apart/);
	t.false(await isMounted(inside('empty')));
	t.is((await run('ls', ['-A', inside('empty')])).stdout, '');
});

test('a cache directory that leads to the mount point by a symbolic link is refused', async t => {
	const directory = await workDirectory(t);
	await mkdir(path.join(directory, 'mnt'));
	await symlink(path.join(directory, 'mnt'), path.join(directory, 'link'));
	t.teardown(() => run('umount', ['-l', path.join(directory, 'mnt')]));
	const args = ['mount', path.join(directory, 'mnt'), '--cache-dir', path.join(directory, 'link')];
	assertRefused(t, await larderWith({}, ...args), 1, /must lie apart/);
});

test('wrong usage is one line and exit 2: unknown flags and commands, bad values, broken configuration files', async t => {
	const directory = await workDirectory(t);
	const file = async (name: string, text: string) => {
		await writeFile(path.join(directory, name), text);
		return path.join(directory, name);
	};

	const cases: ReadonlyArray<readonly [RegExp, ...string[]]> = [
		[/unknown option '--nope'/, 'mount', directory, '--nope'],
		[/too many arguments/, 'mount', directory, directory],
		[/unknown command 'mont'.*mount/, 'mont'],
		[/missing required argument 'mountpoint'/, 'unmount'],
		[/--max-size is "lots"; expected a size/, 'mount', directory, '--max-size', 'lots'],
		[/--max-size is "-1"/, 'mount', directory, '--max-size=-1'],
		[/--open-timeout is "5"; expected a duration with its unit/, 'mount', directory, '--open-timeout', '5'],
		[/--retries is "many"; expected a whole number/, 'mount', directory, '--retries', 'many'],
		[/--log-level is "loud"; expected one of/, 'mount', directory, '--log-level', 'loud'],
		[/none\.yaml does not exist/, 'mount', directory, '--config', `${directory}/none.yaml`],
		[/is not valid YAML/, 'mount', directory, '--config', await file('broken.yaml', 'max-size: [1')],
		[
			/unknown setting "max-sise"; did you mean "max-size"/,
			'mount',
			directory,
			'--config',
			await file('typo.yaml', 'max-sise: 1'),
		],
		[/value\.yaml: max-size is "big"/, 'mount', directory, '--config', await file('value.yaml', 'max-size: big')],
		[/expected lines such as/, 'mount', directory, '--config', await file('list.yaml', '- a\n- b\n')],
	];
	for (const [reason, ...args] of cases) assertRefused(t, await larderWith({}, ...args), 2, reason);

	const fromEnvironment = {env: {LARDER_MAX_SIZE: 'huge'}};
	assertRefused(t, await larderWith(fromEnvironment, 'mount', directory), 2, /LARDER_MAX_SIZE is "huge"/);
	t.false(await isMounted(directory));
});

test('a second drive on a mounted one is refused, and the first goes on', async t => {
	const {mount, origin} = await startDrive(t);
	const args = ['mount', mount.directory, '--cache-dir', await workDirectory(t)];
	const second = await larderWith({}, ...args);
	assertRefused(t, second, 1, /a larder drive is already mounted at .*; unmount it with: larder unmount /);
	const file = mount.path(origin.serve('/x', {body: 'first'}));
	t.is((await run('cat', [file])).stdout, 'first');
});

test('something else that is mounted there is refused, and stays', async t => {
	const directory = path.join(await workDirectory(t), 'busy');
	await mkdir(directory);
	const mounted = await run('mount', ['-t', 'tmpfs', 'tmpfs', directory]);
	t.teardown(() => run('umount', ['-l', directory]));
	if (mounted.code === 0) await writeFile(path.join(directory, 'theirs'), '');
	const unmounting = await larderWith({}, 'unmount', directory);
	assertRefused(t, unmounting, 1, mounted.code === 0 ? /is tmpfs \(tmpfs\), not a larder drive/ : /nothing is mounted/);
	t.is(await isMounted(directory), mounted.code === 0);
});

test('larder unmount ends the drive and its daemon, with exit 0; where nothing is mounted it is exit 1', async t => {
	const {mount} = await startDrive(t);
	const unmounting = await larderWith({}, 'unmount', mount.directory);
	t.deepEqual(unmounting, {code: 0, stdout: '', stderr: ''});
	t.is(await mount.exited(), 0);
	t.false(await isMounted(mount.directory));
	assertRefused(t, await larderWith({}, 'unmount', mount.directory), 1, /nothing is mounted at/);
});

test('umount by somebody else ends the daemon with 0, and its store is whole', async t => {
	const cacheDir = await workDirectory(t);
	const {mount, origin} = await startDrive(t, {cacheDir});
	const url = origin.serve('/x', {size: 100_000});
	await run('cat', [mount.path(url)]);
	t.is((await run('umount', [mount.directory])).code, 0);
	t.is(await mount.exited(), 0);
	const again = await Mount.start(t, {cacheDir});
	t.is((await run('wc', ['-c', again.path(url)])).stdout.split(' ')[0], '100000');
	t.is(origin.requests.length, 1);
});

test('a drive in use is not unmounted: one line names the program, exit 1, and the drive goes on', async t => {
	const {mount, origin} = await startDrive(t);
	const file = mount.path(origin.serve('/x', {body: 'in use'}));
	await run('cat', [file]);
	const script = 'exec 3< "$1"; "$2" "$3" unmount "$4"; status=$?; cat <&3; exit $status';
	const busy = await sh(script, file, process.execPath, LARDER, mount.directory);
	t.is(busy.code, 1);
	t.is(busy.stdout, 'in use');
	t.regex(busy.stderr, /^larder: the drive at \S+ is in use; close [^\n]*bash \(\d+\)[^\n]*\n$/);
	t.is((await run('cat', [file])).stdout, 'in use');
});
