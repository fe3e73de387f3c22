import {constants} from 'node:fs';
import {after, otherwise, type Awaitable} from '../../../base/awaitable.js';
import {CacheError, hasCode} from '../../../base/errors.js';
import type {Access, Attributes, Inode} from '../../../fs/inode.js';
import type {Backing, HandleId} from '../../../fs/operations.js';
import type {Node} from '../nodes.js';
import {FOPEN} from '../protocol/flags.js';
import {ENTRY_OUT, OPEN_OUT, WRITE_OUT} from '../protocol/structs.js';
import {HEADER_BYTES, type Fill} from '../replies.js';
import type {Piped, ReplyPipe} from '../reply-pipe.js';
import {takeAhead} from './ahead.js';
import {fillEntry} from './attributes.js';
import {inodeOf, type Handlers, type Serving} from './handlers.js';

const {O_RDONLY, O_WRONLY, O_TRUNC} = constants;
const O_ACCMODE = 3;
/** What is read in parts of this size and more takes the way of a pipe: measured with parts of 128 and 256 KiB. */
const PIPED_BYTES = 64 * 1024;

/** What is about open files: OPEN, CREATE, READ, WRITE, FLUSH, FSYNC, RELEASE. */
export function serveFiles(
	serving: Serving,
): Pick<Handlers, 'OPEN' | 'CREATE' | 'READ' | 'WRITE' | 'FLUSH' | 'FSYNC' | 'RELEASE'> {
	const {operations, nodes, buffers, pipe, backings, openHandles} = serving;
	return {
		OPEN({nodeid, args: {flags}, pid}, signal) {
			return openNode({node: nodes.get(nodeid), access: accessOf(flags), pid}, serving, signal);
		},
		async CREATE({nodeid, names: [name]}, signal) {
			const parent = nodes.get(nodeid);
			const directory = await inodeOf(parent, operations, signal);
			const inode = await otherwise(() => operations.lookup(directory, name, signal), refuseCreation);
			const handle = await open(inode, {read: true, write: true, truncate: true}, serving, signal);
			const attributes = await operations.getattr(inode, signal);
			const node = nodes.make(parent, name, inode);
			node.handles++;
			noteWriter(node);
			backings.open(node.id, undefined);
			openHandles.set(handle, node);
			return (view, at) => {
				fillEntry(ENTRY_OUT.at(view, at), node, attributes, serving);
				OPEN_OUT.at(view, at + ENTRY_OUT.sizeBytes).fh = handle;
				return ENTRY_OUT.sizeBytes + OPEN_OUT.sizeBytes;
			};
		},
		READ({unique, args: {fh, offset, size}}, signal) {
			const piped = size < PIPED_BYTES ? undefined : take({unique, offset, size}, operations.backing(fh), pipe);
			if (piped !== undefined) return piped;
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
		FLUSH: ({args: {fh}}, signal) => flush(fh, serving, signal),
		FSYNC: ({args: {fh}}, signal) => flush(fh, serving, signal),
		RELEASE({args: {fh}}, signal) {
			const node = openHandles.get(fh);
			openHandles.delete(fh);
			if (node !== undefined) backings.release(node.id);
			const released = () => {
				if (node !== undefined) noteReleased(node);
				return undefined;
			};
			const releasing = otherwise(
				() => after(operations.release(fh, signal), released),
				error => {
					released();
					throw error;
				},
			);
			if (node?.isWritten === true && releasing instanceof Promise) node.releasing = releasing.then(nothing, nothing);
			return releasing;
		},
	};
}

interface Reading {
	readonly unique: number;
	readonly offset: number;
	readonly size: number;
}

/** The reply to a read, where its bytes need not come through our memory. */
function take({unique, offset, size}: Reading, backing: Backing | undefined, pipe: ReplyPipe): Piped | undefined {
	const sizeBytes = Math.min(size, (backing?.sizeBytes ?? 0) - offset);
	if (backing === undefined || sizeBytes < PIPED_BYTES) return undefined;
	let piped: Piped | undefined;
	backing.takeAtOnce(fd => {
		piped = pipe.take(unique, fd, offset, sizeBytes);
		return sizeBytes;
	});
	return piped;
}

/** Once what was written is stored, nobody is to be shown what it has replaced. */
function flush(
	handle: HandleId,
	{operations, openHandles, invalidation}: Serving,
	signal: AbortSignal,
): Awaitable<undefined> {
	return after(operations.flush(handle, signal), () => {
		if (openHandles.get(handle)?.isWritten === true) return invalidation.settled().then(nothing);
		return undefined;
	});
}

function nothing(): undefined {
	return undefined;
}

/** Who wants to open what. */
interface Opening {
	readonly node: Node;
	readonly access: Access;
	readonly pid: number;
}

/** Opens a node for who may open it, and has the others look its name up again. */
function openNode({node, access, pid}: Opening, serving: Serving, signal: AbortSignal): Awaitable<Fill> {
	const {operations, retries} = serving;
	// An empty file is stored once its writer is gone, a moment after close(2) has returned.
	if (node.releasing !== undefined) return node.releasing.then(() => openNode({node, access, pid}, serving, signal));
	const asOpen = retries.take(pid, node);
	// From here on it is not taken for one that nobody has open.
	node.handles++;
	return otherwise(
		() => {
			if (node.reservation !== undefined && node.reservation.pid !== pid)
				throw new CacheError('replaced', 'it is kept');
			return after(inodeOf(node, operations, signal), inode =>
				after(takeAhead(node) ?? open(inode, accessTo(node, access, asOpen), serving, signal), handle =>
					after(operations.getattr(inode, signal), of => opened({node, access, pid}, handle, of, serving)),
				),
			);
		},
		error => {
			noteReleased(node);
			if (hasCode(error, 'replaced')) retries.add(pid, node, !access.write);
			throw error;
		},
	);
}

/** Field by field: a spread would make its shape anew each time, at 2 to 3 microseconds. */
function accessTo({version}: Node, {read, write, truncate}: Access, asOpen: boolean): Access {
	return {read, write, truncate, version, asOpen};
}

/** A `fuse_open_out`, of a handle on what the kernel knows by a node. */
function opened({node, access}: Opening, handle: HandleId, of: Attributes, serving: Serving): Awaitable<Fill> {
	const {operations, nodes, openHandles, backings, prefill} = serving;
	const isStream = operations.isStream(handle);
	// Meanwhile the kernel may have been told of another version.
	if (!access.write && !(node.isStill(of.version) && (isAsTold(node, of) || (isStream && node.toldBytes === 0)))) {
		return after(operations.release(handle, new AbortController().signal), () => {
			throw new CacheError('replaced', 'it is another version by now');
		});
	}

	openHandles.set(handle, node);
	node.reservation = undefined;
	if (access.write) noteWriter(node);
	else nodes.tell(node, of);
	const file = access.write ? undefined : operations.backing(handle);
	const isPrefilled = file !== undefined && keepsPages(node, of) && node.handles === 1 && prefill.fill(node, file);
	const backing = backings.open(node.id, isPrefilled ? undefined : file?.fd);
	const openFlags = isStream ? FOPEN.DIRECT_IO : openFlagsOf(node, access, of, backing);
	return (view, at) => {
		const out = OPEN_OUT.at(view, at);
		out.fh = handle;
		out.open_flags = openFlags;
		out.backing_id = backing ?? 0;
		return OPEN_OUT.sizeBytes;
	};
}

/** Its pages are what is written from now on. */
function noteWriter(node: Node): void {
	node.isWritten = true;
	node.hasOwnPages = true;
	node.version = undefined;
	node.toldBytes = 0;
}

function noteReleased(node: Node): void {
	if (--node.handles > 0) return;
	node.isWritten = false;
	node.releasing = undefined;
}

function open(inode: Inode, access: Access, {operations}: Serving, signal: AbortSignal): Awaitable<HandleId> {
	return after(operations.open(inode, access, signal), handle => {
		if (!signal.aborted) return handle;
		return after(operations.release(handle, signal), () => {
			throw signal.reason as Error;
		});
	});
}

/**
 * The pages that the kernel has of a node stay, for they are of its version,
 * unless they were written; what it reads by itself has none to keep, and saying
 * so would be EIO. A close is
 * told (FLUSH) where it means something: it commits what was written, and ends
 * what a killed reader waits for.
 */
function openFlagsOf(node: Node, {write}: Access, of: Attributes, backing: number | undefined): number {
	const keeps = !write && backing === undefined && keepsPages(node, of);
	if (!write) node.hasOwnPages = false;
	return (
		(keeps ? FOPEN.KEEP_CACHE : 0) |
		(!write && of.isWhole === true ? FOPEN.NOFLUSH : 0) |
		(backing === undefined ? 0 : FOPEN.PASSTHROUGH)
	);
}

/** Whether pages that the kernel has of a node are of what a reader gets. */
function keepsPages({hasOwnPages}: Node, {version}: Attributes): boolean {
	return version !== undefined && !hasOwnPages;
}

/**
 * Up to the size that it was told the kernel gives a reader zeros for what is not there; beyond it, it asks for
 * the size, and does not believe the answer where a lookup is answered at the same time.
 */
function isAsTold({toldBytes}: Node, {sizeBytes}: Attributes): boolean {
	return sizeBytes === toldBytes;
}

function accessOf(flags: number): Access {
	const mode = flags & O_ACCMODE;
	return {read: mode !== O_WRONLY, write: mode !== O_RDONLY, truncate: (flags & O_TRUNC) !== 0};
}

function refuseCreation(error: unknown): never {
	if (!hasCode(error, 'not-stored')) throw error;
	throw new CacheError('not-permitted', 'only names that are URLs can be created, under by-url');
}
