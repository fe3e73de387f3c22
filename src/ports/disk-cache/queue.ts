/** Queues within a cache: keys that are numbers in order, or texts that end in such. */
import type {Database, Statement} from '../../sqlite/open.js';
import type {Side} from './options.js';
import {COLUMNS, ITEM, type ItemRow, type Stored} from './statements.js';

/** The key of the first item of a queue. */
export const MIDDLE_KEY = 500_000_000_000_000;
const LARGEST_KEY = 999_999_999_999_999;
const DIGITS = 15;

type Order = 'ASC' | 'DESC';

/** Of numbers. Fractions are no keys of a queue. */
const NUMBERS = `raw = 1 AND key > 0 AND key < ${LARGEST_KEY} AND key = CAST(key AS INTEGER)`;

/** Of `prefix-` and 15 digits. Keys of other queues, whose prefix goes on after the same beginning, lie between them. */
const TEXTS = `raw = 1 AND key > @prefix || '-000000000000000' AND key < @prefix || '-999999999999999'
	AND length(key) = length(@prefix) + ${DIGITS + 1} AND substr(key, -${DIGITS}) NOT GLOB '*[^0-9]*'`;

type Action = 'push' | 'peek' | 'pull';

/**
 * The statements of queues, each made when it is first used. All throw RangeError for a prefix with NUL or a lone surrogate.
 * What changes something is run to its end, by `all`: SQLite looks whether the log is long enough for a checkpoint only there.
 */
export class Queues {
	readonly #statements = new Map<string, Statement<unknown[], unknown>>();

	constructor(private readonly database: Database) {}

	/** One statement: two that push at once get two keys. @returns the key. */
	push(prefix: string | null, side: Side, stored: Stored): string | number {
		return this.#prepared('push', prefix, side).all(...stored, {prefix})[0] as string | number;
	}

	/** The item at that side, expired or not. */
	peek(prefix: string | null, side: Side): ItemRow | undefined {
		return this.#prepared('peek', prefix, side).get({prefix}) as ItemRow | undefined;
	}

	/** Removes it. */
	pull(prefix: string | null, side: Side): ItemRow | undefined {
		return this.#prepared('pull', prefix, side).all({prefix})[0] as ItemRow | undefined;
	}

	#prepared(action: Action, prefix: string | null, side: Side): Statement<unknown[], unknown> {
		if (prefix !== null && (prefix.includes('\0') || !prefix.isWellFormed())) {
			throw new RangeError(`${JSON.stringify(prefix)} cannot be a prefix: SQLite has another text for it`);
		}

		const name = `${action} ${side} ${prefix === null ? 'numbers' : 'texts'}`;
		const known = this.#statements.get(name);
		if (known !== undefined) return known;
		const statement = this.database.prepare<unknown[], unknown>(SQL[action](prefix, side));
		this.#statements.set(name, action === 'push' ? statement.pluck() : statement.raw());
		return statement;
	}
}

const SQL: Readonly<Record<Action, (prefix: string | null, side: Side) => string>> = {
	push(prefix, side) {
		const key = side === 'back' ? nextKey('DESC', '+', prefix) : nextKey('ASC', '-', prefix);
		return `INSERT INTO Cache (${COLUMNS}) SELECT ${key}, 1, ?, ?, ?, ?, ?, ?, ?, ? RETURNING key`;
	},
	peek: (prefix, side) => `SELECT ${ITEM} FROM Cache WHERE ${within(prefix)} ORDER BY key ${orderOf(side)} LIMIT 1`,
	pull(prefix, side) {
		const chosen = `SELECT rowid FROM Cache WHERE ${within(prefix)} ORDER BY key ${orderOf(side)} LIMIT 1`;
		return `DELETE FROM Cache WHERE rowid = (${chosen}) RETURNING ${ITEM}`;
	},
};

function within(prefix: string | null): string {
	return prefix === null ? NUMBERS : TEXTS;
}

function orderOf(side: Side): Order {
	return side === 'front' ? 'ASC' : 'DESC';
}

function nextKey(order: Order, sign: '+' | '-', prefix: string | null): string {
	const last = (key: string) =>
		`coalesce((SELECT ${key} FROM Cache WHERE ${within(prefix)} ORDER BY key ${order} LIMIT 1) ${sign} 1, ${MIDDLE_KEY})`;
	if (prefix === null) return last('CAST(key AS INTEGER)');
	return `@prefix || printf('-%0${DIGITS}d', ${last(`CAST(substr(key, -${DIGITS}) AS INTEGER)`)})`;
}
