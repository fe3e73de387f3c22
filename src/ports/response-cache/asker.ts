import {isSelectedBy} from '../../http/caching-facts.js';
import {conditionsOf, isOfOtherVersion} from '../../http/conditional.js';
import {versionAnswered} from './answer-facts.js';
import type {FileBackend} from './file-backend.js';
import type {Fill} from './fill.js';
import type {ResponseHead} from './head.js';
import {versionOf} from './judge.js';
import {Keeper, type Kept, type Target} from './keeper.js';
import {askOrigin, type OriginAnswer} from './origin-request.js';
import type {StoredEntry} from './stored-entry.js';

/** What asking an origin has led to. */
export type Asked =
	| Kept
	/** Not to be kept: it is for one alone. */
	| {readonly outcome: 'private'; readonly response: Response};

/** One request on its way, for all who want the same. */
interface Flight {
	readonly urlKey: string;
	/** After so many changes. */
	readonly sentAfter: number;
	readonly transfer: AbortController;
	asked: Promise<Asked>;
	/** Who waits for its answer; when all have left it ends. */
	waiting: number;
	fill: Fill | undefined;
}

/** Asks origins, for all who want the same at the same time once, and keeps what they answer. */
export class Asker {
	readonly #flights = new Map<string, Flight>();
	readonly #keeper: Keeper;

	constructor(
		private readonly backend: FileBackend,
		private readonly transport: typeof globalThis.fetch,
	) {
		this.#keeper = new Keeper(backend);
	}

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
		this.#keeper.noteChange(url);
		const urlKey = this.backend.createUrlKey(url);
		for (const [id, flight] of this.#flights) if (flight.urlKey === urlKey) this.#flights.delete(id);
	}

	#begin(id: string, target: Target, entry: StoredEntry<ResponseHead> | undefined): Flight {
		const transfer = new AbortController();
		const flight: Flight = {
			...{urlKey: this.backend.createUrlKey(target.url), sentAfter: this.#keeper.changes},
			...{transfer, waiting: 0, fill: undefined},
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
		const sentAfter = flight?.sentAfter ?? this.#keeper.changes;
		const isSelected = entry !== undefined && isSelectedBy(entry.head.caching, target.headers);
		const conditions = isSelected ? conditionsOf(versionOf(entry.head)) : {};
		const answer = await this.#send(target, conditions, transfer.signal);
		const {response} = answer;
		if (response.status === 304 && isSelected) {
			if (!isOfOtherVersion(versionOf(entry.head), versionAnswered(response, this.backend.responses.clock.now())))
				return this.#keeper.renew(target, entry, response);
			return this.#ask(target, undefined, transfer, flight);
		}

		const kept = await this.#keeper.keep({target, answer, sentAfter, abort: () => transfer.abort()});
		if (kept === undefined) return {outcome: 'private', response: this.#privately(target, answer, transfer)};
		if (flight !== undefined && kept.outcome === 'filling') flight.fill = kept.fill;
		return kept;
	}

	#send({wanted, init, url, headers}: Target, conditions: Readonly<Record<string, string>>, signal: AbortSignal) {
		const asked = {request: wanted.request, init, url, headers: {...headers, ...conditions}, signal};
		return askOrigin(this.transport, asked);
	}

	/** As fetch gives it: with the URL of the last redirect, and ending with who asked. */
	#privately(
		{wanted: {signal, url}, ...target}: Target,
		{response, redirected}: OriginAnswer,
		transfer: AbortController,
	): Response {
		if (redirected || target.url !== url) Object.defineProperty(response, 'redirected', {value: true});
		const end = () => transfer.abort(signal?.reason);
		if (signal?.aborted) end();
		else signal?.addEventListener('abort', end, {once: true});
		return response;
	}
}
