import {closeSync} from 'node:fs';
import {createRequire} from 'node:module';
import {getSystemErrorName} from 'node:util';
import type Koffi from 'koffi';
import {messageOf} from '../../base/errors.js';

/** The calls of libc that Node has no word for. Each throws an Error with the `code` of errno(3). */
export interface Libc {
	/** A pair of sockets of this machine: socketpair(2). Closed on exec. */
	socketPair(): [number, number];
	/** Makes `onto` another descriptor of what `fd` is, in the place of what it was: dup3(2). Closed on exec. */
	replace(onto: number, fd: number): void;
	/** Another descriptor of what `fd` is: F_DUPFD_CLOEXEC, fcntl(2). */
	duplicate(fd: number): number;
	/** A read of `fd` never waits from now on: O_NONBLOCK, fcntl(2). */
	neverBlock(fd: number): void;
	/** Reads what is there into `buffer`; 0 where nothing is, or the read fails. Never throws, as `fs.readSync` does for nothing (EAGAIN). */
	readSome(fd: number, buffer: Uint8Array): number;
	/** Writes the first `length` bytes of `buffer` in one go: write(2), without the 2 microseconds of `fs.writeSync`. */
	write(fd: number, buffer: Uint8Array, length: number): void;
	/** A pipe with room for `sizeBytes` whose ends never wait: pipe2(2), F_SETPIPE_SZ. Closed on exec. @returns where it is read, and where it is written. */
	pipe(sizeBytes: number): [number, number];
	/** Moves up to `length` bytes of a file from `position` on into a pipe: splice(2). @returns how many; 0 at the end of the file. */
	spliceFrom(file: number, position: number, pipe: number, length: number): number;
	/** Moves `length` bytes of a pipe into what `fd` is, at once: splice(2). @returns how many. */
	spliceTo(pipe: number, fd: number, length: number): number;
	/** ioctl(2) with what `argument` holds. @returns what it returns. */
	control(fd: number, request: number, argument: Uint8Array): number;
	/** No child gets `fd` from now on: FD_CLOEXEC, fcntl(2). */
	keepFromChildren(fd: number): void;
	/** Takes the descriptor that was sent over a socket: SCM_RIGHTS, unix(7). Never waits. Closed on exec. */
	receiveDescriptor(socket: number): number;
}

/** `bits/socket.h`, `fcntl.h`: the same on every architecture that Node runs on under Linux. */
const [AF_UNIX, SOCK_STREAM, SOL_SOCKET, SCM_RIGHTS] = [1, 1, 1, 1];
const [MSG_DONTWAIT, MSG_CMSG_CLOEXEC] = [0x40, 0x40_00_00_00];
const [F_SETFD, F_GETFL, F_SETFL, FD_CLOEXEC, O_NONBLOCK, O_CLOEXEC] = [2, 3, 4, 1, 0o4000, 0o2_000_000];
const [F_DUPFD_CLOEXEC, F_SETPIPE_SZ] = [1030, 1031];

let loaded: Libc | undefined;

/** @throws Error, one sentence, where koffi has no binary for this machine or was not installed. */
export function libc(): Libc {
	return (loaded ??= load());
}

function load(): Libc {
	const koffi = loadKoffi();
	const {symbols, message} = declare(koffi);
	const place = new BigInt64Array(1);
	const check = (call: string, result: number): number => {
		if (result !== -1) return result;
		const code = getSystemErrorName(-koffi.errno());
		throw Object.assign(new Error(`${call}: ${code}`), {code});
	};
	return {
		socketPair() {
			const pair: [number, number] = [0, 0];
			check('socketpair', symbols.socketpair(AF_UNIX, SOCK_STREAM | O_CLOEXEC, 0, pair));
			return pair;
		},
		replace: (onto, fd) => void check('dup3', symbols.dup3(fd, onto, O_CLOEXEC)),
		duplicate: fd => check('fcntl', symbols.fcntl(fd, F_DUPFD_CLOEXEC, 'int', 0)),
		neverBlock(fd) {
			const flags = check('fcntl', symbols.fcntl(fd, F_GETFL, 'int', 0));
			check('fcntl', symbols.fcntl(fd, F_SETFL, 'int', flags | O_NONBLOCK));
		},
		write(fd, buffer, length) {
			if (length > buffer.byteLength) throw new RangeError(`${length} of ${buffer.byteLength} bytes`);
			check('write', symbols.write(fd, buffer, length));
		},
		readSome: (fd, buffer) => Math.max(0, symbols.read(fd, buffer, buffer.byteLength)),
		pipe(sizeBytes) {
			const pair: [number, number] = [0, 0];
			check('pipe2', symbols.pipe2(pair, O_NONBLOCK | O_CLOEXEC));
			try {
				check('fcntl', symbols.fcntl(pair[1], F_SETPIPE_SZ, 'int', sizeBytes));
			} catch (error) {
				for (const end of pair) closeSync(end);
				throw error;
			}

			return pair;
		},
		spliceFrom(file, position, pipe, length) {
			place[0] = BigInt(position);
			return check('splice', symbols.splice(file, place, pipe, null, length, 0));
		},
		spliceTo: (pipe, fd, length) => check('splice', symbols.splice(pipe, null, fd, null, length, 0)),
		control: (fd, request, argument) => check('ioctl', symbols.ioctl(fd, request, argument)),
		keepFromChildren: fd => void check('fcntl', symbols.fcntl(fd, F_SETFD, 'int', FD_CLOEXEC)),
		receiveDescriptor(socket) {
			const {header, descriptor} = message();
			check('recvmsg', symbols.recvmsg(socket, header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC));
			return descriptor();
		},
	};
}

type SymbolName = 'socketpair' | 'dup3' | 'fcntl' | 'read' | 'write' | 'pipe2' | 'splice' | 'ioctl' | 'recvmsg';

function loadKoffi(): typeof Koffi {
	try {
		return createRequire(import.meta.url)('koffi') as typeof Koffi;
	} catch (cause) {
		throw new Error(`koffi does not load (${firstLine(messageOf(cause))}): install it with: npm install koffi`, {
			cause,
		});
	}
}

function declare(koffi: typeof Koffi) {
	const library = koffi.load(null);
	const iovec = koffi.struct({base: 'void *', length: 'size_t'});
	const msghdr = koffi.struct({
		...{name: 'void *', namelen: 'uint32_t'},
		...{iov: koffi.pointer(iovec), iovlen: 'size_t'},
		...{control: 'void *', controllen: 'size_t', flags: 'int'},
	});
	const cmsg = koffi.struct({length: 'size_t', level: 'int', type: 'int', fd: 'int'});
	const symbols = {
		socketpair: library.func('socketpair', 'int', ['int', 'int', 'int', koffi.out(koffi.pointer('int'))]),
		dup3: library.func('int dup3(int from, int onto, int flags)'),
		fcntl: library.func('int fcntl(int fd, int command, ...)'),
		read: library.func('int64_t read(int fd, void *buffer, size_t length)'),
		write: library.func('int64_t write(int fd, void *buffer, size_t length)'),
		pipe2: library.func('pipe2', 'int', [koffi.out(koffi.pointer('int')), 'int']),
		splice: library.func(
			'int64_t splice(int from, void *fromAt, int to, void *toAt, size_t length, unsigned int flags)',
		),
		ioctl: library.func('int ioctl(int fd, unsigned long request, void *argument)'),
		recvmsg: library.func('recvmsg', 'int', ['int', koffi.pointer(msghdr), 'int']),
	} as Record<SymbolName, (...args: unknown[]) => number>;
	// One byte of data, and with it one descriptor.
	const message = () => {
		const data = Buffer.alloc(1);
		const control = Buffer.alloc(koffi.sizeof(cmsg));
		const header = {
			...{name: null, namelen: 0, iov: [{base: data, length: 1}], iovlen: 1},
			...{control, controllen: control.byteLength, flags: 0},
		};
		const descriptor = () => {
			const {level, type, fd} = koffi.decode(control, cmsg) as {level: number; type: number; fd: number};
			if (level === SOL_SOCKET && type === SCM_RIGHTS) return fd;
			throw new Error('recvmsg: no descriptor was sent');
		};
		return {header, descriptor};
	};
	return {symbols, message};
}

function firstLine(text: string): string {
	return text.split('\n')[0] ?? '';
}
