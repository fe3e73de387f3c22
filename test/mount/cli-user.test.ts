import test from 'ava';
import {spawnSync} from 'node:child_process';
import {chown, mkdir, readdir, stat, symlink} from 'node:fs/promises';
import {statSync} from 'node:fs';
import path from 'node:path';
import {fetchAll, isMounted, startOrigin, workDirectory} from '../helpers/drive.js';
import {LARDER, larderWith, Mount} from '../helpers/mount.js';
import {run} from '../helpers/run.js';

/** Somebody who owns nothing here: nobody. */
const UID = 65_534;

const root = process.getuid?.() === 0;
const asAnother = root ? test : test.skip;
const becauseRoot = root ? '' : ' (skipped: only root can become another user)';

const reason = whyNot();
const asUser = reason === undefined ? test : test.skip;
const because = reason === undefined ? '' : ` (skipped: ${reason})`;

function whyNot(): string | undefined {
	if (!root) return 'only root can become another user';
	const [fusermount] = ['/usr/bin/fusermount3', '/bin/fusermount3'].map(file =>
		statSync(file, {throwIfNoEntry: false}),
	);
	if (fusermount === undefined || (fusermount.mode & 0o4000) === 0) return 'there is no setuid fusermount3 here';
	const user = {uid: UID, gid: UID, cwd: '/', stdio: 'ignore'} as const;
	if (spawnSync(process.execPath, [LARDER, '--version'], user).status !== 0)
		return 'others cannot reach the program here';
	const device = spawnSync('bash', ['-c', 'exec 3<> /dev/fuse'], user);
	return device.status === 0 ? undefined : 'only root may open /dev/fuse here';
}

asUser(`an ordinary user mounts, reads, puts, removes and unmounts, with fusermount3${because}`, async t => {
	const origin = await startOrigin(t);
	const base = await workDirectory(t);
	const [directory, cacheDir] = [path.join(base, 'mnt'), path.join(base, 'cache')];
	await mkdir(directory);
	await chown(directory, UID, UID);
	const mount = await Mount.start(t, {directory, cacheDir, uid: UID});
	const url = origin.serve('/x', {size: 300_000});
	const user = {uid: UID};
	t.is((await run('wc', ['-c', mount.path(url)], user)).stdout.split(' ')[0], '300000');
	t.is((await run('stat', ['-c', '%u %a', mount.path(url)], user)).stdout, `${UID} 644\n`);
	const written = mount.path('http://a.example/by-hand');
	t.is((await run('dd', [`of=${written}`, 'status=none'], {...user, input: 'by hand'})).code, 0);
	t.is((await run('cat', [written], user)).stdout, 'by hand');
	t.is((await run('rm', [written], user)).code, 0);
	t.is((await stat(cacheDir)).mode & 0o777, 0o700);
	for (const name of await readdir(cacheDir)) {
		const {uid, mode} = await stat(path.join(cacheDir, name));
		t.deepEqual([uid, mode & 0o077], [UID, 0]);
	}

	const unmounting = await larderWith({...user, cwd: '/'}, 'unmount', directory);
	t.deepEqual(unmounting, {code: 0, stdout: '', stderr: ''});
	t.is(await mount.exited(), 0);
	t.false(await isMounted(directory));
});

asUser(`what an ordinary user may not mount is refused with one line and exit 1${because}`, async t => {
	const base = await workDirectory(t);
	const [theirs, own, bin] = ['theirs', 'own', 'bin'].map(name => path.join(base, name)) as [string, string, string];
	for (const directory of [theirs, own, bin]) await mkdir(directory);
	await chown(own, UID, UID);
	// A PATH on which there is everything but fusermount3.
	await symlink(process.execPath, path.join(bin, 'node'));
	const mount = (directory: string, env: Record<string, string> = {}, ...flags: string[]) => {
		const args = ['mount', directory, '--cache-dir', path.join(base, 'cache'), ...flags];
		return larderWith({uid: UID, cwd: '/', env}, ...args);
	};

	for (const [expected, result] of [
		[/only root can mount here, because fusermount3 is not on PATH; install it/, await mount(own, {PATH: bin})],
		[/theirs belongs to another user; choose a directory of your own/, await mount(theirs)],
		[/--allow-other is for root only, unless \S+ has the line user_allow_other/, await mount(own, {}, '--allow-other')],
	] as const) {
		t.is(result.code, 1);
		t.regex(result.stderr, expected);
		t.regex(result.stderr, /^larder: [^\n]+\n$/);
	}

	t.false(await isMounted(own));
});

asAnother(`another user does not see the drive, and does with --allow-other${becauseRoot}`, async t => {
	const origin = await startOrigin(t);
	const url = origin.serve('/x', {body: 'x'});
	for (const flags of [[], ['--allow-other', '--networks', 'all']]) {
		const directory = path.join(await workDirectory(t), 'mnt');
		await mkdir(directory);
		const mount = await Mount.start(t, {directory, flags});
		await fetchAll(mount, url);
		const {stdout, stderr} = await run('cat', [mount.path(url)], {uid: UID});
		t.is(stdout, flags.length === 0 ? '' : 'x');
		if (flags.length === 0) t.regex(stderr, /Permission denied/);
		t.not((await run('rm', ['-f', mount.path(url)], {uid: UID})).code, 0);
	}
});
