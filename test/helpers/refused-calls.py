"""Makes each call on a drive, one after another, and prints what became of it: `{"mkdir": "EPERM", ...}`.

Arguments: the mount point, a name below by-url that is stored with the bytes `body`, one that is not, a file elsewhere.
"""
import ctypes, errno, fcntl, json, mmap, os, select, stat, sys

top, stored, missing, elsewhere = sys.argv[1:]
by_url = os.path.join(top, 'by-url')
file, absent = os.path.join(by_url, stored), os.path.join(by_url, missing)
other = os.path.join(by_url, 'no-url')
libc = ctypes.CDLL(None, use_errno=True)
AT_FDCWD, RENAME_NOREPLACE, RENAME_EXCHANGE, PUNCH_HOLE = -100, 1, 2, 3
FS_IOC_GETFLAGS, FS_IOC_FIEMAP = 0x80086601, 0xC020660B


def checked(result):
	if result == -1:
		raise OSError(ctypes.get_errno(), '')
	return result


def opened(path, flags, do):
	fd = os.open(path, flags, 0o644)
	try:
		return do(fd)
	finally:
		os.close(fd)


def reading(do):
	return lambda: opened(file, os.O_RDONLY, do)


def writing(do):
	"""On a file that is being written, of which nothing is stored."""
	return lambda: opened(absent, os.O_RDWR | os.O_CREAT | os.O_TRUNC, do)


def renameat2(flags):
	return lambda: checked(libc.renameat2(AT_FDCWD, file.encode(), AT_FDCWD, absent.encode(), flags))


def fallocate(mode):
	return writing(lambda fd: checked(libc.fallocate(fd, mode, ctypes.c_long(0), ctypes.c_long(4096))))


def copy_out():
	def copy(fd):
		target = os.open(elsewhere, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
		try:
			return os.copy_file_range(fd, target, 100)
		finally:
			os.close(target)

	return opened(file, os.O_RDONLY, copy)


def copy_in():
	return opened(file, os.O_RDONLY, lambda source: opened(absent, os.O_RDWR | os.O_CREAT | os.O_TRUNC, lambda fd: os.copy_file_range(source, fd, 100)))


def lock(fd):
	fcntl.lockf(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)


def poll(fd):
	poller = select.poll()
	poller.register(fd, select.POLLIN)
	return 'ready' if poller.poll(0) else 'not ready'


def statx():
	buffer = ctypes.create_string_buffer(256)
	checked(libc.statx(AT_FDCWD, file.encode(), 0, 0xFFF, buffer))
	mask = int.from_bytes(buffer.raw[0:4], sys.byteorder)
	return 'no birth time' if mask & 0x800 == 0 else 'birth time'


def direct(fd):
	page = mmap.mmap(-1, 4096)
	return str(os.preadv(fd, [page], 0)) + ' bytes'


CALLS = {
	'mkdir under by-url': lambda: os.mkdir(other),
	'mkdir at the top': lambda: os.mkdir(os.path.join(top, 'x')),
	'rmdir of by-url': lambda: os.rmdir(by_url),
	'rmdir of a file': lambda: os.rmdir(file),
	'rename': lambda: os.rename(file, absent),
	'rename to a name that is no URL': lambda: os.rename(file, other),
	'renameat2 RENAME_NOREPLACE': renameat2(RENAME_NOREPLACE),
	'renameat2 RENAME_EXCHANGE': renameat2(RENAME_EXCHANGE),
	'link': lambda: os.link(file, other),
	'symlink': lambda: os.symlink('x', other),
	'readlink of a file': lambda: os.readlink(file),
	'mknod of a pipe': lambda: os.mknod(other, stat.S_IFIFO | 0o644),
	'mknod of a file': lambda: os.mknod(other, stat.S_IFREG | 0o644),
	'creat of a name that is no URL': lambda: opened(other, os.O_WRONLY | os.O_CREAT, lambda fd: None),
	'open O_TMPFILE': lambda: opened(by_url, os.O_RDWR | os.O_TMPFILE, lambda fd: None),
	'open of stats.json for writing': lambda: opened(os.path.join(top, 'stats.json'), os.O_WRONLY, lambda fd: None),
	'open O_DIRECT, and a read': lambda: opened(file, os.O_RDONLY | os.O_DIRECT, direct),
	'write in the middle': lambda: opened(file, os.O_WRONLY, lambda fd: os.pwrite(fd, b'x', 2)),
	'write at the end (O_APPEND)': lambda: opened(file, os.O_WRONLY | os.O_APPEND, lambda fd: os.write(fd, b'x')),
	'truncate': lambda: os.truncate(file, 2),
	'unlink of stats.json': lambda: os.unlink(os.path.join(top, 'stats.json')),
	'unlink of by-url': lambda: os.unlink(by_url),
	'unlink of what is not stored': lambda: os.unlink(absent),
	'execve of a file': lambda: os.execv(file, [file]),
	'access X_OK of a file': lambda: checked(libc.access(file.encode(), os.X_OK)),
	'chmod of a file': lambda: os.chmod(file, 0o600),
	'chmod of by-url': lambda: os.chmod(by_url, 0o700),
	'chown': lambda: os.chown(file, 1, 1),
	'utimensat with times': lambda: os.utime(file, (1, 1)),
	'setxattr': lambda: os.setxattr(file, 'user.x', b'x'),
	'getxattr': lambda: os.getxattr(file, 'user.x'),
	'getxattr of an ACL': lambda: os.getxattr(file, 'system.posix_acl_access'),
	'listxattr': lambda: '%d names' % len(os.listxattr(file)),
	'removexattr': lambda: os.removexattr(file, 'user.x'),
	'lseek SEEK_DATA': reading(lambda fd: 'at %d' % os.lseek(fd, 1, os.SEEK_DATA)),
	'lseek SEEK_HOLE': reading(lambda fd: 'at %d' % os.lseek(fd, 0, os.SEEK_HOLE)),
	'lseek SEEK_DATA beyond the end': reading(lambda fd: os.lseek(fd, 100, os.SEEK_DATA)),
	'fallocate': fallocate(0),
	'fallocate FALLOC_FL_PUNCH_HOLE': fallocate(PUNCH_HOLE),
	'copy_file_range to elsewhere': copy_out,
	'copy_file_range within the drive': lambda: '%d bytes' % copy_in(),
	'sendfile to elsewhere': lambda: opened(file, os.O_RDONLY, lambda fd: opened(elsewhere, os.O_WRONLY | os.O_CREAT, lambda to: '%d bytes' % os.sendfile(to, fd, 0, 100))),
	'ioctl FS_IOC_GETFLAGS': reading(lambda fd: fcntl.ioctl(fd, FS_IOC_GETFLAGS, bytes(8))),
	'ioctl FS_IOC_FIEMAP': reading(lambda fd: fcntl.ioctl(fd, FS_IOC_FIEMAP, bytes(32))),
	'flock': reading(lambda fd: fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)),
	'fcntl F_SETLK': reading(lock),
	'poll': reading(poll),
	'statx': statx,
	'fsync of a file': reading(os.fsync),
	'fsync of by-url': lambda: opened(by_url, os.O_RDONLY | os.O_DIRECTORY, os.fsync),
	'syncfs': reading(lambda fd: checked(libc.syncfs(fd))),
	'read of a directory': lambda: opened(by_url, os.O_RDONLY, lambda fd: os.read(fd, 1)),
}

outcomes = {}
for name, call in CALLS.items():
	# Twice: after an ENOSYS the kernel answers by itself.
	for _ in range(2):
		try:
			value = call()
			outcome = value if isinstance(value, str) else 'done'
		except OSError as error:
			# Python calls it ENOTSUP, which is the same number.
			outcome = errno.errorcode[error.errno].replace('ENOTSUP', 'EOPNOTSUPP')
		if outcomes.setdefault(name, outcome) != outcome:
			outcomes[name] += ', then ' + outcome
print(json.dumps(outcomes))
