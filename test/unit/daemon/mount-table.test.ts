import test from 'ava';
import {escaped, isLarder, mountAt, parseMountInfo} from '../../../src/daemon/mount-table.js';

test('a line of the table of mounts has its mount point, type and source', t => {
	const [mount] = parseMountInfo(
		'36 35 98:0 /a /mnt rw,noatime master:1 shared:2 - ext4 /dev/sda1 rw,errors=continue\n',
	);
	t.deepEqual(mount, {device: '98:0', mountPoint: '/mnt', fsType: 'ext4', source: '/dev/sda1'});
});

test('a line without optional fields is read too', t => {
	const [mount] = parseMountInfo('22 27 0:21 / /proc rw,relatime - proc proc rw');
	t.deepEqual(mount, {device: '0:21', mountPoint: '/proc', fsType: 'proc', source: 'proc'});
});

test('space, tab, line feed, backslash and # in names are unescaped', t => {
	const [mount] = parseMountInfo(String.raw`36 35 0:41 / /a\040b\011c\012d\134040\043é rw - fuse my\040drive rw`);
	t.deepEqual(mount, {device: '0:41', mountPoint: '/a b\tc\nd\\040#é', fsType: 'fuse', source: 'my drive'});
});

test('a path is found in the table as the kernel writes it there', t => {
	const path = '/a b\tc\nd\\040#é';
	t.is(escaped(path), String.raw`/a\040b\011c\012d\134040\043é`);
	t.is(parseMountInfo(`36 35 0:41 / ${escaped(path)} rw - fuse larder rw`)[0]?.mountPoint, path);
});

test('what is no line of the table is passed over', t => {
	const mounts = parseMountInfo('\nnonsense\n36 35 0:41 / /mnt rw - \n');
	t.deepEqual(mounts, [{device: '0:41', mountPoint: '/mnt', fsType: '', source: ''}]);
});

test('a larder drive is known by its type or by its name', t => {
	const at = {device: '0:41', mountPoint: '/mnt'};
	t.true(isLarder({...at, fsType: 'fuse.larder', source: 'anything'}));
	t.true(isLarder({...at, fsType: 'fuse', source: 'larder'}));
	t.false(isLarder({...at, fsType: 'fuse.sshfs', source: 'host:/'}));
	t.false(isLarder({...at, fsType: 'tmpfs', source: 'larderette'}));
});

test('the root of this machine is found in its own table', async t => {
	t.is((await mountAt('/proc/self/mountinfo', '/'))?.mountPoint, '/');
	t.is(await mountAt('/proc/self/mountinfo', '/nonexistent'), undefined);
});
