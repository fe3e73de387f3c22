import test, {type ExecutionContext} from 'ava';
import {execFileSync} from 'node:child_process';
import {accessSync, constants} from 'node:fs';
import {cleanStdio} from '../../../src/base/clean-spawn.js';

const MODULE = new URL('../../../src/base/clean-spawn.js', import.meta.url).href;

/**
 * Runs `script` in a Node that holds `device` at descriptors 40 and 45 without
 * O_CLOEXEC, as libfuse would, and returns what it printed. (Node closes the
 * descriptors it was given on exec, but stops looking at the first gap above 15.)
 */
function withInherited(device: string, script: string): string[] {
	const node = `exec "$0" --input-type=module -e "$1" 40<>"$2" 45<>"$2"`;
	const program = `
		import {fork, spawn} from 'node:child_process';
		import {cleanStdio} from ${JSON.stringify(MODULE)};
		const show = 'for fd in 40 45; do readlink /proc/$$/fd/$fd; done';
		${script}
	`;
	return execFileSync('bash', ['-c', node, process.execPath, program, device], {encoding: 'utf8'}).trim().split('\n');
}

function isUsable(device: string): boolean {
	try {
		accessSync(device, constants.R_OK | constants.W_OK);
		return true;
	} catch {
		return false;
	}
}

test('without any care a child inherits the device', t => {
	t.deepEqual(withInherited('/dev/zero', `spawn('sh', ['-c', show], {stdio: 'inherit'});`), ['/dev/zero', '/dev/zero']);
});

test('a child has /dev/null in the place of the device', t => {
	const stdio = `cleanStdio(['ignore', 'inherit', 'inherit'], '/dev/zero')`;
	const seen = withInherited('/dev/zero', `spawn('sh', ['-c', show], {stdio: ${stdio}});`);
	t.deepEqual(seen, ['/dev/null', '/dev/null']);
});

test('a forked child keeps its IPC channel at 3 and has no device', t => {
	const seen = withInherited(
		'/dev/zero',
		`const stdio = cleanStdio(['ignore', 'inherit', 'inherit', 'ipc'], '/dev/zero');
		const shell = fork('-c', ['readlink /proc/$$/fd/3; ' + show], {execPath: '/bin/sh', execArgv: [], stdio});
		shell.once('exit', () => shell.connected && shell.disconnect());`,
	);
	t.regex(seen[0] ?? '', /^socket:/);
	t.deepEqual(seen.slice(1), ['/dev/null', '/dev/null']);
});

test('other descriptors of the parent are left alone', t => {
	const stdio = `cleanStdio(['ignore', 'inherit', 'inherit'], '/dev/full')`;
	const seen = withInherited('/dev/zero', `spawn('sh', ['-c', show], {stdio: ${stdio}});`);
	t.deepEqual(seen, ['/dev/zero', '/dev/zero']);
});

const hidesFuse = (t: ExecutionContext) => {
	const stdio = `cleanStdio(['ignore', 'inherit', 'inherit'])`;
	const seen = withInherited('/dev/fuse', `spawn('sh', ['-c', show], {stdio: ${stdio}});`);
	t.deepEqual(seen, ['/dev/null', '/dev/null']);
};
if (isUsable('/dev/fuse')) test('the device that is hidden unless told otherwise is /dev/fuse', hidesFuse);
else
	test.skip(
		'the device that is hidden unless told otherwise is /dev/fuse (skipped: it may not be opened here)',
		hidesFuse,
	);

test('a process that does not hold the device gets the stdio it wanted', t => {
	t.deepEqual(cleanStdio(['ignore', 'pipe', 'pipe', 'ipc'], '/dev/nonexistent'), ['ignore', 'pipe', 'pipe', 'ipc']);
});
