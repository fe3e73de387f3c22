import {messageOf} from '../base/errors.js';
import type {Database} from '../sqlite/open.js';
import {retryBusy} from '../sqlite/retry.js';
import {checkCatalogue, type CatalogueState} from './catalogue-check.js';
import {catalogueIdentity, isUseless, openCatalogue, removeCatalogue} from './catalogue-file.js';
import {CatalogueWriter, type Batch, type Claim, type OpenerIdentity, type Scanned} from './catalogue-writer.js';
import type {Key} from './key.js';
import type {Layout} from './layout.js';

export type ServerEvent =
	/** Another catalogue than main reads is there now, and it may know little: `process` is the teller's row in it. */
	| {readonly kind: 'renewed'; readonly reason: string; readonly process: number}
	| {readonly kind: 'scanned'; readonly part: Scanned};

interface Open {
	readonly database: Database;
	readonly writer: CatalogueWriter;
	/** Which files it is. */
	readonly identity: string;
}

/** How long somebody who must not wait for the catalogue waits for it. */
const CLAIM_PATIENCE_MS = 150;
const REMOVED = 'it was removed';

/**
 * Writes the catalogue for one process, whatever becomes of the file: it waits
 * out who else writes, and makes a catalogue anew that was removed or damaged.
 */
export class CatalogueServer {
	#open: Open | undefined;
	/** Why another one is there than main reads. */
	#reason = REMOVED;
	/** What this process has said, to be said again in a catalogue that is made anew. */
	readonly #limits = new Map<string, string>();
	#isWatching = false;
	/** While it is closing, calls are given up at this time. */
	#givenUpAt = Infinity;

	constructor(
		private readonly layout: Layout,
		private readonly identity: OpenerIdentity,
		private readonly tellMain: (event: ServerEvent) => void,
		/** The `catalogueIdentity` of the one that main reads. */
		private known: string | undefined,
	) {}

	/** @returns the process's row. */
	open(): Promise<number> {
		return this.#do(writer => writer.process);
	}

	apply(batch: Batch): Promise<Key[]> {
		return this.#do(writer => writer.apply(batch));
	}

	/**
	 * Makes the catalogue true to the directory; what that brings is told part by part.
	 *
	 * @param isWatching - it will be kept true by this process from now on.
	 */
	async scan(isWatching: boolean): Promise<void> {
		const writer = await this.#do(current => current);
		// Where it was lost meanwhile main has been told, and will ask again.
		const isLost = () => this.#open !== undefined && this.#open.writer !== writer;
		try {
			for await (const part of writer.scan(work => this.#do(work))) {
				if (performance.now() > this.#givenUpAt) return;
				if (part.changed.length + part.stripped.length + part.damaged.length > 0)
					this.tellMain({kind: 'scanned', part});
				if (isLost()) return;
			}
		} catch (error) {
			if (isLost()) return;
			throw error;
		}

		this.#isWatching = isWatching;
		await this.#do(current => current.setWatching(isWatching));
	}

	setLimits(limits: ReadonlyArray<readonly [name: string, value: string]>): Promise<void> {
		for (const [name, value] of limits) this.#limits.set(name, value);
		return this.#do(writer => writer.setLimits(limits));
	}

	/** As `CatalogueWriter.claim`; where the catalogue is not to be had soon, nobody owns the fill. */
	async claim(key: Key): Promise<Claim> {
		const givenUpAt = performance.now() + CLAIM_PATIENCE_MS;
		try {
			return await this.#do(writer => writer.claim(key, Date.now()), givenUpAt);
		} catch {
			return 'silent';
		}
	}

	tell(keys: readonly Key[], progress?: string): Promise<void> {
		return this.#do(writer => writer.tell(keys, Date.now(), progress));
	}

	release(key: Key): Promise<void> {
		return this.#do(writer => writer.release(key));
	}

	setAlias(key: Key, url: string, target: Key, untilMs: number): Promise<void> {
		return this.#do(writer => writer.setAlias(key, url, target, untilMs));
	}

	removeAliases(key: Key): Promise<void> {
		return this.#do(writer => writer.removeAliases(key));
	}

	writtenBetween(afterMs: number, beforeMs: number): Promise<Key[]> {
		return this.#do(writer => writer.writtenBetween(afterMs, beforeMs));
	}

	/** The catalogue of this identity was found to be useless by a reader. */
	renew(identity: string, reason: string): Promise<void> {
		return this.#do(() => {
			if (this.#open?.identity === identity) this.#renew(reason);
		});
	}

	/** Makes the sums those of the rows. */
	recount(): Promise<void> {
		return this.#do(writer => writer.recount());
	}

	/** What is wrong with the catalogue as it is. Nothing is opened to be written. */
	check(): Promise<CatalogueState> {
		return retryBusy(
			() => checkCatalogue(this.layout),
			() => performance.now() > this.#givenUpAt,
		);
	}

	async close(patienceMs: number): Promise<void> {
		this.#givenUpAt = performance.now() + patienceMs;
		try {
			if (this.#open !== undefined) await this.#do(writer => writer.leave());
		} finally {
			this.#open?.database.close();
			this.#open = undefined;
		}
	}

	#do<T>(work: (writer: CatalogueWriter) => T, givenUpAt = Infinity): Promise<T> {
		return retryBusy(
			() => this.#attempt(work),
			() => performance.now() > Math.min(givenUpAt, this.#givenUpAt),
		);
	}

	#attempt<T>(work: (writer: CatalogueWriter) => T): T {
		try {
			return work(this.#current().writer);
		} catch (error) {
			if (!isUseless(error)) throw error;
			return work(this.#renew(messageOf(error)).writer);
		}
	}

	/** The catalogue that is there now. */
	#current(): Open {
		const isThere = this.#open?.identity === catalogueIdentity(this.layout.catalogue);
		const open = this.#open !== undefined && isThere ? this.#open : this.#reopen();
		// Opening or introducing it may have failed before, as it does where another process writes.
		if (open.identity !== this.known) this.#introduce(open);
		return open;
	}

	#renew(reason: string): Open {
		this.#reason = reason;
		this.#remove();
		return this.#current();
	}

	#reopen(): Open {
		// What is left of one that was removed in part is none.
		this.#remove();
		return this.#openFile();
	}

	#remove(): void {
		const open = this.#open;
		this.#open = undefined;
		if (open === undefined) return;
		// The next one may have the inodes of this one, and is another one all the same.
		this.known = undefined;
		open.database.close();
		removeCatalogue(this.layout, open.identity);
	}

	/** Says in a catalogue that is made anew what was said in the one before, and tells main of it. */
	#introduce({writer, identity}: Open): void {
		if (this.#limits.size > 0) writer.setLimits([...this.#limits]);
		if (this.#isWatching) writer.setWatching(true);
		this.known = identity;
		this.tellMain({kind: 'renewed', reason: this.#reason, process: writer.process});
		this.#reason = REMOVED;
	}

	#openFile(): Open {
		const {database, identity, wasLost} = openCatalogue(this.layout, {isReading: false});
		this.#reason = wasLost ?? this.#reason;
		try {
			this.#open = {database, identity, writer: new CatalogueWriter(database, this.layout, this.identity)};
			return this.#open;
		} catch (error) {
			database.close();
			if (isUseless(error)) removeCatalogue(this.layout, identity);
			throw error;
		}
	}
}
