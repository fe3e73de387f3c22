/** The store against a slow, obvious model, over random sequences of what may happen to it. */
import {spawnSync} from 'node:child_process';
import {
	existsSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	statSync,
	truncateSync,
	writeFileSync,
} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import {hasCode} from '../../src/base/errors.js';
import {NO_LOG} from '../../src/base/log.js';
import {keyOf} from '../../src/store/key.js';
import {MemoryCatalogue} from '../../src/store/memory-catalogue.js';
import type {Pin} from '../../src/store/pin.js';
import {Store} from '../../src/store/store.js';
import {leftovers, MIB, put, TestClock} from '../helpers/cache.js';
import {basePath, deleteLikeOriginal, putLikeOriginal} from '../helpers/original.js';
import {until} from '../helpers/until.js';

const URLS = ['https://a.example/0', 'https://a.example/1', 'https://a.example/2', 'https://a.example/3'] as const;
const RUN_MS = 9000;
const SEED = Number(process.env['SEED'] ?? Date.now() % 2 ** 31);
const DEAD_PID = spawnSync('true').pid;

type Damage = 'draft' | 'orphan data' | 'orphan sidecar' | 'short sidecar' | 'short data';
type Step =
	| {readonly do: 'put' | 'put twice' | 'foreign put'; readonly url: string; readonly size: number}
	| {readonly do: 'get' | 'pin' | 'evict' | 'foreign delete'; readonly url: string}
	| {readonly do: 'unpin'; readonly which: number}
	| {readonly do: 'limit'; readonly bytes: number}
	| {readonly do: 'damage'; readonly url: string; readonly how: Damage}
	| {readonly do: 'restart'; readonly load: boolean};

const url = fc.constantFrom(...URLS);
const size = fc.constantFrom(0, 1, 4000, 20_000, 60_000);
const damage = fc.constantFrom<Damage>('draft', 'orphan data', 'orphan sidecar', 'short sidecar', 'short data');
const step: fc.Arbitrary<Step> = fc.oneof(
	{weight: 6, arbitrary: fc.record({do: fc.constant('put' as const), url, size})},
	{weight: 2, arbitrary: fc.record({do: fc.constant('put twice' as const), url, size})},
	{weight: 2, arbitrary: fc.record({do: fc.constant('foreign put' as const), url, size})},
	{weight: 3, arbitrary: fc.record({do: fc.constantFrom('get' as const, 'pin' as const), url})},
	{weight: 2, arbitrary: fc.record({do: fc.constantFrom('evict' as const, 'foreign delete' as const), url})},
	{weight: 3, arbitrary: fc.record({do: fc.constant('unpin' as const), which: fc.nat(9)})},
	{
		weight: 1,
		arbitrary: fc.record({do: fc.constant('limit' as const), bytes: fc.constantFrom(0, 50_000, 150_000, MIB)}),
	},
	{weight: 2, arbitrary: fc.record({do: fc.constant('damage' as const), url, how: damage})},
	{weight: 1, arbitrary: fc.record({do: fc.constant('restart' as const), load: fc.boolean()})},
);

/** A store, and what must and may be in it. */
class Trial {
	readonly directory = mkdtempSync(path.join(tmpdir(), 'larder-test-'));
	readonly #clock = new TestClock();
	/** What may be stored: none of it is a promise, as it may have been evicted. */
	readonly #bodies = new Map<string, string[]>();
	/** What we have stored, and nothing has happened to since. */
	readonly #certain = new Set<string>();
	#pins: Array<{pin: Pin; body: string}> = [];
	#store: Store;
	#limitBytes = MIB;
	#evicted = 0;
	#count = 0;

	constructor(isOld: boolean) {
		if (isOld) this.#clock.advance(61_000);
		this.#store = this.#open();
	}

	async run(steps: readonly Step[]): Promise<void> {
		await this.#store.load();
		for (const one of steps) {
			await this.#take(one);
			this.#forgetEvicted();
			for (const candidate of URLS) await this.#check(candidate);
			if (this.#pins.length === 0)
				equal(this.#store.usedBytes, this.#store.totals.allocatedBytes, 'held with no pin open');
		}
	}

	async end(): Promise<void> {
		await this.#restart(true);
		const {entries, sizeBytes, allocatedBytes} = this.#store.totals;
		const stored = validEntries(this.directory);
		equal(
			JSON.stringify([entries, sizeBytes, allocatedBytes]),
			JSON.stringify(stored),
			'the totals are those of the disk',
		);
		equal(this.#store.usedBytes, allocatedBytes, 'held in the end');
		await this.#budgetKept();
		equal(leftovers(this.directory).length, 0, 'leftovers');
	}

	async close(): Promise<void> {
		this.#closePins();
		await this.#store.close();
		rmSync(this.directory, {recursive: true, force: true});
	}

	#open(): Store {
		const {directory} = this;
		const options = {directory, limitBytes: this.#limitBytes, clock: this.#clock, log: NO_LOG};
		this.#evicted = 0;
		return new Store(options, new MemoryCatalogue());
	}

	async #take(one: Step): Promise<void> {
		switch (one.do) {
			case 'put':
				await this.#put(one.url, [this.#body(one.size)]);
				return;
			case 'put twice':
				await this.#put(one.url, [this.#body(one.size), this.#body(one.size)]);
				return;
			case 'foreign put': {
				const body = this.#body(one.size);
				putLikeOriginal(this.directory, one.url, body);
				this.#certain.delete(one.url);
				this.#bodies.set(one.url, [body]);
				return;
			}

			case 'get':
				return; // it is what each check does
			case 'pin': {
				const pin = await this.#store.pin(keyOf(one.url));
				if (pin !== undefined) this.#pins.push({pin, body: String(await pin.readAll())});
				return;
			}

			case 'unpin':
				await this.#unpin(one.which);
				return;
			case 'evict':
				await this.#store.remove(keyOf(one.url));
				this.#gone(one.url);
				return;
			case 'foreign delete':
				deleteLikeOriginal(this.directory, one.url);
				this.#gone(one.url);
				return;
			case 'limit':
				this.#limitBytes = one.bytes;
				await this.#store.setLimit(one.bytes);
				await this.#budgetKept();
				return;
			case 'damage':
				this.#damage(one.url, one.how);
				return;
			case 'restart':
				await this.#restart(one.load);
		}
	}

	/** Several at once: one of them is what remains. */
	async #put(to: string, bodies: string[]): Promise<void> {
		const outcomes = await Promise.allSettled(bodies.map(body => put(this.#store, to, body)));
		const stored = bodies.filter((_, index) => outcomes[index]?.status === 'fulfilled');
		for (const outcome of outcomes) {
			if (outcome.status === 'rejected' && !isAboutRoom(outcome.reason)) throw outcome.reason as Error;
		}

		if (stored.length > 0) this.#bodies.set(to, stored);
		if (stored.length > 0) this.#certain.add(to);
		else this.#certain.delete(to);
		this.#forgetEvicted();
		await this.#budgetKept();
	}

	async #unpin(which: number): Promise<void> {
		const [held] = this.#pins.splice(which % Math.max(1, this.#pins.length), 1);
		if (held === undefined) return;
		try {
			equal(String(await held.pin.readAll()), held.body, 'what was pinned');
		} catch (error) {
			if (!hasCode(error, 'corrupt-entry')) throw error; // the original has written it in place
		}

		held.pin.close();
		await this.#budgetKept();
	}

	#damage(of: string, how: Damage): void {
		const base = basePath(this.directory, of);
		const downloads = path.join(this.directory, '.larder', 'downloads');
		if (how === 'draft') writeFileSync(path.join(downloads, `${keyOf(of)}.${DEAD_PID}.0123456789ab`), 'x'.repeat(5000));
		if (how === 'draft' || !existsSync(`${base}.json`) || !existsSync(`${base}.dat`)) return;
		if (how === 'orphan data') rmSync(`${base}.json`);
		if (how === 'orphan sidecar') rmSync(`${base}.dat`);
		if (how === 'short sidecar') truncateSync(`${base}.json`, 20);
		if (how === 'short data') truncateSync(`${base}.dat`, Math.max(0, statSync(`${base}.dat`).size - 1));
		this.#certain.delete(of);
		// A sidecar that goes is noticed by the watch, or by the next start: until then the bytes are what they were.
		if (how === 'short data' || how === 'orphan sidecar') this.#gone(of);
	}

	async #restart(load: boolean): Promise<void> {
		this.#closePins();
		await this.#store.close();
		this.#store = this.#open();
		if (load) await this.#store.load();
		this.#forgetEvicted();
	}

	async #check(of: string): Promise<void> {
		const pin = await this.#store.pin(keyOf(of));
		if (pin === undefined) {
			// Who closes a pin does not wait for the evictions that may follow.
			if (this.#certain.has(of)) await until(`${of} was evicted`, () => this.#store.evicted !== this.#evicted, 1000);
			this.#forgetEvicted();
			return;
		}

		const body = String(await pin.readAll());
		pin.close();
		const allowed = this.#bodies.get(of) ?? [];
		if (!allowed.includes(body))
			throw new Error(`${of} has ${body.length} bytes that are not its own: ${body.slice(0, 20)}`);
		this.#bodies.set(of, [body]);
	}

	/** What is evicted may be anything, so nothing is certain then. */
	#forgetEvicted(): void {
		if (this.#store.evicted === this.#evicted) return;
		this.#evicted = this.#store.evicted;
		this.#certain.clear();
	}

	#gone(of: string): void {
		this.#certain.delete(of);
		this.#bodies.delete(of);
	}

	#closePins(): void {
		for (const {pin} of this.#pins.splice(0)) pin.close();
	}

	/** At once, unless the watch has found more meanwhile. */
	#budgetKept(): Promise<boolean> {
		return until(`the budget of ${this.#limitBytes} is kept`, () => this.#isWithinBudget());
	}

	#isWithinBudget(): boolean {
		const pinned = new Set(this.#pins.map(({pin}) => pin.entry.key));
		const evictable = [...this.#store.entries()].some(({key}) => !pinned.has(key));
		return this.#store.usedBytes <= this.#limitBytes || !evictable;
	}

	/** Each is another, and of another length: the original's writes in one tick of the clock are told apart by that. */
	#body(sizeBytes: number): string {
		const name = `${++this.#count}|`;
		return name.repeat(Math.ceil(sizeBytes / name.length)).slice(0, sizeBytes) + 'x'.repeat(this.#count);
	}
}

/** Entries, their bytes and their blocks, by the rules of the format alone. */
function validEntries(directory: string): [number, number, number] {
	const totals: [number, number, number] = [0, 0, 0];
	for (const name of readdirSync(directory).filter(one => one.endsWith('.json'))) {
		const base = path.join(directory, path.parse(name).name);
		try {
			const {url: of, size: sizeBytes} = JSON.parse(readFileSync(`${base}.json`, 'utf8')) as {
				url: string;
				size: number;
			};
			const data = statSync(`${base}.dat`);
			if (basePath(directory, of) !== base || sizeBytes !== data.size) continue;
			totals[0]++;
			totals[1] += data.size;
			totals[2] += (data.blocks + statSync(`${base}.json`).blocks) * 512;
		} catch {
			continue; // no entry
		}
	}

	return totals;
}

function equal<T>(actual: T, expected: T, what: string): void {
	if (actual !== expected) throw new Error(`${what}: ${String(actual)} instead of ${String(expected)}`);
}

function isAboutRoom(error: unknown): boolean {
	return hasCode(error, 'too-large') || hasCode(error, 'no-space');
}

test('whatever happens to a store, it has the right bytes or none, and counts what is on the disk', async t => {
	t.log(`SEED=${SEED}`);
	const property = fc.asyncProperty(
		fc.boolean(),
		fc.array(step, {minLength: 5, maxLength: 40}),
		async (isOld, steps) => {
			const trial = new Trial(isOld);
			try {
				await trial.run(steps);
				await trial.end();
			} finally {
				await trial.close();
			}
		},
	);
	await fc.assert(property, {seed: SEED, numRuns: 1000, interruptAfterTimeLimit: RUN_MS, includeErrorInReport: true});
	t.pass();
});
