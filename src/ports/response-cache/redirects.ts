import {migrate} from '../../sqlite/migrate.js';
import {openDatabase, type Database, type Statement} from '../../sqlite/open.js';

/** Where a key leads. */
export interface Redirect {
	/** The URL that is asked instead. */
	readonly url: string;
	/** The key under which its response lies. */
	readonly target: string;
	/** Epoch milliseconds; Infinity for ever. */
	readonly untilMs: number;
}

const SCHEMA = [
	`CREATE TABLE redirects (key TEXT PRIMARY KEY, target TEXT NOT NULL, url TEXT NOT NULL, until_ms REAL NOT NULL) WITHOUT ROWID;
	CREATE INDEX redirects_by_target ON redirects (target);`,
];

const TIMEOUT_MS = 5000;

/** Permanent redirects, in `redirects.sqlite`. */
export class Redirects {
	readonly #database: Database;
	readonly #get: Statement<[string], {target: string; url: string; until_ms: number}>;
	readonly #set: Statement<[string, string, string, number]>;

	/** @param file - made if it is missing. */
	constructor(readonly file: string) {
		this.#database = openDatabase(file, {timeoutMs: TIMEOUT_MS});
		migrate(this.#database, SCHEMA);
		this.#get = this.#database.prepare('SELECT target, url, until_ms FROM redirects WHERE key = ?');
		this.#set = this.#database.prepare(
			'INSERT OR REPLACE INTO redirects (key, target, url, until_ms) VALUES (?, ?, ?, ?)',
		);
	}

	get(key: string): Redirect | undefined {
		const row = this.#get.get(key);
		return row && {url: row.url, target: row.target, untilMs: row.until_ms};
	}

	set(key: string, {target, url, untilMs}: Redirect): void {
		this.#set.run(key, target, url, untilMs);
	}

	delete(key: string): void {
		this.#database.prepare('DELETE FROM redirects WHERE key = ?').run(key);
	}

	/** Removes what leads to a key. */
	deleteTo(target: string): void {
		this.#database.prepare('DELETE FROM redirects WHERE target = ?').run(target);
	}

	/** Removes what does not lead anywhere by now. */
	deleteExpired(nowMs: number): void {
		this.#database.prepare('DELETE FROM redirects WHERE until_ms <= ?').run(nowMs);
	}

	clear(): void {
		this.#database.exec('DELETE FROM redirects');
	}

	keys(): string[] {
		return this.#database
			.prepare<[], {key: string}>('SELECT key FROM redirects')
			.all()
			.map(({key}) => key);
	}

	close(): void {
		this.#database.close();
	}
}
