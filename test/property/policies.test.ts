/** Which entries leave, under each policy and limit, against a list that is sorted anew for each of them. */
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import {hasCode} from '../../src/base/errors.js';
import {NO_LOG} from '../../src/base/log.js';
import {keyOf} from '../../src/store/key.js';
import type {Limits, Reason} from '../../src/store/limits.js';
import {POLICIES, type PolicyName} from '../../src/store/policies.js';
import {Store} from '../../src/store/store.js';
import {assertAlways} from '../helpers/always.js';
import {allocatedOnDisk, entryFiles, get, put, SMALL_ENTRY_BYTES, TestClock} from '../helpers/cache.js';
import {ForkedProcess} from '../helpers/forked-process.js';
import {basePath} from '../helpers/original.js';
import {until} from '../helpers/until.js';

const URLS = Array.from({length: 12}, (_, index) => `https://a.example/${index}`);
const RUN_MS = 9000;
const HOUR_MS = 3_600_000;
/** Longer than an evictor goes by one order. */
const ORDER_MS = 300;

type Kind = 'max-size' | 'max-entries';
type Use = {readonly do: 'put' | 'get' | 'remove'; readonly url: string};
type Step =
	| Use
	| {readonly do: 'shrink'; readonly to: number}
	| {readonly do: 'age'; readonly hours: number; readonly maxHours: number}
	| {readonly do: 'restart'; readonly load: boolean}
	/** Another process does these, and ends. */
	| {readonly do: 'elsewhere'; readonly uses: readonly Use[]; readonly beside: boolean; readonly isKilled: boolean};

const url = fc.constantFrom(...URLS);
const use: fc.Arbitrary<Use> = fc.oneof(
	{weight: 6, arbitrary: fc.record({do: fc.constant('put' as const), url})},
	{weight: 6, arbitrary: fc.record({do: fc.constant('get' as const), url})},
	{weight: 1, arbitrary: fc.record({do: fc.constant('remove' as const), url})},
);
const step: fc.Arbitrary<Step> = fc.oneof(
	{weight: 40, arbitrary: use},
	{weight: 2, arbitrary: fc.record({do: fc.constant('shrink' as const), to: fc.nat(5)})},
	{
		weight: 2,
		arbitrary: fc.record({do: fc.constant('age' as const), hours: fc.nat(5), maxHours: fc.integer({min: 1, max: 5})}),
	},
	{weight: 2, arbitrary: fc.record({do: fc.constant('restart' as const), load: fc.boolean()})},
	{
		weight: 1,
		arbitrary: fc.record({
			do: fc.constant('elsewhere' as const),
			uses: fc.array(use, {minLength: 1, maxLength: 10}),
			beside: fc.boolean(),
			isKilled: fc.boolean(),
		}),
	},
);

interface Known {
	readonly storedAtMs: number;
	readonly accessedAtMs: number;
	readonly accesses: number;
}

const SORT_BY: Readonly<Record<PolicyName, (known: Known) => number[]>> = {
	'least-recently-used': ({accessedAtMs}) => [accessedAtMs],
	'least-frequently-used': ({accesses, accessedAtMs}) => [accesses, accessedAtMs],
	'least-recently-stored': ({storedAtMs}) => [storedAtMs],
	'none': () => [],
};

/** What a store of small entries with room for `count` must hold. */
class Model {
	readonly entries = new Map<string, Known>();
	/** Entries evicted in all. */
	evicted = 0;

	constructor(
		private readonly policy: PolicyName,
		private readonly kind: Kind,
		private readonly count: number,
	) {}

	/** Whether it is stored. */
	put(to: string, nowMs: number): boolean {
		// Bytes need their room beside those that they replace.
		if (this.kind === 'max-size') this.#evictTo(this.count - 1);
		const isRefused = this.kind === 'max-size' ? this.entries.size >= this.count : this.#hasNoPlaceFor(to);
		if (isRefused) return false;
		const accesses = this.entries.get(to)?.accesses ?? 0;
		this.entries.set(to, {storedAtMs: nowMs, accessedAtMs: nowMs, accesses: accesses + 1});
		this.#evictTo(this.count, to);
		return true;
	}

	/** Whether it is there. */
	get(from: string, nowMs: number): boolean {
		const known = this.entries.get(from);
		if (known === undefined) return false;
		this.entries.set(from, {...known, accessedAtMs: nowMs, accesses: known.accesses + 1});
		return true;
	}

	shrink(to: number): void {
		this.#evictTo(to);
	}

	age(beforeMs: number): void {
		for (const [of, {storedAtMs}] of this.entries) {
			if (storedAtMs < beforeMs) this.#evict(of);
		}
	}

	#hasNoPlaceFor(to: string): boolean {
		return this.policy === 'none' && !this.entries.has(to) && this.entries.size >= this.count;
	}

	#evictTo(count: number, except?: string): void {
		if (this.policy === 'none') return;
		const sortBy = SORT_BY[this.policy];
		while (this.entries.size > count) {
			const [first] = [...this.entries]
				.filter(([of]) => of !== except)
				.sort(([, a], [, b]) => compare(sortBy(a), sortBy(b)));
			if (first === undefined) return;
			this.#evict(first[0]);
		}
	}

	#evict(of: string): void {
		this.entries.delete(of);
		this.evicted++;
	}
}

function compare(a: readonly number[], b: readonly number[]): number {
	return a.reduce((sign, number, index) => sign || number - (b[index] ?? 0), 0);
}

/** Who does what is to be done to the store: this process or another one. */
interface Actor {
	put(url: string, body: string): Promise<void>;
	get(url: string): Promise<string | undefined>;
	remove(url: string): Promise<boolean>;
	advance(ms: number): Promise<void>;
	evicted(): Promise<Readonly<Record<Reason, number>>>;
}

/** A store, and what must be in it. */
class Trial {
	readonly directory = mkdtempSync(path.join(tmpdir(), 'larder-test-'));
	readonly #clock = new TestClock();
	readonly #model: Model;
	readonly #policy: PolicyName;
	readonly #limits: Partial<Limits>;
	/** Not killed yet. */
	#other: ForkedProcess | undefined;
	#store: Store;
	/** How many the model had evicted when the store was opened. */
	#evictedBefore = 0;
	#bodies = 0;

	constructor(
		policy: PolicyName,
		private readonly kind: Kind,
		count: number,
	) {
		this.#policy = policy;
		this.#model = new Model(policy, kind, count);
		this.#limits = {policy, ...this.#limitOf(count)};
		this.#store = this.#open();
	}

	async run(steps: readonly Step[]): Promise<void> {
		for (const one of steps) {
			await this.#take(one);
			this.#check(JSON.stringify(one));
		}

		await this.#restart(true);
		this.#check('the end');
	}

	async close(): Promise<void> {
		await this.#other?.kill();
		await this.#store.close();
		rmSync(this.directory, {recursive: true, force: true, maxRetries: 5});
	}

	#limitOf(count: number): Partial<Limits> {
		return this.kind === 'max-size' ? {maxBytes: count * SMALL_ENTRY_BYTES} : {maxEntries: count};
	}

	#open(): Store {
		this.#evictedBefore = this.#model.evicted;
		return new Store({directory: this.directory, limits: this.#limits, clock: this.#clock, log: NO_LOG});
	}

	async #restart(load: boolean): Promise<void> {
		await this.#store.close();
		this.#store = this.#open();
		if (load) await this.#store.load();
	}

	async #take(one: Step): Promise<void> {
		switch (one.do) {
			case 'put':
			case 'get':
			case 'remove':
				if (one.do === 'put') await this.#renewOrder();
				await this.#use(one, this.#here());
				return;
			case 'shrink':
				await this.#renewOrder();
				this.#model.shrink(one.to);
				await this.#store.setLimits(this.#limitOf(one.to));
				await this.#store.setLimits(this.#limits);
				return;
			case 'age':
				await this.#store.flush(); // what has just been changed is looked at a minute later
				this.#clock.advance(one.hours * HOUR_MS);
				this.#model.age(this.#clock.now() - one.maxHours * HOUR_MS);
				await this.#store.setLimits({maxAgeMs: one.maxHours * HOUR_MS});
				await this.#store.setLimits({maxAgeMs: Infinity});
				return;
			case 'restart':
				await this.#restart(one.load);
				return;
			case 'elsewhere':
				await this.#doElsewhere(one);
		}
	}

	/** The frequencies of who came after an order was asked for do not count until the next one is. */
	async #renewOrder(): Promise<void> {
		const hasEvicted = this.#model.evicted > this.#evictedBefore;
		if (this.#policy === 'least-frequently-used' && hasEvicted) await this.#restart(false);
	}

	async #use({do: what, url: of}: Use, actor: Actor): Promise<void> {
		await actor.advance(5);
		const nowMs = this.#clock.now();
		if (what === 'get') {
			equal((await actor.get(of)) !== undefined, this.#model.get(of, nowMs), `whether ${of} was there`);
		} else if (what === 'remove') {
			equal(await actor.remove(of), this.#model.entries.delete(of), `whether ${of} was removed`);
		} else {
			const isStored = await actor.put(of, `${++this.#bodies}`).then(() => true, isRefusal);
			equal(isStored, this.#model.put(of, nowMs), `whether ${of} was stored`);
		}
	}

	#here(): Actor {
		return {
			put: (to, body) => put(this.#store, to, body),
			get: from => get(this.#store, from),
			remove: of => this.#store.remove(keyOf(of)),
			advance: ms => Promise.resolve(this.#clock.advance(ms)),
			evicted: () => Promise.resolve(this.#store.evicted),
		};
	}

	async #doElsewhere({uses, beside, isKilled}: Step & {do: 'elsewhere'}): Promise<void> {
		await (beside ? this.#store.flush() : this.#store.close());
		const before = this.#model.evicted;
		const [other, actor] = await this.#startOther();
		let orderUntil = 0;
		for (const one of uses) {
			if (one.do === 'put') await until('another order', () => performance.now() > orderUntil);
			const {evicted} = this.#model;
			await this.#use(one, actor);
			const isRanked = this.#policy === 'least-frequently-used' && this.#model.evicted > evicted;
			if (isRanked) orderUntil = performance.now() + ORDER_MS;
		}

		equal(sum(await actor.evicted()), this.#model.evicted - before, 'evicted by the other process');
		await other.tell('flush');
		if (isKilled) {
			await other.kill();
			this.#other = undefined;
		} else {
			await other.tell('close');
		}

		if (!beside) this.#store = this.#open();
		else this.#evictedBefore += this.#model.evicted - before;
	}

	async #startOther(): Promise<[ForkedProcess, Actor]> {
		const other = (this.#other ??= new ForkedProcess());
		await other.tell('openStore', this.directory, this.#limits, this.#clock.now() - Date.now());
		const actor: Actor = {
			put: (to, body) => other.tell('put', to, body),
			get: from => other.tell('get', from),
			remove: async of => (await other.tell('remove', of)) === true,
			advance: async ms => {
				this.#clock.advance(ms);
				await other.tell('advance', ms);
			},
			evicted: async () => (await other.tell('evicted')) ?? this.#store.evicted,
		};
		return [other, actor];
	}

	#check(after: string): void {
		const expected = [...this.#model.entries.keys()].sort().join(' ');
		const stored = Array.from(this.#store.entries(), ({sidecar}) => sidecar.url).sort();
		equal(stored.join(' '), expected, `after ${after}`);
		const files = [...this.#model.entries.keys()].map(of => path.basename(basePath(this.directory, of))).sort();
		const names = entryFiles(this.directory).filter(name => name.endsWith('.json'));
		equal(names.join(' '), files.map(name => `${name}.json`).join(' '), `the files after ${after}`);
		equal(this.#store.totals.entries, this.#model.entries.size, `the count after ${after}`);
		equal(this.#store.usedBytes, allocatedOnDisk(this.directory), `the bytes after ${after}`);
		equal(sum(this.#store.evicted), this.#model.evicted - this.#evictedBefore, `evicted after ${after}`);
	}
}

function sum(counts: Readonly<Record<Reason, number>>): number {
	return Object.values(counts).reduce((total, count) => total + count, 0);
}

function isRefusal(error: unknown): boolean {
	if (hasCode(error, 'no-space') || (error as {code?: unknown}).code === 'no-space') return false;
	throw error;
}

function equal<T>(actual: T, expected: T, what: string): void {
	if (actual !== expected) throw new Error(`${what}: ${String(actual)} instead of ${String(expected)}`);
}

test('whatever is stored, read, aged or restarted, by one process or several, those are left that the policy keeps', async t => {
	const given = fc.record({
		policy: fc.constantFrom(...(Object.keys(POLICIES) as PolicyName[])),
		kind: fc.constantFrom<Kind>('max-size', 'max-entries'),
		count: fc.integer({min: 1, max: 6}),
		steps: fc.array(step, {minLength: 10, maxLength: 50}),
	});
	await assertAlways(t, RUN_MS, given, async ({policy, kind, count, steps}) => {
		const trial = new Trial(policy, kind, count);
		try {
			await trial.run(steps);
		} finally {
			await trial.close();
		}
	});
});
