/** Cache, Deque and Index against what JavaScript has in memory. */
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {isDeepStrictEqual} from 'node:util';
import test, {type ExecutionContext} from 'ava';
import fc from 'fast-check';
import {Cache, Deque, Index} from '../../src/ports/disk-cache/index.js';
import {assertAlways} from '../helpers/always.js';
import {TestClock} from '../helpers/cache.js';

const RUN_MS = 8000;

const key = fc.oneof(
	fc.constantFrom<unknown>('a', 'b', 'c', 1, 2, 2.5, null, true),
	fc.constantFrom<unknown>(['a', 1], ['a', '1'], {x: 1, y: 2}, Buffer.from('a')),
);
const value: fc.Arbitrary<unknown> = fc.oneof(
	fc.anything({withBigInt: true, withDate: true, withMap: true, withSet: true, maxDepth: 2}),
	fc.integer(),
	fc.string({unit: 'binary', maxLength: 20}),
	// Larger than the files of these caches begin.
	fc.nat(255).map(fill => Buffer.alloc(300, fill)),
	fc.nat(9).map(digit => String(digit).repeat(300)),
);

/** Keys that are one to a cache are one string. */
function nameOf(of: unknown): string {
	if (Buffer.isBuffer(of)) return `bytes ${of.toString('hex')}`;
	return JSON.stringify(of);
}

interface Item {
	key: unknown;
	value: unknown;
	/** Milliseconds of the clock. */
	expiresAtMs: number;
	tag: string | null;
}

type Step = readonly [name: string, run: (trial: CacheTrial) => void];

function step(name: string, ...details: unknown[]) {
	return (run: (trial: CacheTrial) => void): Step => [
		`${name} ${details.map(one => fc.stringify(one)).join(' ')}`,
		run,
	];
}

const life = fc.constantFrom<number | null>(null, null, 5, 100);
const tag = fc.constantFrom<string | null>(null, 'red', 'blue');

const simple: fc.Arbitrary<Step> = fc.oneof(
	fc.tuple(key, value, life, tag).map(args => step('set', ...args)(trial => trial.set(...args))),
	fc.tuple(key, value, life, tag).map(args => step('add', ...args)(trial => trial.add(...args))),
	key.map(of => step('get', of)(trial => trial.get(of))),
	key.map(of => step('delete', of)(trial => trial.delete(of))),
	key.map(of => step('pop', of)(trial => trial.pop(of))),
	fc.tuple(key, fc.integer()).map(args => step('incr', ...args)(trial => trial.incr(...args))),
	fc.tuple(key, life).map(args => step('touch', ...args)(trial => trial.touch(...args))),
	fc.constantFrom('red', 'blue').map(of => step('evict', of)(trial => trial.evict(of))),
	fc.constant(step('peekitem')(trial => trial.peekItem())),
);
const anyStep: fc.Arbitrary<Step> = fc.oneof(
	{weight: 20, arbitrary: simple},
	{weight: 2, arbitrary: fc.nat(20).map(seconds => step('pass', seconds)(trial => trial.pass(seconds)))},
	{weight: 1, arbitrary: fc.constant(step('reopen')(trial => trial.cache.close()))},
	{weight: 1, arbitrary: fc.constant(step('expire')(trial => trial.expire()))},
	{
		weight: 2,
		arbitrary: fc.tuple(fc.array(simple, {maxLength: 5}), fc.boolean()).map(([steps, fails]) =>
			step(
				'transact',
				steps.map(([name]) => name),
				fails,
			)(trial => trial.transact(steps, fails)),
		),
	},
);

/** One cache, and a map of what it must hold, in the order of its keys. */
class CacheTrial {
	readonly clock = new StandingClock();
	readonly cache: Cache;
	model = new Map<string, Item>();

	constructor(directory: string) {
		this.cache = new Cache(directory, {clock: this.clock, cullLimit: 0, diskMinFileSize: 200, evictionPolicy: 'none'});
	}

	set(of: unknown, to: unknown, expire: number | null, tagged: string | null): void {
		equal(this.cache.set(of, to, {expire, tag: tagged}), true, 'set');
		this.#put(of, to, expire, tagged);
	}

	add(of: unknown, to: unknown, expire: number | null, tagged: string | null): void {
		const isFree = this.#live(of) === undefined;
		equal(this.cache.add(of, to, {expire, tag: tagged}), isFree, 'add');
		if (isFree) this.#put(of, to, expire, tagged);
	}

	get(of: unknown): void {
		const item = this.#live(of);
		equal(this.cache.get(of, {tag: true, default: 'none'}), item ? [item.value, item.tag] : ['none', null], 'get');
		equal(this.cache.has(of), item !== undefined, 'has');
	}

	delete(of: unknown): void {
		equal(this.cache.delete(of), this.#take(of) !== undefined, 'delete');
	}

	pop(of: unknown): void {
		const popped = this.cache.pop(of, {default: 'none'});
		const item = this.#take(of);
		equal(popped, item ? item.value : 'none', 'pop');
	}

	incr(of: unknown, delta: number): void {
		const item = this.#live(of);
		if (item !== undefined && (typeof item.value !== 'number' || Number.isNaN(item.value))) {
			equal(
				throws(() => this.cache.incr(of, delta)),
				true,
				'incr of no number',
			);
			return;
		}

		const sum = ((item?.value as number | undefined) ?? 0) + delta;
		equal(this.cache.incr(of, delta), sum, 'incr');
		if (item === undefined) this.#put(of, sum, null, null);
		else item.value = sum;
	}

	touch(of: unknown, expire: number | null): void {
		const item = this.#live(of);
		equal(this.cache.touch(of, {expire}), item !== undefined, 'touch');
		if (item !== undefined) item.expiresAtMs = this.#moment(expire);
	}

	evict(tagged: string): void {
		const found = [...this.model].filter(([, item]) => item.tag === tagged);
		equal(this.cache.evict(tagged), found.length, 'evict');
		for (const [name] of found) this.model.delete(name);
	}

	expire(): void {
		const found = [...this.model].filter(([, item]) => item.expiresAtMs <= this.clock.now());
		equal(this.cache.expire(), found.length, 'expire');
		for (const [name] of found) this.model.delete(name);
	}

	peekItem(): void {
		// What has expired is removed on the way.
		for (const [name, item] of [...this.model].reverse()) {
			if (item.expiresAtMs > this.clock.now()) break;
			this.model.delete(name);
		}

		const last = [...this.model.values()].at(-1);
		if (last === undefined)
			equal(
				throws(() => this.cache.peekitem()),
				true,
				'peekitem of nothing',
			);
		else equal(this.cache.peekitem(), [last.key, last.value], 'peekitem');
	}

	pass(seconds: number): void {
		this.clock.advance(seconds * 1000);
	}

	transact(steps: readonly Step[], fails: boolean): void {
		const before = new Map(Array.from(this.model, ([name, item]) => [name, {...item}]));
		const work = () => {
			for (const [, run] of steps) run(this);
			if (fails) throw new Rollback();
		};
		try {
			this.cache.transact(work);
		} catch (error) {
			if (!(error instanceof Rollback)) throw error;
			this.model = before;
		}
	}

	check(): void {
		equal(
			[...this.cache],
			Array.from(this.model.values(), item => item.key),
			'keys',
		);
		equal([...this.cache.reversed()], Array.from(this.model.values(), item => item.key).reverse(), 'keys reversed');
		equal(this.cache.length, this.model.size, 'length');
		equal([...this.cache.iterkeys()].map(nameOf).sort(), [...this.model.keys()].sort(), 'sorted keys');
		equal(this.cache.check(), [], 'check');
	}

	#put(of: unknown, to: unknown, expire: number | null, tagged: string | null): void {
		this.model.set(nameOf(of), {key: of, value: to, expiresAtMs: this.#moment(expire), tag: tagged});
	}

	#moment(expire: number | null): number {
		return expire === null ? Infinity : this.clock.now() + expire * 1000;
	}

	#live(of: unknown): Item | undefined {
		const item = this.model.get(nameOf(of));
		return item !== undefined && item.expiresAtMs > this.clock.now() ? item : undefined;
	}

	#take(of: unknown): Item | undefined {
		const item = this.#live(of);
		if (item !== undefined) this.model.delete(nameOf(of));
		return item;
	}
}

/** Moves only when told. */
class StandingClock extends TestClock {
	readonly #startMs = Date.now();
	#passedMs = 0;

	override now(): number {
		return this.#startMs + this.#passedMs;
	}

	override advance(ms: number): void {
		// A call at the same millisecond counts as a little later.
		this.#passedMs += ms + 1;
	}
}

class Rollback extends Error {}

function throws(work: () => unknown): boolean {
	try {
		work();
		return false;
	} catch {
		return true;
	}
}

function equal(actual: unknown, expected: unknown, what: string): void {
	if (!isDeepStrictEqual(actual, expected)) {
		throw new Error(`${what}: ${fc.stringify(actual)} instead of ${fc.stringify(expected)}`);
	}
}

/** Each trial has a directory of its own. */
function assertInDirectories<T>(
	t: ExecutionContext,
	steps: fc.Arbitrary<T>,
	trial: (directory: string, steps: T) => void,
): Promise<void> {
	return assertAlways(t, RUN_MS, steps, given => {
		const directory = mkdtempSync(path.join(tmpdir(), 'larder-test-'));
		try {
			trial(directory, given);
		} finally {
			rmSync(directory, {recursive: true});
		}
	});
}

test('whatever is done with a cache, it holds what a map would', async t => {
	await assertInDirectories(t, fc.array(anyStep, {minLength: 5, maxLength: 60}), (directory, steps) => {
		const trial = new CacheTrial(directory);
		try {
			for (const [, run] of steps) run(trial);
			trial.check();
		} finally {
			trial.cache.close();
		}
	});
});

const dequeStep = fc.record({
	do: fc.constantFrom(
		...(['append', 'appendLeft', 'pop', 'popLeft', 'peek', 'at', 'setAt', 'deleteAt', 'rotate'] as const),
		...(['reverse', 'remove', 'extendLeft', 'maxlen', 'count'] as const),
	),
	value: fc.oneof(fc.nat(3), value),
	index: fc.integer({min: -8, max: 8}),
});

type DequeStep = typeof dequeStep extends fc.Arbitrary<infer S> ? S : never;

/** What a deque must do, done to an array. */
class ArrayModel {
	items: unknown[] = [];
	maxlen = Infinity;

	do({do: action, value: item, index}: DequeStep): unknown {
		const at = index < 0 ? index + this.items.length : index;
		const isThere = at >= 0 && at < this.items.length;
		switch (action) {
			case 'append':
				return this.#push(item, 'back');
			case 'appendLeft':
				return this.#push(item, 'front');
			case 'extendLeft':
				return [item, index].forEach(one => this.#push(one, 'front'));
			case 'pop':
				return this.items.pop();
			case 'popLeft':
				return this.items.shift();
			case 'peek':
				return [this.items.at(-1), this.items[0]];
			case 'at':
				return this.items.at(index);
			case 'setAt':
				if (isThere) this.items[at] = item;
				return isThere;
			case 'deleteAt':
				if (isThere) this.items.splice(at, 1);
				return isThere;
			case 'rotate':
				return this.#rotate(index);
			case 'reverse':
				this.items.reverse();
				return undefined;
			case 'remove':
				return this.#remove(item);
			case 'maxlen':
				this.maxlen = index < 0 ? Infinity : index + 3;
				this.items = this.items.slice(Math.max(0, this.items.length - this.maxlen));
				return undefined;
			case 'count':
				return this.items.filter(one => isDeepStrictEqual(one, item)).length;
		}
	}

	#push(item: unknown, side: 'front' | 'back'): void {
		if (side === 'back') this.items.push(item);
		else this.items.unshift(item);
		if (this.items.length <= this.maxlen) return;
		if (side === 'back') this.items.shift();
		else this.items.pop();
	}

	#rotate(steps: number): void {
		for (let left = Math.abs(steps); left > 0 && this.items.length > 0; left--) {
			if (steps > 0) this.items.unshift(this.items.pop());
			else this.items.push(this.items.shift());
		}
	}

	#remove(item: unknown): boolean {
		const found = this.items.findIndex(one => isDeepStrictEqual(one, item));
		if (found >= 0) this.items.splice(found, 1);
		return found >= 0;
	}
}

/** The same, done to a deque. */
function doWith(deque: Deque, {do: action, value: item, index}: DequeStep): unknown {
	switch (action) {
		case 'append':
		case 'appendLeft':
			return deque[action](item);
		case 'extendLeft':
			return deque.extendLeft([item, index]);
		case 'pop':
		case 'popLeft':
			return deque[action]();
		case 'peek':
			return [deque.peek(), deque.peekLeft()];
		case 'at':
			return deque.at(index);
		case 'setAt':
			return !throws(() => deque.setAt(index, item));
		case 'deleteAt':
			return !throws(() => deque.deleteAt(index));
		case 'rotate':
			return deque.rotate(index);
		case 'reverse':
			return deque.reverse();
		case 'remove':
			return deque.remove(item);
		case 'maxlen':
			deque.maxlen = index < 0 ? Infinity : index + 3;
			return undefined;
		case 'count':
			return deque.count(item);
	}
}

test('stress/deque: whatever is done with a deque, it holds what an array would', async t => {
	await assertInDirectories(t, fc.array(dequeStep, {minLength: 5, maxLength: 40}), (directory, steps) => {
		using deque = new Deque<unknown>([], {directory, diskMinFileSize: 200});
		const model = new ArrayModel();
		for (const one of steps) equal(doWith(deque, one), model.do(one), one.do);
		equal([...deque], model.items, 'items');
		equal([...deque.reversed()], model.items.toReversed(), 'items reversed');
		equal(deque.length, model.items.length, 'length');
		equal(deque.cache.check(), [], 'check');
	});
});

const indexKey = fc.oneof(fc.nat(5), fc.constantFrom('a', 'b', 'ä', ''));
const indexStep = fc.record({
	do: fc.constantFrom('set', 'get', 'delete', 'pop', 'popitem', 'popfirst', 'setdefault', 'update', 'clear'),
	key: indexKey,
	value,
});

test('stress/index: whatever is done with an index, it holds what a map would', async t => {
	await assertInDirectories(t, fc.array(indexStep, {minLength: 5, maxLength: 40}), (directory, steps) => {
		using index = new Index<string | number, unknown>(directory, [], {diskMinFileSize: 200});
		const map = new Map<string | number, unknown>();
		for (const {do: action, key: of, value: to} of steps) {
			if (action === 'set' || action === 'setdefault') {
				const isKept = action === 'setdefault' && map.has(of);
				if (action === 'set') index.set(of, to);
				else equal(index.setdefault(of, to), isKept ? map.get(of) : to, 'setdefault');
				if (!isKept) map.set(of, to);
			} else if (action === 'update') {
				index.update([
					[of, to],
					['a', of],
				]);
				map.set(of, to).set('a', of);
			} else if (action === 'popitem' || action === 'popfirst') {
				const item = [...map].at(action === 'popitem' ? -1 : 0);
				if (item === undefined) continue;
				equal(index.popitem({last: action === 'popitem'}), item, action);
				map.delete(item[0]);
			} else if (action === 'clear') {
				if (map.size > 6) [index, map].forEach(one => one.clear());
			} else {
				equal(
					action === 'pop' ? index.pop(of, 'none') : index.get(of),
					map.has(of) ? map.get(of) : action === 'pop' ? 'none' : undefined,
					action,
				);
				if (action === 'delete') equal(index.delete(of), map.has(of), 'delete');
				if (action !== 'get') map.delete(of);
			}
		}

		equal([...index], [...map], 'items');
		equal(index.equals(map), true, 'equals');
		equal(index.cache.check(), [], 'check');
	});
});
