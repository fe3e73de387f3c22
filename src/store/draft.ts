import {chmod, rm} from 'node:fs/promises';
import path from 'node:path';
import {FILE_MODE, isOwnSuffix, uniqueSuffix} from '../base/atomic-file.js';
import {CacheError, systemCode} from '../base/errors.js';
import {RangeSet, type Range} from '../base/range-set.js';
import {formatSize} from '../base/units.js';
import type {Budget} from './budget.js';
import type {Key} from './key.js';
import type {Layout} from './layout.js';
import {OpenFile} from './open-file.js';
import {RangeLog} from './range-log.js';

/** How much room a growing body is given at a time, so that `head -c 100` of 9 GB evicts nothing. */
const GRANT_BYTES = 64 * 1024 * 1024;

/** What files are allocated in, on the file systems that larder meets. */
const BLOCK_BYTES = 4096;

/** What an entry takes on the disk: the blocks of its bytes, and one for the sidecar. */
function footprint(sizeBytes: number): number {
	return (Math.ceil(sizeBytes / BLOCK_BYTES) + 1) * BLOCK_BYTES;
}

/** The same of one with holes: a run of bytes may begin and end within a block. */
function footprintOf(written: RangeSet): number {
	return footprint(written.size) + Math.max(0, written.count - 1) * BLOCK_BYTES;
}

/**
 * An entry in the making: a file under `.larder/downloads/` that is written,
 * in any order, read meanwhile, and in the end committed by the store or
 * discarded. It holds its share of the budget: what is written, not its holes.
 */
export class Draft {
	#sizeBytes = 0;
	#grantedBytes = 0;
	/** What is written or about to be. */
	readonly #written = new RangeSet();
	#expectedBytes: number | undefined;
	#log: RangeLog | undefined;
	#done = false;

	private constructor(
		readonly key: Key,
		readonly path: string,
		/** The store's from the commit on. */
		readonly file: OpenFile,
		private readonly budget: Budget,
	) {}

	/**
	 * Starts an empty one.
	 *
	 * @throws CacheError `no-space` when the disk has no room for a file.
	 */
	static async create(layout: Layout, key: Key, budget: Budget): Promise<Draft> {
		const file = path.join(layout.downloads, draftName(key));
		return new Draft(key, file, await retryOnFullDisk(budget, 1, () => OpenFile.create(file)), budget);
	}

	get sizeBytes(): number {
		return this.#sizeBytes;
	}

	/**
	 * Says how long it will be, and so refuses what could not be kept before
	 * anything is evicted for it. Where nothing is said others are evicted for up
	 * to half the budget, and more is taken only of what is free: a body that
	 * never ends empties nothing.
	 *
	 * @throws CacheError `too-large`
	 */
	expect(lengthBytes: number): void {
		const {limitBytes} = this.budget;
		if (footprint(lengthBytes) > limitBytes) {
			throw new CacheError(
				'too-large',
				`${formatSize(lengthBytes)} do not fit the budget of ${formatSize(limitBytes)}`,
			);
		}

		this.#expectedBytes = lengthBytes;
	}

	/**
	 * Writes `chunks` one after another from byte `position` on. Room is taken
	 * as the file grows; a full disk is met by evicting, and trying once more.
	 *
	 * @throws CacheError `too-large`, `no-space`
	 */
	async write(chunks: readonly Uint8Array[], position: number): Promise<void> {
		const length = chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0);
		await this.#grow(position, position + length);
		await retryOnFullDisk(this.budget, length, () => this.file.write(chunks, position));
		this.#sizeBytes = Math.max(this.#sizeBytes, position + length);
	}

	/** From now on other processes can hear what is there. @throws the system's error. */
	beginTelling(): void {
		this.#log ??= new RangeLog(this.path);
	}

	/** Says that bytes are there, to who reads them in other processes. */
	tell(range: Range): void {
		this.#log?.append(range);
	}

	/** Cuts or, with zeros, lengthens it to `sizeBytes`. */
	async truncate(sizeBytes: number): Promise<void> {
		await this.#grow(0, sizeBytes);
		await retryOnFullDisk(this.budget, sizeBytes, () => this.file.truncate(sizeBytes));
		this.#written.cut(sizeBytes);
		this.#sizeBytes = sizeBytes;
	}

	/** Another draft of the same entry, of the bytes that somebody wrote to `file`. This one stays. */
	async adopt(file: string): Promise<Draft> {
		await chmod(file, FILE_MODE);
		const next = new Draft(this.key, file, await OpenFile.edit(file), this.budget);
		try {
			const sizeBytes = Number((await next.file.stats()).size);
			next.expect(sizeBytes);
			await next.#grow(0, sizeBytes);
			next.#sizeBytes = sizeBytes;
		} catch (error) {
			await next.discard();
			throw error;
		}

		return next;
	}

	/** Gives back what was taken of the budget for what is still to come: nobody knows when. */
	giveBackAhead(): void {
		const aheadBytes = this.#grantedBytes - footprintOf(this.#written);
		if (this.#done || aheadBytes <= 0) return;
		this.#grantedBytes -= aheadBytes;
		this.budget.giveBack(aheadBytes);
	}

	/** Gives its share of the budget back: it is an entry now, and counted as one. */
	settle(): void {
		this.#done = true;
		this.#log?.remove();
		this.#log = undefined;
		this.budget.giveBack(this.#grantedBytes);
		this.#grantedBytes = 0;
	}

	/** Removes it. Does nothing once it is settled or discarded. */
	async discard(): Promise<void> {
		if (this.#done) return;
		this.#done = true;
		this.file.close();
		// What cannot be removed now is left to the sweep at the next start.
		await rm(this.path, {force: true}).catch(() => undefined);
		this.settle();
	}

	async #grow(startBytes: number, endBytes: number): Promise<void> {
		this.#written.add(startBytes, endBytes);
		const neededBytes = footprintOf(this.#written);
		if (neededBytes <= this.#grantedBytes) return;
		const shareBytes = this.#expectedBytes ?? this.budget.limitBytes / 2;
		if (endBytes > shareBytes) {
			this.#growWithoutEviction(neededBytes);
			return;
		}

		const ahead = this.#expectedBytes === undefined ? Math.min(this.#grantedBytes, GRANT_BYTES) : GRANT_BYTES;
		const wanted = Math.max(neededBytes, Math.min(footprint(shareBytes), this.#grantedBytes + ahead));
		const more = wanted - this.#grantedBytes;
		await this.budget.take(more);
		if (this.#done) {
			// It was discarded while room was made for it.
			this.budget.giveBack(more);
			throw new CacheError('aborted', 'the draft was discarded');
		}

		// Another write may have been given some meanwhile.
		this.#grantedBytes += more;
	}

	#growWithoutEviction(neededBytes: number): void {
		if (this.#expectedBytes !== undefined || !this.budget.takeFree(neededBytes - this.#grantedBytes)) {
			const grown = formatSize(neededBytes);
			throw new CacheError('too-large', `at ${grown} the body has outgrown what it may take of the budget`);
		}

		this.#grantedBytes = neededBytes;
	}
}

/** `<key>.<pid>.<random>`: the sweep after a crash asks whether the writer is alive. */
function draftName(key: Key): string {
	return `${key}.${process.pid}.${uniqueSuffix()}`;
}

export interface DraftOwner {
	readonly key: Key;
	readonly pid: number;
	/** An earlier process of the same number is another one. */
	readonly isThisProcess: boolean;
}

/** The process that a name under `downloads/` belongs to; undefined for other names. */
export function draftOwner(name: string): DraftOwner | undefined {
	const match = /^([0-9a-f]{64})(?:\.(?:dat|json))?\.(\d+)\.([0-9a-f]+)(?:\.\w+)?$/.exec(name);
	const [, key, pid, suffix] = match ?? [];
	if (key === undefined || pid === undefined || suffix === undefined) return undefined;
	return {key, pid: Number(pid), isThisProcess: isOwnSuffix(suffix)};
}

/**
 * Runs `write`; on a full disk evicts as much as it wanted to write, and tries
 * once more.
 *
 * @throws CacheError `no-space` when the disk is full even so; `too-large` when
 *   a limit on the size of files is in the way, which evicting does not help.
 */
export async function retryOnFullDisk<T>(budget: Budget, bytes: number, write: () => Promise<T>): Promise<T> {
	try {
		return await write();
	} catch (error) {
		if (systemCode(error) === 'EFBIG') {
			throw new CacheError('too-large', 'the system allows no file of this size', {cause: error});
		}

		if (!isDiskFull(error)) throw error;
	}

	await budget.freeUp(bytes);
	try {
		return await write();
	} catch (cause) {
		if (isDiskFull(cause)) throw new CacheError('no-space', 'the disk is full', {cause});
		throw cause;
	}
}

/** A quota counts as a full disk. */
function isDiskFull(error: unknown): boolean {
	return ['ENOSPC', 'EDQUOT'].includes(systemCode(error) ?? '');
}
