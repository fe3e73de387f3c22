/** The only door to the packages `fluent-ffmpeg` and `ffmpeg-static`. */
import {createRequire} from 'node:module';

/** One run of ffmpeg: a file in, a file out. All paths are absolute. */
export interface Conversion {
	readonly binary: string;
	readonly input: string;
	/** What stands before `-i`, one array element for each argument. */
	readonly inputOptions: readonly string[];
	readonly output: string;
	/** What stands before the output's name. */
	readonly outputOptions: readonly string[];
}

/** So many last lines of what ffmpeg prints are kept. */
const KEPT_LINES = 40;

/**
 * The binary that the package ffmpeg-static brings. It is an optional
 * dependency: npm leaves it out where its download failed.
 *
 * @param from - the module (path or URL) from which the package is looked for.
 * @throws Error when the package is absent, or has no binary for this platform.
 */
export function staticBinary(from: string): string {
	const found: unknown = createRequire(from)('ffmpeg-static');
	if (typeof found !== 'string') throw new Error('the package has no binary for this platform');
	return found;
}

/**
 * Runs ffmpeg in this process's group and resolves with the last lines of its
 * standard output.
 *
 * Only for a process that may die of it (`ffmpeg-runner.ts`): when a binary
 * that has worked cannot be spawned, fluent-ffmpeg throws a TypeError that no
 * one can catch. It asks ffmpeg for its formats and encoders first, once in a
 * process.
 *
 * @throws Error with ffmpeg's last words when it ends other than with 0.
 */
export async function transcode(conversion: Conversion): Promise<string> {
	const {default: ffmpeg} = await import('fluent-ffmpeg');
	return new Promise((resolve, reject) => {
		ffmpeg({stdoutLines: KEPT_LINES})
			.setFfmpegPath(conversion.binary)
			.input(conversion.input)
			.inputOptions(...conversion.inputOptions)
			.output(conversion.output)
			.outputOptions(...conversion.outputOptions)
			.on('end', stdout => resolve(stdout ?? ''))
			.on('error', reject)
			.run();
	});
}
