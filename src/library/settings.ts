import type {Log} from '../base/log.js';
import type {Settings} from '../config/options.js';
import {openCache, type UrlCache} from './open.js';

/** A cache as the settings of the program describe it. */
export function openCacheWith(settings: Settings, context: {log: Log; searchPath: string}): UrlCache {
	return openCache({
		directory: settings.cacheDir,
		maxSizeBytes: settings.maxSize,
		reencodeGif: settings.reencodeGif,
		ffmpegPath: settings.ffmpeg,
		maxDownloads: settings.maxDownloads,
		http: {
			connectTimeoutMs: settings.connectTimeout,
			headersTimeoutMs: settings.headersTimeout,
			idleTimeoutMs: settings.idleTimeout,
			maxRedirects: settings.maxRedirects,
			retries: settings.retries,
			userAgent: settings.userAgent,
		},
		...context,
	});
}
