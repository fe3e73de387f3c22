import {constants} from 'node:fs';
import {CacheError, hasCode} from '../../../base/errors.js';
import type {Access, Attributes, Inode} from '../../../fs/inode.js';
import type {HandleId} from '../../../fs/operations.js';
import type {Node} from '../nodes.js';
import {FOPEN} from '../protocol/flags.js';
import {ENTRY_OUT, OPEN_OUT, WRITE_OUT} from '../protocol/structs.js';
import {HEADER_BYTES} from '../replies.js';
import {fillEntry} from './attributes.js';
import {inodeOf, type Handlers, type Serving} from './handlers.js';

const {O_RDONLY, O_WRONLY, O_TRUNC} = constants;
const O_ACCMODE = 3;

/** What is about open files: OPEN, CREATE, READ, WRITE, FLUSH, FSYNC, RELEASE. */
export function serveFiles(
	serving: Serving,
): Pick<Handlers, 'OPEN' | 'CREATE' | 'READ' | 'WRITE' | 'FLUSH' | 'FSYNC' | 'RELEASE'> {
	const {operations, nodes, buffers} = serving;
	return {
		async OPEN({nodeid, args: {flags}}, signal) {
			const node = nodes.get(nodeid);
			const inode = await inodeOf(node, operations, signal);
			const access = accessOf(flags);
			const handle = await open(inode, access, serving, signal);
			const openFlags = openFlagsOf(node, access, await operations.getattr(inode, signal));
			return (view, at) => {
				const out = OPEN_OUT.at(view, at);
				out.fh = handle;
				out.open_flags = openFlags;
				return OPEN_OUT.sizeBytes;
			};
		},
		async CREATE({nodeid, names: [name]}, signal) {
			const parent = nodes.get(nodeid);
			const directory = await inodeOf(parent, operations, signal);
			const inode = await operations.lookup(directory, name, signal).catch(refuseCreation);
			const handle = await open(inode, {read: true, write: true, truncate: true}, serving, signal);
			const attributes = await operations.getattr(inode, signal);
			const node = nodes.give(parent, name, inode);
			node.cachedVersion = undefined;
			return (view, at) => {
				fillEntry(ENTRY_OUT.at(view, at), node, attributes);
				OPEN_OUT.at(view, at + ENTRY_OUT.sizeBytes).fh = handle;
				return ENTRY_OUT.sizeBytes + OPEN_OUT.sizeBytes;
			};
		},
		async READ({args: {fh, offset, size}}, signal) {
			// Not given back when this fails: what did not heed its signal may still write there.
			const buffer = buffers.take(size);
			const data = buffer.bytes.subarray(HEADER_BYTES, HEADER_BYTES + size);
			return {buffer, sizeBytes: await operations.read(fh, data, offset, signal)};
		},
		async WRITE({args: {fh, offset}, data}, signal) {
			const bytes = data.bytes.subarray(data.at, data.at + data.length);
			const written = await operations.write(fh, bytes, offset, signal);
			return (view, at) => {
				WRITE_OUT.at(view, at).size = written;
				return WRITE_OUT.sizeBytes;
			};
		},
		async FLUSH({args: {fh}}, signal) {
			await operations.flush(fh, signal);
			return undefined;
		},
		async FSYNC({args: {fh}}, signal) {
			await operations.flush(fh, signal);
			return undefined;
		},
		async RELEASE({args: {fh}}, signal) {
			serving.openHandles.delete(fh);
			await operations.release(fh, signal);
			return undefined;
		},
	};
}

async function open(
	inode: Inode,
	access: Access,
	{operations, openHandles}: Serving,
	signal: AbortSignal,
): Promise<HandleId> {
	const handle = await operations.open(inode, access, signal);
	if (signal.aborted) {
		await operations.release(handle, signal);
		throw signal.reason as Error;
	}

	openHandles.add(handle);
	return handle;
}

/**
 * The pages that the kernel has of a file stay if they are those of the version
 * that was just opened; where that cannot be told they are dropped. A close is
 * told (FLUSH) where it means something: it commits what was written, and ends
 * what a killed reader waits for.
 */
function openFlagsOf(node: Node, {write}: Access, {version, isWhole}: Attributes): number {
	const keeps = !write && version !== undefined && version === node.cachedVersion;
	node.cachedVersion = write ? undefined : version;
	return (keeps ? FOPEN.KEEP_CACHE : 0) | (!write && isWhole === true ? FOPEN.NOFLUSH : 0);
}

function accessOf(flags: number): Access {
	const mode = flags & O_ACCMODE;
	return {read: mode !== O_WRONLY, write: mode !== O_RDONLY, truncate: (flags & O_TRUNC) !== 0};
}

function refuseCreation(error: unknown): never {
	if (!hasCode(error, 'not-stored')) throw error;
	throw new CacheError('not-permitted', 'only names that are URLs can be created, under by-url');
}
