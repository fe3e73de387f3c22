import type {Attributes, Dentry} from '../../fs/inode.js';
import {modeOf} from '../stat.js';
import type {DirentFacts} from './protocol/dirents.js';

/** They come first. The kernel knows what they are. */
const DOTS = ['.', '..'];
/** Of more than these it is not remembered which they were. */
const MOST_CHANGED = 10_000;

/**
 * One directory as one handle reads it. An entry keeps its offset, so that the
 * handle may go back to it; offset 0 begins anew, as rewinddir(3) wants it.
 * What is to be listed is asked for as far as it is read, and of what has been
 * read no more is kept than its name and number: a directory may be large.
 *
 * Who reads slowly gets what was there some time ago. That may be a name that is
 * gone; but what a name led to before it was changed is not told as what it is,
 * for the kernel has heard of that change already, and would believe the listing.
 */
export class Listing {
	readonly #listed: DirentFacts[] = [];
	/** Of the entry that was asked for last. */
	#attributes: Attributes | undefined;
	#rest: Iterator<Dentry> | undefined;
	/** The numbers of files that have been changed since it was begun. */
	readonly #changed = new Set<number>();

	/** Goes back to the beginning. @param list - what the directory has now. */
	rewind(directory: Attributes, list: Iterable<Dentry>): this {
		this.#listed.length = 0;
		this.#changed.clear();
		this.#rest = list[Symbol.iterator]();
		for (const name of DOTS) this.#add(name, directory);
		this.#attributes = undefined;
		return this;
	}

	/** The entry at an offset; undefined after the last one. */
	at(offset: number): DirentFacts | undefined {
		while (this.#listed.length <= offset && this.#rest !== undefined) {
			const {done, value} = this.#rest.next() as IteratorResult<Dentry, undefined>;
			if (done) this.#rest = this.#attributes = undefined;
			else this.#add(value.name, (this.#attributes = value.attributes()));
		}

		return this.#listed[offset];
	}

	/** What the entry at an offset is; undefined where it is to be looked up: it was gone on from, or changed meanwhile. */
	attributesAt(offset: number): Attributes | undefined {
		const isLast = offset === this.#listed.length - 1;
		return isLast && !this.#hasChanged(this.#attributes) ? this.#attributes : undefined;
	}

	/** Something may have happened to the files with an inode number. */
	noteChange(ino: number): void {
		if (this.#rest !== undefined && this.#changed.size < MOST_CHANGED) this.#changed.add(ino);
	}

	#hasChanged(attributes: Attributes | undefined): boolean {
		return this.#changed.size >= MOST_CHANGED || (attributes !== undefined && this.#changed.has(attributes.ino));
	}

	#add(name: string, attributes: Attributes): void {
		this.#listed.push({name, ino: attributes.ino, mode: modeOf(attributes), next: this.#listed.length + 1});
	}
}
