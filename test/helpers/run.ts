import {spawn} from 'node:child_process';

export interface Result {
	/** The exit code; undefined when it was ended by its deadline or a signal. */
	readonly code: number | undefined;
	readonly stdout: string;
	readonly stderr: string;
}

export interface RunOptions {
	readonly input?: string | Buffer;
	readonly env?: Readonly<Record<string, string>>;
	readonly cwd?: string;
	readonly uid?: number;
	/** After this it is killed, and `code` undefined. A test never hangs on a mount. */
	readonly deadlineMs?: number;
}

/** Runs a program to its end: `run('cat', [file])`. */
export function run(program: string, args: readonly string[] = [], options: RunOptions = {}): Promise<Result> {
	const {input, env, cwd, uid, deadlineMs = 60_000} = options;
	const child = spawn(program, args, {
		env: {...process.env, LC_ALL: 'C.UTF-8', ...env},
		...(cwd !== undefined && {cwd}),
		...(uid !== undefined && {uid, gid: uid}),
	});
	const stdout: Buffer[] = [];
	const stderr: Buffer[] = [];
	child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
	child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
	child.stdin.on('error', () => undefined);
	child.stdin.end(input);
	return new Promise((resolve, reject) => {
		const settle = (code: number | undefined) => {
			clearTimeout(timer);
			resolve({code, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString()});
		};

		const timer = setTimeout(() => {
			child.kill('SIGKILL');
			// What waits for a hung mount does not die: its pipes are let go, and it is not waited for.
			child.stdout.destroy();
			child.stderr.destroy();
			child.unref();
			settle(undefined);
		}, deadlineMs);
		child.on('error', reject);
		child.on('close', code => settle(code ?? undefined));
	});
}

/** Runs a line of shell: `sh('cat "$1" | wc -c', file)`. */
export function sh(script: string, ...args: string[]): Promise<Result> {
	return run('bash', ['-c', script, 'bash', ...args]);
}
