import {mkdirSync, mkdtempSync, existsSync, readFileSync, rmSync, symlinkSync, writeFileSync} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import {fileURLToPath} from 'node:url';
import test, {type ExecutionContext} from 'ava';
import {removeStale, sourcesOf, testsOf} from '../../../scripts/compiled-tests.js';
import {runSuite, type Suite} from '../../../scripts/suite.js';
import {add, NO_TESTS, summary, TapReader, type TapResult} from '../../../scripts/tap.js';
import {until} from '../../helpers/until.js';

const TAP = `TAP version 13
ok 1 - a › left out # SKIP
not ok 2 - a › planned # TODO
ok 3 - b › works
#   SEED=4
not ok 4 - a › number # two
#   SEED=9
  ---
    name: AssertionError
    details:
      'Difference (- actual, + expected):': |2-
          {
        -   a: 1,

        +   a: 2,
          }
  ...
# after hook of b
#   a log line of the hook
ok 5 - b › known to fail

1..5
# tests 5
# pass 2
# skip 1
# fail 2
`;

function read(tap: string): TapReader {
	const reader = new TapReader();
	for (const line of tap.split('\n')) reader.line(line);
	reader.end();
	return reader;
}

function temporaryFolder(t: ExecutionContext): string {
	const folder = mkdtempSync(path.join(os.tmpdir(), 'larder-gate-'));
	t.teardown(() => rmSync(folder, {recursive: true, force: true}));
	return folder;
}

/** A suite that is a Node script. */
function script(source: string, deadlineMs = 20_000): Suite {
	return {name: 'example', command: [process.execPath, '-e', source], deadlineMs};
}

test('passed, failed, skipped and todo tests are told apart', t => {
	const reader = read(TAP);
	t.deepEqual(reader.counts(), {passed: 2, failed: 1, skipped: 2});
	t.true(reader.complete);
});

test("a failing test comes with its log and its whole error, and with nothing of its neighbours'", t => {
	const [failure] = read(TAP).results.filter(result => result.outcome === 'failed');
	t.is(failure?.title, 'a › number # two');
	t.regex(failure?.diagnostic ?? '', /^#\s+SEED=9\n {2}---[^]*\+ {3}a: 2,\n {10}\}\n {2}\.\.\.$/);
});

test('a failure is handed on before the run is over', t => {
	const seen: TapResult[] = [];
	const reader = new TapReader(result => seen.push(result));
	for (const line of ['not ok 1 - first', '  ---', '  ...', 'ok 2 - second']) reader.line(line);
	t.deepEqual(seen, [{title: 'first', outcome: 'failed', diagnostic: '  ---\n  ...'}]);
});

test('a run without a plan is incomplete', t => {
	t.false(read('TAP version 13\nok 1 - a').complete);
});

test('a test that ava counts as failed but never reported is counted', t => {
	t.is(read('ok 1 - a\n\n1..3\n# tests 3\n# pass 1\n# fail 2\n').counts().failed, 2);
});

test('the last line names skipped tests only when there are some', t => {
	const total = add({passed: 2, failed: 1, skipped: 0}, {...NO_TESTS, passed: 3});
	t.is(summary(total), '5 passed, 1 failed');
	t.is(summary(add(total, {...NO_TESTS, skipped: 4})), '5 passed, 1 failed, 4 skipped');
});

test('a suite that ends well has no problem', async t => {
	const report = await runSuite(script(`console.log('ok 1 - a\\n\\n1..1\\n# fail 0')`), () => t.fail());
	t.deepEqual([report.counts, report.problem], [{passed: 1, failed: 0, skipped: 0}, undefined]);
});

test('a suite whose runner crashes counts as one failed, with the end of its standard error', async t => {
	const report = await runSuite(
		script(`console.log('ok 1 - a'); console.error('broken pipe dream'); process.exit(7)`),
		() => t.fail(),
	);
	t.deepEqual(report.counts, {passed: 1, failed: 1, skipped: 0});
	t.is(report.problem, 'example: the test run ended with exit code 7 before it was done');
	t.is(report.stderr, 'broken pipe dream\n');
});

test('a suite whose runner fails without a failing test counts as one failed', async t => {
	const report = await runSuite(script(`console.log('ok 1 - a\\n\\n1..1\\n# fail 0'); process.exitCode = 1`), () =>
		t.fail(),
	);
	t.is(report.counts.failed, 1);
});

test('a suite that cannot be started counts as one failed', async t => {
	const report = await runSuite({name: 'example', command: ['/nonexistent'], deadlineMs: 20_000}, () => t.fail());
	t.is(report.counts.failed, 1);
	t.regex(report.problem ?? '', /could not be started/);
});

test('a suite over its deadline counts as one failed, and its children are killed with it', async t => {
	const source = `const {pid} = require('node:child_process').spawn('sleep', ['600'], {stdio: 'inherit'}); console.error(pid); setInterval(() => {}, 1000)`;
	const report = await runSuite(script(source, 500), () => t.fail());
	t.is(report.counts.failed, 1);
	t.regex(report.problem ?? '', /not done after 0\.5 s/);
	await until('it is gone', () => !isRunning(Number(report.stderr)));
});

test('a child that a suite leaves behind neither holds it up nor lives on', async t => {
	const source = `const {pid} = require('node:child_process').spawn('sleep', ['600'], {stdio: 'inherit'}); console.error(pid); console.log('ok 1 - a\\n\\n1..1'); process.exit(0)`;
	const report = await runSuite(script(source), () => t.fail());
	t.is(report.problem, undefined);
	await until('it is gone', () => !isRunning(Number(report.stderr)));
});

test('a test that hangs is named', async t => {
	const folder = temporaryFolder(t);
	symlinkSync(path.resolve('node_modules'), path.join(folder, 'node_modules'));
	writeFileSync(
		path.join(folder, 'package.json'),
		'{"type": "module", "ava": {"workerThreads": false, "timeout": "10s"}}',
	);
	const hangs = `import test from 'ava'; test('never ends', () => new Promise(() => setInterval(() => {}, 1000)));`;
	writeFileSync(path.join(folder, 'hang.test.js'), hangs);

	const ava = fileURLToPath(new URL('../../../scripts/ava-tap.js', import.meta.url));
	const failed: string[] = [];
	const command = ['env', '-C', folder, process.execPath, ava, '--tap'];
	await runSuite({name: 'example', command, deadlineMs: 60_000}, result => failed.push(result.title));
	t.deepEqual(failed, ['never ends']);
});

test('a compiled test whose source is gone is removed, and the compiler starts afresh', t => {
	const root = temporaryFolder(t);
	for (const folder of ['test/unit', 'dist/test/unit']) mkdirSync(path.join(root, folder), {recursive: true});
	const files = ['test/unit/kept.test.ts', 'dist/test/unit/kept.test.js', 'dist/test/unit/gone.test.js'];
	for (const file of [...files, 'dist/test/unit/gone.test.js.map', 'dist/.tsbuildinfo'])
		writeFileSync(path.join(root, file), '');

	t.deepEqual(removeStale(root), ['test/unit/gone.test.js', 'test/unit/gone.test.js.map']);
	t.true(existsSync(path.join(root, 'dist/test/unit/kept.test.js')));
	t.false(existsSync(path.join(root, 'dist/.tsbuildinfo')));
	t.deepEqual(removeStale(root), []);
});

test('a test that was not compiled is missed', t => {
	const root = temporaryFolder(t);
	mkdirSync(path.join(root, 'test/unit/deep'), {recursive: true});
	writeFileSync(path.join(root, 'test/unit/deep/a.test.ts'), '');
	t.deepEqual(testsOf(root, 'unit').missing, ['test/unit/deep/a.test.ts']);
	t.deepEqual(testsOf(root, 'mount').sources, []);
});

test('what failed is found by the title that ava gives it among several files', t => {
	const sources = ['test/unit/cache/fill.test.ts', 'test/unit/fill.test.ts', 'test/unit/fill-mode.test.ts'];
	const found = (...titles: string[]) => sourcesOf(titles, 'unit', sources);
	t.deepEqual(found('cache › fill › a', 'fill › b', 'fill › c › d'), sources.slice(0, 2));
	t.deepEqual(found('fill-mode › a'), sources.slice(2));
	t.is(found('fill › a', 'uncaught exception'), undefined);
});

/** A zombie that its new parent has not reaped yet does not count as running. */
function isRunning(pid: number): boolean {
	const stat = `/proc/${pid}/stat`;
	return existsSync(stat) && !/\) [ZX] /.test(readFileSync(stat, 'utf8'));
}
