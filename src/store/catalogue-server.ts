import {messageOf} from '../base/errors.js';
import type {Database} from '../sqlite/open.js';
import {retryBusy} from '../sqlite/retry.js';
import {checkCatalogue, type CatalogueState} from './catalogue-check.js';
import {catalogueInode, isUseless, openCatalogue, removeCatalogue} from './catalogue-file.js';
import {
	CatalogueWriter,
	type Applied,
	type Batch,
	type Claim,
	type OpenerIdentity,
	type Scanned,
} from './catalogue-writer.js';
import type {Key} from './key.js';
import type {Layout} from './layout.js';

export type ServerEvent =
	/** Another file is the catalogue now, and it knows little: `process` is the teller's row in it. */
	| {readonly kind: 'renewed'; readonly reason: string; readonly process: number}
	| {readonly kind: 'scanned'; readonly part: Scanned};

interface Open {
	readonly database: Database;
	readonly writer: CatalogueWriter;
	/** Which file it is. */
	readonly inode: bigint | undefined;
}

/** How long somebody who must not wait for the catalogue waits for it. */
const CLAIM_PATIENCE_MS = 50;

/**
 * Writes the catalogue for one process, whatever becomes of the file: it waits
 * out who else writes, and makes a catalogue anew that was removed or damaged.
 */
export class CatalogueServer {
	#open: Open | undefined;
	/** What this process has said, to be said again in a catalogue that is made anew. */
	readonly #limits = new Map<string, string>();
	#isWatching = false;
	/** While it is closing, calls are given up at this time. */
	#givenUpAt = Infinity;

	constructor(
		private readonly layout: Layout,
		private readonly identity: OpenerIdentity,
		private readonly tellMain: (event: ServerEvent) => void,
	) {}

	/** @returns the process's row. */
	open(): Promise<number> {
		return this.#do(writer => writer.process);
	}

	apply(batch: Batch): Promise<Applied> {
		return this.#do(writer => writer.apply(batch));
	}

	/**
	 * Makes the catalogue true to the directory; what that brings is told part by part.
	 *
	 * @param isWatching - it will be kept true by this process from now on.
	 */
	async scan(isWatching: boolean): Promise<void> {
		const writer = await this.#do(current => current);
		for await (const part of writer.scan(work => this.#do(work))) {
			if (performance.now() > this.#givenUpAt) return;
			if (part.changed.length + part.stripped.length + part.damaged.length > 0) this.tellMain({kind: 'scanned', part});
			// It was lost meanwhile: main has been told, and will ask again.
			if (this.#open?.writer !== writer) return;
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

	/** The catalogue of this inode was found to be useless by a reader. */
	renew(inode: bigint | undefined, reason: string): Promise<void> {
		return this.#do(() => {
			if (this.#open?.inode === inode) this.#renew(reason);
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
		if (this.#open === undefined) return this.#openFile();
		if (catalogueInode(this.layout.catalogue) === this.#open.inode) return this.#open;
		return this.#reopen('it was removed');
	}

	#renew(reason: string): Open {
		this.#open?.database.close();
		this.#open = undefined;
		removeCatalogue(this.layout);
		return this.#reopen(reason);
	}

	#reopen(reason: string): Open {
		this.#open?.database.close();
		this.#open = undefined;
		const opened = this.#openFile();
		if (this.#limits.size > 0) opened.writer.setLimits([...this.#limits]);
		if (this.#isWatching) opened.writer.setWatching(true);
		this.tellMain({kind: 'renewed', reason, process: opened.writer.process});
		return opened;
	}

	#openFile(): Open {
		const {database} = openCatalogue(this.layout, {isReading: false});
		try {
			const writer = new CatalogueWriter(database, this.layout, this.identity);
			this.#open = {database, writer, inode: catalogueInode(this.layout.catalogue)};
			return this.#open;
		} catch (error) {
			database.close();
			throw error;
		}
	}
}
