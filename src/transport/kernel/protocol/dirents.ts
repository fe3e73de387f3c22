import {DIRENT, ENTRY_OUT} from './structs.js';

export type EntryOut = ReturnType<typeof ENTRY_OUT.at>;

export interface DirentFacts {
	readonly ino: number;
	/** Where reading goes on after this entry. */
	readonly next: number;
	/** The type bits of a mode (S_IFMT). */
	readonly mode: number;
	readonly name: string;
}

/** Records are padded to a multiple of this. */
const ALIGNMENT = 8;

/**
 * Packs the entries of a directory into the reply of a READDIR or READDIRPLUS,
 * until it is full.
 */
export class DirentPacker {
	#used: number;

	/**
	 * @param memory - zeroed from `start` on: the padding is not written.
	 * @param start - where the entries begin, in bytes.
	 * @param limitBytes - what the kernel has room for.
	 */
	constructor(
		private readonly memory: {readonly view: DataView; readonly bytes: Buffer},
		private readonly start: number,
		private readonly limitBytes: number,
	) {
		this.#used = start;
	}

	/** So far. */
	get sizeBytes(): number {
		return this.#used - this.start;
	}

	/** @returns whether there was room for it. */
	add(facts: DirentFacts): boolean {
		return this.#place(facts, 0) !== undefined;
	}

	/** @returns the `fuse_entry_out` to fill in; left as it is, it says nothing. Undefined where there was no room. */
	addPlus(facts: DirentFacts): EntryOut | undefined {
		const at = this.#place(facts, ENTRY_OUT.sizeBytes);
		return at === undefined ? undefined : ENTRY_OUT.at(this.memory.view, at);
	}

	#place({ino, next, mode, name}: DirentFacts, headBytes: number): number | undefined {
		const nameBytes = Buffer.byteLength(name);
		const at = this.#used;
		const nameAt = at + headBytes + DIRENT.sizeBytes;
		const end = at + Math.ceil((headBytes + DIRENT.sizeBytes + nameBytes) / ALIGNMENT) * ALIGNMENT;
		if (end - this.start > this.limitBytes) return undefined;
		const dirent = DIRENT.at(this.memory.view, at + headBytes);
		dirent.ino = ino;
		dirent.off = next;
		dirent.namelen = nameBytes;
		dirent.type = mode >>> 12; // DT_*: readdir(3)
		this.memory.bytes.write(name, nameAt);
		this.#used = end;
		return at;
	}
}
