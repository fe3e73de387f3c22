/**
 * ava with a TAP reporter that survives a test which hangs or calls
 * `process.exit`, and names it: ava 7's own throws there and takes the run down.
 * Its `at:` is the line of the test, not of ava's assertion.
 *
 * @see https://github.com/avajs/ava/issues/3461
 */
interface Failure {
	readonly stack?: string;
}

interface TapReporter {
	prototype: {writeTest: (this: unknown, event: {err?: Failure | null}, flags: unknown) => void};
}

const ava = import.meta.resolve('ava');
const load = async (file: string): Promise<unknown> => import(new URL(file, ava).href);

const {default: reporter} = (await load('../lib/reporters/tap.js')) as {default: TapReporter};
const {writeTest} = reporter.prototype;
reporter.prototype.writeTest = function (event, flags) {
	writeTest.call(this, event.err ? {...event, err: readable(event.err)} : event, flags);
};

await load('./cli.mjs');

/** Errors of tests arrive serialised; the reporter makes only those two itself, and they are plain errors. */
function readable(error: Failure): Failure {
	if (error instanceof Error) return {type: 'native', name: error.name, originalError: error} as Failure;
	const ownFrame = /\/node_modules\/ava\//;
	const lines = error.stack?.split('\n').filter(line => !ownFrame.test(line));
	return lines ? {...error, stack: lines.join('\n')} : error;
}
