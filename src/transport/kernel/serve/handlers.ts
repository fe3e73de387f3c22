import {after, type Awaitable} from '../../../base/awaitable.js';
import type {HandleTable} from '../../../fs/handle-table.js';
import type {Inode} from '../../../fs/inode.js';
import type {HandleId, Operations} from '../../../fs/operations.js';
import type {BackingFiles} from '../backing-files.js';
import type {Invalidation} from '../invalidation.js';
import type {Listing} from '../listing.js';
import type {Node, Nodes} from '../nodes.js';
import type {Served} from '../protocol/opcodes.js';
import type {Request} from '../protocol/request.js';
import type {Body} from '../replies.js';
import type {ReplyBuffers} from '../reply-buffers.js';
import type {Prefill} from '../prefill.js';
import type {ReplyPipe} from '../reply-pipe.js';
import type {Retries} from '../retries.js';

/**
 * Answers one request: at once where there is nothing to wait for.
 *
 * @param signal - fires when its caller is gone, or its time is up: what it does is then for nobody.
 * @throws CacheError, ProtocolError
 */
export type Handler<N extends Served> = (request: Request<N>, signal: AbortSignal) => Awaitable<Body>;

/** One for each opcode that is served; what is missing does not compile. */
export type Handlers = {readonly [N in Served]: Handler<N>};

/** What the handlers share. */
export interface Serving {
	readonly operations: Operations;
	readonly nodes: Nodes;
	readonly retries: Retries;
	readonly invalidation: Invalidation;
	readonly buffers: ReplyBuffers;
	readonly pipe: ReplyPipe;
	readonly prefill: Prefill;
	readonly backings: BackingFiles;
	/** The directories that are open. */
	readonly listings: HandleTable<Listing>;
	/** The handles that are open and what they are of, for who has to release them when the drive ends. */
	readonly openHandles: Map<HandleId, Node>;
}

/** The inode of a node; looked up where the node was only listed. */
export function inodeOf(node: Node, operations: Operations, signal: AbortSignal): Awaitable<Inode> {
	const {inode, parent, name} = node;
	if (inode !== undefined || parent === undefined) return inode ?? operations.root;
	const directory = inodeOf(parent, operations, signal);
	const found = after(directory, known => operations.lookup(known, name, signal));
	return after(found, known => (node.inode ??= known));
}
