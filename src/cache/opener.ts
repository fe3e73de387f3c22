import {abortable} from '../base/abort.js';
import type {Clock} from '../base/clock.js';
import type {Freshness, FreshnessRules, StoredFacts} from '../http/freshness.js';
import type {Entry} from '../store/entry.js';
import {keyOf, type Key} from '../store/key.js';
import type {Store} from '../store/store.js';
import type {Absences} from './absences.js';
import type {Fill} from './fill.js';
import type {Fills} from './fills.js';
import {MovedError} from './moved-error.js';
import type {Revalidator} from './revalidate.js';
import type {Source} from './source.js';
import type {Counters} from './stats.js';
import {StoredVersion, type Version} from './version.js';

export interface OpenerContext {
	readonly store: Store;
	readonly source: Source;
	readonly fills: Fills;
	readonly revalidator: Revalidator;
	readonly absences: Absences;
	readonly freshness: FreshnessRules;
	readonly counters: Counters;
	readonly clock: Clock;
}

/** How a URL is opened. */
interface Opening {
	/** Ends the wait; a download goes on without it. */
	readonly signal: AbortSignal | undefined;
	readonly source: Source;
	/** A stream will do: see `Version.isStream`. */
	readonly mayStream: boolean;
}

/** What asking the source about a URL has led to. */
export interface Refreshed {
	/** `fetched` where nothing was stored. */
	readonly outcome: 'unchanged' | 'changed' | 'fetched';
	/** Resolves when what the source has is stored. @throws why it is not. */
	readonly stored: Promise<void>;
}

/** Decides, once for each open, what is read: what is stored, what is asked about first, or what is fetched. */
export class Opener {
	/** Whether nobody may be asked: then what is stored is read, however stale. */
	isOffline = false;

	constructor(private readonly context: OpenerContext) {}

	/**
	 * Opens a URL: the stored entry, or a download of it. Resolves when the size
	 * is known: for a download with its first bytes, or with its last where
	 * nothing else tells the length. What another process downloads is followed,
	 * as if it were downloaded here. What is stale is asked about first; see
	 * `Freshness`.
	 *
	 * @param signal - ends this wait; a download goes on without it.
	 * @throws CacheError with the reason why there is nothing to read.
	 */
	open(url: string, signal?: AbortSignal, source: Source = this.context.source): Promise<Version> {
		return this.#openFrom(url, {signal, source, mayStream: false});
	}

	/** As `open`, for who can read a stream: of that the first bytes are waited for. */
	openStream(url: string, signal?: AbortSignal): Promise<Version> {
		return this.#openFrom(url, {signal, source: this.context.source, mayStream: true});
	}

	/** Opens what is stored under a key where that needs no waiting: it is there, and fresh. Undefined is no answer: `open` has it. */
	openAtOnce(key: Key): Version | undefined {
		const pin = this.context.store.pinAtOnce(key, entry => this.isFresh(entry));
		if (pin === undefined) return undefined;
		this.context.counters.hits++;
		return new StoredVersion(pin);
	}

	/** Asks the source about a URL now, however fresh what is stored is, and fetches what it has, whole. */
	async refresh(url: string, signal?: AbortSignal): Promise<Refreshed> {
		const {outcome, version} = await this.#refresh(url, signal);
		return {
			outcome,
			stored: version
				.whole(signal)
				.then(() => undefined)
				.finally(() => version.close()),
		};
	}

	/** As `open`, once the source was asked about the URL, however fresh what is stored is. */
	async openRefreshed(url: string, signal?: AbortSignal): Promise<Version> {
		return (await this.#refresh(url, signal)).version;
	}

	/** Opens what is stored under a key; a hit if there is something. */
	async openStored(key: Key): Promise<Version | undefined> {
		const pin = await this.context.store.pin(key);
		if (pin === undefined) return undefined;
		this.context.counters.hits++;
		return new StoredVersion(pin);
	}

	/** Whether an entry may be used without asking. */
	isFresh(entry: Entry): boolean {
		return this.isOffline || this.#judge(entry) === 'fresh';
	}

	/** For how long an entry will be used without asking, in ms. */
	freshForMs(entry: Entry): number {
		const {freshness, clock} = this.context;
		return freshness.freshForMs(entry.sidecar.url, factsOf(entry), clock.now());
	}

	/** Where a URL that has nothing of its own has moved to. In a circle nothing has moved. */
	movedTo(url: string): string | undefined {
		const visited = new Set<string>();
		for (let last = url; ;) {
			const key = keyOf(last);
			if (visited.has(last)) return undefined;
			visited.add(last);
			const isHere = this.context.fills.running(key) !== undefined || this.context.store.lookup(key) !== undefined;
			const alias = isHere ? undefined : this.context.store.aliases.get(key, this.context.clock.now());
			if (alias === undefined) return last === url ? undefined : last;
			last = alias.url;
		}
	}

	/** @throws CacheError also where the source does not answer. */
	async #refresh(
		url: string,
		signal: AbortSignal | undefined,
	): Promise<{outcome: Refreshed['outcome']; version: Version}> {
		const key = keyOf(url);
		this.context.absences.forget(key);
		const entry = this.context.store.lookup(key);
		const movedTo = entry === undefined ? this.movedTo(url) : undefined;
		if (movedTo !== undefined) return this.#refresh(movedTo, signal);
		if (entry === undefined) return {outcome: 'fetched', version: await this.open(url, signal)};
		const coming = this.context.fills.running(key);
		const how = {signal, mayStream: false};
		// What it has answered a moment ago is on its way: it is not fetched beside itself.
		const joined = coming !== undefined && coming.entry === undefined ? await this.#join(coming, how) : undefined;
		if (joined !== undefined) return {outcome: 'changed', version: joined};
		const asked = await abortable(this.context.revalidator.run(entry, this.context.source), signal);
		if (asked.outcome === 'superseded') return this.#refresh(url, signal);
		if ('error' in asked) throw asked.error;
		const {outcome} = asked;
		const version = asked.outcome === 'changed' ? await this.#join(asked.fill, how) : await this.openStored(key);
		return version === undefined ? this.#refresh(url, signal) : {outcome, version};
	}

	async #openFrom(url: string, how: Opening): Promise<Version> {
		try {
			return await this.#open(url, how);
		} catch (error) {
			if (!(error instanceof MovedError)) throw error;
			return await this.#openMoved(keyOf(url), error, how);
		}
	}

	async #open(url: string, how: Opening): Promise<Version> {
		const key = keyOf(url);
		const {signal, source} = how;
		for (;;) {
			const stored = await this.#openUsable(key, how);
			if (stored !== undefined) return stored;
			const ending = this.context.fills.ending(key);
			if (ending !== undefined) {
				await abortable(ending.finished, signal).catch(() => signal?.throwIfAborted());
				continue;
			}

			const movedTo = this.movedTo(url);
			const isOurs = source === this.context.source;
			// What a caller brings is for the URL that it was said for.
			if (movedTo !== undefined && (isOurs || this.context.store.lookup(keyOf(movedTo)) !== undefined)) {
				return this.#openFrom(movedTo, {...how, source: this.context.source});
			}

			const joined = await this.#joinOrStart(url, key, how);
			if (joined !== undefined) return joined;
		}
	}

	/** What is stored, where it may be used; asks first where it is stale. @throws where its source does not give it any more. */
	async #openUsable(key: Key, how: Opening): Promise<Version | undefined> {
		const pin = await this.context.store.pin(key);
		if (pin === undefined) return undefined;
		const stored = new StoredVersion(pin);
		let opened: Version | undefined;
		try {
			opened = this.isFresh(pin.entry) ? stored : await this.#openAsked(stored, pin.entry, how);
			return opened;
		} finally {
			if (opened === stored) this.context.counters.hits++;
			else stored.close();
		}
	}

	/** What is stored or what has taken its place, by what its source says; undefined where somebody is at it. */
	async #openAsked(stored: StoredVersion, entry: Entry, how: Opening): Promise<Version | undefined> {
		const {fills, revalidator} = this.context;
		const {signal, source} = how;
		const running = fills.running(entry.key);
		// One that has been stored is what is stale.
		if (running !== undefined && running.entry === undefined) return undefined;
		const freshness = this.#judge(entry);
		const isUsable = freshness !== 'must-revalidate';
		if (isUsable && revalidator.hasFailed(entry.key)) return stored;
		const asking = isUsable ? revalidator.runSoon(entry, source) : revalidator.run(entry, source);
		if (freshness === 'stale-while-revalidate') return stored;
		const asked = await abortable(asking, signal);
		if (asked === undefined || asked.outcome === 'unchanged') return stored;
		if (asked.outcome === 'superseded') return this.#openUsable(entry.key, how);
		if (asked.outcome === 'changed') return this.#join(asked.fill, how);
		if (asked.outcome === 'failed' && isUsable) return stored;
		throw asked.error;
	}

	#judge(entry: Entry): Freshness {
		const {freshness, clock} = this.context;
		return freshness.judge(entry.sidecar.url, factsOf(entry), clock.now());
	}

	async #openMoved(key: Key, moved: MovedError, how: Opening): Promise<Version> {
		this.noteMoved(key, moved);
		try {
			return await this.#openFrom(moved.movedTo.url, {...how, source: moved.source});
		} finally {
			moved.source.release();
		}
	}

	/** Remembers where the URL of a key has moved to, for as long as that may be. */
	noteMoved(key: Key, {movedTo}: MovedError): void {
		const {freshness, clock} = this.context;
		const nowMs = clock.now();
		const forMs = freshness.movedForMs(movedTo.url, movedTo.redirects, nowMs);
		// It has answered for itself: what it has stood for would be given the bytes of another.
		if (this.movedTo(movedTo.url) !== undefined) this.context.store.aliases.remove(keyOf(movedTo.url), nowMs);
		if (forMs > 0) this.context.store.aliases.set(key, {url: movedTo.url, untilMs: nowMs + forMs});
	}

	/** Undefined where it was replaced or removed while it was waited for: what counts is what is there now. */
	async #joinOrStart(url: string, key: Key, how: Opening) {
		const running = this.context.fills.running(key);
		if (running === undefined) this.context.absences.check(key);
		else if (running.isRead) this.context.counters.hits++;
		return this.#join(running ?? this.context.fills.start({url, key, source: how.source}), how);
	}

	async #join(fill: Fill, {signal, mayStream}: Omit<Opening, 'source'>): Promise<Version | undefined> {
		const version = await this.context.fills.join(fill, signal, mayStream);
		if (fill.isWanted) return version;
		version.close();
		return undefined;
	}
}

function factsOf({sidecar, storedAtMs}: Entry): StoredFacts {
	const {http: caching, isPut, origin} = sidecar;
	const lastModifiedMs = origin.lastModified === undefined ? undefined : origin.lastModified * 1000;
	return {storedAtMs, caching, lastModifiedMs, isPut};
}
