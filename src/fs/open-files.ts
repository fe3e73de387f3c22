import type {Key} from '../cache/url-cache.js';
import type {FileInode} from './inode.js';

/** A file whose name can go while it is open. */
export interface OpenFile extends FileInode {
	/** Handles that read it. */
	readonly readers: number;
	/** The name is gone. */
	unlink(): void;
}

/**
 * The cached files that have handles. A file is one inode however many open it,
 * and an inode is one version: who opens a file that is open already gets the
 * version that the others have.
 */
export class OpenFiles {
	readonly #files = new Map<Key, OpenFile>();

	get(key: Key): OpenFile | undefined {
		return this.#files.get(key);
	}

	add(key: Key, file: OpenFile): void {
		this.#files.set(key, file);
	}

	/** The name was unlinked, or the last handle released: who opens it next gets another file. */
	remove(key: Key, file: OpenFile): void {
		if (this.#files.get(key) === file) this.#files.delete(key);
	}
}
