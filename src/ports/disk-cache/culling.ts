/** Removing what has expired, and what is over the size limit. */
import type {Database, Statement} from '../../sqlite/open.js';
import {isBusy} from '../../sqlite/retry.js';
import {Timeout} from './errors.js';
import {policyOf, type EvictionPolicy} from './policies.js';
import type {Settings} from './settings.js';
import type {Statements} from './statements.js';
import {retried, type Transaction} from './transaction.js';
import type {Uses} from './uses.js';

export interface CullingParts {
	readonly database: Database;
	readonly settings: Settings;
	readonly statements: Statements;
	readonly transaction: Transaction;
	readonly uses: Uses;
}

/** A row may take a page of the table and one of each index. */
const ROW_BYTES = 4096;
/** Looked at again once this part of what is free was written; so many processes may do so at once. */
const PART = 64;
const LOOK_EVERY_S = 1;
/** Items that one statement of `cull`, `expire`, `evict` and `clear` removes. */
const BATCH = 100;
const CULL_BATCH = 10;

type Eviction = Statement<[{except: number; limit: number; now: number}]>;

/**
 * Each write culls, but looks whether there is something to cull only when there
 * may be: when it has written a part of what was free, when something it knows of
 * has expired, and after a second.
 */
export class Culling {
	#allowanceBytes = 0;
	#nextExpiry = -Infinity;
	#lookAt = -Infinity;
	/** By policy, once its index was needed. */
	readonly #evictions = new Map<EvictionPolicy, Eviction>();

	constructor(private readonly parts: CullingParts) {}

	/** Bytes: pages in use, and the files of values. @throws Timeout */
	volume(): number {
		const {pageCount, freePages, pageSize, setting} = this.parts.statements;
		return retried(false, () => {
			const pages = (pageCount.get() ?? 0) - (freePages.get() ?? 0);
			return pages * (pageSize.get() ?? 0) + Number(setting.get('size') ?? 0);
		});
	}

	/** Something was written, at `now`. */
	wrote(now: number, bytes: number, expireTime: number | null): void {
		if (expireTime !== null && expireTime < this.#nextExpiry) this.#nextExpiry = expireTime;
		this.#allowanceBytes -= bytes + ROW_BYTES;
		if (this.#allowanceBytes > 0 && now <= this.#nextExpiry && now < this.#lookAt) return;
		try {
			this.#look(now);
		} catch (error) {
			// It was written all the same, and the next write looks again.
			if (!(error instanceof Timeout || isBusy(error))) throw error;
			this.lookSoon();
		}
	}

	/** The next write looks, whatever was known. */
	lookSoon(): void {
		this.#lookAt = -Infinity;
	}

	/** @returns how many were removed. @throws Timeout with that number. */
	expire(now: number, isRetried: boolean): number {
		return this.repeat(() => this.parts.statements.expire.run(now, BATCH).changes, isRetried);
	}

	/** Removes by the policy until the volume is within the limit. @throws Timeout */
	cull(now: number, isRetried: boolean): number {
		const expired = this.expire(now, isRetried);
		if (policyOf(this.parts.settings.evictionPolicy).cull === null) return expired;
		const isOver = () => this.volume() > this.parts.settings.sizeLimit;
		return this.repeat(() => (isOver() ? this.#evict(CULL_BATCH, 0, now) : 0), isRetried, expired);
	}

	/**
	 * Runs `removes` until it has removed nothing. Others may write in between.
	 *
	 * @throws Timeout with the number that was removed before.
	 */
	repeat(removes: () => number, isRetried: boolean, before = 0): number {
		let removed = before;
		for (;;) {
			try {
				const count = this.parts.transaction.run(removes, isRetried);
				if (count === 0) return removed;
				removed += count;
			} catch (error) {
				throw error instanceof Timeout ? new Timeout(removed, {cause: error}) : error;
			}
		}
	}

	evictTag(tag: string | number | Uint8Array, isRetried: boolean): number {
		return this.repeat(() => this.parts.statements.evict.run(tag, BATCH).changes, isRetried);
	}

	clear(isRetried: boolean): number {
		return this.repeat(() => this.parts.statements.clear.run(BATCH).changes, isRetried);
	}

	#look(now: number): void {
		const {settings, statements, transaction} = this.parts;
		this.#lookAt = now + LOOK_EVERY_S;
		this.#allowanceBytes = Infinity;
		if (settings.cullLimit === 0) return;
		let left = settings.cullLimit;
		const next = statements.nextExpiry.get() ?? null;
		if (next !== null && next < now) {
			left -= transaction.statement(() => statements.expire.run(now, left)).changes;
			this.#nextExpiry = statements.nextExpiry.get() ?? Infinity;
		} else {
			this.#nextExpiry = next ?? Infinity;
		}

		if (policyOf(settings.evictionPolicy).cull === null) return;
		const volume = this.volume();
		this.#allowanceBytes = (settings.sizeLimit - volume) / PART;
		if (volume >= settings.sizeLimit && left > 0) transaction.run(() => this.#evict(left, now, now));
	}

	/** @param except - what was stored at this moment stays: it has had no chance to be used. */
	#evict(limit: number, except: number, now: number): number {
		const {settings, uses} = this.parts;
		const policy = policyOf(settings.evictionPolicy);
		if (policy.cull === null) return 0;
		if (policy.get !== null) uses.flush();
		return this.#eviction(policy).run({except, limit, now}).changes;
	}

	#eviction(policy: EvictionPolicy): Eviction {
		const known = this.#evictions.get(policy);
		if (known !== undefined) return known;
		const {database} = this.parts;
		if (policy.init !== null) database.exec(policy.init);
		const may = policy.where === undefined ? '' : `AND (${policy.where})`;
		// A policy that does not ask for the time is given it all the same.
		const chosen = `SELECT rowid FROM Cache WHERE store_time <> @except AND pinned = 0 AND @now IS NOT NULL ${may} ORDER BY ${policy.cull} LIMIT @limit`;
		const eviction: Eviction = database.prepare(`DELETE FROM Cache WHERE rowid IN (${chosen})`);
		this.#evictions.set(policy, eviction);
		return eviction;
	}
}
