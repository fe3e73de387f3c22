import {constants} from 'node:fs';
import {constants as osConstants} from 'node:os';
import {after} from '../../../base/awaitable.js';
import {CacheError} from '../../../base/errors.js';
import type {Attributes} from '../../../fs/inode.js';
import {toStat} from '../../stat.js';
import {LONGEST_MS} from '../invalidation.js';
import type {Node} from '../nodes.js';
import {FATTR} from '../protocol/flags.js';
import type {EntryOut} from '../protocol/dirents.js';
import {ATTR_OUT, GETXATTR_OUT, STATFS_OUT} from '../protocol/structs.js';
import type {Fill} from '../replies.js';
import {inodeOf, type Handlers, type Serving} from './handlers.js';

type AttributePlace = Omit<EntryOut, 'nodeid' | 'generation' | 'entry_valid' | 'entry_valid_nsec'>;

const BLOCK_BYTES = 4096;
const {X_OK, W_OK} = constants;
const {EACCES, ENODATA, EOPNOTSUPP} = osConstants.errno;

/** What is about attributes: GETATTR, SETATTR, ACCESS, STATFS, GETXATTR, LISTXATTR. */
export function serveAttributes({
	operations,
	nodes,
}: Serving): Pick<Handlers, 'GETATTR' | 'SETATTR' | 'ACCESS' | 'STATFS' | 'GETXATTR' | 'LISTXATTR'> {
	return {
		GETATTR({nodeid}, signal) {
			const node = nodes.get(nodeid);
			const found = after(inodeOf(node, operations, signal), inode => operations.getattr(inode, signal));
			return after(found, of => {
				if (node.isStill(of.version)) {
					nodes.tell(node, of);
					return attributes(node, of, validFor(node, of));
				}

				// Nothing is here any more: who looks its name up hears what the origin has.
				if (of.isProvisional === true) throw new CacheError('replaced', 'it is not stored any more');
				// Of what its name has come to mean meanwhile; who opens it is led there.
				return attributes(node, of, 0);
			});
		},
		// Of the rest there is no place for what cp -p and rsync set; refusing would make them fail.
		async SETATTR({nodeid, args}, signal) {
			const node = nodes.get(nodeid);
			const inode = await inodeOf(node, operations, signal);
			const {valid} = args;
			if ((valid & FATTR.SIZE) !== 0) {
				const handle = (valid & FATTR.FH) === 0 ? undefined : args.fh;
				await operations.truncate(inode, handle, args.size, signal);
			} else if ((valid & FATTR.MTIME_NOW) !== 0) {
				await operations.touch(inode, signal);
			}

			// They may be those of what has come instead: the next who looks is led there.
			return attributes(nodes.get(nodeid), await operations.getattr(inode, signal), 0);
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
		/**
		 * There is none. Who hears that there are no access control lists and labels at all does not ask for them again:
		 * `ls -l` would for each entry.
		 */
		GETXATTR({names: [name]}) {
			return {errno: name.startsWith('user.') ? ENODATA : EOPNOTSUPP};
		},
		/** There are none. Asked for with size 0 it is how long their list is. */
		LISTXATTR({args}) {
			return args.size === 0 ? GETXATTR_OUT_OF_NONE : undefined;
		},
	};
}

const GETXATTR_OUT_OF_NONE: Fill = () => GETXATTR_OUT.sizeBytes;

/** A `fuse_attr_out`. */
function attributes(node: Node, of: Attributes, forMs: number): Fill {
	node.toldBytes = of.sizeBytes;
	return (view, at) => {
		const out = ATTR_OUT.at(view, at);
		[out.attr_valid, out.attr_valid_nsec] = seconds(forMs);
		fill(out, of);
		return ATTR_OUT.sizeBytes;
	};
}

/** Makes a `fuse_entry_out` of zeros that of a node; the node is then of the version that it tells. */
export function fillEntry(
	out: EntryOut,
	node: Node,
	of: Attributes,
	{nodes, invalidation}: Pick<Serving, 'nodes' | 'invalidation'>,
): void {
	nodes.tell(node, of);
	node.toldBytes = of.sizeBytes;
	const forMs = validFor(node, of);
	out.nodeid = node.id;
	[out.entry_valid, out.entry_valid_nsec] = seconds(Math.min(forMs, invalidation.longestNameMs));
	[out.attr_valid, out.attr_valid_nsec] = seconds(forMs);
	fill(out, of);
}

/** How long the kernel may believe it, in ms. */
function validFor({isFree}: Node, {validForMs = 0}: Attributes): number {
	return isFree ? validForMs : 0;
}

/** A time span as the kernel has it: whole seconds, and nanoseconds. */
export function seconds(ms: number): [number, number] {
	const bounded = Math.max(0, Math.floor(Math.min(ms, LONGEST_MS)));
	return [Math.floor(bounded / 1000), (bounded % 1000) * 1e6];
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
