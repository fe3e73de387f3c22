import {lstatSync, opendirSync, type BigIntStats, type Dir} from 'node:fs';
import {setImmediate} from 'node:timers/promises';
import {isAlive, type ProcessIdentity} from '../base/process-identity.js';
import type {Database, Statement} from '../sqlite/open.js';
import {blob, hex, type FillRow} from './catalogue-reader.js';
import {toRow, type Row} from './catalogue-row.js';
import {allocatedBytes, identityOf, writtenAtMs} from './entry.js';
import {inspect, type Finding} from './inspect.js';
import type {Key} from './key.js';
import {parseName, type Layout} from './layout.js';
import {parseSidecar, withAnnotations} from './sidecar.js';

/** One that has the directory open: a process, and which of its catalogues, since it may have several. */
export interface OpenerIdentity extends ProcessIdentity {
	readonly opener: string;
}

/** What a process tells the catalogue at a time. */
export interface Batch {
	/** Keys that were deleted: it is as if they had never been there. */
	readonly forgotten: readonly Key[];
	/** What a key's files are now, as far as the teller knows; null where they are gone. */
	readonly changes: ReadonlyArray<readonly [Key, Row | null]>;
	/** Accesses: the last one in epoch milliseconds, and how many. */
	readonly touches: ReadonlyArray<readonly [Key, atMs: number, times: number]>;
	/** What the process holds on the disk beside the entries. */
	readonly heldBytes: number;
	/** Batches of a process have numbers, so that it sees at once what has been written. */
	readonly number: number;
}

/** A sidecar that is no entry, or data without a sidecar. */
export interface Damaged {
	readonly key: Key;
	readonly finding: Finding & {readonly state: 'damaged'};
}

/** What a part of a scan has brought. */
export interface Scanned {
	/** Keys whose row was of other files than the directory has, or of such as are gone. */
	readonly changed: readonly Key[];
	/** Keys whose sidecar has lost its pin and tags, which the row still has. */
	readonly stripped: readonly Key[];
	readonly damaged: readonly Damaged[];
}

/** Other work gets its turn this often in a scan. */
const SLICE_MS = 8;
/** Rows changed in one transaction, so that other processes never wait long. */
const TRANSACTION = 200;
/** URLs that stand for others. */
const MAX_ALIASES = 10_000;
/** A fill whose owner has not been heard of for so long is not waited for. */
export const SILENT_AFTER_MS = 5000;

export type Claim =
	/** The caller is the owner now. */
	| 'mine'
	/** A process that lives is at it. */
	| 'theirs'
	/** The owner lives, and does not go on. */
	| 'silent';

const NO_CHANGE: Scanned = {changed: [], stripped: [], damaged: []};

/**
 * Writes the catalogue. What is told of a key is written as told, so that the
 * sums are those that the teller counts on, and then compared with the files: a
 * teller who was late, as another process has changed them, hears of it and
 * tells again. So rows of many writers end up true.
 *
 * @throws SqliteError of `isBusy` from every call while another process writes.
 */
export class CatalogueWriter {
	readonly #process: number;
	readonly #upsert: Statement<[Record<string, unknown>], void>;
	readonly #delete: Statement<[Buffer], void>;
	readonly #touch: Statement<[number, number, Buffer], void>;
	readonly #settle: Statement<[number, number, number], void>;
	readonly #exists: Statement<[Buffer], unknown>;
	readonly #known: Statement<[Buffer], KnownRow>;

	/** Registers the process, unless it is known; rows of those that live no more are removed. */
	constructor(
		private readonly database: Database,
		private readonly layout: Layout,
		identity: OpenerIdentity,
	) {
		const prepare = <P extends unknown[], R>(sql: string) => database.prepare(sql) as unknown as Statement<P, R>;
		this.#upsert = prepare(`
			INSERT INTO entries (key, sidecar, size_bytes, allocated_bytes, stored_at, written_at, accessed_at, accesses,
				pinned, data, sidecar_file)
			VALUES (:key, :sidecar, :size_bytes, :allocated_bytes, :stored_at, :written_at, :written_at, 0,
				:pinned, :data, :sidecar_file)
			ON CONFLICT (key) DO UPDATE SET sidecar = :sidecar, size_bytes = :size_bytes,
				allocated_bytes = :allocated_bytes, stored_at = :stored_at, written_at = :written_at,
				accessed_at = max(accessed_at, :written_at), pinned = :pinned, data = :data, sidecar_file = :sidecar_file`);
		this.#delete = prepare('DELETE FROM entries WHERE key = ?');
		this.#touch = prepare(
			'UPDATE entries SET accessed_at = max(accessed_at, ?), accesses = accesses + ? WHERE key = ?',
		);
		this.#settle = prepare('UPDATE processes SET held_bytes = ?, batch = ? WHERE id = ?');
		this.#exists = prepare('SELECT 1 FROM entries WHERE key = ?');
		this.#known = prepare('SELECT sidecar, data, sidecar_file FROM entries WHERE key = ?');
		this.#process = this.#write(() => {
			this.#removeDead();
			const told = JSON.stringify(identity);
			const known = database.prepare('SELECT id FROM processes WHERE identity = ?').pluck().get(told);
			if (known !== undefined) return known as number;
			return Number(database.prepare('INSERT INTO processes (identity) VALUES (?)').run(told).lastInsertRowid);
		});
	}

	/** The row of this process. */
	get process(): number {
		return this.#process;
	}

	/** @returns the keys under which the directory has something else than was told: it should be looked at. */
	apply({forgotten, changes, touches, heldBytes, number}: Batch): Key[] {
		return this.#write(() => {
			for (const key of forgotten) this.#delete.run(blob(key));
			const otherwise = changes.flatMap(([key, row]) => (this.#take(key, row) ? [] : key));
			for (const [key, atMs, times] of touches) this.#touch.run(atMs, times, blob(key));
			this.#settle.run(heldBytes, number, this.#process);
			return otherwise;
		});
	}

	/** Says whether this process keeps the catalogue true to the directory. */
	setWatching(isWatching: boolean): void {
		const update = this.database.prepare('UPDATE processes SET is_watching = ? WHERE id = ?');
		this.#write(() => update.run(isWatching ? 1 : 0, this.#process));
	}

	/** Says what the directory may hold, for all that have it open. */
	setLimits(limits: ReadonlyArray<readonly [name: string, value: string]>): void {
		const set = this.database.prepare('INSERT OR REPLACE INTO limits (name, value) VALUES (?, ?)');
		const sign = this.database.prepare('INSERT OR IGNORE INTO speakers (limit_name, process) VALUES (?, ?)');
		this.#write(() => {
			for (const [name, value] of limits) {
				set.run(name, value);
				sign.run(name, this.#process);
			}
		});
	}

	/** Makes this process the owner of a key's fill, unless another one that lives is. */
	claim(key: Key, nowMs: number): Claim {
		const find = this.database.prepare('SELECT process, heartbeat FROM fills WHERE key = ?');
		const own = this.database.prepare('INSERT OR REPLACE INTO fills (key, process, heartbeat) VALUES (?, ?, ?)');
		return this.#write(() => {
			const fill = find.get(blob(key)) as Pick<FillRow, 'process' | 'heartbeat'> | undefined;
			if (fill !== undefined && fill.process !== this.#process && this.#isAlive(fill.process)) {
				return nowMs - fill.heartbeat > SILENT_AFTER_MS ? 'silent' : 'theirs';
			}

			own.run(blob(key), this.#process, nowMs);
			return 'mine';
		});
	}

	/** Tells the followers of a fill of this process how it stands; without `progress` that it goes on. */
	tell(keys: readonly Key[], nowMs: number, progress: string | null = null): void {
		const update = this.database.prepare(
			'UPDATE fills SET heartbeat = ?, progress = coalesce(?, progress) WHERE key = ? AND process = ?',
		);
		this.#write(() => {
			for (const key of keys) update.run(nowMs, progress, blob(key), this.#process);
		});
	}

	/** The fill of this process is over. */
	release(key: Key): void {
		const remove = this.database.prepare('DELETE FROM fills WHERE key = ? AND process = ?');
		this.#write(() => remove.run(blob(key), this.#process));
	}

	/** A key stands for another one from now on. The oldest are forgotten where they become too many. */
	setAlias(key: Key, url: string, target: Key, untilMs: number): void {
		const set = this.database.prepare(
			'INSERT OR REPLACE INTO aliases (key, url, target, valid_until) VALUES (?, ?, ?, ?)',
		);
		const bound = this.database.prepare(
			`DELETE FROM aliases WHERE rowid <= (SELECT max(rowid) FROM aliases) - ${MAX_ALIASES}`,
		);
		this.#write(() => {
			set.run(blob(key), url, blob(target), untilMs);
			bound.run();
		});
	}

	/** Forgets what a key stands for, and what stands for it. */
	removeAliases(key: Key): void {
		const remove = this.database.prepare('DELETE FROM aliases WHERE key = :key OR target = :key');
		this.#write(() => remove.run({key: blob(key)}));
	}

	/** Makes the sums those of the rows, should they ever not be. */
	recount(): void {
		this.#write(() =>
			this.database.exec(`
				DELETE FROM totals;
				INSERT INTO totals SELECT count(*), coalesce(sum(size_bytes), 0), coalesce(sum(allocated_bytes), 0),
					coalesce(sum(pinned * allocated_bytes), 0) FROM entries`),
		);
	}

	/** Nobody counts on this process any more. */
	leave(): void {
		this.#write(() => this.database.prepare('DELETE FROM processes WHERE id = ?').run(this.#process));
	}

	/** Of the entries those whose data was written within a time: epoch milliseconds, both exclusive. */
	writtenBetween(afterMs: number, beforeMs: number): Key[] {
		const rows = this.database.prepare('SELECT key, data FROM entries').iterate() as Iterable<{
			key: Buffer;
			data: string;
		}>;
		const found: Key[] = [];
		for (const {key, data} of rows) {
			const writtenMs = writtenAtMs(data);
			if (writtenMs > afterMs && writtenMs < beforeMs) found.push(hex(key));
		}

		return found;
	}

	/**
	 * Compares every row with its files, then every file with the rows, a slice at
	 * a time. Rows are made true; what is damaged is told, and left to the caller.
	 *
	 * @param write - runs a write as often as it takes.
	 */
	async *scan(write: <T>(work: () => T) => Promise<T>): AsyncGenerator<Scanned> {
		yield* this.#slices(write, this.#staleRows());
		yield* this.#slices(write, this.#unknownNames());
	}

	async *#slices(
		write: <T>(work: () => T) => Promise<T>,
		candidates: Iterable<Key | undefined>,
	): AsyncGenerator<Scanned> {
		let keys: Key[] = [];
		let sliceEndsAt = performance.now() + SLICE_MS;
		for (const key of candidates) {
			if (key !== undefined) keys.push(key);
			if (performance.now() < sliceEndsAt && keys.length < TRANSACTION) continue;
			yield keys.length === 0 ? NO_CHANGE : await write(() => this.#look(keys));
			keys = [];
			await setImmediate();
			sliceEndsAt = performance.now() + SLICE_MS;
		}

		if (keys.length > 0) yield await write(() => this.#look(keys));
	}

	/** The keys whose files are not those of their row. */
	*#staleRows(): Generator<Key | undefined> {
		const page = this.database.prepare(`
			SELECT id, key, data, sidecar_file, allocated_bytes FROM entries WHERE id > ? ORDER BY id LIMIT ${TRANSACTION}`);
		for (let after = 0; ;) {
			const rows = page.all(after) as Array<{id: number; key: Buffer} & FileColumns>;
			for (const row of rows) {
				const key = hex(row.key);
				yield this.#isAsTold(key, row) ? undefined : key;
			}

			const last = rows.at(-1);
			if (last === undefined) return;
			after = last.id;
		}
	}

	/** The keys of files that no row knows. */
	*#unknownNames(): Generator<Key | undefined> {
		const directory = opendirSync(this.layout.root, {bufferSize: 1024});
		try {
			for (const name of namesIn(directory)) {
				const key = parseName(name)?.key;
				yield key === undefined || this.#exists.get(blob(key)) !== undefined ? undefined : key;
			}
		} finally {
			directory.closeSync();
		}
	}

	#look(keys: readonly Key[]): Scanned {
		return this.#write(() => {
			const scanned = {changed: [] as Key[], stripped: [] as Key[], damaged: [] as Damaged[]};
			for (const key of new Set(keys)) {
				const finding = this.#inspect(key);
				if (finding.state === 'damaged') scanned.damaged.push({key, finding});
				const {wasOther, isStripped} = this.#store(key, finding);
				if (wasOther) scanned.changed.push(key);
				if (isStripped) scanned.stripped.push(key);
			}

			return scanned;
		});
	}

	/** Whether the files are as told. */
	#take(key: Key, told: Row | null): boolean {
		if (told === null) {
			this.#delete.run(blob(key));
			return lstat(this.layout.sidecar(key)) === undefined;
		}

		this.#upsert.run({...told, key: blob(key)});
		return this.#isAsTold(key, told);
	}

	#store(key: Key, finding: Finding): {wasOther: boolean; isStripped: boolean} {
		const known = this.#known.get(blob(key));
		if (finding.state !== 'entry') {
			this.#delete.run(blob(key));
			return {wasOther: known !== undefined, isStripped: false};
		}

		const {entry} = finding;
		const sidecar = withAnnotations(entry.sidecar, known && parseSidecar(known.sidecar, key));
		const row = toRow({...entry, sidecar});
		this.#upsert.run({...row, key: blob(key)});
		const wasOther = known !== undefined && (known.data !== row.data || known.sidecar_file !== row.sidecar_file);
		return {wasOther, isStripped: sidecar !== entry.sidecar};
	}

	/** As `inspect`; data without a sidecar counts as damage here: a writer's work half done, or what a crash left of it. */
	#inspect(key: Key): Finding {
		const finding = inspect(this.layout, key);
		if (finding.state !== 'absent' || lstat(this.layout.sidecar(key)) !== undefined) return finding;
		const data = lstat(this.layout.data(key));
		if (data === undefined) return finding;
		return {state: 'damaged', reason: 'there is no sidecar', changedAtMs: Number(data.ctimeNs / 1_000_000n)};
	}

	#isAsTold(key: Key, told: FileColumns): boolean {
		const sidecar = lstat(this.layout.sidecar(key));
		const data = lstat(this.layout.data(key));
		if (sidecar === undefined || data === undefined) return false;
		return (
			identityOf(data) === told.data &&
			identityOf(sidecar) === told.sidecar_file &&
			allocatedBytes(data) + allocatedBytes(sidecar) === told.allocated_bytes
		);
	}

	#isAlive(process: number): boolean {
		const find = this.database.prepare('SELECT identity FROM processes WHERE id = ?').pluck();
		const identity = find.get(process) as string | undefined;
		return identity !== undefined && isAlive(parseIdentity(identity));
	}

	#removeDead(): void {
		const all = this.database.prepare('SELECT id, identity FROM processes').all() as Array<{
			id: number;
			identity: string;
		}>;
		const remove = this.database.prepare('DELETE FROM processes WHERE id = ?');
		for (const {id, identity} of all) if (!isAlive(parseIdentity(identity))) remove.run(id);
	}

	#write<T>(work: () => T): T {
		return this.database.transaction(work).immediate();
	}
}

type KnownRow = Pick<Row, 'sidecar' | 'data' | 'sidecar_file'>;
type FileColumns = Pick<Row, 'data' | 'sidecar_file' | 'allocated_bytes'>;

export function parseIdentity(text: string): ProcessIdentity {
	return JSON.parse(text) as ProcessIdentity;
}

function lstat(file: string): BigIntStats | undefined {
	return lstatSync(file, {bigint: true, throwIfNoEntry: false});
}

function* namesIn(directory: Dir): Generator<string> {
	for (let entry = directory.readSync(); entry !== null; entry = directory.readSync()) yield entry.name;
}
