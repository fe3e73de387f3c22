import test from 'ava';
import path from 'node:path';
import {fetchAll, sha256, startDrive} from '../helpers/drive.js';
import {run, sh} from '../helpers/run.js';

test('over fuse-native stat, ls -l, find and test -e of what is not cached say size 0, and ask no origin', async t => {
	const {mount, origin} = await startDrive(t, {transport: 'fuse-native'});
	const file = mount.path(origin.serve('/never', {body: 'never'}));
	t.is((await run('stat', ['-c', '%s %a %F', file])).stdout, '0 644 regular empty file\n');
	t.regex((await run('ls', ['-l', file])).stdout, /^-rw-r--r-- 1 \S+ \S+ 0 /);
	t.is((await run('find', [file, '-type', 'f', '-empty'])).stdout, `${file}\n`);
	t.is((await run('test', ['-e', file])).code, 0);
	t.is(origin.connections, 0);
	t.is((await sh('ls -A "$1"', path.dirname(file))).stdout, '');
});

test('a cached file says its size, mode, owner, time, blocks, type and one inode number wherever it is seen', async t => {
	const {mount, origin} = await startDrive(t);
	const lastModified = new Date('2021-03-04T05:06:07Z');
	const url = origin.serve('/stat', {size: 10_241, lastModified});
	await fetchAll(mount, url);
	const format = ['-c', '%s %a %u %h %Y %b %F %i'];
	const {stdout} = await run('stat', [...format, mount.path(url)]);
	const inode = stdout.trim().split(' ').at(-1) ?? '';
	t.is(stdout, `10241 644 ${process.getuid?.()} 1 ${lastModified.getTime() / 1000} 21 regular file ${inode}\n`);
	t.is((await run('stat', [...format, path.join(mount.directory, 'by-key', sha256(url))])).stdout, stdout);
	t.regex((await run('ls', ['-i', path.join(mount.directory, 'by-url')])).stdout, new RegExp(`^ *${inode} `));
	const long = await run('ls', ['-l', '--time-style=+%s', path.join(mount.directory, 'by-url')]);
	t.true(long.stdout.includes(` 10241 ${lastModified.getTime() / 1000} ${encodeURIComponent(url)}\n`), long.stdout);
	t.is((await run('find', [mount.directory, '-type', 'f', '-size', '10241c'])).stdout.trim().split('\n').length, 2);
	t.is((await run('du', ['-b', mount.path(url)])).stdout.split('\t')[0], '10241');
});

test('the drive has by-url, by-key, stats.json and downloads.json at its top, and they stay there', async t => {
	const {mount} = await startDrive(t);
	const {directory} = mount;
	t.is((await run('ls', ['-A', directory])).stdout, 'by-key\nby-url\ndownloads.json\nstats.json\n');
	t.is((await run('stat', ['-c', '%a %F', directory, `${directory}/by-url`])).stdout, '755 directory\n755 directory\n');
	t.is((await run('stat', ['-c', '%a %F', `${directory}/stats.json`])).stdout, '444 regular file\n');
	for (const command of ['rm', 'rmdir'] as const) {
		const targets = command === 'rm' ? ['stats.json'] : ['by-url', 'by-key'];
		for (const target of targets) {
			const {code, stderr} = await run(command, [path.join(directory, target)]);
			t.is(code, 1);
			t.regex(stderr, /Operation not permitted/);
		}
	}

	t.is((await run('sh', ['-c', 'echo x > "$1"', 'sh', `${directory}/stats.json`])).code === 0, false);
	t.is((await run('ls', ['-A', directory])).stdout, 'by-key\nby-url\ndownloads.json\nstats.json\n');
});

test('df shows the budget as the size, and as free what could be stored', async t => {
	const {mount, origin} = await startDrive(t, {flags: ['--max-size', '64MB']});
	const url = origin.serve('/part', {size: 8 * 1024 * 1024});
	const space = async () => {
		const {stdout} = await run('df', ['-B1', '--output=size,avail,fstype', mount.directory]);
		const [size, avail, type] = stdout.trim().split('\n').at(-1)?.trim().split(/\s+/) ?? [];
		return {size: Number(size), avail: Number(avail), type};
	};

	t.deepEqual(await space(), {size: 64 * 1024 * 1024, avail: 64 * 1024 * 1024, type: 'fuse.larder'});
	await fetchAll(mount, url);
	// What is stored can make room, so it is still free, unless somebody has it open.
	t.is((await space()).size, 64 * 1024 * 1024);
	const {stdout} = await sh('exec 3< "$1"; df -B1 --output=avail "$2" | tail -1', mount.path(url), mount.directory);
	t.true(Number(stdout) <= 56 * 1024 * 1024 && Number(stdout) > 55 * 1024 * 1024, stdout);
});
