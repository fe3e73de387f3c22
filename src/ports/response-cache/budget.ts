import {lstat, readdir, rm} from 'node:fs/promises';
import path from 'node:path';
import {isOwnFileName} from './file-name.js';

export interface Limits {
	/** Of all files together, as allocated on the disk. */
	readonly maxBytes: number;
	readonly maxEntries: number;
}

interface Found {
	readonly file: string;
	readonly bytes: number;
	readonly mtimeMs: number;
}

/** Other processes write too: after so much of a limit all of it is counted again. */
const COUNT_AGAIN_AFTER = 0.1;
/** Room is made for more than the one who needs it. */
const DOWN_TO = 0.9;
const BLOCK_BYTES = 4096;
/** How many files are looked at at once. */
const AT_ONCE = 16;

/** Keeps the files of a directory within limits: what was not used for the longest time leaves. */
export class Budget {
	#bytes = 0;
	#entries = 0;
	#writtenBytes = Infinity;
	#writtenEntries = Infinity;
	#keeping: Promise<void> | undefined;

	/** @throws RangeError for a limit that is none. */
	constructor(
		private readonly directory: string,
		private readonly limits: Limits,
	) {
		for (const [name, limit] of Object.entries(limits) as [string, number][]) {
			if (!(limit >= 0)) throw new RangeError(`${name} is ${limit}, not a number of 0 or more`);
		}
	}

	/** Whether a file of so many bytes may be stored at all: it would be all that there is. */
	mayHold(bytes: number): boolean {
		return allocation(bytes) <= this.limits.maxBytes && this.limits.maxEntries > 0;
	}

	/** A file of so many bytes was written. Resolves when what is too much has left. */
	async noteWritten(bytes: number): Promise<void> {
		this.#bytes += allocation(bytes);
		this.#entries++;
		this.#writtenBytes += allocation(bytes);
		this.#writtenEntries++;
		while (this.#isDue())
			await (this.#keeping ??= this.#keep(allocation(bytes)).finally(() => (this.#keeping = undefined)));
	}

	#isDue(): boolean {
		const {maxBytes, maxEntries} = this.limits;
		if (this.#bytes > maxBytes || this.#entries > maxEntries) return true;
		// Without a limit nothing need be counted.
		const isMuch = (written: number, limit: number) =>
			limit !== Infinity && written > Math.max(1, limit * COUNT_AGAIN_AFTER);
		return isMuch(this.#writtenBytes, maxBytes) || isMuch(this.#writtenEntries, maxEntries);
	}

	async #keep(newestBytes: number): Promise<void> {
		const {maxBytes, maxEntries} = this.limits;
		this.#writtenBytes = this.#writtenEntries = 0;
		const found = (await this.#find()).sort((a, b) => a.mtimeMs - b.mtimeMs);
		let [entries, bytes] = [found.length, found.reduce((sum, each) => sum + each.bytes, 0)];
		const isOver = bytes > maxBytes || entries > maxEntries;
		const downToBytes = Math.max(maxBytes * DOWN_TO, newestBytes);
		const downToEntries = Math.max(Math.floor(maxEntries * DOWN_TO), 1);
		for (const each of isOver ? found : []) {
			if (bytes <= downToBytes && entries <= downToEntries) break;
			await rm(each.file, {force: true}).catch(() => undefined);
			bytes -= each.bytes;
			entries--;
		}

		[this.#bytes, this.#entries] = [bytes, entries];
	}

	async #find(): Promise<Found[]> {
		const names = (await readdir(this.directory)).filter(isOwnFileName);
		const found: Found[] = [];
		for (let at = 0; at < names.length; at += AT_ONCE) {
			const files = names.slice(at, at + AT_ONCE).map(name => path.join(this.directory, name));
			for (const each of await Promise.all(files.map(look))) if (each !== undefined) found.push(each);
		}

		return found;
	}
}

async function look(file: string): Promise<Found | undefined> {
	try {
		const stats = await lstat(file);
		return stats.isFile() ? {file, bytes: stats.blocks * 512, mtimeMs: stats.mtimeMs} : undefined;
	} catch {
		return undefined; // gone meanwhile
	}
}

function allocation(bytes: number): number {
	return Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES;
}
