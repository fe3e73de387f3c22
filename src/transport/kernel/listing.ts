import type {Attributes, Dentry} from '../../fs/inode.js';
import {modeOf} from '../stat.js';
import type {DirentFacts} from './protocol/dirents.js';

/** They come first. The kernel knows what they are. */
const DOTS = ['.', '..'];
/** What an entry was read as is told within this time, in ms. */
const TOLD_WITHIN_MS = 1000;
const NOTHING: readonly Dentry[] = [];
/** Of more than these it is not remembered which they were. */
const MOST_CHANGED = 10_000;

/** An entry as it was at a time. */
interface Read {
	readonly name: string;
	readonly attributes: Attributes;
	readonly atMs: number;
}

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
	/** The entry that was asked for last; undefined where that was beyond the end. */
	#last: Read | undefined;
	#rest: Iterator<Dentry> = NOTHING[Symbol.iterator]();
	/** What is asked for next, made ready by `prepare`, from `#nextReady` on. */
	readonly #ready: Read[] = [];
	#nextReady = 0;
	#isOver = true;
	/** The numbers of files that have been changed since it was begun. */
	readonly #changed = new Set<number>();

	/** @param now - a monotonic clock, in ms. */
	constructor(private readonly now = () => performance.now()) {}

	/** Goes back to the beginning. @param list - what the directory has now. */
	rewind(directory: Attributes, list: Iterable<Dentry>): this {
		this.#listed.length = 0;
		this.#ready.length = this.#nextReady = 0;
		this.#changed.clear();
		this.#rest = list[Symbol.iterator]();
		for (const name of DOTS) this.#add(name, directory);
		this.#last = undefined;
		this.#isOver = false;
		return this;
	}

	/** The entry at an offset; undefined after the last one. */
	at(offset: number): DirentFacts | undefined {
		while (this.#listed.length <= offset) {
			this.#last = this.#nextReady < this.#ready.length ? this.#ready[this.#nextReady++] : this.#read();
			this.#isOver = this.#last === undefined;
			if (this.#last === undefined) break;
			this.#add(this.#last.name, this.#last.attributes);
		}

		return this.#listed[offset];
	}

	/** Makes ready what will be asked for next, `count` entries at most: for when nobody waits for it. Who asks hears what goes wrong. */
	prepare(count: number): void {
		this.#ready.splice(0, this.#nextReady);
		this.#nextReady = 0;
		try {
			for (let next; this.#ready.length < count && (next = this.#read()) !== undefined;) this.#ready.push(next);
		} catch (error) {
			this.#rest = {
				next() {
					throw error;
				},
			};
		}
	}

	/**
	 * What the entry at an offset is; undefined where it is to be looked up: it was gone on from, has changed
	 * meanwhile, or what was told of how long it is so was told too long ago.
	 */
	attributesAt(offset: number): Attributes | undefined {
		const last = offset === this.#listed.length - 1 ? this.#last : undefined;
		if (last === undefined || this.now() - last.atMs > TOLD_WITHIN_MS) return undefined;
		return this.#hasChanged(last.attributes) ? undefined : last.attributes;
	}

	/** Something may have happened to the files with an inode number. */
	noteChange(ino: number): void {
		if (!this.#isOver && this.#changed.size < MOST_CHANGED) this.#changed.add(ino);
	}

	#read(): Read | undefined {
		const {done, value} = this.#rest.next() as IteratorResult<Dentry, undefined>;
		return done ? undefined : {name: value.name, attributes: value.attributes(), atMs: this.now()};
	}

	#hasChanged({ino}: Attributes): boolean {
		return this.#changed.size >= MOST_CHANGED || this.#changed.has(ino);
	}

	#add(name: string, attributes: Attributes): void {
		this.#listed.push({name, ino: attributes.ino, mode: modeOf(attributes), next: this.#listed.length + 1});
	}
}
