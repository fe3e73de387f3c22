import type {Backing} from '../store/backing.js';
import {modifiedAtMs, type Entry} from '../store/entry.js';
import type {Pin} from '../store/pin.js';
import type {Fill} from './fill.js';
import {VersionId} from './version-id.js';

export type {Backing};

/**
 * An entry pinned open, perhaps still filling: one run of bytes that does not
 * change, whatever becomes of the entry. Close it, once.
 */
export interface Version {
	readonly key: string;
	readonly id: VersionId;
	/** 0 for a stream. */
	readonly sizeBytes: number;
	/**
	 * Whether nobody knows yet how long it is: only a read that gives nothing is
	 * the end of it. Once that has come it is no stream any more.
	 */
	readonly isStream: boolean;
	/** Last-Modified, or when it was stored; epoch milliseconds. */
	readonly modifiedAtMs: number;
	/**
	 * Fills `buffer` from byte `position` on, waiting for bytes that are still to
	 * come. Fewer only at the end; of a stream also where no more has come, but one.
	 *
	 * @param signal - ends the wait with its reason.
	 * @throws CacheError with the reason why a download stopped, or `corrupt-entry`.
	 */
	read(buffer: Uint8Array, position: number, signal?: AbortSignal): Promise<number>;
	/** As `read`, for who does not wait: undefined where it might have to. */
	readAtOnce(buffer: Uint8Array, position: number): number | undefined;
	/** A file that is these bytes, while this is open; undefined where there is none, be it that they have all come by now. */
	readonly backing: Backing | undefined;
	/** The entry whose bytes these are; undefined while, or because, they are not stored. */
	readonly entry: Entry | undefined;
	/** Bytes there so far, for who shows progress. */
	readonly arrivedBytes: number;
	/** Waits until all is there, and tells what it is. */
	whole(signal?: AbortSignal): Promise<Kind>;
	close(): void;
}

export interface Kind {
	readonly mimetype: string;
	readonly filename: string;
}

/** A version that is complete. */
export class StoredVersion implements Version {
	readonly isStream = false;
	readonly key: string;
	readonly id: VersionId;
	readonly sizeBytes: number;
	readonly modifiedAtMs: number;

	constructor(private readonly pin: Pin) {
		this.key = pin.entry.key;
		this.id = new VersionId(pin.entry.data);
		this.sizeBytes = pin.entry.sizeBytes;
		this.modifiedAtMs = modifiedAtMs(pin.entry);
	}

	get entry(): Entry {
		return this.pin.entry;
	}

	get backing(): Backing {
		return this.pin;
	}

	get arrivedBytes(): number {
		return this.sizeBytes;
	}

	read(buffer: Uint8Array, position: number): Promise<number> {
		return this.pin.read(buffer, position);
	}

	readAtOnce(buffer: Uint8Array, position: number): number | undefined {
		return this.pin.readAtOnce(buffer, position);
	}

	whole(): Promise<Kind> {
		return Promise.resolve(kindOf(this.pin.entry.sidecar));
	}

	close(): void {
		this.pin.close();
	}
}

/** A version that a fill is still bringing. */
export class FillingVersion implements Version {
	readonly key: string;
	#closed = false;

	/** @param fill - opened, so that its size is known, or that it is a stream; joined, and left when this is closed. */
	constructor(private readonly fill: Fill) {
		this.key = fill.key;
	}

	get id(): VersionId {
		return this.fill.id;
	}

	get sizeBytes(): number {
		return this.fill.sizeBytes ?? 0;
	}

	get modifiedAtMs(): number {
		return this.fill.modifiedAtMs;
	}

	get entry(): Entry | undefined {
		return this.fill.entry;
	}

	get backing(): undefined {
		return undefined;
	}

	get isStream(): boolean {
		return this.fill.isStream;
	}

	/** A transform may make it less than what has come. */
	get arrivedBytes(): number {
		return Math.min(this.fill.arrivedBytes, this.fill.sizeBytes ?? Infinity);
	}

	read(buffer: Uint8Array, position: number, signal?: AbortSignal): Promise<number> {
		return this.fill.read(buffer, position, signal);
	}

	/** Where its bytes are to be found may have to be waited for. */
	readAtOnce(): undefined {
		return undefined;
	}

	async whole(signal?: AbortSignal): Promise<Kind> {
		await this.fill.complete(signal);
		return kindOf(this.fill.description ?? UNKNOWN);
	}

	close(): void {
		if (this.#closed) return;
		this.#closed = true;
		this.fill.leave();
	}
}

const UNKNOWN: Kind = {mimetype: 'application/octet-stream', filename: 'attachment'};

function kindOf({mimetype, filename}: Kind): Kind {
	return {mimetype, filename};
}
