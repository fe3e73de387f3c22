import test from 'ava';
import {run} from '../../helpers/run.js';

const MODULE = new URL('../../../src/base/log.js', import.meta.url).href;

/** What a process logs on standard error, line by line; nothing may come on standard output. */
async function logged(options: object, statements: string): Promise<{lines: string[]; stdout: string}> {
	const program = `
		import {createLog} from ${JSON.stringify(MODULE)};
		const log = createLog(${JSON.stringify(options)});
		${statements}
		process.kill(process.pid, 'SIGKILL');
	`;
	const {stdout, stderr} = await run(process.execPath, ['--input-type=module', '-e', program]);
	return {stdout, lines: stderr.split('\n').filter(line => line !== '')};
}

test('json is one object a line, written at once: a crash loses none', async t => {
	const {lines, stdout} = await logged(
		{level: 'info', format: 'json'},
		`log.debug('no'); log.warn('yes', {url: 'x'});`,
	);
	t.is(lines.length, 1);
	t.like(JSON.parse(lines[0] ?? '') as object, {level: 'warn', msg: 'yes', url: 'x'});
	t.is(stdout, '');
});

test('journal lines carry the priority, one line each', async t => {
	const statements = `log.error('e'); log.warn('two\\nlines'); log.info('i', {a: 1}); log.debug('d');`;
	const {lines} = await logged({level: 'debug', format: 'journal'}, statements);
	t.is(lines[0], '<3>e');
	t.true(lines.includes('<6>i {"a":1}'));
	t.is(lines.at(-1), '<7>d');
});

test('the level can be changed, and silent is silent', async t => {
	const {lines} = await logged(
		{level: 'silent', format: 'json'},
		`log.error('a'); log.level = 'debug'; log.debug('b');`,
	);
	t.is(lines.length, 1);
	t.like(JSON.parse(lines[0] ?? '') as object, {msg: 'b'});
});

test('pretty lines are for a person, without colours where no terminal is', async t => {
	const {lines} = await logged({level: 'info', format: 'pretty'}, `log.warn('careful');`);
	t.regex(lines[0] ?? '', /^\[\d\d:\d\d:\d\d\] WARN: careful$/);
});
