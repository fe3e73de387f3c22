/**
 * `npm test` after the compiler: lint, layers, then every suite of tests from
 * fast to slow. A static stage that fails ends the run; a suite that fails does
 * not. The last line alone is `N passed, N failed`, with `, N skipped` if any.
 */
import {spawnSync} from 'node:child_process';
import {removeStale, testsOf} from './compiled-tests.js';
import {runSuite, type SuiteReport} from './suite.js';
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
	const skipped: string[] = [];
	for (const [name, options] of Object.entries(SUITES)) {
		const {sources, missing} = testsOf('.', options.folder ?? name);
		if (sources.length === 0 || interrupted.signal.aborted) continue;

		for (const source of missing) console.log(`${source} is not compiled: delete dist/ and run npm test again`);
		const report = await runTests(name, options);
		total = add(add(total, report.counts), {...NO_TESTS, failed: missing.length});
		skipped.push(...report.skipped.map(title => `${name}: ${title}`));
	}

	for (const title of skipped) console.log(`skipped  ${title}`);
	const ran = total.passed + total.failed > 0;
	if (!ran) console.log('no test was run');
	console.log(summary(total));
	return ran && total.failed === 0 && !interrupted.signal.aborted;
}

async function runTests(name: string, options: SuiteOptions): Promise<SuiteReport> {
	const {concurrency, deadlineMinutes, folder = name, except = [], by, env = []} = options;
	const within = by === undefined ? [] : ['bash', 'scripts/in-namespace.sh', by];
	const ava = ['node', 'dist/scripts/ava-tap.js', '--tap', `--concurrency=${concurrency}`];
	const files = [`dist/test/${folder}/**/*.test.js`, ...except.map(file => `!dist/test/${folder}/${file}.test.js`)];
	const command = [...within, 'env', ...env, ...ava, ...files];
	const suite = {name, command, deadlineMs: deadlineMinutes * 60_000};
	const report = await runSuite(suite, result => printFailure(name, result), interrupted.signal);
	if (report.counts.failed > 0 && report.stderr !== '') console.log(report.stderr.trimEnd());
	if (report.problem !== undefined) console.log(report.problem);
	progress(name, summary(report.counts), report.elapsedMs);
	return report;
}

function printFailure(suite: string, {title, diagnostic}: TapResult): void {
	console.log(`failed   ${suite}: ${title}\n${diagnostic}\n`);
}

function progress(stage: string, outcome: string, elapsedMs: number): void {
	console.log(`${stage.padEnd(9)}${outcome}  (${(elapsedMs / 1000).toFixed(1)} s)`);
}
