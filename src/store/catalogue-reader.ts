import {LRUCache} from '../base/lru-cache.js';
import type {Database, Statement} from '../sqlite/open.js';
import {toEntry, type EntryRow, type Row} from './catalogue-row.js';
import type {Entry} from './entry.js';
import type {Key} from './key.js';
import {parseLimits, type Limits} from './limits.js';
import type {Counted} from './pending.js';
import {POLICIES, type PolicyName, type Use} from './policies.js';

/** What the entries come to. */
export interface Totals {
	readonly entries: number;
	readonly sizeBytes: number;
	readonly allocatedBytes: number;
}

/** What an answer is as of. */
export interface WrittenBatch {
	/** The last batch of the asking process that is in it. */
	readonly batch: number;
}

/** What all that share the directory use of it. */
export interface Usage extends Totals, WrittenBatch {
	/** Of the allocated bytes those of pinned entries. */
	readonly pinnedBytes: number;
	/** What other processes hold beside the entries. */
	readonly heldByOthers: number;
}

/** A row with its place in an order. */
export interface Placed {
	readonly entry: Entry;
	readonly use: Use;
}

/** A process that has the directory open, or had. */
export interface ProcessRow {
	readonly id: number;
	/** A `ProcessIdentity`, as JSON. */
	readonly identity: string;
	/** 1 for one that keeps the catalogue true to the directory. */
	readonly is_watching: number;
}

/** A fill under way, as its owner tells of it. */
export interface FillRow {
	readonly process: number;
	/** The owner's `ProcessIdentity`, as JSON. */
	readonly identity: string;
	/** Epoch milliseconds at which its owner was at work. */
	readonly heartbeat: number;
	/** As the owner wrote it; null before it knows anything. */
	readonly progress: string | null;
}

const ENTRY = 'sidecar, size_bytes, allocated_bytes, stored_at, data, sidecar_file';
/** The columns of `ENTRY`: as an array a row takes two thirds of the time. */
type EntryValues = readonly [string, number, number, number, string, string];
/** For where the key is not known. As text: a Buffer takes as long to make as the rest of the row. */
const KEYED_ENTRY = `id, lower(hex(key)) AS key, ${ENTRY}`;
const USE = 'stored_at, accessed_at, accesses';
const BATCH = 'coalesce((SELECT batch FROM processes WHERE id = :process), 0) AS batch';
/** Rows read at a time: none of it holds a snapshot open, so that the log of changes can be folded in. */
const PAGE = 128;
/** For entries that were asked for and may be so again: a lookup is followed by an open, a listing by many. About 9,000. */
const REMEMBERED_BYTES = 8 * 1024 ** 2;
/** What an entry takes beside the text of its sidecar, about. */
const ENTRY_BYTES = 600;

type SummedColumns = Pick<Row, 'size_bytes' | 'allocated_bytes' | 'pinned'>;
type StoredRow = EntryRow & Use & {readonly id: number; readonly key: Key};
/** The columns of `KEYED_ENTRY`. */
type KeyedValues = readonly [number, Key, ...EntryValues];

/** What the catalogue is asked, each question a statement prepared once. */
export class CatalogueReader {
	readonly #dataVersionNow: Statement<[], number>;
	readonly #revisionNow: Statement<[], number>;
	readonly #entry: Statement<[Buffer], EntryValues>;
	readonly #counted: Statement<[Buffer], SummedColumns>;
	readonly #use: Statement<[{key: Buffer; process: number}], Use & WrittenBatch>;
	readonly #usage: Statement<[{process: number}], Usage>;
	readonly #page: Statement<[number], KeyedValues>;
	readonly #limits: Statement<[], {name: string; value: string}>;
	readonly #fill: Statement<[Buffer], FillRow>;
	readonly #processes: Statement<[], ProcessRow>;
	readonly #speakers: Statement<[string], ProcessRow>;
	readonly #alias: Statement<[Buffer], {url: string; untilMs: number}>;

	/** Entries as of `#revision`. */
	readonly #remembered = new LRUCache<Key, Entry>({maxSize: REMEMBERED_BYTES});
	/** The `data_version` at which `#revision` was read. */
	#dataVersion = NaN;
	#revision = NaN;

	constructor(readonly database: Database) {
		const prepare = <P extends unknown[], R>(sql: string) => database.prepare(sql) as unknown as Statement<P, R>;
		this.#dataVersionNow = prepare<[], number>('PRAGMA data_version').pluck();
		this.#revisionNow = prepare<[], number>('SELECT number FROM revision').pluck();
		this.#entry = prepare<[Buffer], EntryValues>(`SELECT ${ENTRY} FROM entries WHERE key = ?`).raw();
		this.#counted = prepare('SELECT size_bytes, allocated_bytes, pinned FROM entries WHERE key = ?');
		this.#use = prepare(`SELECT ${USE}, ${BATCH} FROM entries WHERE key = :key`);
		this.#usage = prepare(`
			SELECT entries, size_bytes AS sizeBytes, allocated_bytes AS allocatedBytes, pinned_bytes AS pinnedBytes,
				(SELECT coalesce(sum(held_bytes), 0) FROM processes WHERE id <> :process) AS heldByOthers,
				${BATCH}
			FROM totals`);
		this.#page = prepare<[number], KeyedValues>(
			`SELECT ${KEYED_ENTRY} FROM entries WHERE id > ? ORDER BY id LIMIT ${PAGE}`,
		).raw();
		this.#limits = prepare('SELECT name, value FROM limits');
		this.#fill = prepare(`
			SELECT process, identity, heartbeat, progress FROM fills JOIN processes ON processes.id = process WHERE key = ?`);
		this.#processes = prepare('SELECT id, identity, is_watching FROM processes');
		this.#speakers = prepare(`
			SELECT id, identity, is_watching FROM speakers JOIN processes ON processes.id = process WHERE limit_name = ?`);
		this.#alias = prepare('SELECT url, valid_until AS untilMs FROM aliases WHERE key = ?');
	}

	entry(key: Key): Entry | undefined {
		const known = this.#remembered.get(key);
		// What is read now is at least as new as the others: it is not asked for.
		if (known !== undefined && this.#isUpToDate()) return known;
		const row = this.#entry.get(blob(key));
		if (row === undefined) return undefined;
		const entry = entryOf(key, row);
		const [sidecar] = row;
		this.#remembered.set(key, entry, {size: ENTRY_BYTES + sidecar.length});
		return entry;
	}

	/** Of `entry` what is summed up. */
	counted(key: Key): Counted | undefined {
		const row = this.#counted.get(blob(key));
		if (row === undefined) return undefined;
		return {sizeBytes: row.size_bytes, allocatedBytes: row.allocated_bytes, sidecar: {pinned: row.pinned === 1}};
	}

	/** All that is asked in `work` is as of one moment. */
	atOnce<T>(work: () => T): T {
		return this.database.transaction(work)();
	}

	/** @param process - as for `usage`. */
	use(key: Key, process: number): (Use & WrittenBatch) | undefined {
		return this.#use.get({key: blob(key), process});
	}

	/** @param process - the one that asks, by its row; its own holdings it knows better. */
	usage(process: number): Usage {
		const usage = this.#usage.get({process});
		if (usage === undefined) throw new Error('the catalogue has no totals');
		return usage;
	}

	limits(): Partial<Limits> {
		return parseLimits(this.#limits.all().map(({name, value}) => [name, value] as const));
	}

	fill(key: Key): FillRow | undefined {
		return this.#fill.get(blob(key));
	}

	processes(): ProcessRow[] {
		return this.#processes.all();
	}

	/** The processes that have said a limit. */
	speakers(name: keyof Limits): ProcessRow[] {
		return this.#speakers.all(name);
	}

	/** What a key stands for. */
	alias(key: Key): {readonly url: string; readonly untilMs: number} | undefined {
		return this.#alias.get(blob(key));
	}

	/** Each entry, in the order in which they came. */
	*entries(): Generator<Entry> {
		for (let after = 0; ;) {
			const rows = this.#page.all(after);
			for (const [, key, ...values] of rows) yield entryOf(key, values);
			const last = rows.at(-1);
			if (last === undefined) return;
			[after] = last;
		}
	}

	/**
	 * The unpinned entries, that which should leave first at the front; none where
	 * nothing leaves. It ends with the one that is last now: who is used meanwhile
	 * moves behind it.
	 */
	*leaving(policy: PolicyName): Generator<Placed> {
		const order = POLICIES[policy]?.order;
		if (order === undefined) return;
		const place = [...order, 'id'].join(', ');
		const marks = Array(order.length + 1)
			.fill('?')
			.join(', ');
		const placeOf = (row: StoredRow) => [...order.map(column => row[column]), row.id];
		const select = `SELECT ${KEYED_ENTRY}, ${USE} FROM entries WHERE pinned = 0`;
		const backwards = [...order, 'id'].map(column => `${column} DESC`).join(', ');
		const end = this.database.prepare(`${select} ORDER BY ${backwards} LIMIT 1`).get() as StoredRow | undefined;
		if (end === undefined) return;
		const bounds = `(${place}) > (${marks}) AND (${place}) <= (${marks})`;
		const page = this.database.prepare(`${select} AND ${bounds} ORDER BY ${place} LIMIT ${PAGE}`);
		for (let after = Array<number>(order.length + 1).fill(-Infinity); ;) {
			const rows = page.all(...after, ...placeOf(end)) as StoredRow[];
			for (const row of rows) yield {entry: toEntry(row.key, row), use: row};
			const last = rows.at(-1);
			if (last === undefined) return;
			after = placeOf(last);
		}
	}

	/**
	 * Whether what is remembered is still so; else it is forgotten. `data_version`
	 * takes a third of the time to ask for, and is another one also after each
	 * access that is written.
	 */
	#isUpToDate(): boolean {
		const dataVersion = this.#dataVersionNow.get() ?? NaN;
		if (dataVersion === this.#dataVersion) return true;
		const revision = this.#revisionNow.get() ?? NaN;
		const isSame = revision === this.#revision;
		if (!isSame) this.#remembered.clear();
		[this.#dataVersion, this.#revision] = [dataVersion, revision];
		return isSame;
	}
}

function entryOf(key: Key, values: EntryValues): Entry {
	const [sidecar, size_bytes, allocated_bytes, stored_at, data, sidecar_file] = values;
	return toEntry(key, {sidecar, size_bytes, allocated_bytes, stored_at, data, sidecar_file});
}

export function blob(key: Key): Buffer {
	return Buffer.from(key, 'hex');
}

export function hex(key: Uint8Array): Key {
	return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('hex');
}
