import {constants} from 'node:fs';
import {constants as osConstants} from 'node:os';
import {after} from '../../../base/awaitable.js';
import type {Attributes} from '../../../fs/inode.js';
import {toStat} from '../../stat.js';
import type {Node} from '../nodes.js';
import {FATTR} from '../protocol/flags.js';
import type {EntryOut} from '../protocol/dirents.js';
import {ATTR_OUT, GETXATTR_OUT, STATFS_OUT} from '../protocol/structs.js';
import type {Fill} from '../replies.js';
import {inodeOf, type Handlers, type Serving} from './handlers.js';

type AttributePlace = Omit<EntryOut, 'nodeid' | 'generation' | 'entry_valid' | 'entry_valid_nsec'>;

/** For how long the kernel believes a name, in seconds. */
const ENTRY_TIMEOUT_S = 1;
/** And what it was told of a directory. */
const DIRECTORY_TIMEOUT_S = 1;
/**
 * And of a file: not at all. Its size changes with the version that the next
 * open brings, and a reader of a longer one would be given the old length.
 */
const FILE_TIMEOUT_S = 0;

const BLOCK_BYTES = 4096;
const {X_OK, W_OK} = constants;
const {EACCES} = osConstants.errno;

/** What is about attributes: GETATTR, SETATTR, ACCESS, STATFS, LISTXATTR. */
export function serveAttributes({
	operations,
	nodes,
}: Serving): Pick<Handlers, 'GETATTR' | 'SETATTR' | 'ACCESS' | 'STATFS' | 'LISTXATTR'> {
	return {
		GETATTR({nodeid}, signal) {
			const inode = inodeOf(nodes.get(nodeid), operations, signal);
			return after(
				after(inode, known => operations.getattr(known, signal)),
				attributes,
			);
		},
		// Of the rest there is no place for what cp -p and rsync set; refusing would make them fail.
		async SETATTR({nodeid, args}, signal) {
			const inode = await inodeOf(nodes.get(nodeid), operations, signal);
			const {valid} = args;
			if ((valid & FATTR.SIZE) !== 0) {
				const handle = (valid & FATTR.FH) === 0 ? undefined : args.fh;
				await operations.truncate(inode, handle, args.size, signal);
			} else if ((valid & FATTR.MTIME_NOW) !== 0) {
				await operations.touch(inode, signal);
			}

			return attributes(await operations.getattr(inode, signal));
		},
		/** access(2), where the kernel does not decide by itself (`default_permissions`): then the caller is the owner. */
		async ACCESS({nodeid, args}, signal) {
			const inode = await inodeOf(nodes.get(nodeid), operations, signal);
			const {permissions} = await operations.getattr(inode, signal);
			const lacks = (mask: number, bits: number) => (args.mask & mask) !== 0 && (permissions & bits) === 0;
			if (lacks(W_OK, 0o222) || lacks(X_OK, 0o111)) return {errno: EACCES};
			return undefined;
		},
		async STATFS(_request, signal) {
			const {totalBytes, freeBytes, maxNameBytes} = await operations.statfs(signal);
			return (view, at) => {
				const out = STATFS_OUT.at(view, at);
				out.bsize = BLOCK_BYTES;
				out.frsize = BLOCK_BYTES;
				out.blocks = Math.floor(totalBytes / BLOCK_BYTES);
				out.bfree = Math.floor(freeBytes / BLOCK_BYTES);
				out.bavail = out.bfree;
				out.namelen = maxNameBytes;
				return STATFS_OUT.sizeBytes;
			};
		},
		/** There are none. Asked for with size 0 it is how long their list is. */
		LISTXATTR({args}) {
			return Promise.resolve(args.size === 0 ? GETXATTR_OUT_OF_NONE : undefined);
		},
	};
}

const GETXATTR_OUT_OF_NONE: Fill = () => GETXATTR_OUT.sizeBytes;

/** A `fuse_attr_out`. */
function attributes(of: Attributes): Fill {
	return (view, at) => {
		const out = ATTR_OUT.at(view, at);
		out.attr_valid = timeoutOf(of);
		fill(out, of);
		return ATTR_OUT.sizeBytes;
	};
}

/** Makes a `fuse_entry_out` of zeros that of a node. */
export function fillEntry(out: EntryOut, {id}: Node, of: Attributes): void {
	out.nodeid = id;
	out.entry_valid = ENTRY_TIMEOUT_S;
	out.attr_valid = timeoutOf(of);
	fill(out, of);
}

function timeoutOf({kind}: Attributes): number {
	return kind === 'directory' ? DIRECTORY_TIMEOUT_S : FILE_TIMEOUT_S;
}

function fill(out: AttributePlace, of: Attributes): void {
	const {ino, size, blocks, blksize, mode, nlink, uid, gid, mtime} = toStat(of);
	out.ino = ino;
	out.size = size;
	out.blocks = blocks;
	out.blksize = blksize;
	out.mode = mode;
	out.nlink = nlink;
	out.uid = uid;
	out.gid = gid;
	const seconds = Math.floor(mtime / 1000);
	const nanoseconds = (mtime % 1000) * 1e6;
	out.mtime = seconds;
	out.atime = seconds;
	out.ctime = seconds;
	out.mtimensec = nanoseconds;
	out.atimensec = nanoseconds;
	out.ctimensec = nanoseconds;
}
