import {CacheError} from '../../base/errors.js';
import type {Clock} from '../../base/clock.js';
import {ReadOnlyHandle, type FileHandle} from '../handle.js';
import type {Access, Attributes, FileInode} from '../inode.js';

/** Between `stat` and `open` the rendering stays the same, so that the size fits; in ms. */
const LEASE_MS = 500;

interface Rendering {
	readonly bytes: Uint8Array;
	readonly atMs: number;
}

/**
 * A file whose content is made up when it is asked for. `stat` announces the
 * size of a rendering, and `open` gets that same rendering; it is shared while
 * any handle is open.
 */
export class SyntheticFile implements FileInode {
	readonly kind = 'file';
	#rendering: Rendering | undefined;
	#handles = 0;

	constructor(
		private readonly ino: number,
		private readonly render: () => string,
		private readonly clock: Clock,
	) {}

	attributes(): Attributes {
		const {bytes, atMs} = this.#current();
		return {kind: 'file', ino: this.ino, permissions: 0o444, sizeBytes: bytes.byteLength, modifiedAtMs: atMs};
	}

	open({write}: Access): Promise<FileHandle> {
		if (write) return Promise.reject(new CacheError('not-permitted', 'the file is made by larder, not written'));
		const {bytes} = this.#current();
		this.#handles++;
		return Promise.resolve(new RenderingHandle(bytes, () => this.#handles--));
	}

	/** It is made anew whenever it is opened. */
	touch(): Promise<void> {
		return Promise.resolve();
	}

	#current(): Rendering {
		const nowMs = this.clock.now();
		const isKept = this.#handles > 0 || nowMs - (this.#rendering?.atMs ?? 0) < LEASE_MS;
		if (this.#rendering === undefined || !isKept) this.#rendering = {bytes: Buffer.from(this.render()), atMs: nowMs};
		return this.#rendering;
	}
}

class RenderingHandle extends ReadOnlyHandle {
	constructor(
		private readonly bytes: Uint8Array,
		private readonly onRelease: () => void,
	) {
		super();
	}

	read(buffer: Uint8Array, position: number): Promise<number> {
		const part = this.bytes.subarray(position, position + buffer.byteLength);
		buffer.set(part);
		return Promise.resolve(part.byteLength);
	}

	release(): Promise<void> {
		this.onRelease();
		return Promise.resolve();
	}
}
