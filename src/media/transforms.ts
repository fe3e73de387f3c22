/** The table of transforms: a new one is a file beside this one and a line here. */
import type {Log} from '../base/log.js';
import {FfmpegFinder} from './find-ffmpeg.js';
import {GifToMp4} from './gif-to-mp4.js';
import type {Transform} from './transform.js';

export {DECIDING_BYTES, type Transform} from './transform.js';

export interface TransformOptions {
	readonly reencodeGif: boolean;
	/** The ffmpeg to prefer over ffmpeg-static and the one on the search path. */
	readonly ffmpegPath: string | undefined;
	/** How long one conversion may take, in ms. */
	readonly timeoutMs: number;
	readonly log: Log;
	/** The PATH to look for ffmpeg in; `DEFAULT_SEARCH_PATH` unless given. */
	readonly searchPath?: string;
}

/** Where distributions put programs, for a caller that has no PATH to hand down. */
export const DEFAULT_SEARCH_PATH = '/usr/local/bin:/usr/bin:/bin';

/** How long a conversion may take unless the user says otherwise. */
export const DEFAULT_TIMEOUT_MS = 60_000;

/**
 * The transforms that are switched on, in the order in which they are asked
 * (`appliesTo`). Nothing is started here: ffmpeg is looked for when it is needed.
 */
export function createTransforms(options: TransformOptions): readonly Transform[] {
	const {log, timeoutMs, searchPath = DEFAULT_SEARCH_PATH, ffmpegPath: configuredPath} = options;
	const finder = new FfmpegFinder({configuredPath, searchPath, log});
	return [...(options.reencodeGif ? [new GifToMp4({finder, timeoutMs, searchPath})] : [])];
}
