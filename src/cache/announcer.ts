import {abortable} from '../base/abort.js';
import type {Clock} from '../base/clock.js';
import {CacheError, hasCode} from '../base/errors.js';
import {LRUCache} from '../base/lru-cache.js';
import {keyOf, type Key} from '../store/key.js';
import type {Store} from '../store/store.js';
import type {Absences} from './absences.js';
import type {Fill} from './fill.js';
import type {Fills} from './fills.js';
import {MovedError} from './moved-error.js';
import type {Opener} from './opener.js';
import type {Source} from './source.js';

export interface AnnouncerContext {
	readonly store: Store;
	readonly source: Source;
	readonly fills: Fills;
	readonly opener: Opener;
	readonly absences: Absences;
	readonly clock: Clock;
}

/** What a source has said of a URL of which nothing is stored. */
export interface Announcement {
	readonly sizeBytes: number;
	readonly modifiedAtMs: number;
}

interface Lease {
	/** Undefined where nothing can be said. */
	readonly announced: Announcement | undefined;
	readonly untilMs: number;
}

/** Who looks at a file does so several times: it is asked about once. */
const LEASE_MS = 5000;
const MAX_LEASES = 10_000;

/**
 * Asks what there is under URLs of which nothing is here, for who only wants to
 * know. The request is the one that a reader would make, and who reads soon
 * after has its answer.
 */
export class Announcer {
	readonly #leases = new LRUCache<Key, Lease>({max: MAX_LEASES});

	constructor(private readonly context: AnnouncerContext) {}

	/** What was said of a URL a moment ago; undefined where nothing was, or nothing that tells a size. */
	announced(key: Key): Announcement | undefined {
		const fill = this.context.fills.running(key);
		return fill === undefined ? this.#lease(key)?.announced : (sizeOf(fill) ?? this.#lease(key)?.announced);
	}

	/** It is to be asked about again. */
	forget(key: Key): void {
		this.#leases.delete(key);
	}

	/**
	 * Sees to it that `announced` tells what the source has, as far as that can be
	 * had in time: where it does not answer, or not how much it has, nothing is
	 * told, and that for a while. Makes no request where something is stored or was
	 * left of it, or is known.
	 *
	 * @param patienceMs - how long it may take; the request goes on a little longer, for who reads.
	 * @param signal - its caller has gone: the request ends, where nobody else waits for it.
	 * @throws CacheError `not-found`, or the signal's reason.
	 */
	async announce(url: string, patienceMs: number, signal: AbortSignal): Promise<void> {
		if (this.context.opener.isOffline || this.#isKnown(url)) return;
		const left = this.context.store.partialFacts(keyOf(this.context.opener.movedTo(url) ?? url));
		if (left !== undefined) {
			this.#note(keyOf(url), {sizeBytes: left.lengthBytes, modifiedAtMs: left.modifiedAtMs});
			return;
		}

		const patience = new AbortController();
		const timer = setTimeout(() => patience.abort(late()), patienceMs);
		try {
			await this.#askAndNote(url, AbortSignal.any([signal, patience.signal]), signal);
		} finally {
			clearTimeout(timer);
		}
	}

	async #askAndNote(url: string, signal: AbortSignal, caller: AbortSignal): Promise<void> {
		try {
			const fill = await this.#ask(url, this.context.source, signal, caller);
			// What was put or removed meanwhile is another matter.
			if (fill.isWanted) this.#note(keyOf(url), sizeOf(fill));
		} catch (error) {
			caller.throwIfAborted();
			if (hasCode(error, 'not-found')) throw error;
			this.#note(keyOf(url), undefined);
		}
	}

	/** The fill of what there is, as far as that can be told. @throws why nothing can be told. */
	async #ask(url: string, source: Source, signal: AbortSignal, caller: AbortSignal): Promise<Fill> {
		const {fills, absences, opener} = this.context;
		const key = keyOf(url);
		const ending = fills.ending(key);
		if (ending !== undefined) await abortable(ending.finished, signal).catch(() => signal.throwIfAborted());
		const target = opener.movedTo(url);
		if (target !== undefined) return this.#ask(target, source, signal, caller);
		const running = fills.running(key);
		if (running === undefined) absences.check(key);
		const fill = running ?? fills.start({url, key, source, isAsked: true});
		try {
			await fills.ask(fill, signal, caller);
			return fill;
		} catch (error) {
			if (!(error instanceof MovedError)) throw error;
			opener.noteMoved(key, error);
			const {movedTo, source: answered} = error;
			return await this.#ask(movedTo.url, answered, signal, caller).finally(() => answered.release());
		}
	}

	#isKnown(url: string): boolean {
		const {fills, store, opener} = this.context;
		const key = keyOf(url);
		if (this.#lease(key) !== undefined || store.lookup(key) !== undefined) return true;
		const fill = fills.running(key);
		if (fill !== undefined) return sizeOf(fill) !== undefined;
		const movedTo = opener.movedTo(url);
		return movedTo !== undefined && this.#isKnown(movedTo);
	}

	#lease(key: Key): Lease | undefined {
		const lease = this.#leases.get(key);
		if (lease === undefined || this.context.clock.now() < lease.untilMs) return lease;
		this.#leases.delete(key);
		return undefined;
	}

	#note(key: Key, announced: Announcement | undefined): void {
		this.#leases.set(key, {announced, untilMs: this.context.clock.now() + LEASE_MS});
	}
}

function late(): CacheError {
	return new CacheError('deadline', 'its origin takes longer than a lookup may');
}

function sizeOf({sizeBytes, modifiedAtMs}: Fill): Announcement | undefined {
	return sizeBytes === undefined ? undefined : {sizeBytes, modifiedAtMs};
}
