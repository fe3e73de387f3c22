import {rm} from 'node:fs/promises';
import path from 'node:path';
import {abortable} from '../base/abort.js';
import {asError, CacheError, messageOf} from '../base/errors.js';
import type {Log} from '../base/log.js';
import {redact} from '../base/redact.js';
import {decideType} from '../media/sniff.js';
import type {Transform} from '../media/transforms.js';
import type {Draft} from '../store/draft.js';
import type {Entry} from '../store/entry.js';
import type {Pin} from '../store/pin.js';
import type {OriginFacts} from '../store/sidecar.js';
import type {Description, Store} from '../store/store.js';
import {BatchWriter} from './batch-writer.js';
import {Head} from './head.js';
import {Progress} from './progress.js';
import type {Source, SourceBody} from './source.js';

export interface FillContext {
	readonly store: Store;
	readonly source: Source;
	readonly transforms: readonly Transform[];
	readonly log: Log;
	/** Holds a fill back while too many run. */
	readonly limit: <T>(work: () => Promise<T>) => Promise<T>;
	/** When the fill was started, epoch milliseconds. */
	readonly nowMs: number;
}

/** What a body turned out to be, once its first bytes are here. */
interface Beginning {
	/** Bytes of the entry to be; undefined when only the end will tell. */
	readonly sizeBytes: number | undefined;
	readonly modifiedAtMs: number;
	readonly transform: Transform | undefined;
}

/**
 * One download in progress, from the source through a draft into the store.
 * Any number of readers follow it; they come and go, it runs to its end. What
 * readers get is what lies on the disk.
 */
export class Fill {
	/** Settles when the entry is in the store, or with the reason why it is not. */
	readonly finished: Promise<Entry>;
	readonly #abort = new AbortController();
	readonly #progress = new Progress();
	readonly #head = new Head();
	readonly #begun: Promise<Beginning>;
	#begin: (beginning: Beginning) => void = () => undefined;
	#beginning: Beginning | undefined;
	#draft: Draft | undefined;
	#description: Description | undefined;
	#pin: Pin | undefined;
	#arrivedBytes = 0;
	#readers = 0;
	/** The source has begun to send. */
	#isAnswered = false;
	#isOver = false;
	#isWanted = true;

	constructor(
		readonly url: string,
		readonly key: string,
		private readonly context: FillContext,
	) {
		this.#begun = new Promise(resolve => (this.#begin = resolve));
		this.finished = context.limit(() => this.#run());
		this.finished.catch(() => undefined);
	}

	/** Bytes of the entry to be, for a `stat` that must not wait; undefined while nobody knows. */
	get sizeBytes(): number | undefined {
		return this.#beginning?.sizeBytes ?? (this.#isOver ? this.#progress.bytes : undefined);
	}

	get modifiedAtMs(): number {
		return this.#beginning?.modifiedAtMs ?? this.context.nowMs;
	}

	/** Bytes of the body that are on the disk. */
	get arrivedBytes(): number {
		return this.#arrivedBytes;
	}

	/** What was stored; undefined before the end. */
	get description(): Description | undefined {
		return this.#description;
	}

	/** Counts a reader in. Each one leaves, once. */
	join(): void {
		this.#readers++;
	}

	/** A download that has not been answered yet ends when nobody waits for it any more. */
	leave(): void {
		this.#readers--;
		if (this.#readers === 0 && !this.#isAnswered) this.cancel(this.#given('given up'));
		void this.#closeWhenUnused();
	}

	/** Whether its end is an entry. */
	get isWanted(): boolean {
		return this.#isWanted;
	}

	/** Ends the download now; who waits for it fails with `reason`. */
	cancel(reason: CacheError): void {
		this.#abort.abort(reason);
	}

	/** Ends it and clears away what it leaves, readers or not. */
	async close(reason: CacheError): Promise<void> {
		this.cancel(reason);
		await this.finished.catch(() => undefined);
		this.#readers = 0;
		await this.#closeWhenUnused();
	}

	/** The entry was removed or replaced meanwhile: who reads is served to the end, nothing is stored. */
	disown(): void {
		this.#isWanted = false;
		if (this.#readers === 0) this.cancel(this.#given('removed'));
	}

	/**
	 * Waits until the size is known: for the first bytes, or where only the end
	 * tells it for the last.
	 *
	 * @throws the reason why the download failed, or the signal's.
	 */
	async opened(signal?: AbortSignal): Promise<void> {
		const {sizeBytes} = await abortable(Promise.race([this.#begun, this.finished]), signal);
		if (sizeBytes === undefined) await this.available(Infinity, signal);
	}

	/**
	 * Waits until bytes `[0, end)` of this download are on disk.
	 *
	 * @param end - byte offset, exclusive; the end of the body and beyond mean
	 *   "until complete": who has read all of it knows that it is whole, and
	 *   stored. Readahead asks out of order, so any order is fine.
	 * @param signal - aborts this wait only; the download goes on for the others.
	 */
	available(end: number, signal?: AbortSignal): Promise<void> {
		return this.#progress.reached(end < (this.#beginning?.sizeBytes ?? 0) ? end : Infinity, signal);
	}

	/** Fills `buffer` from byte `position` on, waiting for the bytes; fewer only at the end of the body. */
	async read(buffer: Uint8Array, position: number, signal?: AbortSignal): Promise<number> {
		await this.available(position + buffer.byteLength, signal);
		if (this.#pin !== undefined) return this.#pin.read(buffer, position);
		if (this.#draft === undefined) throw new CacheError('aborted', 'the download has ended');
		return this.#draft.file.read(buffer, position);
	}

	async #run(): Promise<Entry> {
		let body: SourceBody | undefined;
		try {
			body = await this.#fetch();
			const draft = await this.#receive(body);
			this.#description = await this.#transform(draft, body);
			await this.#commit(this.#description);
		} catch (error) {
			body?.discard();
			const reason = asError(this.#abort.signal.aborted ? this.#abort.signal.reason : error);
			this.#progress.fail(reason);
			throw reason;
		} finally {
			this.#isOver = true;
			await this.#closeWhenUnused();
		}

		if (this.#pin === undefined) throw this.#given('removed');
		return this.#pin.entry;
	}

	/** Ends when the download is cancelled, also where the source does not heed its signal. */
	async #fetch(): Promise<SourceBody> {
		const {signal} = this.#abort;
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

	async #receive(body: SourceBody): Promise<Draft> {
		const draft = await this.context.store.draft(this.key);
		this.#draft = draft;
		if (body.lengthBytes !== undefined) draft.expect(body.lengthBytes);
		const writer = new BatchWriter(async chunks => {
			await draft.write(chunks, this.#arrivedBytes);
			this.#arrivedBytes = draft.sizeBytes;
			if (this.#beginning?.sizeBytes !== undefined) this.#progress.advance(draft.sizeBytes);
		});
		for await (const chunk of body.body) {
			this.#abort.signal.throwIfAborted();
			this.#head.add(chunk);
			if (this.#head.isEnough) this.#decide(body);
			const full = writer.add(chunk);
			if (full !== undefined) await full;
		}

		await writer.end();
		this.#decide(body);
		this.#progress.advance(this.#beginning?.sizeBytes === undefined ? 0 : draft.sizeBytes);
		return draft;
	}

	/** Once: what the first bytes say of the body. */
	#decide(body: SourceBody): void {
		if (this.#beginning !== undefined) return;
		const transform = this.context.transforms.find(candidate => candidate.appliesTo(this.#head.bytes));
		const sizeBytes = transform === undefined ? body.lengthBytes : undefined;
		this.#beginning = {sizeBytes, transform, modifiedAtMs: body.lastModifiedMs ?? this.context.nowMs};
		this.#begin(this.#beginning);
	}

	/** What to store. A transform that fails changes nothing: the body is stored as it came. */
	async #transform(draft: Draft, body: SourceBody): Promise<Description> {
		const transform = this.#beginning?.transform;
		const {url} = this;
		const origin = originFacts(body, draft.sizeBytes);
		if (transform !== undefined) {
			const output = `${draft.path}.out`;
			try {
				const {mimetype, extension} = await transform.run(draft.path, output, this.#abort.signal);
				this.#draft = await draft.adopt(output);
				await draft.discard();
				return {url, origin, mimetype, filename: path.parse(body.filename).name + extension};
			} catch (error) {
				await rm(output, {force: true});
				this.#abort.signal.throwIfAborted();
				this.context.log.warn(`${transform.name} failed, stored as it came`, {
					...{url: redact(url), reason: messageOf(error)},
				});
			}
		}

		const mimetype = await decideType(body.mimetype, this.#head.bytes);
		return {url, origin, mimetype, filename: body.filename};
	}

	async #commit(description: Description): Promise<void> {
		const draft = this.#draft;
		if (draft === undefined) throw new CacheError('aborted', 'the download has ended');
		if (this.#isWanted) this.#pin = await this.context.store.commit(draft, description);
		this.#progress.finish(draft.sizeBytes);
	}

	async #closeWhenUnused(): Promise<void> {
		if (!this.#isOver || this.#readers > 0) return;
		this.#pin?.close();
		await this.#draft?.discard();
	}

	#given(fate: string): CacheError {
		return new CacheError('aborted', `${redact(this.url)} was ${fate} while it was fetched`);
	}
}

function originFacts(body: SourceBody, length: number): OriginFacts {
	return {
		length,
		...(body.etag !== undefined && {etag: body.etag}),
		...(body.lastModifiedMs !== undefined && {lastModified: body.lastModifiedMs / 1000}),
	};
}
