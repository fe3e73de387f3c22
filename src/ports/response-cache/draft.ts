import {openSync, renameSync, rmSync, writeFileSync} from 'node:fs';
import {open, type FileHandle} from 'node:fs/promises';
import path from 'node:path';
import {FILE_MODE} from '../../base/atomic-file.js';
import {ownedName} from '../../base/owned-name.js';
import {BodyFile} from './body-file.js';
import {formatLine, LINE_BYTES, type Head} from './head.js';

/** A file on its way into the cache: it has no name there before it is whole. */
export class Draft {
	#bodyBytes = 0;

	private constructor(
		private readonly handle: FileHandle,
		private readonly file: string,
		private readonly headBytes: number,
	) {}

	/** @param directory - where files are on their way. */
	static async begin(directory: string, head: Head): Promise<Draft> {
		const file = path.join(directory, ownedName());
		const json = Buffer.from(JSON.stringify(head));
		const handle = await open(file, 'wx+', FILE_MODE);
		const draft = new Draft(handle, file, json.byteLength);
		try {
			// The line is written when the body is there.
			await draft.#writeAll(json, LINE_BYTES);
			return draft;
		} catch (error) {
			await draft.discard();
			throw error;
		}
	}

	/** Bytes of the body so far. */
	get bodyBytes(): number {
		return this.#bodyBytes;
	}

	/** Bytes of the file so far. */
	get fileBytes(): number {
		return LINE_BYTES + this.headBytes + this.#bodyBytes;
	}

	/** What was written so far can be read when it resolves. */
	async append(chunk: Uint8Array): Promise<void> {
		await this.#writeAll(chunk, this.fileBytes);
		this.#bodyBytes += chunk.byteLength;
	}

	/** The body so far, to be read while it grows. */
	reader(): BodyFile {
		return new BodyFile(openSync(this.file, 'r'), LINE_BYTES + this.headBytes, this.#bodyBytes);
	}

	/** Gives it its name, in the place of what had it, if it is wanted then. @returns whether it was. */
	async commit(target: string, isWanted: () => boolean = () => true): Promise<boolean> {
		const line = formatLine({headBytes: this.headBytes, bodyBytes: this.#bodyBytes});
		await this.#writeAll(Buffer.from(line, 'latin1'), 0);
		if (!isWanted()) return false;
		renameSync(this.file, target);
		return true;
	}

	/** Closes it, and removes what was not committed. Who has a reader reads on. */
	async discard(): Promise<void> {
		rmSync(this.file, {force: true});
		await this.handle.close();
	}

	async #writeAll(bytes: Uint8Array, position: number): Promise<void> {
		for (let at = 0; at < bytes.byteLength;) {
			at += (await this.handle.write(bytes, at, bytes.byteLength - at, position + at)).bytesWritten;
		}
	}
}

/** All of a file whose body is there. */
export function formatFile(head: Head, body: Uint8Array): Buffer {
	const json = Buffer.from(JSON.stringify(head));
	const line = formatLine({headBytes: json.byteLength, bodyBytes: body.byteLength});
	return Buffer.concat([Buffer.from(line, 'latin1'), json, body]);
}

/** As a draft of one piece, without a turn of the event loop. */
export function writeFile(directory: string, target: string, bytes: Uint8Array): void {
	const file = path.join(directory, ownedName());
	try {
		writeFileSync(file, bytes, {flag: 'wx', mode: FILE_MODE});
		renameSync(file, target);
	} catch (error) {
		rmSync(file, {force: true});
		throw error;
	}
}
