import type {Awaitable} from '../base/awaitable.js';
import type {Backing} from '../cache/version.js';
import {ReadOnlyHandle} from './handle.js';

/** What a reading handle asks of its file. */
export interface Readable {
	read(buffer: Uint8Array, position: number, signal: AbortSignal): Awaitable<number>;
	/** Of the version that is read. */
	readonly backing: Backing | undefined;
	stopReading(): void;
	/** A handle is closed. */
	release(): void;
}

/** A handle that only reads. Its file has one more reader from before it is made until it is released. */
export class ReadingHandle extends ReadOnlyHandle {
	/** @param isStream - its file is one when this is opened. */
	constructor(
		private readonly file: Readable,
		override readonly isStream: boolean,
	) {
		super();
	}

	read(buffer: Uint8Array, position: number, signal: AbortSignal): Awaitable<number> {
		return this.file.read(buffer, position, signal);
	}

	override backing(): Backing | undefined {
		return this.file.backing;
	}

	release(): Awaitable<void> {
		this.file.stopReading();
		this.file.release();
	}
}
