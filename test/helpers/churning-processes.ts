import type {ExecutionContext} from 'ava';
import {ForkedCache} from './forked-cache.js';
import {totalsOnDisk} from './sound-store.js';
import {until} from './until.js';

export interface ChurnOptions {
	readonly directory: string;
	readonly limitBytes: number;
	readonly seed: number;
	readonly processes: number;
	/** Bytes of what they store. */
	readonly lengths: readonly number[];
	/** URLs that the origin has. */
	readonly shared: readonly string[];
	/** URLs that are read beside the own ones of the processes, and that nobody stores. */
	readonly others?: readonly string[];
	/** What each of the two at once in a process does. */
	readonly operations: number;
	/** So often one of two is killed at any moment, and another takes its place. */
	readonly kills?: number;
	/** Codes, or ends of messages. */
	readonly tolerated: readonly string[];
}

/** Own URLs of each process, and so the operations that it does at once. */
const AT_ONCE = 2;
/** At most so many operations of a process lie between two kills. */
const OPERATIONS_PER_KILL = 60;
const DEADLINE_MS = 180_000;

/** Processes that use one cache directory at random. */
export class ChurningProcesses {
	/** Those that were killed are among them. */
	readonly all: ForkedCache[] = [];
	readonly alive: ForkedCache[] = [];
	/** The most that the entries came to while the work went on, in bytes allocated on the disk. */
	mostBytes = 0;
	/** Called after each operation. */
	onOperation: () => void = () => undefined;
	readonly #churns: Array<Promise<unknown>> = [];
	#isOver = false;
	#state: number;

	constructor(
		private readonly t: ExecutionContext,
		private readonly options: ChurnOptions,
	) {
		this.#state = options.seed;
	}

	/** What they saw that must not be. */
	get wrong(): string[] {
		return this.all.flatMap(one => one.wrong);
	}

	get reads(): number {
		return this.all.reduce((sum, one) => sum + one.reads, 0);
	}

	/** The URLs that one process alone stores, and the newest version of each that is known to be stored. */
	get stored(): Map<string, number> {
		return new Map(this.all.flatMap(one => [...one.stored]));
	}

	/** Resolves when all is done. The processes that are still there have their caches open. */
	async run(): Promise<void> {
		const work = this.#work().finally(() => (this.#isOver = true));
		const look = () => {
			this.mostBytes = Math.max(this.mostBytes, totalsOnDisk(this.options.directory).allocated_bytes);
			return this.#isOver;
		};
		try {
			await Promise.all([work, until('the work is over', look, DEADLINE_MS)]);
		} finally {
			this.#isOver = true;
		}
	}

	/** Resolves with the exit codes once all have closed their caches and ended by themselves. */
	close(): Promise<Array<number | null>> {
		return Promise.all(this.alive.map(one => one.close()));
	}

	async #work(): Promise<void> {
		const {processes, kills = 0} = this.options;
		await Promise.all(Array.from({length: processes}, (_, slot) => this.#start(slot)));
		await Promise.all(Array.from({length: processes / 2}, (_, pair) => this.#kill(2 * pair, kills)));
		await Promise.all(this.#churns);
	}

	/** Again and again one of the pair that begins at `firstSlot`, at any moment of its work. */
	async #kill(firstSlot: number, times: number): Promise<void> {
		for (let count = 0; count < times && !this.#isOver; count++) {
			const slot = firstSlot + this.#random(2);
			// It may have no more so many to do.
			await Promise.race([this.alive[slot]?.churned(1 + this.#random(OPERATIONS_PER_KILL)), this.#churns[slot]]);
			await this.alive[slot]?.kill();
			await this.#start(slot);
		}
	}

	async #start(slot: number): Promise<void> {
		const {directory, limitBytes, seed} = this.options;
		const generation = this.all.length;
		const versions = {seed: seed + slot + 10 * generation, firstCount: 1_000_000 * (generation + 1)};
		const forked = await ForkedCache.start(this.t, {directory, limitBytes, slot, ...versions});
		this.all.push(forked);
		this.alive[slot] = forked;
		forked.onOperation = () => this.onOperation();
		this.#churns[slot] = forked.ask('churn', this.#plan(slot)).catch(() => 'killed');
	}

	#plan(slot: number) {
		const {processes, operations, shared, others = [], lengths, tolerated} = this.options;
		const urls = Array.from({length: processes * AT_ONCE}, (_, index) => `http://own.example/${index}`);
		const [own, foreign] = [true, false].map(isOwn =>
			urls.filter((_, index) => (index % processes === slot) === isOwn),
		);
		return {operations, shared, lengths, tolerated, own: own ?? [], others: [...(foreign ?? []), ...others]};
	}

	#random(below: number): number {
		this.#state = (Math.imul(this.#state, 1_103_515_245) + 12_345) >>> 0;
		return Math.floor((this.#state / 2 ** 32) * below);
	}
}

/** The seed of a random test, from the environment or new. */
export function logSeed(t: ExecutionContext): number {
	const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 1_000_000));
	t.log(`SEED=${seed}`);
	return seed;
}
