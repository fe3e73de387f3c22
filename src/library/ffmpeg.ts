import {NO_LOG} from '../base/log.js';
import {FfmpegFinder} from '../media/find-ffmpeg.js';

/**
 * The ffmpeg that a cache with these settings would use.
 *
 * @throws Error that lists what was tried.
 */
export function findFfmpeg(configuredPath: string | undefined, searchPath: string): Promise<string> {
	return new FfmpegFinder({configuredPath, searchPath, log: NO_LOG}).find();
}
