import {Condition} from '../../base/condition.js';
import {asError, CacheError} from '../../base/errors.js';
import type {BodyFile} from './body-file.js';
import type {Draft} from './draft.js';

export interface FillContext {
	readonly draft: Draft;
	/** What arrives. */
	readonly body: ReadableStream<Uint8Array>;
	/** Undefined where the answer does not tell; else a body of another length is none. */
	readonly lengthBytes: number | undefined;
	/** Whether a file of so many bytes may be stored. */
	readonly mayHold: (bytes: number) => boolean;
	/** Stores the whole body, if it is still wanted. */
	readonly commit: () => Promise<void>;
	/** Ends the request. */
	readonly abort: () => void;
}

const CHUNK_BYTES = 64 * 1024;
/** A body that nobody reads, and whose end nobody knows, is fetched so far ahead. */
const AHEAD_BYTES = 4 * 1024 * 1024;
/** What is less when the last reader leaves is fetched for the next. */
const FINISH_BYTES = 1024 * 1024;

/** A response need not be read to its end, nor be cancelled: who forgets it has left. */
const abandoned = new FinalizationRegistry<() => void>(leave => leave());

/**
 * One body on its way to the disk, and those who read it meanwhile: each reads
 * the file as it grows, so that one request serves all and no body is in memory.
 */
export class Fill {
	/** Resolves when the body is stored, or will not be. Never fails. */
	readonly ended: Promise<void>;
	readonly #context: FillContext;
	readonly #file: BodyFile;
	readonly #body: ReadableStreamDefaultReader<Uint8Array>;
	readonly #changed = new Condition();
	readonly #over = new AbortController();
	#readers = 0;
	#furthest = 0;
	#end: 'open' | 'whole' | Error = 'open';
	#isTooLarge = false;
	#isLeft = false;
	/** What has not arrived of a body that is too large: who gets there first reads on from the connection. */
	#rest: ReadableStreamDefaultReader<Uint8Array> | undefined;

	constructor(context: FillContext) {
		this.#context = context;
		this.#file = context.draft.reader();
		this.#body = context.body.getReader();
		this.ended = this.#fill(this.#body);
		// Who asked for it may have left.
		setImmediate(() => this.#endIfLeft());
	}

	/** Whether it can be joined: not once it has failed, was left, was read by all, or is read on by one alone. */
	get isReadable(): boolean {
		return !this.#isLeft && !this.isClosed && this.#rest === undefined && !(this.#end instanceof Error);
	}

	/** Whether it is stored, and its file closed. */
	get isClosed(): boolean {
		return this.#end === 'whole' && this.#readers === 0;
	}

	/** Somebody wants all of it, though nobody reads it. */
	hold(): void {
		this.#readers++;
	}

	/** The body from its beginning. @param signal - ends this reader alone. */
	stream(signal: AbortSignal | undefined): ReadableStream<Uint8Array> {
		this.#readers++;
		let position = 0;
		const leaving = new AbortController();
		const leave = (reason?: unknown) => {
			if (leaving.signal.aborted) return;
			leaving.abort(reason);
			this.#leave();
		};
		const stream = new ReadableStream<Uint8Array>(
			{
				start: controller => {
					const onAbort = () => {
						controller.error(signal?.reason);
						leave(signal?.reason);
					};
					if (signal?.aborted) return onAbort();
					signal?.addEventListener('abort', onAbort, {once: true, signal: leaving.signal});
				},
				pull: async controller => {
					const chunk = await this.#read(position, leaving.signal).catch((error: unknown) => {
						leave(error);
						throw error;
					});
					if (leaving.signal.aborted) return;
					position += chunk?.byteLength ?? 0;
					if (chunk !== undefined) return controller.enqueue(chunk);
					controller.close();
					leave();
				},
				cancel: leave,
			},
			{highWaterMark: 0},
		);
		abandoned.register(stream, leave);
		return stream;
	}

	/** Undefined at the end. */
	async #read(position: number, signal: AbortSignal): Promise<Uint8Array | undefined> {
		this.#furthest = Math.max(this.#furthest, position);
		this.#changed.notify();
		await this.#changed.until(
			() => this.#end !== 'open' || this.#rest !== undefined || position < this.#file.bytes,
			signal,
		);
		if (this.#end instanceof Error) throw this.#end;
		if (position < this.#file.bytes) return this.#file.read(position, CHUNK_BYTES);
		return this.#end === 'whole' ? undefined : this.#readOn(signal);
	}

	async #readOn(signal: AbortSignal): Promise<Uint8Array | undefined> {
		const rest = this.#rest;
		// Whoever comes second finds that the bytes before are gone.
		if (rest === undefined || !this.#mayReadOn(signal)) throw tooLarge();
		const {done, value} = await rest.read();
		return done ? undefined : value;
	}

	#leader: AbortSignal | undefined;

	#mayReadOn(signal: AbortSignal): boolean {
		this.#leader ??= signal;
		return this.#leader === signal;
	}

	#leave(): void {
		this.#readers--;
		this.#changed.notify();
		if (this.#readers > 0) return;
		if (this.#end !== 'open') this.#file.close();
		// Who asked a moment ago has not begun to read.
		else setImmediate(() => this.#endIfLeft());
	}

	#endIfLeft(): void {
		const leftBytes = (this.#context.lengthBytes ?? Infinity) - this.#file.bytes;
		if (this.#readers > 0 || this.#end !== 'open' || leftBytes <= FINISH_BYTES) return;
		this.#isLeft = true;
		this.#context.abort();
		// Node's fetch does not hear of an abort once its request was garbage-collected.
		void this.#body.cancel().catch(() => undefined);
	}

	async #fill(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
		const {draft, lengthBytes, commit, abort} = this.#context;
		try {
			if (!(await this.#arrive(reader))) {
				this.#rest = reader;
				return;
			}

			// A body that was given up ends like one that is whole.
			const isWhole = lengthBytes === undefined || lengthBytes === draft.bodyBytes;
			if (this.#isLeft || !isWhole) throw cutShort();
			if (!this.#isTooLarge) await commit();
			this.#end = 'whole';
		} catch (error) {
			abort();
			this.#end = asError(error);
		} finally {
			await draft.discard().catch(() => undefined);
			this.#changed.notify();
			if (this.#readers === 0 && this.#rest === undefined) this.#file.close();
		}
	}

	/** Whether all of it could be held. */
	async #arrive(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<boolean> {
		const {draft, lengthBytes, mayHold} = this.#context;
		for (;;) {
			const {done, value} = await reader.read();
			if (done) return true;
			await draft.append(value);
			this.#file.grow(draft.bodyBytes);
			this.#changed.notify();
			// One of which nothing is left to come can be read by all, though it is not stored.
			if (!mayHold(draft.fileBytes) && draft.bodyBytes !== lengthBytes) return false;
			this.#isTooLarge = !mayHold(draft.fileBytes);
			if (lengthBytes !== undefined) continue;
			const isWanted = () => this.#file.bytes - this.#furthest < AHEAD_BYTES;
			await this.#changed.until(() => this.#readers === 0 || isWanted(), this.#over.signal);
		}
	}
}

function tooLarge(): TypeError {
	const cause = new CacheError('too-large', 'a body that is larger than the cache may hold was read by somebody else');
	return new TypeError('terminated', {cause});
}

function cutShort(): TypeError {
	return new TypeError('terminated', {cause: new CacheError('origin-failed', 'the body does not have its length')});
}
