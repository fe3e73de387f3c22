import {setMaxListeners} from 'node:events';
import {rm} from 'node:fs/promises';
import path from 'node:path';
import {setTimeout} from 'node:timers/promises';
import {abortable} from '../base/abort.js';
import {CacheError, hasCode, messageOf} from '../base/errors.js';
import type {Log} from '../base/log.js';
import {RangeSet, type Range} from '../base/range-set.js';
import {redact} from '../base/redact.js';
import {decideType} from '../media/sniff.js';
import type {Transform} from '../media/transforms.js';
import type {Draft} from '../store/draft.js';
import {seal} from '../store/fill-owners.js';
import type {OriginFacts} from '../store/sidecar.js';
import type {Description, Store} from '../store/store.js';
import {Head} from './head.js';
import {SeekPlan, type Situation} from './seeks.js';
import {
	RangesUnsupportedError,
	VersionChangedError,
	type BodyVersion,
	type RangeBody,
	type Source,
	type SourceBody,
} from './source.js';
import {Transfer, type Incoming} from './transfer.js';

export interface DownloadContext {
	readonly store: Store;
	readonly source: Source;
	readonly transforms: readonly Transform[];
	readonly log: Log;
	/** When it was asked for, epoch milliseconds. */
	readonly nowMs: number;
}

/** What a body turned out to be, once its first bytes are here. */
export interface Beginning {
	/** Bytes of the entry to be; undefined when only the end will tell. */
	readonly sizeBytes: number | undefined;
	readonly modifiedAtMs: number;
	/** As declared. */
	readonly mimetype: string | undefined;
	readonly filename: string;
}

/** Who is told of a download. What it throws ends the download. */
export interface DownloadListener {
	/** Once, with the first bytes. */
	onBegun(beginning: Beginning, draft: Draft): void;
	/** After that: the draft has more than before. */
	onArrived(draft: Draft, range: Range): Promise<void>;
	/** What readers wait for. */
	awaited(): Iterable<Range>;
}

/** Transfers of places that readers wait for, at once. */
const MAX_SEEKS = 4;
/** A shorter body is there before a second request would be answered. */
const MIN_SEEKABLE_BYTES = 4 * 1024 * 1024;
/** So much is fetched to its end, though nobody waits for it. */
const LITTLE_BYTES = 16 * 1024 * 1024;
/** Connections that break one after another without a byte in between. */
const MAX_FAILURES = 5;
const FIRST_PAUSE_MS = 250;

/**
 * The bytes of a URL, brought from the source into a draft: from the first to the
 * last, and beside that what readers wait for further on. A connection that
 * breaks is continued where it stopped, if the source gives ranges.
 */
export class Download {
	readonly #head = new Head();
	readonly #there = new RangeSet();
	/** Of that what nobody has been told of. */
	#untold: Range[] = [];
	readonly #plan = new SeekPlan();
	/** From the first byte to the last. */
	#main: Transfer | undefined;
	readonly #seeks = new Map<Transfer, Promise<void>>();
	/** What every part must be of; undefined where no part can be had. */
	#version: (BodyVersion & {readonly lengthBytes: number}) | undefined;
	/** Ends all transfers. */
	readonly #abort = new AbortController();
	/** Ends the seeks alone. */
	readonly #seeksOver = new AbortController();
	#draft: Draft | undefined;
	#transform: Transform | undefined;
	/** The first answer: what it says of the body holds for every part. */
	#body: SourceBody | undefined;
	/** What the transfer from the first byte to the last reads. */
	#incoming: Incoming | undefined;
	/** One that a pause has ended: its failure is none. */
	#givenUp: Incoming | undefined;
	#isPaused = false;
	#isAnswered = false;
	#hasBegun = false;
	#isConverting = false;
	/** In a row. */
	#failures = 0;
	#seekFailures = 0;

	constructor(
		private readonly url: string,
		private readonly key: string,
		private readonly context: DownloadContext,
		private readonly listener: DownloadListener,
	) {
		// Each request listens while it lasts.
		for (const {signal} of [this.#abort, this.#seeksOver]) setMaxListeners(0, signal);
	}

	/** The source has begun to send. */
	get isAnswered(): boolean {
		return this.#isAnswered;
	}

	/** All has arrived, and a transform is at it. */
	get isConverting(): boolean {
		return this.#isConverting;
	}

	/** Bytes of the body that are on the disk. */
	get arrivedBytes(): number {
		return this.#there.size;
	}

	/** It was told not to go on. */
	get isPaused(): boolean {
		return this.#isPaused;
	}

	/**
	 * Brings all of it. After a pause it goes on from where it was.
	 *
	 * @returns a draft to be committed, and what to say of it; undefined where it was paused.
	 * @throws the reason why there is none, or the signal's. What has arrived stays
	 *   readable until `discard`.
	 */
	async run(signal: AbortSignal): Promise<{draft: Draft; description: Description} | undefined> {
		const abort = () => this.#abort.abort(signal.reason);
		signal.addEventListener('abort', abort, {once: true});
		if (signal.aborted) abort();
		this.#body ??= await this.#fetch(this.#abort.signal);
		try {
			const draft = await this.#receive(this.#body);
			return draft && (await this.#process(draft, this.#body, this.#abort.signal));
		} catch (error) {
			this.#incoming?.discard();
			this.#abort.abort(error);
			await this.#endSeeks();
			if (this.#draft !== undefined) await seal(this.#draft.path);
			throw error;
		} finally {
			signal.removeEventListener('abort', abort);
		}
	}

	/** Nobody reads it: it does not go on, unless little is left, or it could not go on later. */
	pause(): void {
		if (!this.#isSeekable || this.#isPaused) return;
		const missingBytes = (this.#version?.lengthBytes ?? 0) - this.#there.size;
		if (missingBytes <= LITTLE_BYTES) return;
		this.#isPaused = true;
		this.#givenUp = this.#incoming;
		this.#incoming?.discard();
	}

	/** Somebody reads it again; to be followed by `run`. */
	resume(): void {
		this.#isPaused = false;
	}

	/** Readers have begun to wait for something. */
	onAwaited(): void {
		if (!this.#isSeekable) return;
		for (const wanted of [...this.listener.awaited()].filter(({end}) => end !== Infinity)) {
			for (;;) {
				const range = this.#seeks.size < MAX_SEEKS ? this.#plan.forWaiting(wanted, this.#situation) : undefined;
				if (range === undefined) break;
				this.#seek(range);
			}
		}
	}

	/** A reader reads what is there. */
	onRead(range: Range): void {
		if (!this.#isSeekable || this.#seeks.size >= MAX_SEEKS) return;
		const next = this.#plan.forReading(range, this.#situation);
		if (next !== undefined) this.#seek(next);
	}

	/** Removes what was not committed. */
	async discard(): Promise<void> {
		await this.#draft?.discard();
	}

	get #isSeekable(): boolean {
		if (this.#seeksOver.signal.aborted || this.#abort.signal.aborted || this.#seekFailures >= MAX_FAILURES)
			return false;
		if (!this.#hasBegun || this.#transform !== undefined) return false;
		return this.#version !== undefined && this.#version.lengthBytes >= MIN_SEEKABLE_BYTES;
	}

	get #situation(): Situation {
		const main = this.#main === undefined ? [] : [this.#main];
		return {
			lengthBytes: this.#version?.lengthBytes ?? Infinity,
			there: this.#there,
			bringing: [...main, ...this.#seeks.keys()],
		};
	}

	/** Ends with the signal, also where the source does not heed it. */
	async #fetch(signal: AbortSignal): Promise<SourceBody> {
		signal.throwIfAborted();
		const fetching = this.context.source.fetch(this.url, signal);
		try {
			const body = await abortable(fetching, signal);
			this.#isAnswered = true;
			return body;
		} catch (error) {
			void fetching.then(
				late => late.discard(),
				() => undefined,
			);
			throw error;
		}
	}

	/** Undefined where it was paused. */
	async #receive(body: SourceBody): Promise<Draft | undefined> {
		const draft = this.#draft ?? (await this.#receiveFirst(body));
		if (body.lengthBytes !== undefined) await this.#bringRest(body.lengthBytes);
		if (this.#isPaused) {
			draft.giveBackAhead();
			return undefined;
		}

		await this.#endSeeks();
		this.#begin(body, draft);
		await this.#tell(draft);
		return draft;
	}

	async #receiveFirst(body: SourceBody): Promise<Draft> {
		this.#incoming = body;
		const draft = await this.context.store.draft(this.key);
		this.#draft = draft;
		if (body.lengthBytes !== undefined) draft.expect(body.lengthBytes);
		if (this.context.source.fetchRange !== undefined) this.#version = versionOf(body);
		await this.#bring({start: 0, end: body.lengthBytes ?? Infinity}, body, chunk => {
			this.#head.add(chunk);
			if (this.#head.isEnough) this.#begin(body, draft);
		});
		return draft;
	}

	/** What a broken connection or a pause has left, or a transfer that has met a seek. */
	async #bringRest(lengthBytes: number): Promise<void> {
		while (!this.#isPaused) {
			const gap = await this.#nextGap(lengthBytes);
			if (gap === undefined) return;
			await this.#bring(gap);
		}
	}

	/** What nobody is bringing. */
	async #nextGap(lengthBytes: number): Promise<Range | undefined> {
		for (;;) {
			this.#abort.signal.throwIfAborted();
			const gaps = [...this.#there.missing(0, lengthBytes)];
			const free = gaps.find(({start}) => this.#stopAfter(start) > start);
			if (free !== undefined || gaps.length === 0) {
				return free && {start: free.start, end: Math.min(free.end, this.#stopAfter(free.start))};
			}

			await Promise.race(this.#seeks.values());
		}
	}

	/** Brings a range, until it meets what is there or coming. A failure that may pass is no end of it. */
	async #bring(range: Range, first?: SourceBody, onChunk?: (chunk: Uint8Array) => void): Promise<void> {
		const before = this.#there.size;
		const transfer = this.#transfer(range, onChunk);
		this.#main = transfer;
		try {
			this.#incoming = first ?? (await this.#fetchRest(range));
			if (this.#isPaused) this.#incoming.discard();
			else await transfer.run(this.#incoming, this.#abort.signal);
			this.#failures = 0;
		} catch (error) {
			this.#incoming?.discard();
			this.#abort.signal.throwIfAborted();
			if (this.#incoming !== undefined && this.#incoming === this.#givenUp) return;
			if (this.#there.size > before) this.#failures = 0;
			if (!this.#mayPass(error)) throw error;
			await this.#pause(error);
		} finally {
			this.#main = this.#incoming = undefined;
		}
	}

	#mayPass(error: unknown): boolean {
		if (this.#abort.signal.aborted || this.#version === undefined || !this.#hasBegun) return false;
		return isTransient(error) && ++this.#failures <= MAX_FAILURES;
	}

	async #pause(error: unknown): Promise<void> {
		const delayMs = FIRST_PAUSE_MS * 2 ** (this.#failures - 1);
		this.context.log.debug('a download goes on where it broke off', {
			...{url: redact(this.url), atBytes: this.#there.endOf(0), delayMs, reason: messageOf(error)},
		});
		await setTimeout(delayMs, undefined, {signal: this.#abort.signal}).catch(() => undefined);
	}

	/** Rather all of it again than nothing, where the source has no parts. */
	async #fetchRest(range: Range): Promise<Incoming> {
		const body = await this.#fetchRange(range, Infinity);
		if (!body.acceptsRanges) this.#seekFailures = MAX_FAILURES;
		return body;
	}

	async #fetchRange(range: Range, maxSkipBytes: number, signal = this.#abort.signal): Promise<RangeBody> {
		const {source} = this.context;
		if (source.fetchRange === undefined || this.#version === undefined) {
			throw new CacheError('origin-failed', `${redact(this.url)} ended before it was whole`);
		}

		const fetching = source.fetchRange(this.url, range, this.#version, {signal, maxSkipBytes});
		return abortable(fetching, signal).catch((error: unknown) => {
			void fetching.then(
				late => late.discard(),
				() => undefined,
			);
			throw error;
		});
	}

	/** Afterwards nothing is written any more: the draft is about to be an entry. */
	async #endSeeks(): Promise<void> {
		this.#seeksOver.abort();
		await Promise.all(this.#seeks.values());
	}

	#seek(range: Range): void {
		const transfer = this.#transfer(range);
		const done = this.#bringSeek(transfer).finally(() => {
			this.#seeks.delete(transfer);
			this.onAwaited();
		});
		this.#seeks.set(transfer, done);
	}

	/** Never fails: what it does not bring, the transfer from the first byte to the last does. */
	async #bringSeek(transfer: Transfer): Promise<void> {
		try {
			const signal = AbortSignal.any([this.#abort.signal, this.#seeksOver.signal]);
			await transfer.run(await this.#fetchRange(transfer, 0, signal), signal);
			if (this.#seekFailures < MAX_FAILURES) this.#seekFailures = 0;
		} catch (error) {
			if (error instanceof VersionChangedError) this.#abort.abort(error);
			if (this.#abort.signal.aborted || this.#seeksOver.signal.aborted) return;
			this.#seekFailures = isTransient(error) ? this.#seekFailures + 1 : MAX_FAILURES;
			this.context.log.debug('a place further on is waited for', {url: redact(this.url), reason: messageOf(error)});
		}
	}

	#transfer({start, end}: Range, onChunk?: (chunk: Uint8Array) => void): Transfer {
		const transfer: Transfer = new Transfer(start, end, {
			stopAfter: position => this.#stopAfter(position, transfer),
			...(onChunk !== undefined && {onChunk}),
			write: (chunks, position) => this.#write(chunks, position),
		});
		return transfer;
	}

	/** Where what is there, or what others are bringing, begins. */
	#stopAfter(position: number, own?: Transfer): number {
		const [gap] = this.#there.missing(position, Infinity);
		// One that has brought nothing yet may never do.
		const others = [...this.#seeks.keys()].filter(
			other => other !== own && other.end > position && other.position > other.start,
		);
		const met = others.map(other => Math.max(position, other.start));
		return gap === undefined || gap.start > position ? position : Math.min(gap.end, ...met);
	}

	async #write(chunks: readonly Uint8Array[], position: number): Promise<void> {
		const draft = this.#draft as Draft;
		await draft.write(chunks, position);
		const end = position + chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0);
		this.#there.add(position, end);
		this.#untold.push({start: position, end});
		if (this.#hasBegun) await this.#tell(draft);
	}

	async #tell(draft: Draft): Promise<void> {
		for (const range of this.#untold.splice(0)) {
			draft.tell(range);
			await this.listener.onArrived(draft, range);
		}
	}

	/** Once: what the first bytes say of the body. */
	#begin(body: SourceBody, draft: Draft): void {
		if (this.#hasBegun) return;
		this.#hasBegun = true;
		this.#transform = this.context.transforms.find(candidate => candidate.appliesTo(this.#head.bytes));
		const {mimetype, filename, lastModifiedMs: modifiedAtMs = this.context.nowMs} = body;
		const sizeBytes = this.#transform === undefined ? body.lengthBytes : undefined;
		if (sizeBytes !== undefined && sizeBytes >= MIN_SEEKABLE_BYTES) draft.beginTelling();
		this.listener.onBegun({sizeBytes, modifiedAtMs, mimetype, filename}, draft);
	}

	/** What to store. A transform that fails changes nothing: the body is stored as it came. */
	async #process(
		draft: Draft,
		body: SourceBody,
		signal: AbortSignal,
	): Promise<{draft: Draft; description: Description}> {
		const transform = this.#transform;
		const {url} = this;
		const origin = originFacts(body, draft.sizeBytes);
		if (transform !== undefined) {
			const output = `${draft.path}.out`;
			this.#isConverting = true;
			try {
				const {mimetype, extension} = await transform.run(draft.path, output, signal);
				const transformed = (this.#draft = await draft.adopt(output));
				await draft.discard();
				const filename = path.parse(body.filename).name + extension;
				return {draft: transformed, description: {url, origin, mimetype, filename}};
			} catch (error) {
				await rm(output, {force: true});
				signal.throwIfAborted();
				this.context.log.warn(`${transform.name} failed, stored as it came`, {
					...{url: redact(url), reason: messageOf(error)},
				});
			} finally {
				this.#isConverting = false;
			}
		}

		const mimetype = await decideType(body.mimetype, this.#head.bytes);
		return {draft, description: {url, origin, mimetype, filename: body.filename}};
	}
}

/** By what parts are known to be of the same body; undefined where they could be of another one, or cannot be had. */
function versionOf({lengthBytes, ...body}: SourceBody): (BodyVersion & {readonly lengthBytes: number}) | undefined {
	if (lengthBytes === undefined || body.hasStrongValidator !== true || body.acceptsRanges === false) return undefined;
	const {url, etag, lastModifiedMs, hasStrongValidator} = body;
	return {url, lengthBytes, etag, lastModifiedMs, hasStrongValidator};
}

/** A failure after which the same may be asked for again. */
function isTransient(error: unknown): boolean {
	if (error instanceof RangesUnsupportedError || error instanceof VersionChangedError) return false;
	return (['origin-failed', 'origin-timeout', 'origin-unreachable'] as const).some(code => hasCode(error, code));
}

function originFacts(body: SourceBody, length: number): OriginFacts {
	return {
		length,
		...(body.etag !== undefined && {etag: body.etag}),
		...(body.lastModifiedMs !== undefined && {lastModified: body.lastModifiedMs / 1000}),
	};
}
