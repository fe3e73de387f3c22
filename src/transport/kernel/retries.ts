import type {Inode} from '../../fs/inode.js';
import type {Node, Nodes} from './nodes.js';

/** Threads that were told to look a name up again, and have not done so; the oldest are forgotten. */
const MOST = 1000;

/**
 * Who was told ESTALE by an open. The VFS looks the name up again and opens
 * what it finds, once: a second ESTALE is what the program gets. So the thread
 * is given a node of its own, that nobody else opens before.
 */
export class Retries {
	/** What a thread could not open, and whether it wanted to read alone. */
	readonly #nodes = new Map<number, {readonly node: Node; readonly isReader: boolean}>();

	constructor(private readonly nodes: Nodes) {}

	/** A thread is to look again, for another node than this one. */
	add(pid: number, node: Node, isReader: boolean): void {
		this.nodes.detach(node);
		this.#nodes.delete(pid);
		this.#nodes.set(pid, {node, isReader});
		const [oldest] = this.#nodes.keys();
		if (this.#nodes.size > MOST && oldest !== undefined) this.#nodes.delete(oldest);
	}

	/** The node for a thread that looks a name up again; undefined for one that looks it up as everybody does. */
	give(pid: number, parent: Node, name: string, inode: Inode): Node | undefined {
		const last = this.#nodes.get(pid);
		if (last?.node.parent !== parent || last.node.name !== name) return undefined;
		const known = parent.children?.get(name);
		if (known?.reservation?.pid === pid) return this.nodes.give(parent, name);
		const node = this.nodes.make(parent, name, inode);
		node.reservation = {pid, isReader: last.isReader};
		return node;
	}

	/**
	 * A thread opens a node.
	 *
	 * @returns whether that is what it could not open the last time: it was not
	 *   led to it by a name, but by an open file (`/proc/self/fd`).
	 */
	take(pid: number, node: Node): boolean {
		const last = this.#nodes.get(pid);
		this.#nodes.delete(pid);
		return last?.node === node;
	}
}
