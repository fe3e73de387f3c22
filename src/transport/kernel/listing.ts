import type {Dentry} from '../../fs/inode.js';

/**
 * One directory as one handle reads it. An entry keeps its offset, so that the
 * handle may go back to it; offset 0 begins anew, as rewinddir(3) wants it.
 * What is to be listed is asked for as far as it is read.
 */
export class Listing {
	#entries: Dentry[] = [];
	#rest: Iterator<Dentry> | undefined;

	/** Goes back to the beginning. @param list - what the directory has now. */
	rewind(list: Iterable<Dentry>): this {
		this.#entries = [];
		this.#rest = list[Symbol.iterator]();
		return this;
	}

	/** The entry at an offset; undefined after the last one. */
	at(offset: number): Dentry | undefined {
		while (this.#entries.length <= offset && this.#rest !== undefined) {
			const {done, value} = this.#rest.next() as IteratorResult<Dentry, undefined>;
			if (done) this.#rest = undefined;
			else this.#entries.push(value);
		}

		return this.#entries[offset];
	}
}
