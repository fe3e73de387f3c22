import {messageOf} from '../base/errors.js';
import type {Database, Statement} from '../sqlite/open.js';
import {openAsItIs} from './catalogue-check.js';
import {catalogueInode} from './catalogue-file.js';
import {blob, hex} from './catalogue-reader.js';
import {toRow, type Row} from './catalogue-row.js';
import type {Entry} from './entry.js';
import type {Key} from './key.js';
import type {Layout} from './layout.js';
import {parseSidecar, renderSidecar} from './sidecar.js';

/** What a row says that is not so. */
export interface Difference {
	readonly problem: string;
	/** Both sides of it, as text: what is the same later is not being changed. */
	readonly state: string;
}

type ComparedRow = Pick<Row, 'sidecar' | 'size_bytes' | 'allocated_bytes' | 'data' | 'sidecar_file'>;

interface Open {
	readonly database: Database;
	readonly inode: bigint | undefined;
	readonly row: Statement<[Buffer], ComparedRow>;
	readonly page: Statement<[number], {readonly id: number; readonly key: Buffer}>;
}

const COMPARED = 'sidecar, size_bytes, allocated_bytes, data, sidecar_file';
/** Rows read at a time: none of it holds a snapshot open. */
const PAGE = 200;

/** The rows of the catalogue that is there, beside what the directory has. Nothing is written. */
export class CatalogueComparison {
	#open: Open | undefined;
	#isGivenUp = false;

	constructor(private readonly layout: Layout) {}

	/** Undefined where they agree, and where there is no catalogue to be read for now. */
	compare(key: Key, entry: Entry | undefined): Difference | undefined {
		const open = this.#current();
		if (open === undefined) return undefined;
		const row = open.row.get(blob(key));
		const files = entry && toRow(entry);
		const problem = problemOf(key, row, files);
		return problem === undefined ? undefined : {problem, state: [open.inode, render(row), render(files)].join('; ')};
	}

	/** The keys of all rows. */
	*keys(): Generator<Key> {
		for (let after = 0; ;) {
			const rows = this.#current()?.page.all(after) ?? [];
			for (const {key} of rows) yield hex(key);
			const last = rows.at(-1);
			if (last === undefined) return;
			after = last.id;
		}
	}

	/** From now on nothing is compared. */
	giveUp(): void {
		this.#isGivenUp = true;
	}

	close(): void {
		this.#open?.database.close();
		this.#open = undefined;
	}

	/** The one that has the name now: it may be made anew meanwhile. */
	#current(): Open | undefined {
		if (this.#isGivenUp) return undefined;
		const inode = catalogueInode(this.layout.catalogue);
		if (this.#open !== undefined && this.#open.inode === inode) return this.#open;
		this.close();
		try {
			const database = openAsItIs(this.layout);
			const prepare = <P extends unknown[], R>(sql: string) => database.prepare(sql) as unknown as Statement<P, R>;
			this.#open = {
				...{database, inode},
				row: prepare(`SELECT ${COMPARED} FROM entries WHERE key = ?`),
				page: prepare(`SELECT id, key FROM entries WHERE id > ? ORDER BY id LIMIT ${PAGE}`),
			};
		} catch {
			// It is being made anew, or has gone since `checkCatalogue` looked: the next one asks again.
		}

		return this.#open;
	}
}

function problemOf(key: Key, row: ComparedRow | undefined, files: ComparedRow | undefined): string | undefined {
	if (row === undefined) return files && 'the catalogue does not have it';
	if (files === undefined) return 'the catalogue has it, and its files are gone';
	if (row.data !== files.data || row.sidecar_file !== files.sidecar_file)
		return 'the catalogue has it with other files';
	if (row.size_bytes !== files.size_bytes) {
		return `the catalogue says ${row.size_bytes} bytes, the data file has ${files.size_bytes}`;
	}

	if (row.allocated_bytes !== files.allocated_bytes) {
		return `by the catalogue it takes ${row.allocated_bytes} bytes on the disk, and it takes ${files.allocated_bytes}`;
	}

	return row.sidecar === files.sidecar ? undefined : sidecarProblem(key, row.sidecar, files.sidecar);
}

/** The fields of the one may only be in another order. */
function sidecarProblem(key: Key, told: string, is: string): string | undefined {
	try {
		if (renderSidecar(parseSidecar(told, key), 0) === is) return undefined;
		return 'the catalogue has another sidecar for it';
	} catch (error) {
		return `the catalogue's copy of its sidecar is damaged: ${messageOf(error)}`;
	}
}

function render(row: ComparedRow | undefined): string {
	return row === undefined ? 'none' : [row.data, row.sidecar_file, row.size_bytes, row.allocated_bytes].join(', ');
}
