import {spawn} from 'node:child_process';
import {cleanStdio} from '../base/clean-spawn.js';
import {messageOf} from '../base/errors.js';

export interface Outcome {
	/** The exit code; `undefined` when the program did not start, was killed or is late. */
	readonly code: number | undefined;
	readonly timedOut: boolean;
	/** The first line of its standard error, or why it did not start. */
	readonly complaint: string;
}

/**
 * Runs a program to its end, in English and without our `/dev/fuse`.
 *
 * After `timeoutMs` it is killed and no longer waited for: what hangs on a
 * FUSE mount cannot be ended by a signal.
 */
export async function run(
	command: readonly [string, ...string[]],
	options: {timeoutMs: number; env: Readonly<Record<string, string | undefined>>},
): Promise<Outcome> {
	const [program, ...args] = command;
	const child = spawn(program, args, {
		stdio: cleanStdio(['ignore', 'ignore', 'pipe']),
		env: {...options.env, LC_ALL: 'C'},
	});
	let stderr = '';
	child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));

	return new Promise(resolve => {
		const settle = (outcome: Pick<Outcome, 'code' | 'timedOut'>, complaint = stderr.split('\n')[0] ?? '') => {
			clearTimeout(timer);
			resolve({...outcome, complaint});
		};
		const timer = setTimeout(() => {
			child.kill('SIGKILL');
			child.stderr?.destroy();
			child.unref();
			settle({code: undefined, timedOut: true});
		}, options.timeoutMs);
		child.once('error', error => settle({code: undefined, timedOut: false}, messageOf(error)));
		child.once('close', code => settle({code: code ?? undefined, timedOut: false}));
	});
}
