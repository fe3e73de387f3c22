/** Who holds a lock or a place of a semaphore: the part that all locks have in common. */
import {randomUUID} from 'node:crypto';
import {setTimeout as delay} from 'node:timers/promises';
import {isAlive, thisProcess, type ProcessIdentity} from '../../../base/process-identity.js';
import {RETRY, type SharedCache} from './shared-cache.js';
import type {Tag} from '../options.js';

export interface LockOptions {
	/** Seconds after which a holder counts as gone, whatever it does; never, unless told. */
	readonly expire?: number | null;
	readonly tag?: Tag | null;
}

export interface AcquireOptions {
	readonly signal?: AbortSignal;
}

/** That it was acquired, once. */
export interface Held extends Disposable {
	/** Above that of all who have held it before: what is guarded can refuse who comes with a lower one. */
	readonly fence: number;
	/** @throws Error if it was released already, or has expired. */
	release(): void;
}

interface Holder {
	readonly process: ProcessIdentity;
	/** Which of the process's locks it is. */
	readonly id: string;
	readonly fence: number;
	/** Seconds since the epoch; null for never. */
	readonly until: number | null;
}

const FIRST_PAUSE_MS = 1;
const LONGEST_PAUSE_MS = 20;

/**
 * A list of holders under one key. A holder is gone when it has released, when
 * it has expired, and as soon as its process has ended: it need not be waited for.
 * The list is not evicted.
 */
export class Holders {
	readonly #id = randomUUID();

	constructor(
		private readonly cache: SharedCache,
		private readonly key: unknown,
		private readonly options: LockOptions,
		/** Whether one more may hold it, `id`, beside the others. */
		private readonly hasPlace: (holders: readonly {readonly id: string}[], id: string) => boolean,
		private readonly what: string,
	) {}

	/** Takes it if it is free. */
	tryAcquire(): boolean {
		return this.#take() !== undefined;
	}

	/** Waits for it, in no order with others. The result gives it back when it is disposed of. @throws the signal's reason. */
	async acquire(options?: AcquireOptions): Promise<Held> {
		const fence = await this.#wait(options);
		const release = () => this.#release(holder => holder.fence === fence);
		return {fence, release, [Symbol.dispose]: release};
	}

	/** Gives back what was taken last. @throws Error if it is not held by this one, or not any more. */
	release(): void {
		this.#release(holder => holder.id === this.#id);
	}

	/**
	 * Holds it while `work` is under way, whose outcome it has. Who has lost it meanwhile, to its expiry or with the key,
	 * is not told: what `work` has done is done. `release` tells.
	 */
	async run<T>(work: () => T | Promise<T>, options?: AcquireOptions): Promise<T> {
		const fence = await this.#wait(options);
		try {
			return await work();
		} finally {
			this.#remove(holder => holder.fence === fence);
		}
	}

	get count(): number {
		return this.#live().length;
	}

	/** @returns the fence. */
	async #wait({signal}: AcquireOptions = {}): Promise<number> {
		signal?.throwIfAborted();
		for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
			const fence = this.#take();
			if (fence !== undefined) return fence;
			await delay(pauseMs);
			signal?.throwIfAborted();
		}
	}

	/** @returns the fence; undefined where there is no place. */
	#take(): number | undefined {
		return this.cache.transact(() => {
			const [holders, now] = [this.#live(), this.cache.now()];
			if (!this.hasPlace(holders, this.#id)) return undefined;
			const {expire = null} = this.options;
			const until = expire === null ? null : now + expire;
			const fence = this.cache.fence(this.key);
			this.#write([...holders, {process: thisProcess(), id: this.#id, fence, until}]);
			return fence;
		}, RETRY);
	}

	#release(isReleased: (holder: Holder) => boolean): void {
		if (!this.#remove(isReleased)) throw new Error(`cannot release ${this.what} that is not held`);
	}

	/** @returns whether it was held. */
	#remove(isRemoved: (holder: Holder) => boolean): boolean {
		return this.cache.transact(() => {
			const holders = this.#live();
			const index = holders.findLastIndex(isRemoved);
			if (index >= 0) this.#write(holders.toSpliced(index, 1));
			return index >= 0;
		}, RETRY);
	}

	#live(): Holder[] {
		const holders = this.cache.get(this.key, {...RETRY, default: []}) as Holder[];
		const now = this.cache.now();
		return holders.filter(({process, until}) => (until === null || until > now) && isAlive(process));
	}

	#write(holders: readonly Holder[]): void {
		if (holders.length === 0) {
			this.cache.delete(this.key, RETRY);
			return;
		}

		this.cache.set(this.key, holders, {...RETRY, tag: this.options.tag ?? null});
		this.cache.pin(this.key);
	}
}
