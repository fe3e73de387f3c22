/**
 * Captures what this kernel sends: mounts a file system in which everything
 * succeeds, has programs use it, and prints the first request of each opcode as
 * the module `captured-requests.ts`. Run it as root in a directory of its own:
 *
 *     node dist/test/helpers/capture-requests.js MOUNTPOINT > test/helpers/captured-requests.ts
 */
import {constants, release} from 'node:os';
import {setTimeout as delay} from 'node:timers/promises';
import {Channel} from '../../src/transport/kernel/channel.js';
import {mountDevice, unmountDevice} from '../../src/transport/kernel/device.js';
import {MAX_WRITE_BYTES, negotiate} from '../../src/transport/kernel/negotiate.js';
import {DirentPacker} from '../../src/transport/kernel/protocol/dirents.js';
import {OPCODES, opcodeName} from '../../src/transport/kernel/protocol/opcodes.js';
import {decodeBody, decodeHeader, type Region, type Request} from '../../src/transport/kernel/protocol/request.js';
import {
	ATTR_OUT,
	ENTRY_OUT,
	GETXATTR_OUT,
	INIT_OUT,
	OPEN_OUT,
	STATFS_OUT,
	WRITE_OUT,
} from '../../src/transport/kernel/protocol/structs.js';
import {Replies, type Fill} from '../../src/transport/kernel/replies.js';
import {run} from './run.js';

const {EINTR, ENOENT, EOPNOTSUPP} = constants.errno;
const [mountpoint = ''] = process.argv.slice(2);
const DIRECTORY = {nodeid: 2, ino: 2, mode: 0o40755, nlink: 2};
const FILE = {nodeid: 3, ino: 3, mode: 0o100644, nlink: 1, size: 4096};
/** The handle whose READ is never answered. */
const SLOW = 77;
const NAMED: Readonly<Record<string, object>> = {
	directory: DIRECTORY,
	slow: {...FILE, nodeid: 4},
	link: {...FILE, nodeid: 5, mode: 0o120777},
};
let next = 6;
const captured = new Map<string, string>();

const device = await mountDevice({mountpoint, allowOther: false, searchPath: process.env['PATH'] ?? ''});
const replies = new Replies((reply, length) => channel.write(reply, length));
const channel = new Channel(device, MAX_WRITE_BYTES, {
	onRequest: take,
	isAllAnswered: () => true,
	onEnd: () => undefined,
});
await use();
await unmountDevice({mountpoint, allowOther: false, searchPath: process.env['PATH'] ?? ''});
channel.close();
print();

function take(region: Region): void {
	const {bytes, at, length} = region;
	const header = decodeHeader(region);
	const name = opcodeName(header.opcode) ?? `opcode ${header.opcode}`;
	// Readahead may ask for more than was written; what programs open is shorter.
	if (!captured.has(name)) captured.set(name, bytes.toString('hex', at, at + length));
	const request = decodeBody(header, region);
	if (request !== undefined) answer(request);
}

function answer(request: Request): void {
	const {name, unique} = request;
	if (name === 'INTERRUPT') replies.fail((request as Request<'INTERRUPT'>).args.unique, EINTR);
	if (OPCODES[name].out === 'no reply') return;
	// The reader of this one is interrupted.
	if (name === 'READ' && (request as Request<'READ'>).args.fh === SLOW) return;
	const isNew = name === 'LOOKUP' && request.names.some(wanted => wanted.startsWith('new'));
	const isBeyond = ['ENOSYS', 'ENOTTY', 'EINVAL'].includes(OPCODES[name].does);
	if (isNew || isBeyond) replies.fail(unique, isNew ? ENOENT : EOPNOTSUPP);
	else replies.send(unique, bodyOf(request));
}

function bodyOf(request: Request): Fill | undefined {
	switch (request.name) {
		case 'INIT': {
			const {major, minor, flags, max_readahead} = (request as Request<'INIT'>).args;
			const agreement = negotiate({major, minor, flags, max_readahead, flags2: 0}, false);
			return fill(INIT_OUT, {...agreement});
		}

		case 'LOOKUP': {
			const [wanted] = (request as Request<'LOOKUP'>).names;
			return fill(ENTRY_OUT, NAMED[wanted] ?? (wanted.startsWith('many') ? {...FILE, nodeid: next++} : FILE));
		}

		case 'GETATTR':
		case 'SETATTR':
			return fill(ATTR_OUT, request.nodeid < FILE.nodeid ? DIRECTORY : FILE);
		case 'MKNOD':
		case 'MKDIR':
		case 'SYMLINK':
		case 'LINK':
			return fill(ENTRY_OUT, {...FILE, mode: {MKDIR: 0o40755, SYMLINK: 0o120777}[request.name as string] ?? FILE.mode});
		case 'CREATE':
			return (view, at) => fill(ENTRY_OUT, FILE)(view, at) + fill(OPEN_OUT, {fh: 6})(view, at + ENTRY_OUT.sizeBytes);
		case 'OPEN':
		case 'OPENDIR':
			return fill(OPEN_OUT, {fh: request.nodeid === 4 ? SLOW : 5});
		case 'READDIRPLUS':
			return (request as Request<'READDIRPLUS'>).args.offset === 0 ? oneEntry : undefined;
		case 'WRITE':
			return fill(WRITE_OUT, {size: (request as Request<'WRITE'>).args.size});
		case 'STATFS':
			return fill(STATFS_OUT, {bsize: 4096});
		case 'GETXATTR':
		case 'LISTXATTR':
			return fill(GETXATTR_OUT, {});
		default:
			return undefined;
	}
}

/** `.`, so that the kernel asks for more: this time without attributes. */
function oneEntry(view: DataView, at: number): number {
	const packer = new DirentPacker({view, bytes: Buffer.from(view.buffer, view.byteOffset)}, at, 200);
	packer.addPlus({...DIRECTORY, name: '.', next: 1});
	return packer.sizeBytes;
}

interface Filled {
	readonly sizeBytes: number;
	at(view: DataView, at: number): object;
}

function fill(layout: Filled, values: object): Fill {
	return (view, at) => {
		const place = layout.at(view, at);
		for (const [name, value] of Object.entries(values))
			if (name in place) Object.assign(place, {[name]: value as number});
		return layout.sizeBytes;
	};
}

/** A program for each opcode that programs can bring about. */
async function use(): Promise<void> {
	const script = `
		cd "$1"
		stat file; cat file; ls directory; df .; printf hello > file; printf hello > new
		truncate -s 3 file; touch file; sync file; sync directory; rm file; rmdir directory; mkdir new1; mknod new2 p; ln file new3; ln -s file new4
		mv file new5; python3 -c "import os; os.rename('file', 'new6')"; readlink link
		test -w file; chmod 600 file; fallocate -l 10 file
		python3 -c "
import os, fcntl
fd = os.open('file', os.O_RDWR)
for act in (lambda: os.setxattr('file', 'user.a', b'b'), lambda: os.getxattr('file', 'user.a'), lambda: os.listxattr('file'),
	lambda: os.removexattr('file', 'user.a'), lambda: os.lseek(fd, 0, os.SEEK_DATA), lambda: os.readlink('file'),
	lambda: fcntl.ioctl(fd, 0x5401, bytes(60)), lambda: os.copy_file_range(fd, os.open('file', os.O_RDWR), 10),
	lambda: os.open('.', os.O_TMPFILE | os.O_RDWR), lambda: __import__('select').poll().register(fd) ):
	try: act()
	except OSError: pass
"
		for name in $(seq 50); do stat many$name; done
		timeout -s INT 0.3 dd if=slow of=/dev/null iflag=direct bs=4096 count=1`;
	await run('bash', ['-c', script, 'bash', mountpoint], {deadlineMs: 15_000});
	// Unneeded nodes are forgotten, several at once.
	await run('bash', ['-c', 'echo 2 > /proc/sys/vm/drop_caches'], {deadlineMs: 5000});
	await delay(200);
}

function print(): void {
	const names = [...captured.keys()].sort();
	const lines = names.map(name => `\t${name}: '${captured.get(name)}',`);
	process.stdout
		.write(`/** What a kernel sends: the first request of each opcode, in hex. Made by \`capture-requests.ts\`. */

/** Of the kernel that sent them. */
export const KERNEL = '${release().replace(/-.*/, '')}';

export const CAPTURED = {
${lines.join('\n')}
} as const;
`);
}
