/** What happens when what is stored is stale: the action. Whether it is, `http/freshness.ts` decides. */
import {LRUCache} from '../base/lru-cache.js';
import type {Clock} from '../base/clock.js';
import {asError, CacheError, messageOf, type ErrorCode} from '../base/errors.js';
import type {Log} from '../base/log.js';
import {redact} from '../base/redact.js';
import {SingleFlight} from '../base/single-flight.js';
import {AbsentError} from '../http/absent-error.js';
import {renewedFacts} from '../http/caching-facts.js';
import {DeniedError} from '../http/denied-error.js';
import type {FreshnessRules} from '../http/freshness.js';
import {OversizedError} from '../http/oversized-error.js';
import {isStrongEtag} from '../http/validators.js';
import type {Entry} from '../store/entry.js';
import type {Key} from '../store/key.js';
import type {Store} from '../store/store.js';
import type {Absences} from './absences.js';
import type {Fill} from './fill.js';
import type {Fills} from './fills.js';
import {hostOf} from './slots.js';
import {
	AnsweredSource,
	CircuitOpenError,
	type BodyVersion,
	type CachingFacts,
	type Source,
	type SourceBody,
} from './source.js';

export interface RevalidatorContext {
	readonly store: Store;
	readonly fills: Fills;
	readonly freshness: FreshnessRules;
	readonly absences: Absences;
	readonly clock: Clock;
	readonly log: Log;
}

export type Revalidated =
	/** What is stored is what the source has. */
	| {readonly outcome: 'unchanged'}
	/** Another version is on its way, and takes its place when it is whole. */
	| {readonly outcome: 'changed'; readonly fill: Fill}
	/** The source has nothing any more, or does not give it. */
	| {readonly outcome: 'refused'; readonly error: Error}
	/** There was no answer to rely on. */
	| {readonly outcome: 'failed'; readonly error: Error}
	/** What was asked about was replaced or removed meanwhile: what counts is what is there now. */
	| {readonly outcome: 'superseded'};

/** How long somebody waits to hear whether what is stale may be used, in ms. */
const PATIENCE_MS = 5000;
/** A source that did not answer is not asked again for so long, while there is something stale to go on with. */
const ASK_AGAIN_AFTER_MS = 30_000;
const MAX_FAILURES = 10_000;

/** No answer, or one that says nothing of the file (RFC 5861 section 4). */
const NO_ANSWER: ReadonlySet<ErrorCode> = new Set(['origin-failed', 'origin-unreachable', 'origin-timeout']);

/** Asks sources whether they still have what is stored: for each key once at a time. */
export class Revalidator {
	readonly #flights = new SingleFlight<Key, Revalidated>();
	/** When a source did not answer, epoch milliseconds. */
	readonly #failedAt = new LRUCache<Key, number>({max: MAX_FAILURES});

	/** Who keeps somebody waiting for longer than that. */
	readonly #slowHosts = new Set<string>();

	constructor(private readonly context: RevalidatorContext) {}

	/** Whether its source did not answer a short while ago. */
	hasFailed(key: Key): boolean {
		const failedAtMs = this.#failedAt.get(key);
		return failedAtMs !== undefined && this.context.clock.now() - failedAtMs < ASK_AGAIN_AFTER_MS;
	}

	/**
	 * As `run`, for somebody who has something stale to go on with: undefined where
	 * it takes long, and at once where its host is taking long already.
	 */
	async runSoon(entry: Entry, source: Source): Promise<Revalidated | undefined> {
		const asking = this.run(entry, source);
		const host = hostOf(entry.sidecar.url);
		if (this.#slowHosts.has(host)) return undefined;
		const asked = await soon(asking);
		if (asked !== undefined) return asked;
		this.#slowHosts.add(host);
		void asking.then(() => this.#slowHosts.delete(host));
		return undefined;
	}

	/**
	 * Asks about an entry, and does what follows from the answer: the sidecar is
	 * renewed, another version is fetched, or the entry is removed, unless nobody
	 * could give it back. Never fails.
	 */
	run(entry: Entry, source: Source): Promise<Revalidated> {
		return this.#flights.run(entry.key, async () => {
			try {
				return await this.#ask(entry, source);
			} catch (error) {
				return await this.#onError(entry, asError(error));
			}
		});
	}

	async #ask(entry: Entry, source: Source): Promise<Revalidated> {
		const {key, sidecar} = entry;
		const version = versionOf(entry);
		const transfer = new AbortController();
		const asking = source.fetchIfChanged?.(sidecar.url, version, transfer.signal);
		const answer = await (asking ?? source.fetch(sidecar.url, transfer.signal));
		this.#failedAt.delete(key);
		this.context.absences.forget(key);
		if (this.#stillStored(entry) === undefined) {
			if ('discard' in answer) answer.discard();
			return {outcome: 'superseded'};
		}

		const isUnchanged = 'isUnchanged' in answer || isSame(version, answer);
		if (!isUnchanged) return this.#replace(entry, new AnsweredSource(distinct(version, answer), source, transfer));
		if ('discard' in answer) answer.discard();
		if (answer.caching !== undefined) await this.#renew(entry, renewedFacts(sidecar.http, answer.caching));
		return {outcome: 'unchanged'};
	}

	/** Where the disk takes no word of it, the bytes are right all the same, and are asked about again. */
	async #renew(entry: Entry, caching: CachingFacts): Promise<void> {
		try {
			await this.context.store.renew(entry, caching);
		} catch (error) {
			const fields = {url: redact(entry.sidecar.url), reason: messageOf(error)};
			this.context.log.warn('it cannot be noted that a file has not changed', fields);
		}
	}

	#replace(entry: Entry, source: AnsweredSource): Revalidated {
		const {key, sidecar} = entry;
		const fill = this.context.fills.start({url: sidecar.url, key, source, replaced: entry});
		// Until it has begun it would end when nobody waits for it.
		fill.join();
		void fill.opened().then(
			() => fill.leave(),
			() => fill.leave(),
		);
		return {outcome: 'changed', fill};
	}

	async #onError(entry: Entry, error: Error): Promise<Revalidated> {
		const {store, freshness, absences, clock, log} = this.context;
		const {key, sidecar} = entry;
		const url = redact(sidecar.url);
		// To ask costs nothing while its host is left in peace, and that was said once.
		if (error instanceof CircuitOpenError) return {outcome: 'failed', error};
		if (isNoAnswer(error)) {
			this.#failedAt.set(key, clock.now());
			log.info('it could not be asked whether a file has changed', {url, reason: error.message});
			return {outcome: 'failed', error};
		}

		if (!(error instanceof AbsentError)) return {outcome: 'refused', error};
		const stored = this.#stillStored(entry);
		if (stored === undefined) return {outcome: 'superseded'};
		if (!stored.sidecar.isPut && !stored.sidecar.pinned) {
			absences.note(key, error.message, freshness.absentForMs(error.status, error.caching, clock.now()));
			log.info('a file is removed as its origin has it no more', {url, reason: error.message});
			await store.remove(key, entry).catch((reason: unknown) => {
				log.warn('a file that its origin has no more is not removed', {url, reason: messageOf(reason)});
			});
		}

		return {outcome: 'refused', error};
	}

	/** The entry with what has been said of it meanwhile; undefined where it is there no more. */
	#stillStored({key, data}: Entry): Entry | undefined {
		const stored = this.context.store.lookup(key);
		return stored?.data === data ? stored : undefined;
	}
}

/** What `promise` brings, or undefined where it takes long. */
async function soon<T>(promise: Promise<T>): Promise<T | undefined> {
	let timer: NodeJS.Timeout | undefined;
	const late = new Promise<undefined>(resolve => (timer = setTimeout(() => resolve(undefined), PATIENCE_MS)));
	try {
		return await Promise.race([promise, late]);
	} finally {
		clearTimeout(timer);
	}
}

/** What the guard does not let pass is none either: what is stored is read whatever the guard says. */
function isNoAnswer(error: Error): boolean {
	if (error instanceof DeniedError || error instanceof OversizedError) return true;
	return error instanceof CacheError && NO_ANSWER.has(error.code);
}

/** As its source has told it from others: the time that it has as a file may be another one, see `distinct`. */
function versionOf({sidecar: {origin, http}}: Entry): BodyVersion {
	const {length: lengthBytes, etag, lastModified} = origin;
	const told = Date.parse(http?.headers['last-modified'] ?? '');
	if (!Number.isNaN(told)) return {lengthBytes, etag, lastModifiedMs: told};
	return {lengthBytes, etag, lastModifiedMs: lastModified === undefined ? undefined : lastModified * 1000};
}

/** A source that sends a body though it was told what is known may still send the same. */
function isSame({etag, lengthBytes}: BodyVersion, answer: SourceBody): boolean {
	return isStrongEtag(etag) && answer.etag === etag && answer.lengthBytes === lengthBytes;
}

/**
 * The kernel tells versions of a file by size and time alone: one that claims
 * the time of another would be read from the pages of that.
 */
function distinct(version: BodyVersion, answer: SourceBody): SourceBody {
	const {lastModifiedMs, etag} = answer;
	if (lastModifiedMs === undefined || lastModifiedMs !== version.lastModifiedMs) return answer;
	// What is not known any more tells parts of it from no others.
	return {...answer, lastModifiedMs: undefined, hasStrongValidator: isStrongEtag(etag)};
}
