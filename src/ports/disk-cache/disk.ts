/** How keys and values are kept: what goes to the database, what to a file, in which form. */
import {deserialize, serialize} from 'node:v8';
import {crc32} from 'node:zlib';
import {UNKNOWN} from './constants.js';
import {keyToText, textToKey} from './key-bytes.js';
import {ValueFiles, type Source} from './value-files.js';

/** What a value is in the database or its file; `size` and `filename` are those of the file. */
export const MODE = {
	/** A number, a text or bytes, in the row. */
	raw: 1,
	/** Bytes in a file, or in the row if they begin as what V8 serialises does. */
	binary: 2,
	/** A text in a file. */
	text: 3,
	/** Anything else, serialised by V8, in the row or in a file. */
	v8: 4,
	/** As a subclass of `Disk` has it, in the row or in a file. */
	packed: 5,
} as const;

/** The first byte of all that V8 serialises. */
const SERIALIZED = 0xff;

export type Mode = (typeof MODE)[keyof typeof MODE];

/** What SQLite can hold. */
export type Column = string | number | Uint8Array;

export interface StoredKey {
	readonly key: Column;
	/** 1 for a key that is in the database as it is. */
	readonly raw: 0 | 1;
}

export interface StoredValue {
	readonly size: number;
	readonly mode: Mode;
	readonly filename: string | null;
	readonly value: Column | null;
}

export interface DiskOptions {
	/** Bytes; what is larger gets a file. */
	minFileSize: number;
	compressLevel: number;
}

export type DiskClass = new (directory: string, options: DiskOptions) => Disk;

/**
 * Numbers, texts and bytes are kept raw. All else that a structured clone can be made of is serialised by V8. Who
 * wants another form extends this class.
 */
export class Disk {
	/** Of what form keys and values are: a cache is not opened by a disk of another one. */
	readonly format: string = 'v8';
	readonly #files: ValueFiles;

	constructor(
		readonly directory: string,
		readonly options: DiskOptions,
	) {
		this.#files = new ValueFiles(directory);
	}

	/** @throws TypeError for what cannot be a key. */
	put(key: unknown): StoredKey {
		if (typeof key === 'string' && key.isWellFormed()) return {key, raw: 1};
		// NaN is NULL in SQLite, and equals nothing. -0 and 0 are one key.
		if (typeof key === 'number' && !Number.isNaN(key)) return {key: key + 0, raw: 1};
		if (key instanceof Uint8Array) return {key, raw: 1};
		return {key: Buffer.from(keyToText(key)), raw: 0};
	}

	/** The other way round. */
	get(key: Column, raw: number): unknown {
		return raw === 1 ? key : textToKey(Buffer.from(key as Uint8Array).toString());
	}

	/** Says to which shard a key belongs: the same in each process and version. */
	hash(key: unknown): number {
		const stored = this.put(key);
		if (typeof stored.key === 'number') return crc32(String(stored.key));
		return crc32(stored.key);
	}

	/**
	 * Names a file for a value, within the directory; null for a name at random, which tells who has written it: what
	 * is left by a process that dies is removed then. One that is chosen must not be in use, and is not removed so.
	 *
	 * @param key - `UNKNOWN` for a value that is pushed.
	 * @param value - `UNKNOWN` for a stream.
	 */
	filename(_key: unknown, _value: unknown): string | null {
		return null;
	}

	/** Writes a file, if the value is large. @throws DataCloneError for what cannot be cloned. */
	store(value: unknown, key: unknown = UNKNOWN): StoredValue {
		const {minFileSize} = this.options;
		if (typeof value === 'string' && value.isWellFormed()) {
			if (value.length < minFileSize) return {size: 0, mode: MODE.raw, filename: null, value};
			return this.#storeFile(MODE.text, Buffer.from(value), this.filename(key, value));
		}

		if (typeof value === 'number' && !Number.isNaN(value)) return {size: 0, mode: MODE.raw, filename: null, value};
		if (value instanceof Uint8Array) {
			if (value.length >= minFileSize) return this.#storeFile(MODE.binary, value, this.filename(key, value));
			return {size: 0, mode: value[0] === SERIALIZED ? MODE.binary : MODE.raw, filename: null, value};
		}

		const data = serialize(value);
		if (data.length < minFileSize) return {size: 0, mode: MODE.v8, filename: null, value: data};
		return this.#storeFile(MODE.v8, data, this.filename(key, value));
	}

	/** Writes what comes to a file, however little it is. */
	async storeFrom(source: Source, key: unknown = UNKNOWN): Promise<StoredValue> {
		const {filename, size} = await this.#files.writeFrom(source, this.filename(key, UNKNOWN));
		return {size, mode: MODE.binary, filename, value: null};
	}

	/** @throws the system's error where the file cannot be read, `ENOENT` where it was removed. */
	fetch({mode, size, filename, value}: StoredValue): unknown {
		if (mode === MODE.raw) return value;
		const data = filename === null ? (value as Uint8Array) : this.#files.read(filename, size);
		if (mode === MODE.binary) return data;
		return mode === MODE.text ? Buffer.from(data).toString() : deserialize(data);
	}

	/** What `fetch` would for a value in a row that is raw or serialised by V8: its first byte tells. */
	fetchInline(value: Column): unknown {
		return value instanceof Uint8Array && value[0] === SERIALIZED ? deserialize(value) : value;
	}

	/** Bytes and texts that have a file as a stream of it, all else as it is. @throws as `fetch` does. */
	open(stored: StoredValue): unknown {
		const {mode, size, filename} = stored;
		return mode === MODE.v8 || filename === null ? this.fetch(stored) : this.#files.stream(filename, size);
	}

	remove(filename: string): void {
		this.#files.remove(filename);
	}

	/** Removes files that are not known, of processes that have died. */
	sweep(isKnown: (filename: string) => boolean): void {
		this.#files.sweep(isKnown);
	}

	/** Nothing is written any more. */
	close(): void {
		this.#files.close();
	}

	#storeFile(mode: Mode, data: Uint8Array, name: string | null): StoredValue {
		return {size: data.length, mode, filename: this.#files.write(data, name), value: null};
	}
}
