import {abortable} from '../base/abort.js';
import {after, otherwise, type Awaitable} from '../base/awaitable.js';
import {CacheError} from '../base/errors.js';
import {redact} from '../base/redact.js';
import type {Put} from '../cache/put.js';
import type {Key, VersionId} from '../cache/url-cache.js';
import type {Backing, Version} from '../cache/version.js';
import type {DriveContext} from './drive-context.js';
import type {FileHandle} from './handle.js';
import {permissions, type Access, type Attributes} from './inode.js';
import {inodeNumber} from './names.js';
import type {OpenFile} from './open-files.js';
import {ReadingHandle, type Readable} from './reading-handle.js';
import {WritingHandle, type Writable} from './writing-handle.js';

/**
 * How long an open waits for another handle to go before it is refused, in ms.
 * The kernel sends RELEASE after close(2) has returned, so the handle of a
 * program that is done may still be there.
 */
const RELEASE_GRACE_MS = 1000;

/**
 * How long a lookup waits for an origin, in ms: together with an unlink in the
 * same directory it keeps everybody there waiting.
 */
const LOOKUP_PATIENCE_MS = 1000;

/** Who copies may set the times once the file is closed, and means no question by it; in ms. */
const JUST_PUT_MS = 5000;

/**
 * A URL as a file. Opening it for reading gets the stored bytes or downloads
 * them; truncating it starts a put. One inode is one version, so while it is
 * read nobody writes it, and the other way round: they would share pages. Where
 * a URL may be several inodes there is one of these for each, and who cannot
 * have this one is told to look for another (`replaced`); else he waits, or gets
 * the version that others have.
 */
export class CachedFile implements OpenFile, Readable, Writable {
	readonly kind = 'file';
	/** What readers read; there while there are any. */
	#version: Version | undefined;
	#readers = 0;
	/** What a writer writes, or has written last. */
	#put: Put | undefined;
	#handles = 0;
	/** Whether what is open may write. */
	#isForWriting = false;
	#isUnlinked = false;
	/** Settles when what was about to be stored is. */
	#storing: Promise<void> | undefined;
	#waiters: Array<() => void> = [];

	private constructor(
		private readonly key: Key,
		private readonly url: string,
		private readonly drive: DriveContext,
	) {}

	/** The file of a URL: the one that is open, if it is. */
	static of(key: Key, url: string, drive: DriveContext): OpenFile {
		return drive.openFiles.shared(key) ?? new CachedFile(key, url, drive);
	}

	get readers(): number {
		return this.#readers;
	}

	get isBeingWritten(): boolean {
		return this.#put !== undefined && !this.#put.isStored;
	}

	attributes(): Attributes {
		const open = this.#isUnlinked ? undefined : this.drive.openFiles.shared(this.key);
		if (open !== undefined && open !== this) return open.attributes();
		return attributesOf(this.key, this.#contents(), this.drive);
	}

	/** What is open is known, also where it is being written. */
	async announce(signal: AbortSignal): Promise<void> {
		const open = this.drive.openFiles.shared(this.key);
		if (open !== undefined && open !== this) return open.announce?.(signal);
		if (this.#version !== undefined || this.isBeingWritten) return;
		await this.drive.cache.announce(this.url, LOOKUP_PATIENCE_MS, signal);
	}

	/** Those of a file that is listed: where it is not open, what the listing has of it. */
	static listed(file: Contents & {readonly key: Key}, drive: DriveContext): Attributes {
		return drive.openFiles.shared(file.key)?.attributes() ?? attributesOf(file.key, file, drive);
	}

	open(access: Access, signal: AbortSignal): Awaitable<FileHandle> {
		if (access.write && this.drive.isReadOnly) throw new CacheError('read-only', 'the drive is mounted read-only');
		// Another opener of the same name may have looked it up at the same time and been first.
		const open = this.#isUnlinked ? undefined : this.drive.openFiles.shared(this.key);
		if (open !== undefined && open !== this) return open.open(access, signal);
		if (this.drive.openFiles.inodePerVersion) this.#assertFree(access);
		this.#handles++;
		this.#isForWriting ||= access.write;
		if (!this.#isUnlinked) this.drive.openFiles.add(this.key, this);
		return otherwise(
			() => {
				if (access.write) return this.#openForWriting(access, signal);
				return after(
					this.startReading(access, signal),
					() => new ReadingHandle(this, this.#version?.isStream === true),
				);
			},
			error => {
				this.release();
				throw error;
			},
		);
	}

	/** Asks whether the origin still has what is stored. What is being written, or not there, has nothing to ask about. */
	async touch(signal: AbortSignal): Promise<void> {
		const {cache, openFiles, isReadOnly} = this.drive;
		if (isReadOnly) throw new CacheError('read-only', 'the drive is mounted read-only');
		const isBeingWritten = openFiles.all(this.key).some(file => file.isBeingWritten);
		if (isBeingWritten || this.#isJustPut || !cache.isStored(this.key)) return;
		const {stored} = await cache.refresh(this.url, signal);
		// It comes whether somebody waits for it or not; how it ends is in the log.
		stored.catch(() => undefined);
	}

	async unlink(): Promise<void> {
		this.#isUnlinked = true;
		this.drive.openFiles.remove(this.key, this);
		await this.#storing;
	}

	startReading(access: Access, signal: AbortSignal): Awaitable<void> {
		return this.drive.openFiles.inodePerVersion ? this.#openOne(access, signal) : this.#openShared(signal);
	}

	stopReading(): void {
		if (--this.#readers > 0) return;
		this.#version?.close();
		this.#version = undefined;
		this.#wake();
	}

	read(buffer: Uint8Array, position: number, signal: AbortSignal): Awaitable<number> {
		if (this.#version !== undefined) {
			return this.#version.readAtOnce(buffer, position) ?? this.#version.read(buffer, position, signal);
		}

		return Promise.reject(new CacheError('not-permitted', 'the file was not opened for reading'));
	}

	/** Of the version that is read. */
	get backing(): Backing | undefined {
		return this.#version?.backing;
	}

	createPut(): Put {
		return this.drive.cache.put(this.url);
	}

	async claim(put: Put, signal?: AbortSignal): Promise<void> {
		const isMine = () => this.#put === put || !this.isBeingWritten;
		await this.#until(() => this.#readers === 0 && isMine(), signal);
		this.#put = put;
	}

	async commit(put: Put): Promise<void> {
		await this.#store(() => put.commit());
		this.#wake();
	}

	async commitEmpty(put: Put): Promise<void> {
		await this.#store(() => put.commitEmpty());
	}

	release(put?: Put): void {
		if (put !== undefined && this.#put === put) this.#put = undefined;
		if (--this.#handles === 0) {
			this.#isForWriting = false;
			this.drive.openFiles.remove(this.key, this);
		}

		this.#wake();
	}

	/** What has no name any more is not stored. */
	async #store(commit: () => Promise<void>): Promise<void> {
		if (this.#isUnlinked) return;
		const storing = commit();
		this.#storing = storing.catch(() => undefined);
		await storing;
	}

	get #isJustPut(): boolean {
		const entry = this.drive.cache.entry(this.key);
		return entry?.sidecar.isPut === true && this.drive.clock.now() - entry.storedAtMs < JUST_PUT_MS;
	}

	/** @throws CacheError `replaced` where it would be of two versions, or its name is that of another one. */
	#assertFree({write}: Access): void {
		const isTaken = write ? this.#handles > 0 : this.#isForWriting;
		if (isTaken || (this.#isUnlinked && this.#version === undefined)) throw this.#replaced();
	}

	#replaced(): CacheError {
		return new CacheError('replaced', `${redact(this.url)} is another version than was looked up`);
	}

	/** The version that is there by now, if that is what this one is of. */
	#openOne({version: told, asOpen, write}: Access, signal: AbortSignal): Awaitable<void> {
		if (this.#version !== undefined && (asOpen === true || this.#isUnlinked)) return this.#startReading(this.#version);
		const version = this.#lease(write) ?? this.drive.cache.openAtOnce(this.key) ?? this.#open(write, signal);
		return after(version, opened => this.#readIfSame(opened, told));
	}

	/** What was opened for this one. Who writes as well reads through pages, and a stream has none. */
	#lease(write: boolean): Version | undefined {
		const {cache, leases} = this.drive;
		const leased = leases.take(this.key, () => cache.glimpse(this.key)?.id);
		if (!write || leased?.isStream !== true) return leased;
		leased.close();
		return undefined;
	}

	#open(write: boolean, signal: AbortSignal): Promise<Version> {
		const {cache, mayStream} = this.drive;
		return mayStream && !write ? cache.openStream(this.url, signal) : cache.open(this.url, signal);
	}

	#readIfSame(version: Version, told: VersionId | undefined): void {
		const own = this.#version?.id ?? told;
		if (own !== undefined && !own.isSame(version.id)) {
			this.drive.leases.keep(this.key, version);
			throw this.#replaced();
		}

		if (this.#version !== undefined) version.close();
		this.#startReading(this.#version ?? version);
	}

	/** The version that others have, or the one that is there by now. */
	#openShared(signal: AbortSignal): Awaitable<void> {
		const version = this.isBeingWritten ? undefined : (this.#version ?? this.drive.cache.openAtOnce(this.key));
		if (version === undefined) return this.#waitForVersion(signal);
		this.#startReading(version);
	}

	async #waitForVersion(signal: AbortSignal): Promise<void> {
		for (;;) {
			await this.#until(() => !this.isBeingWritten, signal);
			const version = this.#version ?? (await this.drive.cache.open(this.url, signal));
			// Meanwhile a put may have begun, or another reader have been first.
			if ((this.#version ?? version) === version && !this.isBeingWritten) {
				this.#startReading(version);
				return;
			}

			version.close();
		}
	}

	/** One more reads a version: the one that the others read, if there are any. */
	#startReading(version: Version): void {
		this.#version = version;
		this.#readers++;
	}

	async #openForWriting(access: Access, signal: AbortSignal): Promise<FileHandle> {
		const {read, truncate} = access;
		// Where nothing is stored there is nothing to truncate: rsync --inplace just writes.
		const isNew = !read && this.drive.cache.glimpse(this.key) === undefined;
		const handle = new WritingHandle(this, isNew);
		if (truncate) await handle.truncate(0);
		else if (read) await handle.startReading(access, signal);
		return handle;
	}

	#contents(): Contents {
		const {cache, mountedAtMs} = this.drive;
		if (this.#version !== undefined) {
			const {sizeBytes, modifiedAtMs, id, entry} = this.#version;
			const validForMs = entry === undefined ? 0 : cache.validForMs(entry);
			return {sizeBytes, modifiedAtMs, id, validForMs, isWhole: entry !== undefined};
		}

		if (this.#put !== undefined && this.isBeingWritten) {
			return {sizeBytes: this.#put.sizeBytes, modifiedAtMs: mountedAtMs};
		}

		const glimpse = cache.glimpse(this.key);
		if (glimpse?.isStored === true) return glimpse;
		const coming = glimpse ?? cache.announced(this.key) ?? {sizeBytes: 0, modifiedAtMs: mountedAtMs};
		return {...coming, isProvisional: true};
	}

	/** Waits a moment for the others to go. @throws CacheError `busy` when they stay. */
	async #until(isFree: () => boolean, signal?: AbortSignal): Promise<void> {
		if (isFree()) return;
		const patience = new AbortController();
		const busy = new CacheError('busy', `being ${this.#readers > 0 ? 'read' : 'written'} by another program`);
		const timer = setTimeout(() => patience.abort(busy), RELEASE_GRACE_MS);
		const either = signal === undefined ? patience.signal : AbortSignal.any([patience.signal, signal]);
		try {
			while (!isFree()) await abortable(new Promise<void>(resolve => this.#waiters.push(resolve)), either);
		} finally {
			clearTimeout(timer);
		}
	}

	#wake(): void {
		const waiters = this.#waiters;
		this.#waiters = [];
		for (const resolve of waiters) resolve();
	}
}

interface Contents {
	readonly sizeBytes: number;
	readonly modifiedAtMs: number;
	readonly id?: VersionId;
	readonly validForMs?: number;
	readonly isWhole?: boolean;
	readonly isProvisional?: boolean;
}

function attributesOf(key: Key, contents: Contents, {isReadOnly}: DriveContext): Attributes {
	const {sizeBytes, modifiedAtMs, id, validForMs = 0, isWhole = false, isProvisional = false} = contents;
	// Without a spread, which would make its shape anew each time, at 2 to 3 microseconds.
	return {
		kind: 'file',
		ino: inodeNumber(key),
		permissions: permissions('file', isReadOnly),
		sizeBytes,
		modifiedAtMs,
		version: id,
		validForMs,
		isWhole,
		isProvisional,
	};
}
