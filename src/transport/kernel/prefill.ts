import {readSync} from 'node:fs';
import type {Backing} from '../../fs/operations.js';
import type {Node} from './nodes.js';
import {NOTIFY} from './protocol/flags.js';
import {NOTIFY_STORE_OUT, OUT_HEADER} from './protocol/structs.js';

/** Who opens a file of this size or less mostly reads all of it. */
const MOST_BYTES = 64 * 1024;
const HEAD_BYTES = OUT_HEADER.sizeBytes + NOTIFY_STORE_OUT.sizeBytes;

/**
 * Gives the kernel the pages of a small stored file when it is opened
 * (FUSE_NOTIFY_STORE), so that it does not ask for them: the READ that is saved
 * is a third of what an open, read and close cost, since its reader sleeps until
 * it is answered.
 *
 * The kernel locks a page to fill it, and a page that is being read stays locked
 * until we answer: so it is done only for who has a node open alone. A RELEASE
 * comes after the reads of its handle, so there is none then.
 */
export class Prefill {
	readonly #bytes = Buffer.alloc(HEAD_BYTES + MOST_BYTES);
	readonly #header: ReturnType<typeof OUT_HEADER.at>;
	readonly #out: ReturnType<typeof NOTIFY_STORE_OUT.at>;

	/** @param notify - sends the first `length` bytes, before it returns. @throws Error where the kernel does not take them. */
	constructor(private readonly notify: (notification: Uint8Array, length: number) => void) {
		const view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset);
		this.#header = OUT_HEADER.at(view, 0);
		this.#header.error = NOTIFY.STORE;
		this.#out = NOTIFY_STORE_OUT.at(view, OUT_HEADER.sizeBytes);
	}

	/**
	 * @param node - opened for reading by one alone, and of the version that `backing` has.
	 * @returns whether the kernel has been given all pages of it, now or before.
	 */
	fill(node: Node, backing: Backing): boolean {
		const {sizeBytes} = backing;
		if (node.isPrefilled || sizeBytes > MOST_BYTES || sizeBytes === 0) return node.isPrefilled;
		try {
			const taken = backing.takeAtOnce(fd => readSync(fd, this.#bytes, HEAD_BYTES, sizeBytes, 0));
			if (taken !== sizeBytes) return false;
			this.#header.len = HEAD_BYTES + sizeBytes;
			this.#out.nodeid = node.id;
			this.#out.size = sizeBytes;
			this.notify(this.#bytes, HEAD_BYTES + sizeBytes);
			node.isPrefilled = true;
		} catch {
			// It is asked for, and who reads it hears what is wrong.
		}

		return node.isPrefilled;
	}
}
