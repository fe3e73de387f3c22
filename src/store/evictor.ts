import {setTimeout} from 'node:timers/promises';
import type {Clock} from '../base/clock.js';
import {messageOf} from '../base/errors.js';
import type {Log} from '../base/log.js';
import {redact} from '../base/redact.js';
import type {Catalogue} from './catalogue.js';
import type {Placed} from './catalogue-reader.js';
import type {Entry} from './entry.js';
import type {Key} from './key.js';
import type {Limits, Reason} from './limits.js';
import {POLICIES, type PolicyName} from './policies.js';

export interface EvictorContext {
	readonly catalogue: Catalogue;
	limits(): Limits;
	/** Whether somebody has the entry open. */
	isOpen(key: Key): boolean;
	/** Removes an entry; false where there was none, undefined where somebody is at work on it. */
	tryRemove(key: Key): Promise<boolean> | undefined;
	/** Drops what was begun and kept too long. */
	dropAgedPartials(): void;
	readonly clock: Clock;
	readonly log: Log;
}

/** How long files that could not be removed are left alone. */
const RETRY_REMOVAL_MS = 60_000;
/** For so long the order in which entries leave is not asked for again: who was accessed meanwhile is passed over. */
const ORDER_AGE_MS = 250;
/** Orders asked for, for one entry: others that evict at the same time may take all that was in one. */
const MAX_ROUNDS = 10;
const LOOK_FOR_AGED_EVERY_MS = 60_000;
/**
 * Who is at work on an entry, or on one that shares its lock, mostly evicts too: it is waited for, as four
 * processes that pass over what the others remove would remove four entries for the room of one. No longer:
 * who has a lock may be waiting for this eviction.
 */
const BUSY_PATIENCE_MS = 50;
const LOOK_EVERY_MS = 1;

interface Eviction {
	readonly policy: PolicyName;
	readonly reason: Reason;
	/** For so long who is at work on an entry is waited for, by `performance.now()`. */
	readonly until: number;
}

/** Evicts what should leave first, and what is too old. */
export class Evictor {
	/** Entries that could not be removed, and when to try again. They stay counted. */
	readonly #unremovable = new Map<Key, number>();
	readonly #counts: Record<Reason, number> = {'max-size': 0, 'max-entries': 0, 'max-age': 0, 'min-free': 0};
	#queue: {readonly policy: PolicyName; readonly candidates: Iterator<Placed>; readonly until: number} | undefined;
	readonly #timer: NodeJS.Timeout;

	constructor(private readonly context: EvictorContext) {
		this.#timer = setInterval(() => void this.evictAged(), LOOK_FOR_AGED_EVERY_MS).unref();
	}

	/** Entries evicted since the start, by what made them leave. */
	get counts(): Readonly<Record<Reason, number>> {
		return this.#counts;
	}

	/** Evicts one entry, or waits while another process does; false when none can leave. */
	async evictNext(reason: Reason): Promise<boolean> {
		const until = performance.now() + BUSY_PATIENCE_MS;
		for (let round = 0; round < MAX_ROUNDS; round++) {
			const {policy} = this.context.limits();
			const isFresh = this.#renewQueue(policy, round > 0);
			let hasMoved = false;
			for (let next = this.#take(); next !== undefined; next = this.#take()) {
				const outcome = await this.#evict(next, {policy, reason, until});
				if (outcome === 'has left') return true;
				hasMoved ||= outcome === 'gone';
			}

			// An order that has been used for a while, or while others evicted, may lack who has come meanwhile.
			if (isFresh && !hasMoved) return false;
		}

		return false;
	}

	/** Evicts what was stored too long ago, and drops what was begun too long ago. */
	async evictAged(): Promise<void> {
		this.context.dropAgedPartials();
		const {maxAgeMs} = this.context.limits();
		if (maxAgeMs === Infinity) return;
		const beforeMs = this.context.clock.now() - maxAgeMs;
		const as: Eviction = {policy: 'least-recently-stored', reason: 'max-age', until: performance.now()};
		for (const placed of this.context.catalogue.leaving('least-recently-stored')) {
			if (placed.use.stored_at >= beforeMs) return;
			await this.#evict(placed, as);
		}
	}

	close(): void {
		clearInterval(this.#timer);
	}

	/** Whether the order is a new one. */
	#renewQueue(policy: PolicyName, mustBeNew: boolean): boolean {
		const now = performance.now();
		const isUsable = this.#queue !== undefined && this.#queue.policy === policy && now < this.#queue.until;
		if (isUsable && !mustBeNew) return false;
		const candidates = this.context.catalogue.leaving(policy)[Symbol.iterator]();
		this.#queue = {policy, candidates, until: now + ORDER_AGE_MS};
		return true;
	}

	#take(): Placed | undefined {
		const next = this.#queue?.candidates.next();
		return next === undefined || next.done ? undefined : next.value;
	}

	/** Whether nothing has happened to an entry, since the order was asked for, by which it would not leave now. */
	#isAsPlaced({entry: {key}, use}: Placed, policy: PolicyName): boolean {
		const {catalogue} = this.context;
		const now = catalogue.use(key);
		if (now === undefined || catalogue.get(key)?.sidecar.pinned === true) return false;
		const order = POLICIES[policy]?.order ?? [];
		return now.stored_at === use.stored_at && order.every(column => now[column] === use[column]);
	}

	/** Resolves with `has left` too for what another process has removed meanwhile: its room may be enough. */
	async #evict(placed: Placed, as: Eviction): Promise<'has left' | 'gone' | 'in use'> {
		const {key} = placed.entry;
		try {
			for (let isFirst = true; ; isFirst = false) {
				if (!this.#isAsPlaced(placed, as.policy)) return isFirst ? 'gone' : 'has left';
				if (this.#mustStay(key)) return 'in use';
				const removing = this.context.tryRemove(key);
				if (removing !== undefined) return (await removing) ? this.#hasEvicted(placed.entry, as.reason) : 'gone';
				if (performance.now() >= as.until) return 'in use';
				await setTimeout(LOOK_EVERY_MS);
			}
		} catch (error) {
			this.#unremovable.set(key, this.context.clock.now() + RETRY_REMOVAL_MS);
			this.context.log.warn(messageOf(error));
			return 'in use';
		}
	}

	#mustStay(key: Key): boolean {
		return this.context.isOpen(key) || (this.#unremovable.get(key) ?? 0) > this.context.clock.now();
	}

	#hasEvicted({key, sidecar}: Entry, reason: Reason): 'has left' {
		this.#unremovable.delete(key);
		this.#counts[reason]++;
		this.context.log.debug('evicted', {url: redact(sidecar.url), reason});
		return 'has left';
	}
}
