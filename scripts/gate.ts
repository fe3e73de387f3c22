/**
 * `npm test` after the compiler: lint, layers, then every suite of tests from
 * fast to slow. A static stage that fails ends the run; a suite that fails does
 * not. A file that fails is run once more, alone, unless what it does is random:
 * what passes then is told as unsteady. The last line alone is `N passed, N failed`, with `, N skipped` if any.
 */
import {spawnSync} from 'node:child_process';
import {removeStale, sourcesOf, testsOf} from './compiled-tests.js';
import {runSuite, type Suite, type SuiteReport} from './suite.js';
import {add, NO_TESTS, summary, type TapResult} from './tap.js';

const STATIC_STAGES: Readonly<Record<string, readonly string[]>> = {
	lint: ['npm', 'run', '--silent', 'lint'],
	layers: [process.execPath, 'dist/scripts/layers.js'],
};

interface SuiteOptions {
	readonly concurrency: number;
	readonly deadlineMinutes: number;
	/** Of `dist/test`; the one of its name unless told. */
	readonly folder?: string;
	/** Files of it that are left out. */
	readonly except?: readonly string[];
	/** Run in namespaces of its own, and by whom: what mounts, and what may ask for names that are nobody's. */
	readonly by?: 'root' | 'nobody';
	readonly env?: readonly string[];
}

/**
 * The folders of `dist/test`, fast to slow. Mounts and systemd machines share the kernel's
 * tables, so few at a time; each deadline is several times what the suite takes.
 */
const SUITES: Readonly<Record<string, SuiteOptions>> = {
	unit: {concurrency: 2, deadlineMinutes: 15},
	contract: {concurrency: 2, deadlineMinutes: 5, by: 'root'},
	property: {concurrency: 2, deadlineMinutes: 10},
	fault: {concurrency: 2, deadlineMinutes: 20, by: 'root'},
	mount: {concurrency: 2, deadlineMinutes: 20, by: 'root'},
	// Once more over the other transport, and as most users have it.
	kernel: {
		...{concurrency: 2, deadlineMinutes: 20, folder: 'mount', by: 'nobody', env: ['LARDER_TEST_TRANSPORT=kernel']},
		// What is for root alone, and what runs over both by itself.
		except: ['cli-doctor', 'cli-user', 'fio', 'fuse-fd', 'kernel-passthrough'],
	},
	systemd: {concurrency: 1, deadlineMinutes: 10},
};

/** Files. A machine that is shared may stand still for seconds, and a test be late; where more fail, something is broken. */
const MOST_RUN_AGAIN = 3;

const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
	process.once(signal, () => {
		interrupted.abort();
		console.log(`interrupted by ${signal}`);
	});
}

process.exitCode = staticStages() && (await suites()) ? 0 : 1;

function staticStages(): boolean {
	removeStale('.');
	for (const [name, [program = '', ...args]] of Object.entries(STATIC_STAGES)) {
		const started = performance.now();
		const {status, stdout, stderr} = spawnSync(program, args, {encoding: 'utf8'});
		progress(name, status === 0 ? 'ok' : 'failed', performance.now() - started);
		if (status === 0) continue;

		console.log(`${stdout}${stderr}`.trimEnd());
		console.log(`${name} failed, so no test was run`);
		console.log(summary({...NO_TESTS, failed: 1}));
		return false;
	}

	return true;
}

async function suites(): Promise<boolean> {
	let total = NO_TESTS;
	const remarks: string[] = [];
	for (const [name, options] of Object.entries(SUITES)) {
		const {sources, missing} = testsOf('.', options.folder ?? name);
		if (sources.length === 0 || interrupted.signal.aborted) continue;

		for (const source of missing) console.log(`${source} is not compiled: delete dist/ and run npm test again`);
		const report = await runTests(name, options, sources);
		total = add(add(total, report.counts), {...NO_TESTS, failed: missing.length});
		remarks.push(...report.skipped.map(title => `skipped  ${name}: ${title}`));
		remarks.push(
			...report.unsteady.map(title => `unsteady ${name}: ${title} (failed, and passed when run again alone)`),
		);
	}

	for (const remark of remarks) console.log(remark);
	const ran = total.passed + total.failed > 0;
	if (!ran) console.log('no test was run');
	console.log(summary(total));
	return ran && total.failed === 0 && !interrupted.signal.aborted;
}

async function runTests(name: string, options: SuiteOptions, sources: readonly string[]) {
	const {folder = name, except = []} = options;
	const files = [`dist/test/${folder}/**/*.test.js`, ...except.map(file => `!dist/test/${folder}/${file}.test.js`)];
	const report = await runSuite(
		suiteOf(name, options, files),
		result => printFailure(name, result),
		interrupted.signal,
	);
	const passesNow = await passesAlone(name, options, report, sources);
	const {passed, failed} = report.counts;
	const counts = passesNow ? {...report.counts, passed: passed + failed, failed: 0} : report.counts;
	if (counts.failed > 0 && report.stderr !== '') console.log(report.stderr.trimEnd());
	if (report.problem !== undefined) console.log(report.problem);
	progress(name, summary(counts), report.elapsedMs);
	return {counts, skipped: report.skipped, unsteady: passesNow ? report.failed.map(({title}) => title) : []};
}

/** Runs the files of the tests that failed once more, where those are few and all that went wrong. */
async function passesAlone(
	name: string,
	options: SuiteOptions,
	{counts, failed, problem}: SuiteReport,
	sources: readonly string[],
): Promise<boolean> {
	const titles = failed.map(({title}) => title);
	const again = sourcesOf(titles, options.folder ?? name, sources) ?? [];
	const isAll = problem === undefined && counts.failed === failed.length;
	// What is random may pass by another draw, or in another order.
	const isRandom = failed.some(({diagnostic}) => /^# +SEED=/m.test(diagnostic));
	if (isRandom || !isAll || again.length === 0 || again.length > MOST_RUN_AGAIN) return false;

	const files = again.map(source => `dist/${source.replace(/\.ts$/, '.js')}`);
	console.log(`again    ${name}: ${again.join(', ')}`);
	const suite = suiteOf(name, {...options, concurrency: 1}, files);
	const report = await runSuite(suite, result => printFailure(name, result), interrupted.signal);
	if (report.problem !== undefined) console.log(report.problem);
	return report.counts.failed === 0;
}

function suiteOf(
	name: string,
	{concurrency, deadlineMinutes, by, env = []}: SuiteOptions,
	files: readonly string[],
): Suite {
	const within = by === undefined ? [] : ['bash', 'scripts/in-namespace.sh', by];
	const ava = ['node', 'dist/scripts/ava-tap.js', '--tap', `--concurrency=${concurrency}`];
	const command = [...within, 'env', ...env, ...ava, ...files];
	return {name, command, deadlineMs: deadlineMinutes * 60_000};
}

function printFailure(suite: string, {title, diagnostic}: TapResult): void {
	console.log(`failed   ${suite}: ${title}\n${diagnostic}\n`);
}

function progress(stage: string, outcome: string, elapsedMs: number): void {
	console.log(`${stage.padEnd(9)}${outcome}  (${(elapsedMs / 1000).toFixed(1)} s)`);
}
