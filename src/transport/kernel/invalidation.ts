import type {ChangeListener} from '../../fs/operations.js';
import type {Node, Nodes} from './nodes.js';
import {NOTIFY} from './protocol/flags.js';
import {INVAL_INODE_OUT, OUT_HEADER} from './protocol/structs.js';

/**
 * The longest that the kernel believes a name or attributes, in ms. Changes are
 * announced, so this bounds what goes wrong only where one is not heard of.
 */
export const LONGEST_MS = 60_000;

/** How many nodes are looked at before requests are. */
const AT_ONCE = 100;

/**
 * Tells the kernel what it may no longer believe: of a node whose version was
 * evicted or replaced, by whomever.
 *
 * Only notifications that wait for none of our replies are sent. A node that
 * nobody has open has no page that is being read, so INVAL_INODE, which waits
 * for the locks of pages, does not wait for us; and who looks at its attributes
 * next is told those of what its name means by now, or ESTALE where nothing is
 * stored, and looks the name up. One that somebody has open keeps
 * its pages and attributes, which are right for them: there it is its name that
 * is to be looked up anew. INVAL_ENTRY would take the directory's lock, which an
 * unlink or a slow lookup has until we answer, and keep everybody else out
 * meanwhile; INC_EPOCH (Linux 6.16) has all names looked up anew, and takes none.
 */
export class Invalidation {
	/** What has changed, and what tells the bytes that are there by now. */
	readonly #changed = new Map<number, Parameters<ChangeListener>[1]>();
	#running: Promise<void> | undefined;

	/** Whether the kernel can be told to look names up anew. */
	hasEpochs = false;

	/** @param notify - writes to the device, not on this thread. Never fails. */
	constructor(
		private readonly nodes: Nodes,
		private readonly notify: (notification: Uint8Array) => Promise<void>,
	) {}

	/** How long a name may be believed, in ms: where it cannot be taken back, as long as nobody minds. */
	get longestNameMs(): number {
		return this.hasEpochs ? LONGEST_MS : 1000;
	}

	/** Something may have happened to the files with an inode number. Does nothing at once: its caller may not be done. */
	readonly onChanged: ChangeListener = (ino, now) => {
		if (this.nodes.withIno(ino)[Symbol.iterator]().next().done === true) return;
		this.#changed.set(ino, now);
		this.#running ??= this.#run();
	};

	/** Resolves when the kernel has heard of all that was told so far. */
	async settled(): Promise<void> {
		const mayWait = this.#changed.size > 0;
		await this.#running;
		if (mayWait) await this.#running;
	}

	async #run(): Promise<void> {
		await new Promise(setImmediate);
		const changed = [...this.#changed];
		this.#changed.clear();
		let mustLookUpAnew = false;
		for (const [index, [ino, now]] of changed.entries()) {
			if (index % AT_ONCE === AT_ONCE - 1) await new Promise(setImmediate);
			for (const node of this.#gone(ino, now)) {
				if (node.handles > 0) mustLookUpAnew = true;
				else await this.notify(invalidInode(node.id));
			}
		}

		if (mustLookUpAnew) await this.notify(NEXT_EPOCH);
		this.#running = this.#changed.size > 0 ? this.#run() : undefined;
	}

	/** The nodes of a version that is not there any more. */
	#gone(ino: number, now: Parameters<ChangeListener>[1]): Node[] {
		const version = now();
		const gone = [...this.nodes.withIno(ino)].filter(node => !node.isStill(version));
		for (const node of gone) this.nodes.retire(node);
		return gone;
	}
}

function invalidInode(id: number): Uint8Array {
	const bytes = notification(NOTIFY.INVAL_INODE, INVAL_INODE_OUT.sizeBytes);
	INVAL_INODE_OUT.at(new DataView(bytes.buffer), OUT_HEADER.sizeBytes).ino = id;
	return bytes;
}

function notification(code: number, bodyBytes: number): Uint8Array<ArrayBuffer> {
	const bytes = new Uint8Array(OUT_HEADER.sizeBytes + bodyBytes);
	const header = OUT_HEADER.at(new DataView(bytes.buffer), 0);
	header.len = bytes.byteLength;
	header.error = code;
	return bytes;
}

const NEXT_EPOCH = notification(NOTIFY.INC_EPOCH, 0);
