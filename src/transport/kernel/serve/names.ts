import {after} from '../../../base/awaitable.js';
import type {Attributes} from '../../../fs/inode.js';
import type {Node} from '../nodes.js';
import {ENTRY_OUT} from '../protocol/structs.js';
import type {Fill} from '../replies.js';
import {fillEntry} from './attributes.js';
import {inodeOf, type Handlers, type Serving} from './handlers.js';

/** What is about names: LOOKUP, UNLINK. */
export function serveNames({operations, nodes}: Serving): Pick<Handlers, 'LOOKUP' | 'UNLINK'> {
	return {
		LOOKUP({nodeid, names: [name]}, signal) {
			const parent = nodes.get(nodeid);
			const directory = inodeOf(parent, operations, signal);
			const found = after(directory, known => operations.lookup(known, name, signal));
			return after(found, inode =>
				after(operations.getattr(inode, signal), attributes => {
					// For nobody any more: the kernel would never forget it.
					signal.throwIfAborted();
					return entry(nodes.give(parent, name, inode), attributes);
				}),
			);
		},
		async UNLINK({nodeid, names: [name]}, signal) {
			const parent = nodes.get(nodeid);
			await operations.unlink(await inodeOf(parent, operations, signal), name, signal);
			nodes.unlink(parent, name);
			return undefined;
		},
	};
}

/** A `fuse_entry_out`. */
function entry(node: Node, attributes: Attributes): Fill {
	return (view, at) => {
		fillEntry(ENTRY_OUT.at(view, at), node, attributes);
		return ENTRY_OUT.sizeBytes;
	};
}
