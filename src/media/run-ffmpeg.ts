/** Running one conversion where nothing it does can hurt this process. */
import {fork, type ChildProcess} from 'node:child_process';
import {rm} from 'node:fs/promises';
import {fileURLToPath} from 'node:url';
import {createExclusive} from '../base/atomic-file.js';
import {cleanStdio} from '../base/clean-spawn.js';
import {CacheError} from '../base/errors.js';
import {formatDuration} from '../base/units.js';
import {oneLine} from './one-line.js';
import type {Conversion} from './ffmpeg.js';
import type {RunnerAnswer} from './ffmpeg-runner.js';
import {endGroup} from './process-group.js';

export interface RunLimits {
	/** From here to the end of ffmpeg, in ms. */
	readonly timeoutMs: number;
	/** The PATH that ffmpeg sees: its whole environment, so that no secret of ours is in it. */
	readonly searchPath: string;
	readonly signal: AbortSignal;
}

const RUNNER = fileURLToPath(new URL('./ffmpeg-runner.js', import.meta.url));

/** The runner keeps 40 lines of text; a binary that prints without end makes it die, not the host. */
const RUNNER_HEAP_MB = 64;

/**
 * Runs ffmpeg through a Node process of its own, at a lower priority, and
 * resolves with the last lines it printed. The output, which must not exist
 * yet, is readable by its owner only. When this settles, neither process is
 * left, and after a failure no output.
 *
 * @throws CacheError `aborted` when `signal` fired.
 * @throws Error of one line when ffmpeg failed or did not end in time.
 */
export async function runFfmpeg(conversion: Conversion, limits: RunLimits): Promise<string> {
	if (limits.signal.aborted) throw aborted(limits.signal);
	// ffmpeg overwrites a file and keeps its mode; one that it creates could be read by others.
	await (await createExclusive(conversion.output)).close();
	try {
		return await inRunner(conversion, limits);
	} catch (error) {
		await rm(conversion.output, {force: true});
		throw error;
	}
}

async function inRunner(conversion: Conversion, limits: RunLimits): Promise<string> {
	const runner = fork(RUNNER, [], {
		cwd: '/',
		detached: true,
		env: {PATH: limits.searchPath},
		execArgv: [`--max-old-space-size=${RUNNER_HEAP_MB}`],
		stdio: cleanStdio(['ignore', 'ignore', 'ignore', 'ipc']),
	});
	try {
		return await outcome(runner, conversion, limits);
	} finally {
		await endGroup(runner);
	}
}

/** What comes first: the runner's answer, its end, the deadline, or the abort. */
async function outcome(runner: ChildProcess, conversion: Conversion, limits: RunLimits): Promise<string> {
	const {timeoutMs, signal} = limits;
	const settled = new AbortController();
	try {
		return await new Promise<string>((resolve, reject) => {
			const timer = setTimeout(() => {
				reject(new Error(`ffmpeg did not finish within ${formatDuration(timeoutMs)}`));
			}, timeoutMs);
			settled.signal.addEventListener('abort', () => clearTimeout(timer));
			signal.addEventListener('abort', () => reject(aborted(signal)), {signal: settled.signal});
			runner.once('message', (answer: RunnerAnswer) => {
				if ('printed' in answer) resolve(answer.printed);
				else reject(new Error(oneLine(answer.failure)));
			});
			runner.on('error', reject);
			runner.once('exit', (code, killedBy) => {
				reject(new Error(`the process that runs ffmpeg ended early (${killedBy ?? `code ${code}`})`));
			});
			runner.send(conversion, error => {
				if (error) reject(error);
			});
		});
	} finally {
		settled.abort();
	}
}

function aborted(signal: AbortSignal): CacheError {
	return new CacheError('aborted', 'the conversion was aborted', {cause: signal.reason});
}
