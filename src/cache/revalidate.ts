/** What happens when what is stored is stale: the action. Whether it is, `http/freshness.ts` decides. */
import {LRUCache} from '../base/lru-cache.js';
import type {Clock} from '../base/clock.js';
import {asError, CacheError, type ErrorCode} from '../base/errors.js';
import type {Log} from '../base/log.js';
import {redact} from '../base/redact.js';
import {SingleFlight} from '../base/single-flight.js';
import {AbsentError} from '../http/absent-error.js';
import {renewedFacts} from '../http/caching-facts.js';
import type {FreshnessRules} from '../http/freshness.js';
import {isStrongEtag} from '../http/validators.js';
import type {Entry} from '../store/entry.js';
import type {Key} from '../store/key.js';
import type {Store} from '../store/store.js';
import type {Absences} from './absences.js';
import type {Fill} from './fill.js';
import type {Fills} from './fills.js';
import {AnsweredSource, CircuitOpenError, type BodyVersion, type Source, type SourceBody} from './source.js';

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
	| {readonly outcome: 'failed'; readonly error: Error};

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

	constructor(private readonly context: RevalidatorContext) {}

	/** Whether its source did not answer a short while ago. */
	hasFailed(key: Key): boolean {
		const failedAtMs = this.#failedAt.get(key);
		return failedAtMs !== undefined && this.context.clock.now() - failedAtMs < ASK_AGAIN_AFTER_MS;
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
		const isUnchanged = 'isUnchanged' in answer || isSame(version, answer);
		if (!isUnchanged) return this.#replace(entry, new AnsweredSource(distinct(version, answer), source, transfer));
		if ('discard' in answer) answer.discard();
		if (answer.caching !== undefined) {
			await this.context.store.renew(entry, renewedFacts(sidecar.http, answer.caching));
		}

		return {outcome: 'unchanged'};
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
		if (error instanceof CacheError && NO_ANSWER.has(error.code)) {
			this.#failedAt.set(key, clock.now());
			log.info('it could not be asked whether a file has changed', {url, reason: error.message});
			return {outcome: 'failed', error};
		}

		if (error instanceof AbsentError && !sidecar.isPut && !sidecar.pinned) {
			absences.note(key, error.message, freshness.absentForMs(error.status, error.caching, clock.now()));
			log.info('a file is removed as its origin has it no more', {url, reason: error.message});
			await store.remove(key, entry);
		}

		return {outcome: 'refused', error};
	}
}

function versionOf({sidecar: {origin}}: Entry): BodyVersion {
	const {length: lengthBytes, etag, lastModified} = origin;
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
	return answer.lastModifiedMs === version.lastModifiedMs ? {...answer, lastModifiedMs: undefined} : answer;
}
