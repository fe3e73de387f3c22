import {lstatSync, readdirSync, rmSync} from 'node:fs';
import {opendir} from 'node:fs/promises';
import path from 'node:path';
import {SYSTEM_CLOCK, type Clock} from '../../base/clock.js';
import {CacheError, systemCode} from '../../base/errors.js';
import {isAbandoned} from '../../base/owned-name.js';
import {BodyFile} from './body-file.js';
import {Budget} from './budget.js';
import {CachedResponse} from './cached-response.js';
import {cacheDirectory, makeDirectory} from './directory.js';
import {Draft, formatFile, writeFile} from './draft.js';
import {EntryMemory} from './entry-memory.js';
import {fileNameOf, isOwnFileName} from './file-name.js';
import type {Head, ResponseHead} from './head.js';
import {headOf} from './response-head.js';
import {openEntry, SMALL_BYTES, type StoredEntry} from './stored-entry.js';
import {decodeValue, encodeValue, type CachedValue} from './value.js';

export interface FileCacheOptions {
	/** Puts a cache of a relative name into the directory for temporary files. */
	readonly useTemp?: boolean;
	/** As allocated on the disk; 500 MiB unless told, Infinity for no limit. */
	readonly maxBytes?: number;
	/** No limit unless told. */
	readonly maxEntries?: number;
	/** Of responses that were read lately and are kept in memory too; 16 MiB unless told, 0 for none. */
	readonly maxMemoryBytes?: number;
	readonly clock?: Clock;
}

/** What can be stored: values, and responses, whose bodies are read to their end. */
export type Storable = CachedValue | Response | CachedResponse;

const MAX_BYTES = 500 * 1024 * 1024;
const MAX_MEMORY_BYTES = 16 * 1024 * 1024;

/**
 * Responses and other values by key, one file each: `<cacheName>/responses/<key>`.
 * A file appears whole or not at all, and what cannot be read is not there.
 * Many processes may use one directory.
 */
export class FileCache {
	/** Absolute. */
	readonly directory: string;
	readonly clock: Clock;
	readonly #responses: string;
	readonly #incoming: string;
	readonly #budget: Budget;
	readonly #memory: EntryMemory;

	/** Makes the directory. @throws RangeError for a limit that is none; the system's error. */
	constructor(cacheName: string, options: FileCacheOptions = {}) {
		const {useTemp, maxBytes = MAX_BYTES, maxEntries = Infinity, clock} = options;
		this.directory = cacheDirectory(cacheName, useTemp);
		this.clock = clock ?? SYSTEM_CLOCK;
		this.#responses = path.join(this.directory, 'responses');
		this.#incoming = path.join(this.directory, 'incoming');
		this.#budget = new Budget(this.#responses, {maxBytes, maxEntries});
		this.#memory = new EntryMemory(options.maxMemoryBytes ?? MAX_MEMORY_BYTES);
		for (const directory of [this.directory, this.#responses, this.#incoming])
			makeDirectory(directory, useTemp === true);
		sweep(this.#incoming);
	}

	/** What is stored under `key`; undefined where nothing is that could be read. `null`, 0 and '' are values. */
	read(key: string): Promise<CachedResponse | CachedValue | undefined> {
		return promised(() => {
			const entry = this.open(key);
			return entry && valueOf(entry);
		});
	}

	/**
	 * Stores `value` in the place of what was there.
	 *
	 * @throws TypeError for a value that has no form, CacheError `too-large` for
	 *   one that is larger than all there may be, or what reading its body or
	 *   writing the file throws; then nothing has changed, and nothing is left.
	 */
	async write(key: string, value: Storable): Promise<void> {
		if (value instanceof Response) await this.writeStream(headOf(key, value, this.clock.now()), value.body);
		else if (value instanceof CachedResponse) await this.#writeAgain({...value.head, key}, value);
		else if (value instanceof Uint8Array) await this.writeBody({kind: 'bytes', key}, value);
		else if (typeof value === 'string' && value.isWellFormed()) {
			await this.writeBody({kind: 'text', key}, Buffer.from(value));
		} else await this.writeBody({kind: 'json', key}, Buffer.from(encodeValue(value)));
	}

	contains(key: string): Promise<boolean> {
		return promised(() => {
			const entry = this.open(key);
			if (entry?.body instanceof BodyFile) entry.body.close();
			return entry !== undefined;
		});
	}

	/** Removes what is stored under `key`; what is not there is no error. */
	delete(key: string): Promise<void> {
		return promised(() => rmSync(this.#fileOf(key), {force: true}));
	}

	async bulkDelete(keys: Iterable<string>): Promise<void> {
		for (const key of keys) await this.delete(key);
	}

	/** Removes every entry, and no file that is none of ours. */
	async clear(): Promise<void> {
		for await (const file of this.paths()) rmSync(file, {force: true});
	}

	/** How many entries there are. */
	async size(): Promise<number> {
		let count = 0;
		for await (const _ of this.paths()) count++;
		return count;
	}

	/** Of all that can be read, in no order. */
	async *keys(): AsyncGenerator<string, void> {
		for await (const entry of this.entries()) yield entry.head.key;
	}

	async *values(): AsyncGenerator<CachedResponse | CachedValue, void> {
		for await (const file of this.paths()) {
			const entry = openEntry(file, undefined);
			const value = entry && valueOf(entry);
			if (value !== undefined) yield value;
		}
	}

	/** The files of the entries. */
	async *paths(): AsyncGenerator<string, void> {
		for await (const {isOurs, file} of this.#list()) if (isOurs) yield file;
	}

	/** What else lies among them: never read, never removed. */
	async *strangers(): AsyncGenerator<string, void> {
		for await (const {isOurs, file} of this.#list()) if (!isOurs) yield file;
	}

	/** The entry of a key, as it is stored. */
	open(key: string): StoredEntry | undefined {
		return this.#memory.open(this.#fileOf(key), key, this.clock.now());
	}

	/** All entries that can be read; their bodies are closed when the next is asked for. */
	async *entries(): AsyncGenerator<StoredEntry, void> {
		for await (const file of this.paths()) {
			const entry = openEntry(file, undefined);
			if (entry === undefined) continue;
			yield entry;
			if (entry.body instanceof BodyFile) entry.body.close();
		}
	}

	/** Removes an entry, unless another one has taken its place. */
	remove({head, inode}: StoredEntry): void {
		const file = this.#fileOf(head.key);
		if (lstatSync(file, {throwIfNoEntry: false})?.ino === inode) rmSync(file, {force: true});
	}

	/** Removes what is stored under keys that begin like this. */
	deleteByPrefix(prefix: string): void {
		for (const name of readdirSync(this.#responses)) {
			if (name.startsWith(prefix) && isOwnFileName(name)) rmSync(path.join(this.#responses, name), {force: true});
		}
	}

	/** Whether a file of so many bytes may be stored at all. */
	mayHold(bytes: number): boolean {
		return this.#budget.mayHold(bytes);
	}

	/** @throws CacheError `too-large`; as `write`. */
	async writeBody(head: Head, body: Uint8Array): Promise<void> {
		const bytes = formatFile(head, body);
		if (!this.mayHold(bytes.byteLength)) throw tooLarge(body.byteLength);
		writeFile(this.#incoming, this.#fileOf(head.key), bytes);
		await this.#budget.noteWritten(bytes.byteLength);
	}

	/** A body that comes in pieces: store it with `commit`, or discard it. */
	begin(head: ResponseHead): Promise<Draft> {
		return Draft.begin(this.#incoming, head);
	}

	/** @param isWanted - asked at the last moment. */
	async commit(draft: Draft, key: string, isWanted?: () => boolean): Promise<void> {
		if (!(await draft.commit(this.#fileOf(key), isWanted))) return;
		await this.#budget.noteWritten(draft.fileBytes);
	}

	/** The same body with another head, unless another entry has taken its place. */
	async rewrite({head: {key}, body, inode}: StoredEntry, head: ResponseHead): Promise<void> {
		const isThere = () => lstatSync(this.#fileOf(key), {throwIfNoEntry: false})?.ino === inode;
		if (!isThere()) return;
		if (body instanceof Uint8Array) await this.writeBody(head, body);
		else await this.writeStream(head, body.stream(), isThere);
	}

	/**
	 * A response whose body is read to its end.
	 *
	 * @param isWanted - asked then, whether it is still to be stored.
	 * @throws as `write`.
	 */
	async writeStream(
		head: ResponseHead,
		body: ReadableStream<Uint8Array> | null,
		isWanted: () => boolean = () => true,
	): Promise<void> {
		const draft = await this.begin(head);
		try {
			for await (const chunk of body ?? []) {
				await draft.append(chunk);
				if (!this.mayHold(draft.fileBytes)) throw tooLarge(draft.bodyBytes);
			}

			await this.commit(draft, head.key, isWanted);
		} finally {
			// What was committed has another name by now.
			await draft.discard();
		}
	}

	async #writeAgain(head: ResponseHead, response: CachedResponse): Promise<void> {
		if (response.bodyBytes <= SMALL_BYTES) await this.writeBody(head, await response.bytes());
		else await this.writeStream(head, response.stream());
	}

	async *#list(): AsyncGenerator<{isOurs: boolean; file: string}, void> {
		try {
			for await (const entry of await opendir(this.#responses)) {
				yield {isOurs: entry.isFile() && isOwnFileName(entry.name), file: path.join(this.#responses, entry.name)};
			}
		} catch (error) {
			if (systemCode(error) !== 'ENOENT') throw error;
		}
	}

	#fileOf(key: string): string {
		return path.join(this.#responses, fileNameOf(key));
	}
}

/** Undefined for what is none by now: somebody else has had the file. */
function valueOf({head, body, ...rest}: StoredEntry): CachedResponse | CachedValue | undefined {
	if (head.kind === 'response') return new CachedResponse({head, body, ...rest});
	const bytes = body instanceof Uint8Array ? body : body.readSync();
	if (head.kind === 'bytes') return bytes;
	const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
	if (head.kind === 'text') return text;
	try {
		return decodeValue(text);
	} catch {
		return undefined;
	}
}

/** A failure is one of the promise. */
export function promised<T>(work: () => T): Promise<T> {
	return new Promise(resolve => resolve(work()));
}

function tooLarge(bytes: number): CacheError {
	return new CacheError('too-large', `a value of ${bytes} bytes is larger than all that the cache may hold`);
}

/** Removes what killed writers have left. */
function sweep(incoming: string): void {
	for (const name of readdirSync(incoming)) if (isAbandoned(name)) rmSync(path.join(incoming, name), {force: true});
}
