import {constants} from 'node:fs';
import {after, otherwise, type Awaitable} from '../../../base/awaitable.js';
import {CacheError, hasCode} from '../../../base/errors.js';
import type {Access, Attributes, Inode} from '../../../fs/inode.js';
import type {HandleId} from '../../../fs/operations.js';
import type {Node} from '../nodes.js';
import {FOPEN} from '../protocol/flags.js';
import {ENTRY_OUT, OPEN_OUT, WRITE_OUT} from '../protocol/structs.js';
import {HEADER_BYTES, type Fill} from '../replies.js';
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
		OPEN({nodeid, args: {flags}}, signal) {
			const node = nodes.get(nodeid);
			const access = accessOf(flags);
			return after(inodeOf(node, operations, signal), inode =>
				after(open(inode, access, serving, signal), handle =>
					after(operations.getattr(inode, signal), attributes => opened(handle, openFlagsOf(node, access, attributes))),
				),
			);
		},
		async CREATE({nodeid, names: [name]}, signal) {
			const parent = nodes.get(nodeid);
			const directory = await inodeOf(parent, operations, signal);
			const inode = await otherwise(() => operations.lookup(directory, name, signal), refuseCreation);
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
		READ({args: {fh, offset, size}}, signal) {
			// Not given back when this fails: what did not heed its signal may still write there.
			const buffer = buffers.take(size);
			const data = buffer.bytes.subarray(HEADER_BYTES, HEADER_BYTES + size);
			return after(operations.read(fh, data, offset, signal), sizeBytes => ({buffer, sizeBytes}));
		},
		async WRITE({args: {fh, offset}, data}, signal) {
			const bytes = data.bytes.subarray(data.at, data.at + data.length);
			const written = await operations.write(fh, bytes, offset, signal);
			return (view, at) => {
				WRITE_OUT.at(view, at).size = written;
				return WRITE_OUT.sizeBytes;
			};
		},
		FLUSH({args: {fh}}, signal) {
			return after(operations.flush(fh, signal), nothing);
		},
		FSYNC({args: {fh}}, signal) {
			return after(operations.flush(fh, signal), nothing);
		},
		RELEASE({args: {fh}}, signal) {
			serving.openHandles.delete(fh);
			return after(operations.release(fh, signal), nothing);
		},
	};
}

function nothing(): undefined {
	return undefined;
}

/** A `fuse_open_out`. */
function opened(handle: HandleId, openFlags: number): Fill {
	return (view, at) => {
		const out = OPEN_OUT.at(view, at);
		out.fh = handle;
		out.open_flags = openFlags;
		return OPEN_OUT.sizeBytes;
	};
}

function open(
	inode: Inode,
	access: Access,
	{operations, openHandles}: Serving,
	signal: AbortSignal,
): Awaitable<HandleId> {
	return after(operations.open(inode, access, signal), handle => {
		if (!signal.aborted) {
			openHandles.add(handle);
			return handle;
		}

		return after(operations.release(handle, signal), () => {
			throw signal.reason as Error;
		});
	});
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
