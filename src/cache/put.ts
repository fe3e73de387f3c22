import {asError} from '../base/errors.js';
import {filenameFor} from '../http/headers.js';
import {decideType, SNIFF_BYTES} from '../media/sniff.js';
import type {Draft} from '../store/draft.js';
import type {Key} from '../store/key.js';
import type {Pin} from '../store/pin.js';
import type {Store} from '../store/store.js';

/** A copy goes through this much memory. */
const COPY_BYTES = 1024 * 1024;

/**
 * An entry written by hand: bytes in any order, committed as often as wished,
 * each commit a whole entry. What was not committed is lost at the close.
 * Calls on one put follow one another; nothing is gained by overlapping them.
 */
export class Put {
	#draft: Promise<Draft> | undefined;
	#sizeBytes = 0;
	/** The last commit, open: what a write after it goes on from. */
	#committed: Pin | undefined;
	#isDirty = false;
	/** Why it can never be whole. */
	#failure: Error | undefined;

	/** @param beforeCommit - takes what is in the way out of it. */
	constructor(
		readonly url: string,
		readonly key: Key,
		private readonly store: Store,
		private readonly beforeCommit: () => void,
	) {}

	get sizeBytes(): number {
		return this.#sizeBytes;
	}

	/** Whether the entry is what this put holds. */
	get isStored(): boolean {
		return this.#committed !== undefined && !this.#isDirty;
	}

	/** @throws CacheError `too-large`, `no-space`; nothing is stored after that. */
	async write(data: Uint8Array, position: number): Promise<void> {
		await this.#change(draft => draft.write([data], position));
	}

	/** Cuts or, with zeros, lengthens it. Emptying what is empty is no change. */
	async truncate(sizeBytes: number): Promise<void> {
		if (sizeBytes === this.#sizeBytes) return;
		await this.#change(draft => draft.truncate(sizeBytes));
	}

	/** Stores an empty entry, if nothing was ever written and there is one to be emptied. */
	async commitEmpty(): Promise<void> {
		if (this.#isDirty || this.#committed !== undefined || this.store.lookup(this.key) === undefined) return;
		this.#isDirty = true;
		await this.commit();
	}

	/** What was written so far. */
	async read(buffer: Uint8Array, position: number): Promise<number> {
		if (this.#draft === undefined && this.#committed !== undefined) return this.#committed.read(buffer, position);
		return (await this.#edit()).file.read(buffer, position);
	}

	/**
	 * Stores what was written since the last commit, if anything was; it survives
	 * a power cut.
	 *
	 * @throws what an earlier write threw: a part is never stored as the whole.
	 */
	async commit(): Promise<void> {
		if (this.#failure !== undefined) throw this.#failure;
		if (!this.#isDirty) return;
		const draft = await this.#edit();
		const head = Buffer.alloc(Math.min(SNIFF_BYTES, draft.sizeBytes));
		await draft.file.read(head, 0);
		const mimetype = await decideType(undefined, head);
		const filename = filenameFor(this.url, null, mimetype);
		this.beforeCommit();
		const pin = await this.store.commit(draft, {url: this.url, mimetype, filename, isPut: true}, {durable: true});
		this.#committed?.close();
		this.#committed = pin;
		this.#draft = undefined;
		this.#isDirty = false;
	}

	async close(): Promise<void> {
		this.#committed?.close();
		const draft = await this.#draft?.catch(() => undefined);
		this.#draft = undefined;
		await draft?.discard();
	}

	async #change(work: (draft: Draft) => Promise<void>): Promise<void> {
		if (this.#failure !== undefined) throw this.#failure;
		this.#isDirty = true;
		try {
			const draft = await this.#edit();
			await work(draft);
			this.#sizeBytes = draft.sizeBytes;
		} catch (error) {
			this.#failure = asError(error);
			throw error;
		}
	}

	/** A draft that could not be started may be tried again. */
	#edit(): Promise<Draft> {
		if (this.#draft === undefined) {
			this.#draft = this.#start();
			this.#draft.catch(() => (this.#draft = undefined));
		}

		return this.#draft;
	}

	async #start(): Promise<Draft> {
		const draft = await this.store.draft(this.key);
		if (this.#committed === undefined) return draft;
		try {
			await copy(this.#committed, draft);
			return draft;
		} catch (error) {
			await draft.discard();
			throw error;
		}
	}
}

async function copy(committed: Pin, draft: Draft): Promise<void> {
	const buffer = Buffer.alloc(Math.min(COPY_BYTES, committed.entry.sizeBytes));
	for (let position = 0; position < committed.entry.sizeBytes;) {
		const length = await committed.read(buffer, position);
		await draft.write([buffer.subarray(0, length)], position);
		position += length;
	}
}
