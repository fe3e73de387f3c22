import path from 'node:path';
import {setTimeout} from 'node:timers/promises';
import {CacheError} from '../base/errors.js';
import {KeyedMutex} from '../base/keyed-mutex.js';
import {FileLock} from '../sqlite/file-lock.js';
import type {Key} from './key.js';

/** One file locks all keys that begin with the same digit: so few that they can stay open. */
const DIGITS = '0123456789abcdef';
const LOOK_EVERY_MS = 1;
/** Others hold a lock for the time of three renames. Who holds it longer has been stopped. */
const PATIENCE_MS = 10_000;

/**
 * Whoever changes the files of a key has its lock: one piece of work at a time,
 * in this process and in all that share the directory. What a dead process held
 * is free.
 *
 * Between processes a digit of the key is locked, for as long as any work of
 * this process needs it: who has one lock and waits for another never waits for
 * itself, and two processes must not wait for each other: whoever has a lock
 * takes further ones by `tryRun` alone.
 */
export class KeyLocks {
	readonly #local = new KeyedMutex<Key>();
	readonly #shared: ReadonlyMap<string, SharedLock>;

	/** @param directory - there already; the locks' files are made in it. */
	constructor(directory: string) {
		const lock = (digit: string) => new SharedLock(new FileLock(path.join(directory, digit)));
		this.#shared = new Map([...DIGITS].map(digit => [digit, lock(digit)]));
	}

	/** @throws CacheError `busy` when another process does not let go of it. */
	run<T>(key: Key, work: () => Promise<T>): Promise<T> {
		const shared = this.#of(key);
		return this.#local.run(key, async () => {
			await shared.acquire();
			return finallyRelease(shared, work);
		});
	}

	/** Runs `work` if nobody has the lock now; undefined if somebody has. */
	tryRun<T>(key: Key, work: () => Promise<T>): Promise<T> | undefined {
		const shared = this.#of(key);
		if (this.#local.isBusy(key) || !shared.tryAcquire()) return undefined;
		return this.#local.run(key, () => finallyRelease(shared, work));
	}

	/** Resolves once the work queued for `key` by now in this process is done. */
	idle(key: Key): Promise<void> {
		return this.#local.idle(key);
	}

	/** Afterwards nothing may be run. */
	close(): void {
		for (const lock of this.#shared.values()) lock.close();
	}

	#of(key: Key): SharedLock {
		const lock = this.#shared.get(key.charAt(0));
		if (lock === undefined) throw new RangeError(`${key} is no key`);
		return lock;
	}
}

/** A lock between processes, held while any work of this one needs it. */
class SharedLock {
	#holders = 0;

	constructor(private readonly file: FileLock) {}

	tryAcquire(): boolean {
		if (this.#holders === 0 && !this.file.tryLock()) return false;
		this.#holders++;
		return true;
	}

	async acquire(): Promise<void> {
		const givenUpAt = performance.now() + PATIENCE_MS;
		while (!this.tryAcquire()) {
			if (performance.now() > givenUpAt) {
				throw new CacheError('busy', 'another process holds an entry of the cache directory and does not go on');
			}

			await setTimeout(LOOK_EVERY_MS);
		}
	}

	release(): void {
		if (--this.#holders === 0) this.file.unlock();
	}

	close(): void {
		this.file.close();
	}
}

async function finallyRelease<T>(lock: SharedLock, work: () => Promise<T>): Promise<T> {
	try {
		return await work();
	} finally {
		lock.release();
	}
}
