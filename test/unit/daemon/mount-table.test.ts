import test from 'ava';
import {isLarder, mountAt, parseMountInfo} from '../../../src/daemon/mount-table.js';

test('a line of the table of mounts has its mount point, type and source', t => {
	const [mount] = parseMountInfo(
		'36 35 98:0 /a /mnt rw,noatime master:1 shared:2 - ext4 /dev/sda1 rw,errors=continue\n',
	);
	t.deepEqual(mount, {mountPoint: '/mnt', fsType: 'ext4', source: '/dev/sda1'});
});

test('a line without optional fields is read too', t => {
	const [mount] = parseMountInfo('22 27 0:21 / /proc rw,relatime - proc proc rw');
	t.deepEqual(mount, {mountPoint: '/proc', fsType: 'proc', source: 'proc'});
});

test('space, tab, line feed, backslash and # in names are unescaped', t => {
	const [mount] = parseMountInfo(String.raw`36 35 0:41 / /a\040b\011c\012d\134040\043é rw - fuse my\040drive rw`);
	t.deepEqual(mount, {mountPoint: '/a b\tc\nd\\040#é', fsType: 'fuse', source: 'my drive'});
});

test('what is no line of the table is passed over', t => {
	t.deepEqual(parseMountInfo('\nnonsense\n36 35 0:41 / /mnt rw - \n'), [{mountPoint: '/mnt', fsType: '', source: ''}]);
});

test('a larder drive is known by its type or by its name', t => {
	const at = {mountPoint: '/mnt'};
	t.true(isLarder({...at, fsType: 'fuse.larder', source: 'anything'}));
	t.true(isLarder({...at, fsType: 'fuse', source: 'larder'}));
	t.false(isLarder({...at, fsType: 'fuse.sshfs', source: 'host:/'}));
	t.false(isLarder({...at, fsType: 'tmpfs', source: 'larderette'}));
});

test('the root of this machine is found in its own table', async t => {
	t.is((await mountAt('/proc/self/mountinfo', '/'))?.mountPoint, '/');
	t.is(await mountAt('/proc/self/mountinfo', '/nonexistent'), undefined);
});
