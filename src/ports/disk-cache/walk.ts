/** Going through the keys of a cache in parts, so that nothing is locked and writes may go on meanwhile. */
import type {Database, Statement} from '../../sqlite/open.js';
import type {Column} from './disk.js';
import {retried} from './transaction.js';

const PART = 100;

export type KeyRow = readonly [rowid: number, key: Column, raw: 0 | 1];

const KEY = 'rowid, key, raw';

export class Walk {
	readonly #up: Statement<[from: number, below: number], KeyRow>;
	readonly #down: Statement<[from: number, below: number], KeyRow>;
	readonly #sorted: Record<'up' | 'down', [Statement<[], KeyRow>, Statement<[Column, number, Column], KeyRow>]>;

	constructor(database: Database) {
		const all = <P extends unknown[]>(sql: string) =>
			database.prepare<P, KeyRow>(`SELECT ${KEY} FROM Cache ${sql} LIMIT ${PART}`).raw();
		this.#up = all('WHERE ? < rowid AND rowid < ? ORDER BY rowid');
		this.#down = all('WHERE ? < rowid AND rowid < ? ORDER BY rowid DESC');
		// A row value is looked up in the index; "key = ? AND raw > ? OR key > ?" would scan.
		this.#sorted = {
			up: [all('ORDER BY key, raw'), all('WHERE (key, raw) > (?, ?) AND key >= ? ORDER BY key, raw')],
			down: [
				all('ORDER BY key DESC, raw DESC'),
				all('WHERE (key, raw) < (?, ?) AND key <= ? ORDER BY key DESC, raw DESC'),
			],
		};
	}

	/** In the order in which they came; what comes meanwhile is left out. */
	*inOrder(maxRowid: number | null, isReversed: boolean): Generator<KeyRow> {
		if (maxRowid === null) return;
		let [from, below] = [0, maxRowid + 1];
		for (;;) {
			const part = isReversed ? this.#down : this.#up;
			const rows = retried(false, () => part.all(from, below));
			yield* rows;
			const last = rows.at(-1);
			if (last === undefined) return;
			if (isReversed) below = last[0];
			else from = last[0];
		}
	}

	/** By key: numbers, then texts, then bytes. */
	*sorted(isReversed: boolean): Generator<KeyRow> {
		const [first, next] = this.#sorted[isReversed ? 'down' : 'up'];
		for (let rows = retried(false, () => first.all()); ;) {
			yield* rows;
			const last = rows.at(-1);
			if (last === undefined) return;
			rows = retried(false, () => next.all(last[1], last[2], last[1]));
		}
	}
}
