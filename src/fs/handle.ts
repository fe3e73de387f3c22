import type {Awaitable} from '../base/awaitable.js';
import {CacheError} from '../base/errors.js';
import type {Backing} from '../cache/version.js';

/** One open file. */
export interface FileHandle {
	/**
	 * Fills `buffer` from byte `position` on.
	 *
	 * @returns bytes read; fewer than asked for only at the end of the file, or
	 *   where it is a stream. Anything else the page cache would fill up with zeros.
	 */
	read(buffer: Uint8Array, position: number, signal: AbortSignal): Awaitable<number>;
	/** See `Operations.backing`. */
	backing(): Backing | undefined;
	/** See `Operations.isStream`. */
	readonly isStream: boolean;
	write(data: Uint8Array, position: number): Promise<void>;
	truncate(sizeBytes: number): Promise<void>;
	/** Somebody closed a descriptor of it: close(2) reports what this throws. */
	flush(): Awaitable<void>;
	/** The last descriptor is closed. Nothing is called after this. */
	release(): Awaitable<void>;
}

/** The part of a handle that only reads. */
export abstract class ReadOnlyHandle implements FileHandle {
	readonly isStream: boolean = false;

	abstract read(buffer: Uint8Array, position: number, signal: AbortSignal): Awaitable<number>;
	abstract release(): Awaitable<void>;

	backing(): Backing | undefined {
		return undefined;
	}

	write(): Promise<void> {
		return Promise.reject(notForWriting());
	}

	truncate(): Promise<void> {
		return Promise.reject(notForWriting());
	}

	flush(): Awaitable<void> {
		return undefined;
	}
}

export function notForWriting(): CacheError {
	return new CacheError('not-permitted', 'a file on the drive is written as a whole: create or truncate it first');
}
