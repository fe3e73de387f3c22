/** Runs one suite of tests in a process group of its own and reads its TAP. */
import {spawn, type ChildProcess} from 'node:child_process';
import {createInterface} from 'node:readline';
import {setTimeout as delay} from 'node:timers/promises';
import {TapReader, type Counts, type TapResult} from './tap.js';

export interface Suite {
	readonly name: string;
	/** Prints TAP on standard output. */
	readonly command: readonly string[];
	/** After this long the whole process group is killed. */
	readonly deadlineMs: number;
}

export interface SuiteReport {
	readonly counts: Counts;
	readonly skipped: readonly string[];
	readonly failed: readonly TapResult[];
	readonly elapsedMs: number;
	/** Why the run itself failed, if it did. It counts as one failed test. */
	readonly problem: string | undefined;
	/** The end of what the suite printed on standard error. */
	readonly stderr: string;
}

/** Enough for the stack of a crash, little enough for a terminal. */
const STDERR_KEPT = 16_384;

/** What still holds the pipes after this is no child of the group; it is not waited for. */
const DRAIN_MS = 2000;

/**
 * Runs `suite` to its end or its deadline. Whatever it leaves running in its
 * process group is killed.
 *
 * @param onFailure - called for each failing test as soon as its diagnostic is complete.
 * @param signal - ends the suite at once.
 */
export async function runSuite(
	suite: Suite,
	onFailure: (result: TapResult) => void,
	signal?: AbortSignal,
): Promise<SuiteReport> {
	const started = performance.now();
	const reader = new TapReader(result => {
		if (result.outcome === 'failed') onFailure(result);
	});
	const [program = '', ...args] = suite.command;
	const child = spawn(program, args, {detached: true, stdio: ['ignore', 'pipe', 'pipe']});
	const lines = createInterface({input: child.stdout}).on('line', line => reader.line(line));
	let stderr = '';
	child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr = (stderr + text).slice(-STDERR_KEPT)));

	const end = await ended(child, suite.deadlineMs, signal);
	lines.close();
	reader.end();
	const problem = problemOf(suite, end, reader);
	const counts = reader.counts();
	const resultsOf = (outcome: keyof Counts) => reader.results.filter(result => result.outcome === outcome);
	return {
		counts: problem === undefined ? counts : {...counts, failed: counts.failed + 1},
		skipped: resultsOf('skipped').map(result => result.title),
		failed: resultsOf('failed'),
		elapsedMs: performance.now() - started,
		problem,
		stderr,
	};
}

interface End {
	readonly how: string;
	readonly timedOut: boolean;
	readonly clean: boolean;
}

async function ended(child: ChildProcess, deadlineMs: number, signal: AbortSignal | undefined): Promise<End> {
	const kill = () => killGroup(child);
	let timedOut = false;
	const deadline = setTimeout(() => {
		timedOut = true;
		kill();
	}, deadlineMs);
	signal?.addEventListener('abort', kill);

	const closed = new Promise<void>(resolve => child.once('close', () => resolve()));
	const how = await new Promise<string>(resolve => {
		child.once('error', error => resolve(`could not be started: ${error.message}`));
		child.once('exit', (code, by) => resolve(by === null ? `ended with exit code ${code}` : `was ended by ${by}`));
	});
	kill();
	clearTimeout(deadline);
	signal?.removeEventListener('abort', kill);
	await Promise.race([closed, delay(DRAIN_MS, undefined, {ref: false})]);
	child.stdout?.destroy();
	child.stderr?.destroy();
	return {how, timedOut, clean: child.exitCode === 0};
}

function problemOf(suite: Suite, {how, timedOut, clean}: End, reader: TapReader): string | undefined {
	if (timedOut) return `${suite.name}: not done after ${suite.deadlineMs / 1000} s, so its processes were killed`;
	if (!reader.complete) return `${suite.name}: the test run ${how} before it was done`;
	if (!clean && reader.counts().failed === 0) return `${suite.name}: no test failed, but the test run ${how}`;
	return undefined;
}

function killGroup(child: ChildProcess): void {
	if (child.pid === undefined) return;
	try {
		process.kill(-child.pid, 'SIGKILL');
	} catch {
		// ESRCH: nobody is left in it
	}
}
