import {createPrivate, openForLocking, type Database, type Statement} from './open.js';
import {isBusy} from './retry.js';

/**
 * A lock between processes that the kernel takes back when its holder dies,
 * however it dies: nobody has to judge whether a lock file is stale. Node has no
 * flock(2); SQLite's lock is one of fcntl(2), and a transaction over an empty
 * file takes and returns it in 4 microseconds. Two locks of one file exclude
 * each other also within a process.
 *
 * @see https://www.sqlite.org/lockingv3.html
 */
export class FileLock {
	#database: Database | undefined;
	#begin: Statement | undefined;
	#rollback: Statement | undefined;

	/** Makes the file if it is missing. It stays empty. */
	constructor(private readonly file: string) {
		createPrivate(file);
	}

	/** Takes the lock if nobody has it. */
	tryLock(): boolean {
		try {
			const begin = (this.#begin ??= this.#open().prepare('BEGIN EXCLUSIVE'));
			begin.run();
			return true;
		} catch (error) {
			if (isBusy(error)) return false;
			throw error;
		}
	}

	unlock(): void {
		const rollback = (this.#rollback ??= this.#open().prepare('ROLLBACK'));
		rollback.run();
	}

	close(): void {
		this.#database?.close();
		this.#database = this.#begin = this.#rollback = undefined;
	}

	#open(): Database {
		this.#database ??= openForLocking(this.file);
		return this.#database;
	}
}
