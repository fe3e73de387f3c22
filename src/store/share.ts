import {CacheError} from '../base/errors.js';
import type {RangeSet} from '../base/range-set.js';
import {formatSize} from '../base/units.js';
import type {Budget} from './budget.js';
import {refuseOnFullDisk, retryOnFullDisk} from './full-disk.js';

/** The room that a growing body is given at a time: as much as it has, within these, so that `head -c 100` of 9 GB evicts nothing. */
const LEAST_GRANT_BYTES = 1024 * 1024;
const LARGEST_GRANT_BYTES = 64 * 1024 * 1024;

/** What files are allocated in, on the file systems that larder meets. */
const BLOCK_BYTES = 4096;

/** What an entry takes on the disk: the blocks of its bytes, and one for the sidecar. */
function footprint(sizeBytes: number): number {
	return (Math.ceil(sizeBytes / BLOCK_BYTES) + 1) * BLOCK_BYTES;
}

/** The same of one with holes: a run of bytes may begin and end within a block. */
export function footprintOf(written: RangeSet): number {
	return footprint(written.size) + Math.max(0, written.count - 1) * BLOCK_BYTES;
}

/** What a draft has of the budget: what is written of it, and some of what is still to come. */
export class Share {
	#grantedBytes = 0;
	#expectedBytes: number | undefined;
	#mayEvict = true;
	#isOver = false;

	constructor(private readonly budget: Budget) {}

	/** Counts what is on the disk already. */
	hold(bytes: number): void {
		this.#grantedBytes += bytes;
		this.budget.hold(bytes);
	}

	/** @throws CacheError `too-large` */
	expect(lengthBytes: number): void {
		this.#refuseLarge(lengthBytes);
		this.#expectedBytes = lengthBytes;
		this.#mayEvict = true;
	}

	/** From now on only what is free is taken. */
	expectAsFits(lengthBytes: number | undefined): void {
		this.#expectedBytes = lengthBytes;
		this.#mayEvict = false;
	}

	/**
	 * Sees to it that there are `neededBytes` of the budget, for a body that now
	 * reaches to `endBytes`. A failure takes nothing.
	 *
	 * @throws CacheError `too-large`, `no-space`; `aborted` where it has ended meanwhile.
	 */
	async grow(neededBytes: number, endBytes: number): Promise<void> {
		if (neededBytes <= this.#grantedBytes) return;
		if (!this.#mayEvict) {
			this.#growAsFits(neededBytes, endBytes);
			return;
		}

		const shareBytes = this.#expectedBytes ?? this.budget.limitBytes / 2;
		if (endBytes > shareBytes) {
			this.#growBeyond(neededBytes);
			return;
		}

		const wanted = Math.max(neededBytes, Math.min(footprint(shareBytes), this.#grantedBytes + this.#grantBytes));
		const more = await this.#take(neededBytes - this.#grantedBytes, wanted - this.#grantedBytes);
		if (this.#isOver) {
			// The draft was discarded while room was made for it.
			this.budget.giveBack(more);
			throw new CacheError('aborted', 'the draft was discarded');
		}

		// Another write may have been given some meanwhile.
		this.#grantedBytes += more;
	}

	/** Takes as much as is wanted where that is free, else what is needed: for what may never come nothing leaves. Returns how much it is. */
	async #take(neededBytes: number, wantedBytes: number): Promise<number> {
		if (this.budget.takeFree(wantedBytes)) return wantedBytes;
		await this.budget.take(neededBytes);
		return neededBytes;
	}

	/** Runs `write` of so many bytes. @throws CacheError `too-large`, `no-space` for what the disk does not take. */
	onDisk<T>(bytes: number, write: () => Promise<T>): Promise<T> {
		return this.#mayEvict ? retryOnFullDisk(this.budget, bytes, write) : refuseOnFullDisk(write);
	}

	/** Gives back what goes beyond `neededBytes`. */
	giveBackAhead(neededBytes: number): void {
		const aheadBytes = this.#grantedBytes - neededBytes;
		if (aheadBytes <= 0) return;
		this.#grantedBytes -= aheadBytes;
		this.budget.giveBack(aheadBytes);
	}

	/** Gives all of it back. */
	end(): void {
		this.#isOver = true;
		this.budget.giveBack(this.#grantedBytes);
		this.#grantedBytes = 0;
	}

	get #grantBytes(): number {
		const least = this.#expectedBytes === undefined ? 0 : LEAST_GRANT_BYTES;
		return Math.min(Math.max(this.#grantedBytes, least), LARGEST_GRANT_BYTES);
	}

	/** Ahead too, where that is free. */
	#growAsFits(neededBytes: number, endBytes: number): void {
		const lengthBytes = this.#expectedBytes ?? endBytes;
		if (endBytes > lengthBytes) throw outgrown(neededBytes);
		const wanted = Math.min(footprint(lengthBytes), this.#grantedBytes + this.#grantBytes);
		for (const bytes of [Math.max(neededBytes, wanted), neededBytes]) {
			if (!this.budget.takeFree(bytes - this.#grantedBytes)) continue;
			this.#grantedBytes = bytes;
			return;
		}

		this.#refuseLarge(lengthBytes);
		throw new CacheError('no-space', `${formatSize(neededBytes)} are more than is free`);
	}

	#growBeyond(neededBytes: number): void {
		if (this.#expectedBytes !== undefined || !this.budget.takeFree(neededBytes - this.#grantedBytes)) {
			throw outgrown(neededBytes);
		}

		this.#grantedBytes = neededBytes;
	}

	#refuseLarge(lengthBytes: number): void {
		const {limitBytes} = this.budget;
		if (footprint(lengthBytes) <= limitBytes) return;
		throw new CacheError('too-large', `${formatSize(lengthBytes)} do not fit the budget of ${formatSize(limitBytes)}`);
	}
}

function outgrown(bytes: number): CacheError {
	return new CacheError('too-large', `at ${formatSize(bytes)} the body has outgrown what it may take of the budget`);
}
