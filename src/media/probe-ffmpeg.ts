/** Asking a binary whether it is an ffmpeg that can write H.264. */
import {spawn} from 'node:child_process';
import {cleanStdio} from '../base/clean-spawn.js';
import {systemCode} from '../base/errors.js';
import {formatDuration, formatSize} from '../base/units.js';
import {oneLine} from './one-line.js';
import {endGroup} from './process-group.js';

export interface ProbeLimits {
	readonly timeoutMs: number;
	/** The PATH that the binary sees, and its whole environment. */
	readonly searchPath: string;
}

/** `ffmpeg -version` prints 2 to 3 KB. */
const MOST_OUTPUT_BYTES = 64 * 1024;

/**
 * The version of the ffmpeg at `binary`, as it says itself: `5.1.9-0+deb12u1`.
 * When this settles, no process of the probe is left.
 *
 * @throws Error whose message says in a few words why it cannot be used.
 */
export async function probeFfmpeg(binary: string, limits: ProbeLimits): Promise<string> {
	const printed = await output(binary, ['-version'], limits);
	const version = /^ffmpeg version (\S+)/.exec(printed)?.[1];
	if (version === undefined) throw new Error('is no ffmpeg');
	if (!/--enable-libx264\b/.test(printed)) throw new Error(`ffmpeg ${version} was built without libx264`);
	return version;
}

async function output(binary: string, args: readonly string[], limits: ProbeLimits): Promise<string> {
	const child = spawn(binary, args, {
		cwd: '/',
		detached: true,
		env: {PATH: limits.searchPath},
		stdio: cleanStdio(['ignore', 'pipe', 'pipe']),
	});
	let timer: NodeJS.Timeout | undefined;
	try {
		return await new Promise<string>((resolve, reject) => {
			timer = setTimeout(() => {
				reject(new Error(`did not answer within ${formatDuration(limits.timeoutMs)}`));
			}, limits.timeoutMs);
			const chunks: Buffer[] = [];
			let size = 0;
			const keep = (chunk: Buffer) => {
				size += chunk.length;
				if (size > MOST_OUTPUT_BYTES) reject(new Error(`printed more than ${formatSize(MOST_OUTPUT_BYTES)}`));
				else chunks.push(chunk);
			};
			child.stdout?.on('data', keep);
			child.stderr?.on('data', keep);
			child.once('error', error => reject(new Error(reasonOf(error), {cause: error})));
			child.once('close', (code, signal) => {
				const text = Buffer.concat(chunks).toString();
				if (code === 0) resolve(text);
				else reject(new Error(oneLine(`${signal ? `died of ${signal}` : `exited with code ${code}`} ${text}`)));
			});
		});
	} finally {
		clearTimeout(timer);
		await endGroup(child);
	}
}

function reasonOf(error: Error): string {
	const code = systemCode(error);
	if (code === 'ENOENT') return 'is not there';
	if (code === 'EACCES') return 'may not be executed';
	return oneLine(`cannot be started: ${error.message}`);
}
