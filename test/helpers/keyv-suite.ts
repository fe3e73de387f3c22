/** Runs Keyv's own test suite, which is written for vitest, as tests of ava. */
import {isDeepStrictEqual} from 'node:util';
import type {TestFn} from 'ava';
import keyvTestSuite, {keyvIteratorTests} from '@keyv/test-suite';
import Keyv from 'keyv';

type Work = () => unknown;

interface Context {
	readonly expect: ReturnType<typeof expectations>['expect'];
}

/** One part of the suite: what runs before and after each of its tests, and these. */
class Part {
	readonly #before: Work[] = [];
	readonly #after: Work[] = [];
	readonly tests: Array<{title: string; run: () => Promise<void>}> = [];

	/** What the suite takes for vitest. */
	readonly vitest = {
		beforeEach: (work: Work) => void this.#before.push(work),
		afterEach: (work: Work) => void this.#after.push(work),
		it: (title: string, work: (context: Context) => unknown) => {
			this.tests.push({title, run: () => this.#run(work)});
		},
	};

	async #run(work: (context: Context) => unknown): Promise<void> {
		for (const before of this.#before) await before();
		const {expect, assertCount} = expectations();
		await work({expect});
		assertCount();
		for (const after of this.#after) await after();
	}
}

/** As many of vitest's expectations as the suite uses, and a check of how many there were. */
function expectations() {
	let [count, expected] = [0, undefined as number | undefined];
	const assert = (holds: boolean, what: string) => {
		count++;
		if (!holds) throw new Error(`expected ${what}`);
	};
	const expect = (actual: unknown) => ({
		toBe: (wanted: unknown) => assert(Object.is(actual, wanted), `${String(wanted)}, not ${String(actual)}`),
		toEqual: (wanted: unknown) => assert(isDeepStrictEqual(actual, wanted), `${String(wanted)}, not ${String(actual)}`),
		toBeTruthy: () => assert(Boolean(actual), `what is true, not ${String(actual)}`),
		toBeFalsy: () => assert(!actual, `what is false, not ${String(actual)}`),
		toBeNull: () => assert(actual === null, `null, not ${String(actual)}`),
		toBeUndefined: () => assert(actual === undefined, `undefined, not ${String(actual)}`),
		toBeDefined: () => assert(actual !== undefined, 'something'),
	});
	expect.assertions = (wanted: number) => void (expected = wanted);
	const assertCount = () => {
		if (expected !== undefined && count !== expected) throw new Error(`${count} expectations, not ${expected}`);
	};
	return {expect, assertCount};
}

/** Serial tests of `test`: some of them stop the clock. @returns how many. */
export function testLikeKeyv(test: TestFn, store: () => unknown): number {
	const part = new Part();
	// Its type is vitest's own, which is not installed.
	const vitest = part.vitest as never;
	keyvTestSuite(vitest, Keyv, store);
	keyvIteratorTests(vitest, Keyv, store);
	part.tests.forEach(({title, run}, index) => {
		test.serial(`keyv/${index}: ${title}`, async t => {
			await run();
			t.pass();
		});
	});
	return part.tests.length;
}
