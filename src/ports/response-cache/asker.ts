import {LRUCache} from '../../base/lru-cache.js';
import {cachingFacts, isSelectedBy, renewedFacts, type CachingFacts} from '../../http/caching-facts.js';
import {conditionsOf, isOfOtherVersion} from '../../http/conditional.js';
import {FreshnessRules, type FreshnessRule} from '../../http/freshness.js';
import {lengthOf, renewedHeaders, versionAnswered} from './answer-facts.js';
import type {Draft} from './draft.js';
import {ABSENT, type FileBackend} from './file-backend.js';
import {Fill} from './fill.js';
import type {ResponseHead} from './head.js';
import {versionOf} from './judge.js';
import {askOrigin, type OriginAnswer} from './origin-request.js';
import {headOf} from './response-head.js';
import type {StoredEntry} from './stored-entry.js';

/** What is asked for. */
export interface Target {
	readonly request: Request;
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

/** What asking an origin has led to. */
export type Asked =
	/** A body on its way, for all who asked. */
	| {readonly outcome: 'filling'; readonly head: ResponseHead; readonly fill: Fill}
	/** What is stored is right, or was stored at once. */
	| {readonly outcome: 'stored'; readonly entry: StoredEntry<ResponseHead>}
	/** Not to be kept: it is for one alone. */
	| {readonly outcome: 'private'; readonly response: Response};

/** As many as are remembered, at most: a request that takes longer than all of them is stored. */
const MAX_CHANGES = 10_000;

/** One request on its way, for all who want the same. */
interface Flight {
	readonly urlKey: string;
	/** After so many changes. */
	readonly began: number;
	readonly transfer: AbortController;
	asked: Promise<Asked>;
	/** Who waits for its answer; when all have left it ends. */
	waiting: number;
	fill: Fill | undefined;
	isForgotten: boolean;
}

/** An answer that may be kept. */
interface Storing {
	readonly target: Target;
	readonly response: Response;
	readonly head: ResponseHead;
	readonly draft: Draft;
	readonly transfer: AbortController;
	readonly flight: Flight | undefined;
}

/** Asks origins, for all who want the same at the same time once, and keeps what they answer. */
export class Asker {
	readonly #flights = new Map<string, Flight>();
	/** What has changed when: a request that was sent elsewhere may have been redirected to it. */
	readonly #changes = new LRUCache<string, number>({max: MAX_CHANGES});
	/** Counts changes. */
	#clock = 0;

	constructor(
		private readonly backend: FileBackend,
		private readonly transport: typeof globalThis.fetch,
	) {}

	/**
	 * @param entry - what is stored, to be asked about.
	 * @param mayJoin - whether an answer that is on its way already will do.
	 * @param signal - of who waits: without one it is waited for to the end.
	 * @throws what fetch throws.
	 */
	async ask(
		target: Target,
		entry: StoredEntry<ResponseHead> | undefined,
		mayJoin: boolean,
		signal?: AbortSignal,
	): Promise<Asked> {
		const id = JSON.stringify([target.key, target.rule, target.mayWrite, Object.entries(target.headers)]);
		const running = mayJoin ? this.#flights.get(id) : undefined;
		// One whose body has come to nothing, or has been read by all, is over.
		const isOver = running === undefined || running.fill?.isReadable === false;
		const flight = isOver ? this.#begin(id, target, entry) : running;
		const asked = await this.#wait(id, flight, signal);
		const isAnothers = asked.outcome === 'private' && !isOver;
		return isAnothers ? this.#ask(target, entry, new AbortController(), undefined) : asked;
	}

	/** What is on its way of a URL is not stored: it has changed. */
	forget(url: string): void {
		const urlKey = this.backend.createUrlKey(url);
		this.#changes.set(urlKey, ++this.#clock);
		for (const [id, flight] of this.#flights) {
			if (flight.urlKey !== urlKey) continue;
			flight.isForgotten = true;
			flight.fill?.forget();
			this.#flights.delete(id);
		}
	}

	#begin(id: string, target: Target, entry: StoredEntry<ResponseHead> | undefined): Flight {
		const transfer = new AbortController();
		const flight: Flight = {
			...{urlKey: this.backend.createUrlKey(target.url), began: this.#clock, transfer, waiting: 0},
			...{fill: undefined, isForgotten: false},
			asked: Promise.resolve() as Promise<never>,
		};
		flight.asked = this.#ask(target, entry, transfer, flight);
		this.#flights.set(id, flight);
		const land = () => this.#land(id, flight);
		flight.asked.then(asked => (asked.outcome === 'filling' ? void asked.fill.ended.then(land) : land()), land);
		return flight;
	}

	async #wait(id: string, flight: Flight, signal: AbortSignal | undefined): Promise<Asked> {
		flight.waiting++;
		const leave = () => {
			if (--flight.waiting > 0 || flight.fill !== undefined) return;
			this.#land(id, flight);
			flight.transfer.abort(signal?.reason);
		};
		signal?.addEventListener('abort', leave, {once: true});
		try {
			return await flight.asked;
		} finally {
			signal?.removeEventListener('abort', leave);
		}
	}

	#land(id: string, flight: Flight): void {
		if (this.#flights.get(id) === flight) this.#flights.delete(id);
	}

	async #ask(
		target: Target,
		entry: StoredEntry<ResponseHead> | undefined,
		transfer: AbortController,
		flight: Flight | undefined,
	): Promise<Asked> {
		const isSelected = entry !== undefined && isSelectedBy(entry.head.caching, target.headers);
		const conditions = isSelected ? conditionsOf(versionOf(entry.head)) : {};
		const answer = await this.#send(target, conditions, transfer.signal);
		const {response} = answer;
		if (response.status === 304 && isSelected) {
			if (!isOfOtherVersion(versionOf(entry.head), versionAnswered(response, this.backend.responses.clock.now())))
				return this.#renew(target, entry, answer);
			return this.#ask(target, undefined, transfer, flight);
		}

		return this.#keep(target, answer, transfer, flight);
	}

	#send({request, init, url, headers}: Target, conditions: Readonly<Record<string, string>>, signal: AbortSignal) {
		return askOrigin(this.transport, {request, init, url, headers: {...headers, ...conditions}, signal});
	}

	/** RFC 9111 section 3.2. */
	async #renew(target: Target, entry: StoredEntry<ResponseHead>, {response}: OriginAnswer): Promise<Asked> {
		const caching = renewedFacts(entry.head.caching, this.#factsOf(response, target));
		const headers = renewedHeaders(entry.head.headers, response.headers);
		const head = {...entry.head, headers, caching};
		if (target.mayWrite) await this.backend.responses.rewrite(entry, head);
		// The body that was asked about: another one may have taken its place by now.
		return {outcome: 'stored', entry: {...entry, head}};
	}

	async #keep(
		target: Target,
		answer: OriginAnswer,
		transfer: AbortController,
		flight: Flight | undefined,
	): Promise<Asked> {
		const {response} = answer;
		const head = this.#headOf(target, answer);
		const mayKeep = head !== undefined && (await this.#mayKeep(target, response, head));
		// A cache that cannot be written to does not come between the origin and who asks.
		const draft = mayKeep ? await this.backend.responses.begin(head).catch(() => undefined) : undefined;
		const kept = draft && head && (await this.#store({target, response, head, draft, transfer, flight}));
		if (kept === undefined) {
			if (head === undefined && ABSENT.has(response.status)) await this.backend.delete(target.key);
			return {outcome: 'private', response: this.#privately(target, answer, transfer)};
		}

		this.#noteMoves(target, answer, kept.outcome === 'filling' ? kept.head.key : kept.entry.head.key);
		return kept;
	}

	/** Undefined where it cannot be stored, and nobody has read anything of it. */
	async #store({target, response, head, draft, transfer, flight}: Storing) {
		const {responses} = this.backend;
		const isWanted = () => !flight?.isForgotten && !this.#hasChanged(head.requestUrl, flight);
		const commit = (isAlso: () => boolean) => responses.commit(draft, head.key, () => isWanted() && isAlso());
		if (!isWanted()) return void (await draft.discard());
		if (target.request.method === 'HEAD' || response.body === null) {
			const stored = commit(isWanted).finally(() => draft.discard());
			const entry = await stored.then(() => responses.open(head.key)).catch(() => undefined);
			return entry && ({outcome: 'stored', entry: entry as StoredEntry<ResponseHead>} as const);
		}

		const mayHold = (bytes: number) => responses.mayHold(bytes);
		const abort = () => transfer.abort();
		const lengthBytes = lengthOf(response, target.request.method);
		try {
			const fill = new Fill({draft, body: response.body, lengthBytes, mayHold, commit, abort});
			if (flight !== undefined) flight.fill = fill;
			return {outcome: 'filling', head, fill} as const;
		} catch {
			// No descriptor is left to read it with.
			return void (await draft.discard());
		}
	}

	#hasChanged(url: string, flight: Flight | undefined): boolean {
		return (this.#changes.get(this.backend.createUrlKey(url)) ?? 0) > (flight?.began ?? Infinity);
	}

	/** Undefined for a 404 that is not to be remembered. */
	#headOf(target: Target, {response, url, redirected, moves}: OriginAnswer): ResponseHead | undefined {
		const {clock} = this.backend.responses;
		const nowMs = clock.now();
		const movedTo = hasCredentials(target) ? undefined : moves.at(-1)?.url;
		const requestUrl = movedTo ?? target.url;
		const key = movedTo === undefined ? target.key : target.keyOf(movedTo);
		const asked = {method: target.request.method, requestUrl, requestHeaders: target.headers};
		const head = {...headOf(key, response, nowMs, asked), url, redirected: redirected && url !== requestUrl};
		if (!ABSENT.has(response.status)) return head;
		const absentMs = this.#rules(target).absentForMs(response.status, head.caching, nowMs);
		return absentMs > 0 ? {...head, untilMs: nowMs + absentMs} : undefined;
	}

	async #mayKeep(target: Target, response: Response, head: ResponseHead): Promise<boolean> {
		if (!target.mayWrite || '*' in head.caching.varied) return false;
		if (!this.backend.responses.mayHold(lengthOf(response, target.request.method) ?? 0)) return false;
		const isStorable = this.#rules(target).mayKeep(target.url, head.caching);
		return isStorable && this.backend.isCacheable(target.request.method, response);
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

	/** As fetch gives it: with the URL of the last redirect, and ending with who asked. */
	#privately(
		{request: {signal, url}, ...target}: Target,
		{response, redirected}: OriginAnswer,
		transfer: AbortController,
	): Response {
		if (redirected || target.url !== url) Object.defineProperty(response, 'redirected', {value: true});
		const end = () => transfer.abort(signal.reason);
		if (signal.aborted) end();
		else signal.addEventListener('abort', end, {once: true});
		return response;
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
