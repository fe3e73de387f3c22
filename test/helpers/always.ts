import type {ExecutionContext} from 'ava';
import fc from 'fast-check';

/** What is random is repeated with `SEED=` what the test has logged. */
export const SEED = Number(process.env['SEED'] ?? Date.now() % 2 ** 31);
const LEAST_RUNS = 2;
const MAX_RUNS = 10_000;

/**
 * Tries what arbitrary values bring until the time is over (`RUN_MS`, if it is
 * set), twice at least. The trial that is under way then is waited for, as
 * fast-check does not: it uses files that go with the test.
 */
export async function assertAlways<T>(
	t: ExecutionContext,
	runMs: number,
	given: fc.Arbitrary<T>,
	trial: (given: T) => Promise<void> | void,
): Promise<void> {
	t.log(`SEED=${SEED}`);
	let runs = 0;
	let last: Promise<void> | undefined;
	const property = fc.asyncProperty(given, async value => {
		runs++;
		last = Promise.resolve(trial(value));
		await last;
	});
	const times = {numRuns: MAX_RUNS, interruptAfterTimeLimit: Number(process.env['RUN_MS'] ?? runMs)};
	const options = {seed: SEED, includeErrorInReport: true};
	const details = await fc.check(property, {...options, ...times});
	await Promise.allSettled([last]);
	if (details.counterexample !== null) throw new Error(await fc.asyncDefaultReportMessage(details));
	await last;
	// On a busy machine one may take all the time.
	if (runs < LEAST_RUNS) await fc.assert(property, {...options, numRuns: LEAST_RUNS});
	t.log(`${runs} runs`);
	t.true(runs >= LEAST_RUNS);
}
