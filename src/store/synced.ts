import {spawn} from 'node:child_process';
import {readdirSync, readFileSync, rmSync, statSync} from 'node:fs';
import path from 'node:path';
import {syncDirectory, writeAtomically} from '../base/atomic-file.js';
import {cleanStdio} from '../base/clean-spawn.js';
import type {Clock} from '../base/clock.js';
import {messageOf, systemCode} from '../base/errors.js';
import type {Log} from '../base/log.js';

export interface SyncedOptions {
	/** Path of `.larder/synced`. */
	readonly file: string;
	/** Absolute path of the store: what is synced. */
	readonly directory: string;
	/** Of the boot that this process runs in. */
	readonly bootId: string;
	/** When that was, epoch milliseconds. */
	readonly bootedAtMs: number;
	readonly clock: Clock;
	readonly log: Log;
	/** syncfs(2) of the file system that `directory` is on. Rejects when that fails. */
	readonly syncFileSystem?: (directory: string) => Promise<void>;
}

/** What is written stays in memory alone for at most this long before it is synced. */
const SYNC_AFTER_MS = 5000;

/**
 * A file written after a sync began may bear an earlier time: the kernel stamps
 * with a clock that moves once a tick (10 ms at most), FAT rounds down to 2 s.
 */
const STAMP_GRANULARITY_MS = 2000;

/** A temporary file lives for milliseconds: one as old as this was left by a crash. */
const LEFTOVER_AFTER_MS = 60_000;

/**
 * Knows which files a power cut may have damaged. The file `synced` says until
 * when everything is on the disk, and in which boot that was written:
 *
 * ```json
 * {"bootId": "852b7aa9-43ea-46d6-af28-3bbaf88b3623", "at": 1790000000.25}
 * ```
 *
 * In a later boot, what was written between then and the boot is suspect. Until
 * the suspects are settled the file stays as it is, through a second crash too.
 * A machine that was shut down in order looks the same; the cost is to fetch
 * again what was stored in its last seconds.
 *
 * Nothing is suspect where the file is missing or unreadable.
 */
export class Synced {
	readonly #options: SyncedOptions;
	readonly #syncFileSystem: (directory: string) => Promise<void>;
	/** Suspect are the times in between, ends excluded. */
	#afterMs = Infinity;
	#beforeMs = -Infinity;
	#isDirty = false;
	#isClosed = false;
	#isFailing = false;
	#timer: NodeJS.Timeout | undefined;
	/** One sync at a time. Never rejects. */
	#queue: Promise<void> = Promise.resolve();

	/** Reads the file. Where it says nothing of this boot and nothing is suspect, it is written soon. */
	constructor(options: SyncedOptions) {
		this.#options = options;
		this.#syncFileSystem = options.syncFileSystem ?? runSync;
		removeLeftovers(options.file, options.clock.now());
		const last = readLastSync(options.file, reason => {
			options.log.warn('what a power cut may have damaged is not known', {reason});
		});
		if (last?.bootId === options.bootId) return;
		if (last !== undefined && last.at * 1000 < options.bootedAtMs) {
			this.#afterMs = last.at * 1000;
			this.#beforeMs = options.bootedAtMs;
		} else {
			void this.#sync();
		}
	}

	/**
	 * Whether the bytes of a data file may be lost: they were written after the
	 * last sync before the machine stopped. Always false once settled.
	 */
	isSuspect(dataMtimeMs: number): boolean {
		return dataMtimeMs > this.#afterMs && dataMtimeMs < this.#beforeMs;
	}

	/** Whether there is any time for which `isSuspect` is true. */
	get hasSuspects(): boolean {
		return this.#afterMs < this.#beforeMs;
	}

	/** Between which times files are suspect, ends excluded; epoch milliseconds. */
	get suspectTimes(): readonly [afterMs: number, beforeMs: number] {
		return [this.#afterMs, this.#beforeMs];
	}

	/** Says that something was written and not fsynced: a sync of it begins within 5 s. */
	markDirty(): void {
		this.#isDirty = true;
		if (this.#isClosed) return;
		this.#timer ??= setTimeout(() => void this.#sync(), SYNC_AFTER_MS).unref();
	}

	/**
	 * Says that the suspects were dealt with, so that they are none any more: what
	 * was done is synced, and this boot written to the file. Resolves in any case;
	 * where that fails the file stays, and a later sync makes up for it.
	 */
	settle(): Promise<void> {
		if (!this.hasSuspects) return this.#queue;
		this.#afterMs = Infinity;
		this.#beforeMs = -Infinity;
		return this.#sync();
	}

	/** Syncs once more if dirty, and waits for the sync under way. Later marks start none. */
	close(): Promise<void> {
		this.#isClosed = true;
		this.#cancelTimer();
		return this.#isDirty ? this.#sync() : this.#queue;
	}

	#sync(): Promise<void> {
		this.#queue = this.#queue.then(() => this.#syncNow());
		return this.#queue;
	}

	async #syncNow(): Promise<void> {
		this.#cancelTimer();
		this.#isDirty = false;
		// Asked before the sync: what settled while it ran is not on the disk by it.
		const {hasSuspects} = this;
		const untilMs = this.#options.clock.now() - STAMP_GRANULARITY_MS;
		try {
			await this.#syncFileSystem(this.#options.directory);
			if (!hasSuspects) await this.#write(untilMs / 1000);
			this.#isFailing = false;
		} catch (error) {
			this.#isDirty = true;
			this.#warnOnce(error);
		}
	}

	/**
	 * Another process may have synced later than this one, whose time then stays;
	 * one that is still to come was written before the clock was set back.
	 * Two that write at the same moment may leave the earlier of their times:
	 * that is true as well, it only suspects more.
	 */
	async #write(at: number): Promise<void> {
		const {file, bootId} = this.#options;
		const there = readLastSync(file);
		const isOfThisBoot = there?.bootId === bootId;
		if (isOfThisBoot && there.at >= at && there.at * 1000 <= this.#options.clock.now()) return;
		const scratch = path.dirname(file);
		// An empty file after a power cut would suspect nothing, as would none; an earlier time is safe.
		await writeAtomically(file, JSON.stringify({bootId, at}), {scratch, durable: true});
		if (!isOfThisBoot) await syncDirectory(scratch);
	}

	#cancelTimer(): void {
		clearTimeout(this.#timer);
		this.#timer = undefined;
	}

	#warnOnce(error: unknown): void {
		if (this.#isFailing) return;
		this.#isFailing = true;
		this.#options.log.warn('the store cannot be synced: a power cut would cost more of it', {
			reason: messageOf(error),
		});
	}
}

interface LastSync {
	readonly bootId: string;
	/** Epoch seconds. */
	readonly at: number;
}

/** Undefined where there is none, or none that can be read: then the reason is told. */
function readLastSync(file: string, onUnreadable?: (reason: string) => void): LastSync | undefined {
	try {
		return parse(readFileSync(file, 'utf8'));
	} catch (error) {
		if (systemCode(error) !== 'ENOENT') onUnreadable?.(messageOf(error));
		return undefined;
	}
}

function parse(text: string): LastSync {
	const {bootId, at} = JSON.parse(text) as Partial<Record<string, unknown>>;
	if (typeof bootId === 'string' && typeof at === 'number' && Number.isFinite(at)) return {bootId, at};
	throw new Error('the file does not hold a boot id and a time');
}

/** Removes what a crash left of `writeAtomically`: `synced.<pid>.<suffix>`. What stays is only untidy. */
function removeLeftovers(file: string, nowMs: number): void {
	const directory = path.dirname(file);
	try {
		for (const name of readdirSync(directory)) {
			if (!name.startsWith(`${path.basename(file)}.`)) continue;
			const leftover = path.join(directory, name);
			if (nowMs - statSync(leftover).mtimeMs > LEFTOVER_AFTER_MS) rmSync(leftover, {force: true});
		}
	} catch {
		// Another process may be at the same, or the directory may not be written to.
	}
}

/** Node has no syncfs(2), but sync(1) of coreutils has: `-f` is `--file-system`, spelt so that busybox knows it too. */
function runSync(directory: string): Promise<void> {
	return new Promise((resolve, reject) => {
		// Detached, so that Ctrl-C in a terminal does not end it.
		const options = {cwd: '/', detached: true, stdio: cleanStdio(['ignore', 'ignore', 'pipe'])};
		const child = spawn('sync', ['-f', directory], options);
		let complaint = '';
		child.stderr?.on('data', (chunk: Buffer) => (complaint += chunk.toString()));
		child.once('error', reject);
		child.once('close', (code, signal) => {
			if (code === 0) resolve();
			else reject(new Error(complaint.trim() || `sync ended with ${signal ?? `code ${code}`}`));
		});
	});
}
