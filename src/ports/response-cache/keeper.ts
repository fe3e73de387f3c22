import {LRUCache} from '../../base/lru-cache.js';
import {cachingFacts, renewedFacts, type CachingFacts} from '../../http/caching-facts.js';
import {FreshnessRules, type FreshnessRule} from '../../http/freshness.js';
import {lengthOf, renewedHeaders} from './answer-facts.js';
import type {Draft} from './draft.js';
import {ABSENT, type FileBackend} from './file-backend.js';
import {Fill} from './fill.js';
import type {ResponseHead} from './head.js';
import type {OriginAnswer} from './origin-request.js';
import {headOf} from './response-head.js';
import type {StoredEntry} from './stored-entry.js';
import type {Wanted} from './wanted.js';

/** What is asked for. */
export interface Target {
	readonly wanted: Wanted;
	readonly init: RequestInit | undefined;
	/** The request's, or where that has moved. */
	readonly url: string;
	readonly key: string;
	/** The key of the same request for another URL. */
	readonly keyOf: (url: string) => string;
	/** By lower-case name. */
	readonly headers: Readonly<Record<string, string>>;
	readonly rule: FreshnessRule;
	readonly mayWrite: boolean;
}

/** What is kept of an answer. */
export type Kept =
	/** A body on its way, for all who asked. */
	| {readonly outcome: 'filling'; readonly head: ResponseHead; readonly fill: Fill}
	/** What is stored is right, or was stored at once. */
	| {readonly outcome: 'stored'; readonly entry: StoredEntry<ResponseHead>};

/** An answer to a request that was sent after so many changes. */
export interface Received {
	readonly target: Target;
	readonly answer: OriginAnswer;
	readonly sentAfter: number;
	/** Ends the request. */
	readonly abort: () => void;
}

/** As many as are remembered: a request that takes longer than all of them is stored. */
const MAX_CHANGES = 10_000;

/** Decides what is kept of the answers of origins, and keeps it. */
export class Keeper {
	/** Of URLs, by how many there were before. */
	readonly #changes = new LRUCache<string, number>({max: MAX_CHANGES});
	#count = 0;

	constructor(private readonly backend: FileBackend) {}

	/** How often something has changed so far. */
	get changes(): number {
		return this.#count;
	}

	/** Requests on their way may bring what a URL was before: that is not stored, be it by way of a redirect. */
	noteChange(url: string): void {
		this.#changes.set(this.backend.createUrlKey(url), ++this.#count);
	}

	/** Undefined where it is not to be kept, or cannot be: nobody has read anything of it then. */
	async keep(received: Received): Promise<Kept | undefined> {
		const {target, answer} = received;
		const {response} = answer;
		const head = this.#headOf(target, answer);
		if (head === undefined) {
			await this.backend.delete(target.key);
			return undefined;
		}

		if (!(await this.#mayKeep(target, response, head))) return undefined;
		// A cache that cannot be written to does not come between the origin and who asks.
		const draft = await this.backend.responses.begin(head).catch(() => undefined);
		const kept = draft && (await this.#store(received, head, draft));
		if (kept !== undefined) this.#noteMoves(target, answer, head.key);
		return kept;
	}

	/** What is stored is right: RFC 9111 section 3.2. */
	async renew(target: Target, entry: StoredEntry<ResponseHead>, response: Response): Promise<Kept> {
		const caching = renewedFacts(entry.head.caching, this.#factsOf(response, target));
		const headers = renewedHeaders(entry.head.headers, response.headers);
		const head = {...entry.head, headers, caching};
		// Where it cannot be written it is asked about again.
		if (target.mayWrite) await this.backend.responses.rewrite(entry, head).catch(() => undefined);
		// The body that was asked about: another one may have taken its place by now.
		return {outcome: 'stored', entry: {...entry, head}};
	}

	async #store(received: Received, head: ResponseHead, draft: Draft): Promise<Kept | undefined> {
		const {target, answer, sentAfter, abort} = received;
		const {response} = answer;
		const {responses} = this.backend;
		const isWanted = () => ![target.url, head.requestUrl].some(url => this.#hasChanged(url, sentAfter));
		const commit = () => responses.commit(draft, head.key, isWanted);
		if (target.wanted.method === 'HEAD' || response.body === null) {
			const stored = commit().finally(() => draft.discard());
			const entry = await stored.then(() => responses.open(head.key)).catch(() => undefined);
			return entry && {outcome: 'stored', entry: entry as StoredEntry<ResponseHead>};
		}

		const mayHold = (bytes: number) => responses.mayHold(bytes);
		const lengthBytes = lengthOf(response, target.wanted.method);
		try {
			return {
				outcome: 'filling',
				head,
				fill: new Fill({draft, body: response.body, lengthBytes, mayHold, commit, abort}),
			};
		} catch {
			// No descriptor is left to read it with.
			await draft.discard();
			return undefined;
		}
	}

	#hasChanged(url: string, since: number): boolean {
		return (this.#changes.get(this.backend.createUrlKey(url)) ?? 0) > since;
	}

	/** Undefined for a 404 that is not to be remembered. */
	#headOf(target: Target, {response, url, redirected, moves}: OriginAnswer): ResponseHead | undefined {
		const {clock} = this.backend.responses;
		const nowMs = clock.now();
		const movedTo = hasCredentials(target) ? undefined : moves.at(-1)?.url;
		const requestUrl = movedTo ?? target.url;
		const key = movedTo === undefined ? target.key : target.keyOf(movedTo);
		const asked = {method: target.wanted.method, requestUrl, requestHeaders: target.headers};
		const head = {...headOf(key, response, nowMs, asked), url, redirected: redirected && url !== requestUrl};
		if (!ABSENT.has(response.status)) return head;
		const absentMs = this.#rules(target).absentForMs(response.status, head.caching, nowMs);
		return absentMs > 0 ? {...head, untilMs: nowMs + absentMs} : undefined;
	}

	async #mayKeep(target: Target, response: Response, head: ResponseHead): Promise<boolean> {
		if (!target.mayWrite || '*' in head.caching.varied) return false;
		if (!this.backend.responses.mayHold(lengthOf(response, target.wanted.method) ?? 0)) return false;
		const isStorable = this.#rules(target).mayKeep(target.url, head.caching);
		return isStorable && this.backend.isCacheable(target.wanted.method, response);
	}

	#noteMoves(target: Target, {moves}: OriginAnswer, key: string): void {
		const last = moves.at(-1);
		if (last === undefined || hasCredentials(target)) return;
		const nowMs = this.backend.responses.clock.now();
		const facts = moves.map(({response}) => this.#factsOf(response, target));
		const forMs = this.#rules(target).movedForMs(target.url, facts, nowMs);
		if (forMs <= 0) return;
		const sources = [target.url, ...moves.slice(0, -1).map(({url}) => url)];
		for (const source of sources) {
			this.backend.redirects.set(target.keyOf(source), {target: key, url: last.url, untilMs: nowMs + forMs});
		}
	}

	#factsOf(response: Response, {headers}: Target): CachingFacts {
		return cachingFacts({header: name => response.headers.get(name)}, headers, this.backend.responses.clock.now());
	}

	#rules({rule, headers}: Target): FreshnessRules {
		return new FreshnessRules(
			() => rule,
			() => headers,
		);
	}
}

function hasCredentials({headers}: Target): boolean {
	return headers['authorization'] !== undefined || headers['cookie'] !== undefined;
}
