import type {Key} from '../cache/url-cache.js';
import type {FileInode} from './inode.js';

/** A file whose name can go while it is open. */
export interface OpenFile extends FileInode {
	/** Handles that read it. */
	readonly readers: number;
	/** Whether something was written that is not stored yet. */
	readonly isBeingWritten: boolean;
	/**
	 * The name is gone: handles go on with what they have, and what is being written is not stored. Resolves
	 * when what was about to be stored already is, and can be removed as well.
	 */
	unlink(): Promise<void>;
}

/**
 * The cached files that have handles. An inode is one version. Where a file is
 * one inode however many open it, who opens it gets the version that the others
 * have; where it may be several, there is one of these for each.
 */
export class OpenFiles {
	readonly #files = new Map<Key, Set<OpenFile>>();

	/** @param inodePerVersion - a transport with `nodePerVersion`. */
	constructor(readonly inodePerVersion: boolean) {}

	/** The file that its next opener gets as well; undefined where that gets one of its own. */
	shared(key: Key): OpenFile | undefined {
		return this.inodePerVersion ? undefined : this.all(key)[0];
	}

	all(key: Key): readonly OpenFile[] {
		return [...(this.#files.get(key) ?? [])];
	}

	add(key: Key, file: OpenFile): void {
		const files = this.#files.get(key);
		if (files === undefined) this.#files.set(key, new Set([file]));
		else files.add(file);
	}

	/** The name was unlinked, or the last handle released: who opens it next gets another file. */
	remove(key: Key, file: OpenFile): void {
		const files = this.#files.get(key);
		if (files?.delete(file) === true && files.size === 0) this.#files.delete(key);
	}
}
