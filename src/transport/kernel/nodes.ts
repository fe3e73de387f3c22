import type {Awaitable} from '../../base/awaitable.js';
import type {Attributes, DirectoryInode, Inode} from '../../fs/inode.js';
import type {HandleId} from '../../fs/operations.js';
import {ROOT_NODE} from './protocol/flags.js';
import {ProtocolError} from './protocol/protocol-error.js';

type Version = NonNullable<Attributes['version']>;

/** Who alone may open a node. */
export interface Reservation {
	/** The thread. */
	readonly pid: number;
	/** Whether it wants to read alone. */
	readonly isReader: boolean;
	/** What it will get, and whoever looks the name up meanwhile is told; see `openAhead`. */
	told?: Awaitable<Attributes> | undefined;
	ahead?: {readonly handle: HandleId; readonly timer: NodeJS.Timeout} | undefined;
}

/** What the kernel knows by a number: a name in a directory that it has looked up, and still remembers. */
export class Node {
	/** How often the kernel was given it, less what it has forgotten. */
	lookups = 0;
	/** Which bytes its pages and attributes are of: for as long as it is there, but for who writes. Undefined while none was told. */
	version: Version | undefined;
	/** How many bytes the kernel was last told that it has. */
	toldBytes = 0;
	/** What is open of it, or being opened. */
	handles = 0;
	/** Whether one of these may write. */
	isWritten = false;
	/** Settles when what was written is stored, while its writer has closed it and that is not done. */
	releasing: Promise<void> | undefined;
	/** Whether it may have pages of what was written, and not stored. */
	hasOwnPages = false;
	/** Whether it was given all its pages, of the version that it is of. It may have dropped them. */
	isPrefilled = false;
	/** For the only thread that may open it, until it has. */
	reservation: Reservation | undefined;
	/** Those of its names that the kernel knows; undefined while there are none. */
	children: Map<string, Node> | undefined;
	/** The inode number, while it is of a version that is there. */
	ino: number | undefined;
	/** Another one with the same inode number. */
	sibling: Node | undefined;

	constructor(
		readonly id: number,
		readonly parent: Node | undefined,
		/** In its directory; what it was called, if it was unlinked. */
		readonly name: string,
		/** Undefined while it was only listed, which looks nothing up. */
		public inode: Inode | undefined,
	) {}

	/** Whether its name may go on to lead to it. @param version - which bytes are there by now. */
	isStill(version: Version | undefined): boolean {
		return this.isWritten || this.version === undefined || this.version.isSame(version);
	}

	/** Whether nobody in particular is to open it next, and no reader would meet a writer. */
	get isFree(): boolean {
		return this.reservation === undefined && !this.isWritten;
	}
}

/**
 * The nodes of a drive. A name is one node for as long as it leads to the same
 * version: what is made under it after an unlink, or has taken its place, is
 * another one, and shares no pages with what still has the old one open. A
 * number is never used twice.
 */
export class Nodes {
	readonly #byId = new Map<number, Node>();
	/** Those of a version; the others of the same number are their siblings. */
	readonly #byIno = new Map<number, Node>();
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

	/**
	 * The node of a name that is given to the kernel, once more; with its inode,
	 * where that was looked up. Another one than before where the name leads to
	 * another version by now.
	 */
	give(parent: Node, name: string, inode?: Inode, version?: Version): Node {
		const known = parent.children?.get(name);
		if (known?.isStill(version) !== true) return this.make(parent, name, inode);
		// While it is open, its inode knows what it is open for.
		if (inode !== undefined && known.handles === 0) known.inode = inode;
		known.lookups++;
		return known;
	}

	/** As `give`, always another one. */
	make(parent: Node, name: string, inode?: Inode): Node {
		const node = new Node(this.#next++, parent, name, inode);
		this.#byId.set(node.id, node);
		(parent.children ??= new Map<string, Node>()).set(name, node);
		node.lookups++;
		return node;
	}

	/** The kernel is told what a node is. */
	tell(node: Node, {ino, version}: Attributes): void {
		// Who alone may open it gets what there is by then.
		if (version === undefined || !node.isFree || node.version !== undefined) return;
		node.version = version;
		if (node.ino !== undefined) return;
		node.ino = ino;
		node.sibling = this.#byIno.get(ino);
		this.#byIno.set(ino, node);
	}

	/** Those of a version that have an inode number. */
	*withIno(ino: number): Iterable<Node> {
		for (let node = this.#byIno.get(ino); node !== undefined; node = node.sibling) yield node;
	}

	/** Its name leads to it no more. Who has it keeps it. */
	detach(node: Node | undefined): void {
		const names = node?.parent?.children;
		if (node !== undefined && names?.get(node.name) === node) names.delete(node.name);
	}

	/** It is of a version that is not there any more: nobody is led to it, and no change of its file concerns it. */
	retire(node: Node): void {
		this.detach(node);
		if (node.ino !== undefined) this.#removeByIno(node, node.ino);
	}

	/** The kernel has forgotten so many of the times that it was given a node. */
	forget(id: number, lookups: number): void {
		const node = this.#byId.get(id);
		if (node === undefined || id === ROOT_NODE) return;
		node.lookups -= lookups;
		if (node.lookups > 0) return;
		this.#byId.delete(id);
		this.retire(node);
	}

	#removeByIno(node: Node, ino: number): void {
		node.ino = undefined;
		const first = this.#byIno.get(ino);
		if (first !== node) {
			for (let other = first; other !== undefined; other = other.sibling) {
				if (other.sibling === node) other.sibling = node.sibling;
			}
		} else if (node.sibling === undefined) {
			this.#byIno.delete(ino);
		} else {
			this.#byIno.set(ino, node.sibling);
		}
	}
}
