import {inodeOf, type FileIdentity} from '../store/entry.js';

/**
 * Which bytes a version is made of. Two are the same only where each byte is
 * the same: those of one stored file, or of one fill, and of a fill and the
 * entry that it has become.
 */
export class VersionId {
	#file: FileIdentity | undefined;
	/** The number of the file that is about to be stored, while that is held open: nobody else's until then. */
	#publishing: bigint | undefined;

	/** @param file - the stored file; none for what is still on its way. */
	constructor(file?: FileIdentity) {
		this.#file = file;
	}

	/** What is on its way is all there, and about to be stored as this file. */
	publishes(ino: bigint): void {
		this.#publishing = ino;
	}

	/** It was stored as `file`; undefined where something else was, or nothing. */
	settle(file: FileIdentity | undefined): void {
		this.#publishing = undefined;
		this.#file = file;
	}

	isSame(other: VersionId | undefined): boolean {
		if (other === undefined) return false;
		if (other === this) return true;
		if (this.#file !== undefined && other.#file !== undefined) return this.#file === other.#file;
		return this.#isPublishedAs(other) || other.#isPublishedAs(this);
	}

	#isPublishedAs(other: VersionId): boolean {
		return this.#publishing !== undefined && other.#file !== undefined && this.#publishing === inodeOf(other.#file);
	}
}
