/** Files of values, which are too large for the database. */
import {randomBytes} from 'node:crypto';
import {closeSync, createReadStream, fstatSync, mkdirSync, openSync, readdirSync, readSync} from 'node:fs';
import {rmdirSync, unlinkSync, writeSync} from 'node:fs';
import {open, type FileHandle} from 'node:fs/promises';
import path from 'node:path';
import type {Readable} from 'node:stream';
import {DIRECTORY_MODE, FILE_MODE} from '../../base/atomic-file.js';
import {systemCode} from '../../base/errors.js';
import {isAlive, thisProcess, type ProcessIdentity} from '../../base/process-identity.js';

/** Here each handle that writes files has a marker, as long as it is open. */
export const MARKERS = 'writers';

/** Times that a file is tried to be made. */
const ATTEMPTS = 10;

/** What a stream of a value is made of. */
export type Source = AsyncIterable<Uint8Array | string> | Iterable<Uint8Array | string>;

/**
 * A file is `ab/<30 digits>.<its writer>.val`, and gets its row when it is whole. One without a row whose writer has
 * died is nobody's. Markers tell that there may be such, so that nobody has to look through all files without need.
 */
export class ValueFiles {
	#marker: string | undefined;

	constructor(readonly directory: string) {}

	/**
	 * @param name - null for a new one at random.
	 * @returns its name in the directory.
	 * @throws the system's error, `EEXIST` for a name that is in use; RangeError for one outside the directory.
	 */
	write(data: Uint8Array, name: string | null): string {
		const filename = name === null ? this.#newFile() : inside(name);
		const descriptor = this.#inSubdirectory(filename, file => openSync(file, 'wx', FILE_MODE));
		try {
			for (let written = 0; written < data.length;) written += writeSync(descriptor, data, written);
			return filename;
		} catch (error) {
			this.remove(filename);
			throw error;
		} finally {
			closeSync(descriptor);
		}
	}

	/** As `write`. */
	async writeFrom(source: Source, name: string | null): Promise<{filename: string; size: number}> {
		const filename = name === null ? this.#newFile() : inside(name);
		closeSync(this.#inSubdirectory(filename, file => openSync(file, 'wx', FILE_MODE)));
		let handle: FileHandle | undefined;
		try {
			handle = await open(path.join(this.directory, filename), 'r+');
			let size = 0;
			for await (const chunk of source) {
				const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
				await handle.writeFile(bytes);
				size += bytes.byteLength;
			}

			return {filename, size};
		} catch (error) {
			this.remove(filename);
			throw error;
		} finally {
			await handle?.close();
		}
	}

	/** @throws the system's error, `ENOENT` for a file that was removed; `EIO` for one of another size. */
	read(filename: string, size: number): Buffer {
		const descriptor = openSync(path.join(this.directory, filename), 'r');
		try {
			const data = Buffer.allocUnsafeSlow(size);
			let length = 0;
			for (let count; length < size && (count = readSync(descriptor, data, length, size - length, length)) > 0;) {
				length += count;
			}

			if (length !== size) throw otherSize(filename);
			return data;
		} finally {
			closeSync(descriptor);
		}
	}

	/** A stream of a file that is open from now on: it comes to its end also when the file is removed meanwhile. */
	stream(filename: string, size: number): Readable {
		const file = path.join(this.directory, filename);
		const descriptor = openSync(file, 'r');
		if (fstatSync(descriptor).size !== size) {
			closeSync(descriptor);
			throw otherSize(filename);
		}

		const stream = createReadStream(file, {fd: descriptor});
		// It does not tell where it comes from, since it was given the descriptor.
		stream.path = file;
		return stream;
	}

	/** A file that is not there any more is none to be removed. Its subdirectory goes with the last of its files. */
	remove(filename: string): void {
		const file = path.join(this.directory, filename);
		try {
			unlinkSync(file);
		} catch (error) {
			if (systemCode(error) !== 'ENOENT') throw error;
		}

		if (!isSubdirectory(path.dirname(filename))) return;
		try {
			rmdirSync(path.dirname(file));
		} catch {
			// Others are in it, or somebody else has removed it.
		}
	}

	/** Removes what processes that have died were writing: files that are not known. */
	sweep(isKnown: (filename: string) => boolean): void {
		const markers = this.#list(MARKERS).filter(isOfTheDead);
		if (markers.length === 0) return;
		for (const subdirectory of this.#list('.').filter(isSubdirectory)) {
			for (const name of this.#list(subdirectory).filter(isOfTheDead)) {
				const filename = path.join(subdirectory, name);
				if (!isKnown(filename)) this.remove(filename);
			}
		}

		for (const marker of markers) this.remove(path.join(MARKERS, marker));
	}

	/** Nothing is written any more. */
	close(): void {
		if (this.#marker !== undefined) this.remove(this.#marker);
		this.#marker = undefined;
	}

	#newFile(): string {
		if (this.#marker === undefined) {
			this.#marker = path.join(MARKERS, newName());
			closeSync(this.#inSubdirectory(this.#marker, file => openSync(file, 'wx', FILE_MODE)));
		}

		const name = newName();
		return path.join(name.slice(0, 2), name.slice(2));
	}

	#list(subdirectory: string): string[] {
		try {
			return readdirSync(path.join(this.directory, subdirectory));
		} catch (error) {
			if (systemCode(error) === 'ENOENT') return [];
			throw error;
		}
	}

	/** Runs `work` with the whole path, and makes its subdirectory if that is not there. Others may just remove it. */
	#inSubdirectory<T>(filename: string, work: (file: string) => T): T {
		const file = path.join(this.directory, filename);
		for (let attempt = 1; ; attempt++) {
			try {
				return work(file);
			} catch (error) {
				if (systemCode(error) !== 'ENOENT' || attempt === ATTEMPTS) throw error;
				mkdirSync(path.dirname(file), {recursive: true, mode: DIRECTORY_MODE});
			}
		}
	}
}

/** A name that a disk has chosen, if it leads nowhere else. */
function inside(name: string): string {
	const normal = path.normalize(name);
	const isInside = normal !== '.' && normal !== '..' && !normal.startsWith('../') && !path.isAbsolute(normal);
	if (isInside && !normal.includes('\0')) return normal;
	throw new RangeError(`'${name}' is no name of a file in the cache's directory`);
}

/** Of values. */
export function isSubdirectory(name: string): boolean {
	return /^[0-9a-f]{2}$/.test(name);
}

function isOfTheDead(name: string): boolean {
	const writer = writerOf(name);
	return writer !== undefined && !isAlive(writer);
}

/** 32 hexadecimal digits at random, and the process that writes it. */
function newName(): string {
	const {pid, startTime, bootId} = thisProcess();
	return `${randomBytes(16).toString('hex')}.${pid}-${startTime}-${bootId}.val`;
}

/** Who has written the file of this name, in whatever directory; undefined for a name of another form. */
export function writerOf(name: string): ProcessIdentity | undefined {
	const [, pid, startTime, bootId] = /\.(\d+)-(\d+)-([0-9a-f-]{36})\.val$/.exec(name) ?? [];
	if (pid === undefined || startTime === undefined || bootId === undefined) return undefined;
	return {pid: Number(pid), startTime, bootId};
}

function otherSize(filename: string): Error {
	return Object.assign(new Error(`${filename} is not of the size it was written with`), {code: 'EIO'});
}
