/** What a cache does with its rows; `cache.ts` says what for. */
import {systemCode} from '../../base/errors.js';
import type {StoredKey, StoredValue} from './disk.js';
import type {Engine} from './engine.js';
import {KeyError} from './errors.js';
import {withFields, type FieldOptions, type GetOptions, type QueueOptions} from './options.js';
import type {SetOptions, StreamOptions, Side} from './options.js';
import {Queues} from './queue.js';
import {COUNT_TRIGGERS} from './schema.js';
import type {ItemRow, Stored, ValueRow} from './statements.js';
import {retried, throwUnlessRetried} from './transaction.js';
import {Walk} from './walk.js';

/** What a file or a row that has just been removed by somebody else reads as. */
const GONE = Symbol('gone');

/** Times a row is looked up again whose file somebody has replaced meanwhile. */
const ATTEMPTS = 10;

type Setting = Pick<SetOptions | StreamOptions, 'expire' | 'tag' | 'retry'>;

export class Items {
	readonly #queues: Queues;
	readonly #walk: Walk;
	/** Whether an item that was got expires. */
	#hasMetExpiry = false;

	constructor(private readonly engine: Engine) {
		this.#queues = new Queues(engine.database);
		this.#walk = new Walk(engine.database);
	}

	set({key, raw}: StoredKey, value: StoredValue, options: Setting): true {
		const {engine} = this;
		const columns = this.#columns(value, options);
		engine.transaction.statement(() => engine.statements.set.run(key, raw, ...columns), options.retry, value.filename);
		this.#wrote(columns);
		return true;
	}

	add({key, raw}: StoredKey, value: StoredValue, options: Setting): boolean {
		const {engine} = this;
		const columns = this.#columns(value, options);
		const add = () => engine.statements.add.run(key, raw, ...columns);
		const isAdded = engine.transaction.statement(add, options.retry, value.filename).changes > 0;
		if (isAdded) this.#wrote(columns);
		else if (value.filename !== null) engine.disk.remove(value.filename);
		return isAdded;
	}

	incr(key: unknown, delta: number, initial: number | null, isRetried = false): number {
		if (!Number.isFinite(delta)) throw new TypeError(`${String(delta)} cannot be added`);
		const {statements, transaction, disk, uses} = this.engine;
		// It is stored anew by that, and what was noted before would not count.
		if (this.engine.noting === 'access_count') uses.tryFlush();
		const stored = disk.put(key);
		const add = () => {
			const now = this.engine.now();
			// To its end: only there SQLite looks whether the log is long enough for a checkpoint.
			return statements.incr.all(delta, now, now, stored.key, stored.raw, now)[0];
		};
		const sum = transaction.statement(add, isRetried);
		if (sum !== undefined) return sum;
		return transaction.run(() => add() ?? this.#begin(key, stored, delta, initial), isRetried);
	}

	touch({key, raw}: StoredKey, expire: number | null, isRetried?: boolean): boolean {
		const {engine} = this;
		const now = engine.now();
		const expireTime = expire === null ? null : now + expire;
		const touch = () => engine.statements.touch.run(expireTime, key, raw, now);
		const isThere = engine.transaction.statement(touch, isRetried).changes > 0;
		if (isThere) engine.culling.wrote(now, 0, expireTime);
		return isThere;
	}

	count(): number {
		return retried(false, () => this.engine.statements.count.get()) ?? 0;
	}

	keepCount(): void {
		const {database, statements, transaction} = this.engine;
		const isKept = () => statements.setting.get('count') !== undefined;
		if (retried(true, isKept)) return;
		transaction.run(() => {
			if (!isKept()) database.exec(COUNT_TRIGGERS);
		}, true);
	}

	has({key, raw}: StoredKey): boolean {
		const {engine} = this;
		return retried(false, () => engine.statements.has.get(key, raw, engine.now())) !== undefined;
	}

	get(key: StoredKey, options: GetOptions): unknown {
		for (;;) {
			try {
				return this.#get(key, options);
			} catch (error) {
				throwUnlessRetried(error, options.retry === true);
			}
		}
	}

	#get({key, raw}: StoredKey, options: GetOptions): unknown {
		const {engine} = this;
		const now = engine.now();
		if (engine.isPlain && options.expireTime !== true && options.tag !== true && options.read !== true) {
			const {inline, lasting} = engine.statements;
			const value = this.#hasMetExpiry ? inline.get(now, key, raw) : lasting.get(key, raw);
			if (value === undefined) return options.default;
			if (value !== null) return engine.disk.fetchInline(value);
		}

		for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
			const row = engine.statements.get.get(key, raw);
			if (row === undefined) break;
			this.#hasMetExpiry ||= row[2] !== null;
			if (row[2] !== null && row[2] <= now) break;
			const value = this.#fetch(row, options.read);
			if (value === GONE) continue;
			if (engine.settings.statistics) engine.uses.countLookup(true);
			if (engine.noting !== null) engine.uses.note(row[5], row[7], now);
			return withFields(value, options, row[2], row[6]);
		}

		if (engine.settings.statistics) engine.uses.countLookup(false);
		return withFields(options.default, options, null, null);
	}

	delete({key, raw}: StoredKey, isRetried?: boolean): boolean {
		const {engine} = this;
		const now = engine.now();
		return engine.transaction.statement(() => engine.statements.delete.run(key, raw, now), isRetried).changes > 0;
	}

	pin({key, raw}: StoredKey): boolean {
		const {statements, transaction} = this.engine;
		return transaction.statement(() => statements.pin.run(key, raw), true).changes > 0;
	}

	fence(): number {
		const {statements, transaction} = this.engine;
		return transaction.run(() => {
			statements.addToSetting.run(1, 'fence');
			return Number(statements.setting.get('fence'));
		}, true);
	}

	pop({key, raw}: StoredKey, options: FieldOptions): unknown {
		const {engine} = this;
		const now = engine.now();
		const remove = () => engine.statements.pop.all(key, raw, now)[0];
		const use = (row: ValueRow | undefined) => {
			const value = row === undefined ? GONE : this.#fetch(row);
			if (row === undefined || value === GONE) return withFields(options.default, options, null, null);
			return withFields(value, options, row[2], row[6]);
		};
		return engine.transaction.take(remove, use, options.retry);
	}

	push(value: StoredValue, options: Setting & {prefix?: string | null; side?: Side}): string | number {
		const {prefix = null, side = 'back', retry} = options;
		const columns = this.#columns(value, options);
		const push = () => this.#queues.push(prefix, sideOf(side), columns);
		const key = this.engine.transaction.statement(push, retry, value.filename);
		this.#wrote(columns);
		return key;
	}

	pull(options: QueueOptions): unknown {
		const {prefix = null, side = 'front', retry} = options;
		const remove = () => this.#queues.pull(prefix, sideOf(side));
		const now = this.engine.now();
		for (;;) {
			const item = this.engine.transaction.take(remove, row => this.#item(row, now, options), retry);
			if (item !== GONE) return item;
		}
	}

	peek(options: QueueOptions): unknown {
		const {prefix = null, side = 'front'} = options;
		return this.#peek(() => this.#queues.peek(prefix, sideOf(side)), options);
	}

	peekItem(options: FieldOptions & {last?: boolean}): unknown {
		const {first, last} = this.engine.statements;
		const item = this.#peek(() => (options.last === false ? first : last).get(), {...options, default: GONE});
		const key: unknown = Array.isArray(item) ? item.flat()[0] : item;
		if (key === GONE) throw new KeyError('the cache is empty');
		return item;
	}

	*keys(isReversed: boolean): Generator<unknown> {
		const {disk, statements} = this.engine;
		const maxRowid = retried(false, () => statements.maxRowid.get()) ?? null;
		for (const [, key, raw] of this.#walk.inOrder(maxRowid, isReversed)) yield disk.get(key, raw);
	}

	*sortedKeys(isReversed: boolean): Generator<unknown> {
		for (const [, key, raw] of this.#walk.sorted(isReversed)) yield this.engine.disk.get(key, raw);
	}

	stats(enable: boolean, reset: boolean): [hits: number, misses: number] {
		const {engine} = this;
		const {statements, transaction, uses} = engine;
		const counts = transaction.run((): [number, number] => {
			uses.flush();
			const found = ['hits', 'misses'].map(name => Number(statements.setting.get(name) ?? 0));
			if (reset) for (const name of ['hits', 'misses']) statements.setSetting.run(name, 0);
			return [found[0] ?? 0, found[1] ?? 0];
		});
		if (engine.settings.statistics !== enable) engine.store('statistics', enable, false);
		return counts;
	}

	/** Removes what has expired on the way. @returns the item, or the default for none. */
	#peek(look: () => ItemRow | undefined, options: FieldOptions): unknown {
		const now = this.engine.now();
		for (;;) {
			const row = retried(options.retry === true, look);
			const item = this.#item(row, now, options);
			if (item !== GONE || row === undefined) return item;
			this.engine.transaction.run(() => this.#removeDead(look(), row), options.retry);
		}
	}

	/** Removes `row`, if it is the one that is there still. */
	#removeDead(found: ItemRow | undefined, row: ItemRow): void {
		const isSame = found !== undefined && found[5] === row[5] && found[2] === row[2] && found[3] === row[3];
		if (isSame) this.engine.statements.deleteRow.run(row[5]);
	}

	/** `GONE` for one that has expired, or whose file is gone. */
	#item(row: ItemRow | undefined, now: number, options: FieldOptions): unknown {
		if (row === undefined) return withFields(options.default ?? [undefined, undefined], options, null, null);
		if (row[2] !== null && row[2] <= now) return GONE;
		const value = this.#fetch(row);
		return value === GONE ? GONE : withFields([this.engine.disk.get(row[8], row[9]), value], options, row[2], row[6]);
	}

	#begin(key: unknown, {key: column, raw}: StoredKey, delta: number, initial: number | null): number {
		const row = this.engine.statements.get.get(column, raw);
		const isThere = row !== undefined && (row[2] === null || row[2] > this.engine.now());
		if (isThere) throw new TypeError(`${String(key)} is no number`);
		if (initial === null) throw new KeyError(`there is no ${String(key)}`);
		this.set({key: column, raw}, this.engine.disk.store(initial + delta), {});
		return initial + delta;
	}

	/** @throws the system's error, but for a file that is not there, or not whole. */
	#fetch([mode, value, , filename, size]: ValueRow | ItemRow, isStream = false): unknown {
		try {
			const stored = {mode, value, filename, size};
			return isStream ? this.engine.disk.open(stored) : this.engine.disk.fetch(stored);
		} catch (error) {
			if (filename !== null && ['ENOENT', 'EIO'].includes(systemCode(error) ?? '')) return GONE;
			throw error;
		}
	}

	#columns({size, mode, filename, value}: StoredValue, {expire = null, tag = null}: Setting): Stored {
		const now = this.engine.now();
		return [now, expire === null ? null : now + expire, now, tag, size, mode, filename, value];
	}

	#wrote([now, expireTime, , , size, , , value]: Stored): void {
		const inRow = typeof value === 'string' || value instanceof Uint8Array ? value.length : 0;
		this.engine.culling.wrote(now, size + inRow, expireTime);
	}
}

/** @throws RangeError for a side that is none: it becomes a part of a statement. */
function sideOf(side: string): Side {
	if (side === 'front' || side === 'back') return side;
	throw new RangeError(`a queue has a front and a back, and no ${side}`);
}
