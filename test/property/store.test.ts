/** The store against a slow, obvious model, over random sequences of what may happen to it. */
import {spawnSync} from 'node:child_process';
import {
	copyFileSync,
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
import type {Pin} from '../../src/store/pin.js';
import {Store} from '../../src/store/store.js';
import {assertAlways} from '../helpers/always.js';
import {leftovers, MIB, put, TestClock} from '../helpers/cache.js';
import {basePath, deleteLikeOriginal, putLikeOriginal} from '../helpers/original.js';
import {until} from '../helpers/until.js';

const URLS = ['https://a.example/0', 'https://a.example/1', 'https://a.example/2', 'https://a.example/3'] as const;
const RUN_MS = 9000;
const DEAD_PID = spawnSync('true').pid;

type Damage = 'draft' | 'orphan data' | 'orphan sidecar' | 'short sidecar' | 'short data';
/** Of two stores on one directory. */
type By = 'first' | 'second';
/** What the store finds when it is opened again: the one before it may have been killed, or the file lost. */
type CatalogueState = 'as it was' | 'an older one' | 'none';
type Step =
	| {readonly do: 'put'; readonly url: string; readonly size: number; readonly by: By}
	| {readonly do: 'put twice' | 'foreign put'; readonly url: string; readonly size: number}
	| {readonly do: 'get' | 'pin' | 'foreign delete'; readonly url: string}
	| {readonly do: 'evict'; readonly url: string; readonly by: By}
	| {readonly do: 'annotate'; readonly url: string; readonly by: By; readonly said: Said}
	| {readonly do: 'unpin'; readonly which: number}
	| {readonly do: 'limit'; readonly bytes: number}
	| {readonly do: 'damage'; readonly url: string; readonly how: Damage}
	| {readonly do: 'restart'; readonly load: boolean; readonly catalogue: CatalogueState};

interface Said {
	readonly pinned: boolean;
	readonly tag: string;
}

const url = fc.constantFrom(...URLS);
const by = fc.oneof(
	{weight: 4, arbitrary: fc.constant<By>('first')},
	{weight: 1, arbitrary: fc.constant<By>('second')},
);
const said = fc.record({pinned: fc.boolean(), tag: fc.constantFrom('red', 'green')});
const catalogue = fc.constantFrom<CatalogueState>('as it was', 'an older one', 'none');
const size = fc.constantFrom(0, 1, 4000, 20_000, 60_000);
const damage = fc.constantFrom<Damage>('draft', 'orphan data', 'orphan sidecar', 'short sidecar', 'short data');
const step: fc.Arbitrary<Step> = fc.oneof(
	{weight: 6, arbitrary: fc.record({do: fc.constant('put' as const), url, size, by})},
	{weight: 2, arbitrary: fc.record({do: fc.constant('put twice' as const), url, size})},
	{weight: 2, arbitrary: fc.record({do: fc.constant('foreign put' as const), url, size})},
	{weight: 3, arbitrary: fc.record({do: fc.constantFrom('get' as const, 'pin' as const), url})},
	{weight: 1, arbitrary: fc.record({do: fc.constant('evict' as const), url, by})},
	{weight: 1, arbitrary: fc.record({do: fc.constant('foreign delete' as const), url})},
	{weight: 2, arbitrary: fc.record({do: fc.constant('annotate' as const), url, by, said})},
	{weight: 3, arbitrary: fc.record({do: fc.constant('unpin' as const), which: fc.nat(9)})},
	{
		weight: 1,
		arbitrary: fc.record({do: fc.constant('limit' as const), bytes: fc.constantFrom(0, 50_000, 150_000, MIB)}),
	},
	{weight: 2, arbitrary: fc.record({do: fc.constant('damage' as const), url, how: damage})},
	{weight: 1, arbitrary: fc.record({do: fc.constant('restart' as const), load: fc.boolean(), catalogue})},
);

/** A store, and what must and may be in it. */
class Trial {
	readonly directory = mkdtempSync(path.join(tmpdir(), 'larder-test-'));
	readonly #clock = new TestClock();
	/** What may be stored: none of it is a promise, as it may have been evicted. */
	readonly #bodies = new Map<string, string[]>();
	/** What we have stored, and nothing has happened to since. */
	readonly #certain = new Set<string>();
	/** What was said of entries, and nothing can have undone since. */
	readonly #said = new Map<string, Said>();
	#pins: Array<{pin: Pin; body: string}> = [];
	#store: Store;
	/** Another one on the same directory, once it is needed. */
	#second: Store | undefined;
	/** Where a copy of an older catalogue is. */
	readonly #olderCatalogue = mkdtempSync(path.join(tmpdir(), 'larder-test-'));
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
		await this.#restart(true, 'as it was');
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
		await this.#closeStores();
		for (const directory of [this.directory, this.#olderCatalogue])
			rmSync(directory, {recursive: true, force: true, maxRetries: 5});
	}

	#open(): Store {
		const {directory} = this;
		const options = {directory, limits: {maxBytes: this.#limitBytes}, clock: this.#clock, log: NO_LOG};
		this.#evicted = 0;
		return new Store(options);
	}

	/** One that says nothing of the limits. */
	#openSilent(): Store {
		return new Store({directory: this.directory, clock: this.#clock, log: NO_LOG});
	}

	async #take(one: Step): Promise<void> {
		switch (one.do) {
			case 'put':
				await this.#by(one.by, store => this.#put(store, one.url, [this.#body(one.size)]));
				return;
			case 'put twice':
				await this.#put(this.#store, one.url, [this.#body(one.size), this.#body(one.size)]);
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
				await this.#by(one.by, store => store.remove(keyOf(one.url)));
				this.#gone(one.url);
				return;
			case 'annotate':
				await this.#by(one.by, store => this.#annotate(store, one.url, one.said));
				return;
			case 'foreign delete':
				deleteLikeOriginal(this.directory, one.url);
				this.#gone(one.url);
				return;
			case 'limit':
				this.#limitBytes = one.bytes;
				await this.#closeSecond();
				await this.#store.setLimits({maxBytes: one.bytes});
				await this.#budgetKept();
				return;
			case 'damage':
				this.#damage(one.url, one.how);
				return;
			case 'restart':
				await this.#restart(one.load, one.catalogue);
		}
	}

	/** What the stores note they are told of each other. */
	async #by(which: By, work: (store: Store) => Promise<unknown>): Promise<void> {
		if (which === 'first') return void (await work(this.#store));
		await this.#store.flush();
		const second = (this.#second ??= this.#openSilent());
		await until('the limits are heard', () => second.limits.maxBytes === this.#limitBytes);
		await work(second);
		await second.flush();
	}

	async #annotate(store: Store, of: string, {pinned, tag}: Said): Promise<void> {
		const removeTags = ['red', 'green'].filter(other => other !== tag);
		const isThere = await store.annotate(keyOf(of), {pinned, addTags: [tag], removeTags});
		this.#forgetEvicted();
		if (isThere) this.#said.set(of, {pinned, tag});
		else equal(this.#certain.has(of), false, `${of} is not there to be annotated`);
	}

	/** Several at once: one of them is what remains. */
	async #put(store: Store, to: string, bodies: string[]): Promise<void> {
		const outcomes = await Promise.allSettled(bodies.map(body => put(store, to, body)));
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
		this.#said.delete(of);
		// A sidecar that goes is noticed by the watch, or by the next start: until then the bytes are what they were.
		if (how === 'short data' || how === 'orphan sidecar') this.#gone(of);
	}

	async #restart(load: boolean, found: CatalogueState): Promise<void> {
		await this.#closeStores();
		const ours = path.join(this.directory, '.larder');
		const isOlder = found === 'an older one' && existsSync(path.join(this.#olderCatalogue, 'catalogue.sqlite'));
		if (isOlder) copyCatalogue(this.#olderCatalogue, ours);
		else if (found === 'none') copyCatalogue(undefined, ours);
		else copyCatalogue(ours, this.#olderCatalogue);
		// Until it has looked, it does not know what was said since; and what the original wrote over nobody knows then.
		if (isOlder || found === 'none') this.#said.clear();
		this.#store = this.#open();
		if (load) await this.#store.load();
		this.#forgetEvicted();
	}

	async #closeStores(): Promise<void> {
		this.#closePins();
		await this.#closeSecond();
		await this.#store.close();
	}

	async #closeSecond(): Promise<void> {
		await this.#second?.close();
		this.#evicted -= this.#second === undefined ? 0 : evictedBy(this.#second);
		this.#second = undefined;
	}

	async #check(of: string): Promise<void> {
		const pin = await this.#store.pin(keyOf(of));
		if (pin === undefined) {
			// Who closes a pin does not wait for the evictions that may follow.
			if (this.#certain.has(of)) await until(`${of} was evicted`, () => this.#evictedNow !== this.#evicted, 1000);
			this.#forgetEvicted();
			return;
		}

		const body = String(await pin.readAll());
		pin.close();
		const {pinned, tags} = pin.entry.sidecar;
		const saidOfIt = this.#said.get(of);
		if (saidOfIt !== undefined) {
			equal(pinned, saidOfIt.pinned, `whether ${of} is pinned`);
			equal(tags.join(), saidOfIt.tag, `the tags of ${of}`);
		}

		const allowed = this.#bodies.get(of) ?? [];
		if (!allowed.includes(body))
			throw new Error(`${of} has ${body.length} bytes that are not its own: ${body.slice(0, 20)}`);
		this.#bodies.set(of, [body]);
	}

	/** What is evicted may be anything but what is pinned, so nothing else is certain then. */
	#forgetEvicted(): void {
		if (this.#evictedNow === this.#evicted) return;
		this.#evicted = this.#evictedNow;
		for (const of of URLS) {
			if (this.#said.get(of)?.pinned === true) continue;
			this.#certain.delete(of);
			this.#said.delete(of);
		}
	}

	get #evictedNow(): number {
		return evictedBy(this.#store) + (this.#second === undefined ? 0 : evictedBy(this.#second));
	}

	#gone(of: string): void {
		this.#certain.delete(of);
		this.#said.delete(of);
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
		const evictable = [...this.#store.entries()].some(({key, sidecar}) => !pinned.has(key) && !sidecar.pinned);
		return this.#store.usedBytes <= this.#limitBytes || !evictable;
	}

	/** Each is another, and of another length: the original's writes in one tick of the clock are told apart by that. */
	#body(sizeBytes: number): string {
		const name = `${++this.#count}|`;
		return name.repeat(Math.ceil(sizeBytes / name.length)).slice(0, sizeBytes) + 'x'.repeat(this.#count);
	}
}

/** Puts the files of a catalogue that nobody has open in the place of others; of none, so that there are none. */
function copyCatalogue(from: string | undefined, to: string): void {
	for (const name of ['catalogue.sqlite', 'catalogue.sqlite-wal', 'catalogue.sqlite-shm']) {
		rmSync(path.join(to, name), {force: true});
		const source = from === undefined ? undefined : path.join(from, name);
		if (source !== undefined && existsSync(source)) copyFileSync(source, path.join(to, name));
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

function evictedBy({evicted}: Store): number {
	return Object.values(evicted).reduce((sum, count) => sum + count, 0);
}

function isAboutRoom(error: unknown): boolean {
	return hasCode(error, 'too-large') || hasCode(error, 'no-space');
}

test('whatever happens to a store, it has the right bytes or none, and counts what is on the disk', async t => {
	const given = fc.record({isOld: fc.boolean(), steps: fc.array(step, {minLength: 5, maxLength: 40})});
	await assertAlways(t, RUN_MS, given, async ({isOld, steps}) => {
		const trial = new Trial(isOld);
		try {
			await trial.run(steps);
			await trial.end();
		} finally {
			await trial.close();
		}
	});
});
