import {rm} from 'node:fs/promises';
import path from 'node:path';
import {abortable} from '../base/abort.js';
import {messageOf} from '../base/errors.js';
import type {Log} from '../base/log.js';
import {redact} from '../base/redact.js';
import {decideType} from '../media/sniff.js';
import type {Transform} from '../media/transforms.js';
import type {Draft} from '../store/draft.js';
import {seal} from '../store/fill-owners.js';
import type {OriginFacts} from '../store/sidecar.js';
import type {Description, Store} from '../store/store.js';
import {BatchWriter} from './batch-writer.js';
import {Head} from './head.js';
import type {Source, SourceBody} from './source.js';

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
	onArrived(draft: Draft): Promise<void>;
}

/** One transfer of a URL from the source into a draft. */
export class Download {
	readonly #head = new Head();
	#draft: Draft | undefined;
	#transform: Transform | undefined;
	#arrivedBytes = 0;
	#isAnswered = false;
	#hasBegun = false;

	constructor(
		private readonly url: string,
		private readonly key: string,
		private readonly context: DownloadContext,
		private readonly listener: DownloadListener,
	) {}

	/** The source has begun to send. */
	get isAnswered(): boolean {
		return this.#isAnswered;
	}

	/** Bytes of the body that are on the disk. */
	get arrivedBytes(): number {
		return this.#arrivedBytes;
	}

	/**
	 * Brings all of it.
	 *
	 * @returns a draft to be committed, and what to say of it.
	 * @throws the reason why there is none, or the signal's. What has arrived stays
	 *   readable until `discard`.
	 */
	async run(signal: AbortSignal): Promise<{draft: Draft; description: Description}> {
		const body = await this.#fetch(signal);
		try {
			const draft = await this.#receive(body, signal);
			return await this.#process(draft, body, signal);
		} catch (error) {
			body.discard();
			if (this.#draft !== undefined) await seal(this.#draft.path);
			throw error;
		}
	}

	/** Removes what was not committed. */
	async discard(): Promise<void> {
		await this.#draft?.discard();
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

	async #receive(body: SourceBody, signal: AbortSignal): Promise<Draft> {
		const draft = await this.context.store.draft(this.key);
		this.#draft = draft;
		if (body.lengthBytes !== undefined) draft.expect(body.lengthBytes);
		const writer = new BatchWriter(async chunks => {
			await draft.write(chunks, this.#arrivedBytes);
			this.#arrivedBytes = draft.sizeBytes;
			if (this.#hasBegun) await this.listener.onArrived(draft);
		});
		for await (const chunk of body.body) {
			signal.throwIfAborted();
			this.#head.add(chunk);
			if (this.#head.isEnough) this.#begin(body, draft);
			const full = writer.add(chunk);
			if (full !== undefined) await full;
		}

		await writer.end();
		this.#begin(body, draft);
		await this.listener.onArrived(draft);
		return draft;
	}

	/** Once: what the first bytes say of the body. */
	#begin(body: SourceBody, draft: Draft): void {
		if (this.#hasBegun) return;
		this.#hasBegun = true;
		this.#transform = this.context.transforms.find(candidate => candidate.appliesTo(this.#head.bytes));
		const {mimetype, filename, lastModifiedMs: modifiedAtMs = this.context.nowMs} = body;
		const sizeBytes = this.#transform === undefined ? body.lengthBytes : undefined;
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
			}
		}

		const mimetype = await decideType(body.mimetype, this.#head.bytes);
		return {draft, description: {url, origin, mimetype, filename: body.filename}};
	}
}

function originFacts(body: SourceBody, length: number): OriginFacts {
	return {
		length,
		...(body.etag !== undefined && {etag: body.etag}),
		...(body.lastModifiedMs !== undefined && {lastModified: body.lastModifiedMs / 1000}),
	};
}
