"""Uses files as it is told, a line at a time (`["read", FILE]`), and answers each with a line.

What is read is answered as its length and the beginning of its sha256, a failure as its errno.
"""
import errno, hashlib, json, mmap, os, sys

fds, maps = {}, {}


def told(data):
	return '%d %s' % (len(data), hashlib.sha256(data).hexdigest()[:16])


def read(file):
	with open(file, 'rb', 0) as opened:
		return told(opened.readall())


def put(file, body, *flushes):
	"""Writes a body, stored as far as each of `flushes`, and then whole."""
	data, at = body.encode(), 0
	fd = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
	try:
		for end in (*flushes, len(data)):
			while at < end: at += os.write(fd, data[at:end])
			if end != len(data): os.fsync(fd)
	finally:
		os.close(fd)


def open_slot(slot, file):
	close(slot)
	fds[slot] = os.open(file, os.O_RDONLY)
	data = b''
	while part := os.read(fds[slot], 1 << 20): data += part
	if data: maps[slot] = mmap.mmap(fds[slot], 0, prot=mmap.PROT_READ)
	return told(data)


def close(slot):
	if slot in maps: maps.pop(slot).close()
	if slot in fds: os.close(fds.pop(slot))


OPERATIONS = {
	'read': read,
	'put': put,
	'open': open_slot,
	'close': close,
	'pread': lambda slot, at, length: told(os.pread(fds[slot], length, at)),
	'mapped': lambda slot: told(maps[slot][:] if slot in maps else b''),
	'fstat': lambda slot: str(os.fstat(fds[slot]).st_size),
	'stat': lambda file: str(os.stat(file).st_size),
	'unlink': os.unlink,
	'touch': os.utime,
	'list': lambda directory: ' '.join(sorted(os.listdir(directory))),
	'long list': lambda directory: ' '.join(sorted('%s=%d' % (entry.name, entry.stat().st_size) for entry in os.scandir(directory))),
}

for line in sys.stdin:
	name, *args = json.loads(line)
	try:
		answer = OPERATIONS[name](*args) or 'done'
	except OSError as error:
		answer = errno.errorcode[error.errno]
	print(answer, flush=True)
