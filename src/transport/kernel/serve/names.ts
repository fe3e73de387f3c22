import {after, otherwise, type Awaitable} from '../../../base/awaitable.js';
import {AbsentNameError} from '../../../fs/absent-name-error.js';
import type {Attributes, Inode} from '../../../fs/inode.js';
import type {Operations} from '../../../fs/operations.js';
import type {Node} from '../nodes.js';
import {ENTRY_OUT} from '../protocol/structs.js';
import type {Body} from '../replies.js';
import {openAhead} from './ahead.js';
import {fillEntry, seconds} from './attributes.js';
import {inodeOf, type Handlers, type Serving} from './handlers.js';

/** What is about names: LOOKUP, UNLINK. */
export function serveNames(serving: Serving): Pick<Handlers, 'LOOKUP' | 'UNLINK'> {
	const {operations, nodes, invalidation} = serving;
	return {
		LOOKUP({nodeid, names: [name], pid}, signal) {
			const parent = nodes.get(nodeid);
			const directory = inodeOf(parent, operations, signal);
			const look = (known: Inode) => operations.lookup(known, name, signal);
			return otherwise(
				() => after(after(directory, look), inode => found(inode, {parent, name, pid}, serving, signal)),
				absence,
			);
		},
		async UNLINK({nodeid, names: [name]}, signal) {
			const parent = nodes.get(nodeid);
			await operations.unlink(await inodeOf(parent, operations, signal), name, signal);
			nodes.detach(parent.children?.get(name));
			await invalidation.settled();
			return undefined;
		},
	};
}

/** What was looked up, and by whom. */
interface Looked {
	readonly parent: Node;
	readonly name: string;
	readonly pid: number;
}

/** A `fuse_entry_out` of what there is under a name. */
function found(inode: Inode, {parent, name, pid}: Looked, serving: Serving, signal: AbortSignal): Awaitable<Body> {
	const {operations, nodes, retries} = serving;
	return after(attributesOf(inode, operations, signal), attributes => {
		// For nobody any more: the kernel would never forget it.
		signal.throwIfAborted();
		const node = retries.give(pid, parent, name, inode) ?? nodes.give(parent, name, inode, attributes.version);
		// What is being written is as long as it is by now.
		const own = node.isWritten ? operations.getattr(node.inode ?? inode, signal) : attributes;
		const told = after(own, of => openAhead(node, of, serving, signal));
		return after(told, of => (view, at) => {
			fillEntry(ENTRY_OUT.at(view, at), node, of, serving);
			return ENTRY_OUT.sizeBytes;
		});
	});
}

/** As a lookup tells them: the origin is asked where nothing else is known. */
function attributesOf(inode: Inode, operations: Operations, signal: AbortSignal): Awaitable<Attributes> {
	return after(operations.getattr(inode, signal), known => {
		if (known.isProvisional !== true) return known;
		return after(operations.announce(inode, signal), () => operations.getattr(inode, signal));
	});
}

/** An entry without a node: the kernel does not ask for the name again, for so long. @throws what it is given, where that is not for long. */
function absence(error: unknown): Body {
	if (!(error instanceof AbsentNameError) || error.forMs === 0) throw error;
	const {forMs} = error;
	return (view, at) => {
		const out = ENTRY_OUT.at(view, at);
		[out.entry_valid, out.entry_valid_nsec] = seconds(forMs);
		return ENTRY_OUT.sizeBytes;
	};
}
