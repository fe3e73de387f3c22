import type {DirectoryInode, Inode} from '../../fs/inode.js';
import {ROOT_NODE} from './protocol/flags.js';
import {ProtocolError} from './protocol/protocol-error.js';

/** What the kernel knows by a number: a name in a directory that it has looked up, and still remembers. */
export class Node {
	/** How often the kernel was given it, less what it has forgotten. */
	lookups = 0;
	/** The version whose pages the kernel may still have, as `Attributes.version` names it. */
	cachedVersion: string | undefined;
	/** Those of its names that the kernel knows; undefined while there are none. */
	children: Map<string, Node> | undefined;

	constructor(
		readonly id: number,
		readonly parent: Node | undefined,
		/** In its directory; what it was called, if it was unlinked. */
		readonly name: string,
		/** Undefined while it was only listed, which looks nothing up. */
		public inode: Inode | undefined,
	) {}
}

/**
 * The nodes of a drive. A name is one node for as long as it is there: what is
 * made under it after an unlink is another one, and shares no pages with what
 * still has the old one open. A number is never used twice.
 */
export class Nodes {
	readonly #byId = new Map<number, Node>();
	#next = ROOT_NODE + 1;

	constructor(readonly root: DirectoryInode) {
		this.#byId.set(ROOT_NODE, new Node(ROOT_NODE, undefined, '', root));
	}

	/** That the kernel knows, the root among them. */
	get size(): number {
		return this.#byId.size;
	}

	/** @throws ProtocolError `unknown-node` */
	get(id: number): Node {
		const node = this.#byId.get(id);
		if (node === undefined) throw new ProtocolError('unknown-node', `there is no node ${id}`);
		return node;
	}

	/** The node of a name that is given to the kernel, once more; with its inode, where that was looked up. */
	give(parent: Node, name: string, inode?: Inode): Node {
		let node = parent.children?.get(name);
		if (node === undefined) {
			node = new Node(this.#next++, parent, name, inode);
			this.#byId.set(node.id, node);
			(parent.children ??= new Map<string, Node>()).set(name, node);
		} else if (inode !== undefined) {
			node.inode = inode;
		}

		node.lookups++;
		return node;
	}

	/** The name is gone. Who has its node keeps it. */
	unlink(parent: Node, name: string): void {
		parent.children?.delete(name);
	}

	/** The kernel has forgotten so many of the times that it was given a node. */
	forget(id: number, lookups: number): void {
		const node = this.#byId.get(id);
		if (node === undefined || id === ROOT_NODE) return;
		node.lookups -= lookups;
		if (node.lookups > 0) return;
		this.#byId.delete(id);
		if (node.parent?.children?.get(node.name) === node) node.parent.children.delete(node.name);
	}
}
