import type {Attributes, Dentry} from '../../fs/inode.js';
import {toStat} from '../stat.js';
import type {DirentFacts} from './protocol/dirents.js';

/** They come first. The kernel knows what they are. */
const DOTS = ['.', '..'];

/**
 * One directory as one handle reads it. An entry keeps its offset, so that the
 * handle may go back to it; offset 0 begins anew, as rewinddir(3) wants it.
 * What is to be listed is asked for as far as it is read, and of what has been
 * read no more is kept than its name and number: a directory may be large.
 */
export class Listing {
	readonly #listed: DirentFacts[] = [];
	/** Of the entry that was asked for last. */
	#attributes: Attributes | undefined;
	#rest: Iterator<Dentry> | undefined;

	/** Goes back to the beginning. @param list - what the directory has now. */
	rewind(directory: Attributes, list: Iterable<Dentry>): this {
		this.#listed.length = 0;
		this.#rest = list[Symbol.iterator]();
		for (const name of DOTS) this.#add(name, directory);
		this.#attributes = undefined;
		return this;
	}

	/** The entry at an offset; undefined after the last one. */
	at(offset: number): DirentFacts | undefined {
		while (this.#listed.length <= offset && this.#rest !== undefined) {
			const {done, value} = this.#rest.next() as IteratorResult<Dentry, undefined>;
			if (done) this.#rest = undefined;
			else this.#add(value.name, (this.#attributes = value.attributes()));
		}

		return this.#listed[offset];
	}

	/** What the entry at an offset is; undefined for one that was gone on from: who goes back to it looks it up. */
	attributesAt(offset: number): Attributes | undefined {
		return offset === this.#listed.length - 1 ? this.#attributes : undefined;
	}

	#add(name: string, attributes: Attributes): void {
		const {ino, mode} = toStat(attributes);
		this.#listed.push({name, ino, mode, next: this.#listed.length + 1});
	}
}
